// Package batch packs what a machine's agent reports for its way to the platform: events, and the counts of what was lost.
//
// A packed batch is "BHB", a version byte and one zstd frame, which holds the counters, the number of events and the events one after the other, each field
// in turn: numbers as varints, times as the difference to the event before, bytes with their length. An empty field takes one byte, and the compression takes care of repetition;
// events of a real audit log take about a twelfth of their records. Version 2 added an event's Key; version 1 is read, too.
//
// Events arrive as they were, but for Source, the raw records: those could carry what was redacted in the fields.
//
// What Decode reads is foreign: it bounds the bytes unpacked, the events and the parts of events before it makes room for them, and answers ErrMalformed, ErrTooLarge or
// ErrVersion. What it returns shares no memory with its input.
package batch
