// Text in a picture with @azure/cognitiveservices-computervision, as it is: node read.mjs PICTURE; ENDPOINT, KEY and NODE_MODULES are in the environment.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const require = createRequire(pathToFileURL(join(process.env.NODE_MODULES, 'node_modules', 'x.js')))
const { ComputerVisionClient } = require('@azure/cognitiveservices-computervision')
const { ApiKeyCredentials } = require('@azure/ms-rest-js')

const client = new ComputerVisionClient(new ApiKeyCredentials({ inHeader: { 'Ocp-Apim-Subscription-Key': process.env.KEY } }), process.env.ENDPOINT)
const picture = () => readFileSync(process.argv[2])
const out = {}

const begun = await client.readInStream(picture, { language: 'en' })
const id = begun.operationLocation.split('/').pop()
let read
do {
  await new Promise((r) => setTimeout(r, 100))
  read = await client.getReadResult(id)
} while (read.status === 'running' || read.status === 'notStarted')
out.status = read.status
const page = read.analyzeResult.readResults[0]
out.unit = page.unit
out.text = page.lines.map((l) => l.text).join(' ')
out.boxes = page.lines.every((l) => l.boundingBox.length === 8 && l.words.every((w) => w.boundingBox.length === 8 && w.confidence > 0.5))
out.angle = page.angle
for (const [name, options] of [['language', { language: 'tlh' }], ['pages', { pages: ['7'] }]]) {
  try {
    await client.readInStream(picture, options)
    out[name] = 'accepted'
  } catch (e) {
    out[name] = e.statusCode
  }
}
try {
  await client.getReadResult('00000000-0000-0000-0000-000000000001')
} catch (e) {
  out.unknown = e.statusCode
}
console.log(JSON.stringify(out))
