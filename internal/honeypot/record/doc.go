// Package record keeps what visitors of the honeypot did, in files of one folder, which are the only ones that a running honeypot opens:
//
//	events-2026-11-27.jsonl   one JSON object a line, of that day (UTC): see Event
//	casts/SESSION.cast        what was seen and typed, asciicast v2, one file for each shell
//	uploads/SHA256            files that visitors brought or made, by their hash, never executable
//
// All of it together is bounded: when the quota is reached the oldest recordings and uploads go. Files are of mode 0600: passwords that were tried are in them.
package record
