// Faces with @azure/cognitiveservices-face, as it is: node client.mjs NODE_MODULES ENDPOINT PHOTO; KEY and REFUSED (keys, by commas) may be in the environment.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const [modules, endpoint, photo] = process.argv.slice(2)
const require = createRequire(pathToFileURL(join(modules, 'x.js')))
const { FaceClient } = require('@azure/cognitiveservices-face')
const { ApiKeyCredentials } = require('@azure/ms-rest-js')

const clientOf = (key) => new FaceClient(new ApiKeyCredentials({ inHeader: { 'Ocp-Apim-Subscription-Key': key } }), endpoint)
const client = clientOf(process.env.KEY ?? 'none')
const picture = () => readFileSync(photo)
const out = {}

const faces = await client.face.detectWithStream(picture, {
  returnFaceLandmarks: true, returnFaceAttributes: ['age', 'gender', 'headPose', 'smile', 'emotion', 'blur', 'exposure', 'noise'],
})
out.faces = faces.length
out.landmarks = Object.keys(faces[0].faceLandmarks).length
out.attributes = Object.keys(faces[0].faceAttributes).sort().join()
out.emotions = Object.values(faces[0].faceAttributes.emotion).length
const again = await client.face.detectWithStream(picture)
out.same = (await client.face.verifyFaceToFace(faces[0].faceId, again[0].faceId)).isIdentical
out.other = (await client.face.verifyFaceToFace(faces[0].faceId, again[1].faceId)).isIdentical

await client.personGroup.create('js', 'People')
const persons = []
for (const f of faces) {
  const r = f.faceRectangle
  const p = await client.personGroupPerson.create('js', { name: `person ${persons.length}` })
  await client.personGroupPerson.addFaceFromStream('js', p.personId, picture, { targetFace: [r.left, r.top, r.width, r.height] })
  persons.push(p.personId)
}
await client.personGroup.train('js')
out.training = (await client.personGroup.getTrainingStatus('js')).status
const found = await client.face.identify(again.map((f) => f.faceId), { personGroupId: 'js' })
out.identified = found.every((f, i) => f.candidates.length === 1 && f.candidates[0].personId === persons[i])
out.toPerson = (await client.face.verifyFaceToPerson(again[0].faceId, persons[0], { personGroupId: 'js' })).isIdentical
out.persons = (await client.personGroupPerson.list('js')).length
await client.faceList.create('list', 'Faces')
const r = faces[1].faceRectangle
const kept = await client.faceList.addFaceFromStream('list', picture, { targetFace: [r.left, r.top, r.width, r.height] })
const similar = await client.face.findSimilar(again[1].faceId, { faceListId: 'list' })
out.similar = similar.length === 1 && similar[0].persistedFaceId === kept.persistedFaceId
const groups = await client.face.group([...faces, ...again].map((f) => f.faceId))
out.groups = groups.groups.map((g) => g.length).join()
await client.personGroup.deleteMethod('js')
try {
  await client.personGroup.get('js')
} catch (e) {
  out.gone = e.body.error.code
}
try {
  await client.face.detectWithStream(picture, { returnFaceAttributes: ['hair'] })
} catch (e) {
  out.hair = e.body.error.code
}
try {
  await client.face.detectWithUrl('http://127.0.0.1/x.jpg')
} catch (e) {
  out.url = e.body.error.code
}
for (const key of (process.env.REFUSED ?? '').split(',').filter(Boolean)) {
  out.refused ??= []
  try {
    await clientOf(key).face.detectWithStream(picture)
    out.refused.push(200)
  } catch (e) {
    out.refused.push(e.statusCode)
  }
}
process.stdout.write(JSON.stringify(out))
