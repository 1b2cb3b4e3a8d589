// Package face is the Face API 1.0 of Cognitive Services over HTTP: detect, verify, identify, find similar, group; person groups, large person groups, face lists and large
// face lists with their training. The work on pictures is package infer/face's.
//
// Paths: /face/v1.0/..., in a container and behind an account alike (package api). Errors are {"error":{"code","message"}} with the API's own codes (faults.go).
//
// # What it keeps
//
// Pictures never: of each face an embedding, in the shard of its account, sealed, beside the caller's names and user data (records.go). A faceId of detect lives as long
// as the request says, at most 24 hours. A container keeps all of it in memory only, for as long as it runs.
//
// # Invariants
//
//   - identify and the search in large face lists see what was there at the last training, less what was deleted since.
//   - Faces that were computed for different recognition models are never compared.
//   - An attribute that no model here can tell is refused by name; none is made up.
//   - A picture's address is followed only to where the service's own network isn't: see package fetch.
//
// # What it leaves out
//
// Snapshots and operations (they copy groups between regions), the attributes hair, makeup, facialHair, glasses, occlusion, accessories and mask, and dynamic person
// groups: each answers that it isn't there. All recognition and detection models are the same networks. docs/divergences/face.md tells all of it.
//
// # One exchange
//
//	POST /face/v1.0/verify HTTP/1.1
//	Content-Type: application/json
//
//	{"faceId1":"7b2c...","faceId2":"c06b..."}
//
//	HTTP/1.1 200 OK
//
//	{"isIdentical":true,"confidence":0.87}
package face
