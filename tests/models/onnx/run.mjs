// Runs what test_onnx.c has exported in onnxruntime-web, and compares:  node run.mjs FOLDER MODULES
// FOLDER: cases.txt with lines "name input dims... > output values", and name.onnx, name.in, name.out (floats).
import { createRequire } from 'module';
import fs from 'fs';
import path from 'path';

const [folder, modules] = process.argv.slice(2);
const ort = createRequire(path.join(modules, 'x.js'))('onnxruntime-web');
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const floats = (name) => {
  const bytes = fs.readFileSync(path.join(folder, name));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};

let bad = 0;
for (const line of fs.readFileSync(path.join(folder, 'cases.txt'), 'utf8').trim().split('\n')) {
  const [name, input, ...rest] = line.split(' ');
  const dims = rest.slice(0, rest.indexOf('>')).map(Number), output = rest[rest.indexOf('>') + 1];
  const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(path.join(folder, name + '.onnx'))),
    { executionProviders: ['wasm'] });
  const have = (await session.run({ [input]: new ort.Tensor('float32', floats(name + '.in'), dims) }))[output].data;
  const want = floats(name + '.out');
  let off = have.length === want.length ? 0 : Infinity;
  for (let i = 0; i < want.length && off < Infinity; i++)
    off = Math.max(off, Math.abs(have[i] - want[i]) / (1 + Math.abs(want[i])) || (have[i] === want[i] ? 0 : Infinity));
  console.log(`# ${off < 1e-4 ? 'same' : 'NOT THE SAME'} ${name} off by ${off.toExponential(1)}`);
  bad += off < 1e-4 ? 0 : 1;
}
process.exit(bad ? 1 : 0);
