// Package queue keeps what an agent has to send until the platform has acknowledged it, on disk and within bounds.
//
// Batches (agent/batch) are numbered from 1, without gaps, for as long as the machine is enrolled: the numbers under which the platform takes each of them once. Append
// stores the batches of a turn together with the positions from which their sources go on, or, if the process or the machine dies amid it, none of that. So an agent that
// begins again with Positions loses and repeats nothing.
//
// # On disk
//
// Segments, files named for the first number in them, of frames one after the other:
//
//	length (4) | CRC-32C of what follows (4) | number (8) | flags (1) | positions | packed batch
//
// A frame with the flag last ends a turn. Whatever follows the last whole turn of the newest segment is what a crash left, and cut off. A segment whose batches are all
// acknowledged is removed, but for the newest, which remembers numbers and positions. How far batches are acknowledged isn't stored: after a restart some are sent again, which the
// platform answers with where it is.
//
// # Bounds
//
// When the files take more than the limit, events of the least priority are taken out of the oldest batches, then those of the next, until there is room. A batch stays,
// with its number, and says how many were dropped from it (batch.Counters): the platform tells that something is missing, and when.
package queue
