// Fills NAME.out.f32 with ONNX Runtime's results for every NAME.onnx and NAME.in.f32 of this folder: all outputs of the
// first sample, then of the second. NODE_PATH must lead to onnxruntime-node 1.30.0 (npm install --ignore-scripts).
const fs = require('fs');
const path = require('path');
const ort = require('onnxruntime-node');

async function main() {
  for (const file of fs.readdirSync(__dirname).filter((f) => f.endsWith('.onnx')).sort()) {
    const name = path.join(__dirname, file.slice(0, -5));
    const session = await ort.InferenceSession.create(name + '.onnx', {intraOpNumThreads: 1, interOpNumThreads: 1});
    const bytes = fs.readFileSync(name + '.in.f32');
    const input = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const results = [];
    for (let at = 0; at < input.length;) {
      const feeds = {};
      for (const meta of session.inputMetadata) {
        const count = meta.shape.reduce((a, b) => a * b, 1);
        feeds[meta.name] = new ort.Tensor('float32', input.slice(at, at + count), meta.shape);
        at += count;
      }
      const out = await session.run(feeds);
      for (const key of session.outputNames) results.push(Buffer.from(out[key].data.buffer, out[key].data.byteOffset, out[key].data.byteLength));
    }
    fs.writeFileSync(name + '.out.f32', Buffer.concat(results));
    fs.writeFileSync(name + '.out.sizes', results.slice(0, session.outputNames.length).map((b) => b.length / 4).join(' '));
    console.log(file, input.length, Buffer.concat(results).length / 4);
  }
}
main().catch((e) => { console.error(e); process.exit(1); });
