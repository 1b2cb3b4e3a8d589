// Runs the JavaScript original (@vladmandic/human on TensorFlow.js's WebAssembly) on raw RGB files and prints what it says of each face, for TestParity.
//   node original.mjs NODE_MODULES WIDTHxHEIGHT:FILE...
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const [modules, ...photos] = process.argv.slice(2)
const require = createRequire(pathToFileURL(join(modules, 'x.js')))

// The library fetches its models; here they are files.
const fetchURL = globalThis.fetch
globalThis.fetch = async (url, options) => {
  const u = String(url?.url ?? url)
  if (!u.startsWith('file:')) return fetchURL(url, options)
  return new Response(readFileSync(new URL(u)), { headers: { 'content-type': u.endsWith('.json') ? 'application/json' : 'application/octet-stream' } })
}

const wasm = join(modules, '@tensorflow/tfjs-backend-wasm/dist/')
require('@tensorflow/tfjs-core')
require('@tensorflow/tfjs-backend-wasm').setWasmPaths(wasm)
const { Human } = require(join(modules, '@vladmandic/human/dist/human.node-wasm.js'))

const always = { enabled: true, minConfidence: 0, skipFrames: 0, skipTime: 0 }
const human = new Human({
  backend: 'wasm', wasmPath: wasm, async: false, cacheModels: false, cacheSensitivity: 0, skipAllowed: false,
  modelBasePath: pathToFileURL(join(modules, '@vladmandic/human/models/')).href,
  filter: { enabled: false }, gesture: { enabled: false }, body: { enabled: false }, hand: { enabled: false }, object: { enabled: false }, segmentation: { enabled: false },
  face: {
    enabled: true, detector: { rotation: true, maxDetected: 100, minConfidence: 0.2, skipFrames: 0, skipTime: 0 }, mesh: { enabled: true }, iris: { enabled: true },
    description: always, emotion: always,
  },
})
await human.load()
const out = []
for (const photo of photos) {
  const [size, file] = photo.split(/:(.*)/)
  const [w, h] = size.split('x').map(Number)
  const input = human.tf.tensor(new Uint8Array(readFileSync(file)), [1, h, w, 3], 'int32')
  const result = await human.detect(input)
  if (result.error) throw new Error(result.error)
  out.push(result.face.map((f) => ({
    mesh: f.mesh, score: f.faceScore, age: f.age, gender: f.gender, genderScore: f.genderScore, embedding: f.embedding, angle: f.rotation.angle,
    emotion: Object.fromEntries(f.emotion.map((e) => [e.emotion, e.score])),
  })))
  input.dispose()
}
process.stdout.write(JSON.stringify(out))
