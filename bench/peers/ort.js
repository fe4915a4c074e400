// One process, one ONNX Runtime session: times `runs` inferences of a model and prints one JSON line.
// usage: node ort.js MODEL INPUT_F32 THREADS RUNS     (INPUT_F32 -: numbers from 0 to 1)
'use strict';
const fs = require('fs');
const path = require('path');
const ort = require(path.join(process.env.TF_PEERS, 'node_modules', 'onnxruntime-node'));

// y = relu(x) of one number: what a call through JavaScript costs before any work is done. It is taken off ONNX
// Runtime's figure, so that the engine is compared with the library and not with its binding.
const OVERHEAD = 'CAc6UgoMCgF4EgF5IgRSZWx1EghvdmVyaGVhZFobCgF4EhYKFAgBEhAKAggBCgIIAQoCCAEKAggBYhsKAXkSFgoUCAESEAoC' +
  'CAEKAggBCgIIAQoCCAFCBAoAEA0=';

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

async function time(session, feeds, runs) {
  const ms = [];
  for (let i = 0; i < runs; i++) {
    const start = process.hrtime.bigint();
    await session.run(feeds);
    ms.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  return ms;
}

async function main() {
  const [model, input, threads, runs] = process.argv.slice(2);
  const options = {
    intraOpNumThreads: Number(threads), interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
  };
  const session = await ort.InferenceSession.create(model, options);
  const dims = session.inputMetadata[0].shape.map((d) => (typeof d === 'number' && d > 0 ? d : 1));
  const count = dims.reduce((a, b) => a * b, 1);
  let data = Float32Array.from({ length: count }, (_, i) => (i * 37 % 256) / 255);
  if (input !== '-') {
    const bytes = fs.readFileSync(input);
    data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2).slice(0, count);
  }
  const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', data, dims) };

  const empty = await ort.InferenceSession.create(Buffer.from(OVERHEAD, 'base64'), options);
  const emptyFeeds = { x: new ort.Tensor('float32', new Float32Array(1), [1, 1, 1, 1]) };

  await time(session, feeds, 50);
  await time(empty, emptyFeeds, 200);
  const overhead = median(await time(empty, emptyFeeds, 400));
  const ms = await time(session, feeds, Number(runs));
  console.log(JSON.stringify({
    median_ms: median(ms) - overhead, min_ms: Math.min(...ms) - overhead, overhead_ms: overhead,
  }));
}

main().catch((error) => {
  console.error(`ort.js: ${error.message}`);
  process.exit(1);
});
