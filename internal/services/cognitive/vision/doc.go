// Package vision is the part of the Computer Vision API that reads text: Recognize Text 2.0 and Read 2.0, 2.1 and 3.2, each as an operation that goes on by
// itself and as one call that waits (the containers' own).
//
// Invariants: an operation that was accepted is found until 48 hours later, also after a restart; one that a restart cut off has failed, and says so. A document
// is kept only while it is read, and in memory alone; what was read is kept as the operation's result. Documents are refused by what their first bytes say before
// they are unpacked, so that a small file can't take much memory.
//
// Left out: handwriting, which is refused by name, and what else Computer Vision does with pictures (analyze, describe, tag, ocr): no route answers it.
//
// One exchange:
//
//	POST /vision/v3.2/read/analyze?language=en   (the picture, application/octet-stream)
//	202, Operation-Location: https://eye.cognitiveservices.azure.com/vision/v3.2/read/analyzeResults/7d5f…
//	GET  /vision/v3.2/read/analyzeResults/7d5f…
//	{"status":"succeeded","analyzeResult":{"readResults":[{"page":1,"lines":[{"text":"Hello","boundingBox":[…],"words":[…]}]}]}}
package vision
