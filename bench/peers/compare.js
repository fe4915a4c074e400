// The engine beside ONNX Runtime: the same file and input, in turn A B A B, and a table.
// usage: node compare.js THERMOFACE ROUNDS RUNS CPU MODEL[=INPUT_F32] …      (bench/peers/run calls it)
'use strict';
const { execFileSync } = require('child_process');
const path = require('path');

const [binary, roundsText, runsText, cpu, ...pairs] = process.argv.slice(2);
const rounds = Number(roundsText);
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const f = (x, digits) => x.toFixed(digits).padStart(9);

function ours(model, input, threads) {
  const args = ['bench', 'model', model, '--threads', threads, '--runs', runsText, '--json'];
  if (input) args.push('--input', input);
  if (cpu !== 'best') args.push('--cpu', cpu);
  return JSON.parse(execFileSync(binary, args, { encoding: 'utf8' }));
}

function peer(model, input, threads) {
  const args = [path.join(__dirname, 'ort.js'), model, input || '-', threads, runsText];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

console.log(`level ${cpu}, ${rounds} rounds of ${runsText} runs each, in turn; milliseconds; ratio > 1: the engine is faster`);
console.log('network              threads    ours med  ours min   ORT med   ORT min   ratio (min…max)      peak share');
for (const pair of pairs) {
  const [model, input] = pair.split('=');
  for (const threads of ['1', '2']) {
    const a = [];
    const b = [];
    for (let i = 0; i < rounds; i++) {
      a.push(ours(model, input, threads));
      b.push(peer(model, input, threads));
    }
    const ratios = a.map((x, i) => b[i].median_ms / x.median_ms);
    console.log(`${path.basename(model, '.onnx').padEnd(20)} ${threads.padStart(7)} ` +
      f(median(a.map((x) => x.median_ms)), 3) + ' ' + f(Math.min(...a.map((x) => x.min_ms)), 3) + ' ' +
      f(median(b.map((x) => x.median_ms)), 3) + ' ' + f(Math.min(...b.map((x) => x.min_ms)), 3) + '   ' +
      `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}…${Math.max(...ratios).toFixed(2)})`.padEnd(20) + ' ' +
      `${(100 * median(a.map((x) => x.peak_share))).toFixed(0).padStart(4)} %`);
  }
}

for (const pair of pairs) {
  const [model, input] = pair.split('=');
  const args = ['bench', 'model', model, '--runs', runsText, '--layers', '8'];
  if (input) args.push('--input', input);
  if (cpu !== 'best') args.push('--cpu', cpu);
  console.log(`\nthe layers that cost most, one thread: ${path.basename(model)}`);
  process.stdout.write(execFileSync(binary, args, { encoding: 'utf8' }));
}
