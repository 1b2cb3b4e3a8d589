// Runs the JavaScript original of the recognition network (@vladmandic/face-api) on raw crops of 150x150 and prints their embeddings, for TestRecognitionParity.
//   node recognition.mjs NODE_MODULES FILE...
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const [modules, ...files] = process.argv.slice(2)
const require = createRequire(pathToFileURL(join(modules, 'x.js')))
const tf = require('@tensorflow/tfjs')
require('@tensorflow/tfjs-backend-wasm').setWasmPaths(join(modules, '@tensorflow/tfjs-backend-wasm/dist/'))
const faceapi = require(join(modules, '@vladmandic/face-api/dist/face-api.node-wasm.js'))
await tf.setBackend('wasm')
await tf.ready()
await faceapi.nets.faceRecognitionNet.loadFromDisk(join(modules, '@vladmandic/face-api/model'))
const out = []
for (const file of files) {
  const input = faceapi.tf.tensor(new Uint8Array(readFileSync(file)), [150, 150, 3], 'int32')
  out.push(Array.from(await faceapi.computeFaceDescriptor(input)))
}
process.stdout.write(JSON.stringify(out))
