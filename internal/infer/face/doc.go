// Package face finds the faces of a photo and describes each: its landmarks, the pose of its head, age, gender, emotion, how sharp, bright and noisy it
// is, and an embedding by which two faces are compared.
//
// The weights are those of the MIT-licensed npm package @vladmandic/human and aren't part of this repository: scripts/face-models fetches them by npm and Open
// reads them from a folder, each file checked against the SHA-256 in models.go. docs/models/face.md tells what they are, what they can't do and how near the
// results come to the JavaScript originals.
//
// One photo's way: a detector on the whole image (detect.go), and on parts of a large one, with a closer look at what is small (search.go); for each face an upright crop, 468 points of its
// surface and the contours of both eyes (mesh.go); from the same crop age, gender, emotion and embedding (attributes.go). What no network here can tell (hair,
// makeup, beard, glasses, what covers a face) isn't answered at all.
//
// Everything here is a pure function of bytes and weights: no store, no clock, no network. A Models value is safe for concurrent use.
package face
