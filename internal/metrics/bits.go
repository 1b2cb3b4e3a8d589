package metrics

import (
	"encoding/binary"
	"math/bits"
)

// bitWriter appends bits to a slice of bytes, highest first.
type bitWriter struct {
	out  []byte
	acc  uint64 // the last n bits written that are not in out
	have uint
}

// write appends the low n bits of v; n is at most 32.
func (w *bitWriter) write(v uint64, n uint) {
	w.acc = w.acc<<n | v&(1<<n-1)
	w.have += n
	for w.have >= 8 {
		w.have -= 8
		w.out = append(w.out, byte(w.acc>>w.have))
	}
}

func (w *bitWriter) writeLong(v uint64, n uint) {
	if n > 32 {
		w.write(v>>32, n-32)
		n = 32
	}
	w.write(v, n)
}

// flush fills up the last byte.
func (w *bitWriter) flush() []byte {
	if w.have > 0 {
		w.write(0, 8-w.have)
	}
	return w.out
}

// bitReader reads what a bitWriter wrote. Past the end it reads zeros and remembers that it did.
type bitReader struct {
	in   []byte
	at   int
	acc  uint64
	have uint
	over bool
}

// fill makes sure of at least 32 bits in acc, zeros at the end.
func (r *bitReader) fill() {
	if r.at+8 <= len(r.in) && r.have <= 32 {
		r.acc = r.acc<<32 | uint64(binary.BigEndian.Uint32(r.in[r.at:]))
		r.at += 4
		r.have += 32
		return
	}
	for r.have <= 32 {
		var b byte
		if r.at < len(r.in) {
			b = r.in[r.at]
		} else if r.at >= len(r.in)+8 {
			r.over = true
		}
		r.at++
		r.acc = r.acc<<8 | uint64(b)
		r.have += 8
	}
}

// read gives the next n bits; n is at most 32.
func (r *bitReader) read(n uint) uint64 {
	if r.have < n {
		r.fill()
	}
	r.have -= n
	return r.acc >> r.have & (1<<n - 1)
}

func (r *bitReader) readLong(n uint) uint64 {
	if n > 32 {
		hi := r.read(n - 32)
		return hi<<32 | r.read(32)
	}
	return r.read(n)
}

// Rice coding: what a value has above r low bits is written as so many ones and a zero, the low bits follow. A value that would take riceEscape ones is written whole after them.
const riceEscape = 20

func (w *bitWriter) rice(u uint64, r uint) {
	if q := u >> r; q < riceEscape {
		w.write(1<<(q+1)-2, uint(q)+1)
		w.writeLong(u, r)
		return
	}
	w.write(1<<riceEscape-1, riceEscape)
	w.writeLong(u, 64)
}

func riceCost(u uint64, r uint) uint64 {
	if q := u >> r; q < riceEscape {
		return q + 1 + uint64(r)
	}
	return riceEscape + 64
}

func (r *bitReader) rice(low uint) uint64 {
	if r.have < riceEscape+1 {
		r.fill()
	}
	window := r.acc << (64 - r.have) // next bits first
	q := uint(bits.LeadingZeros64(^window))
	if q >= riceEscape {
		r.have -= riceEscape
		return r.readLong(64)
	}
	r.have -= q + 1
	return uint64(q)<<low | r.readLong(low)
}

// zigzag makes small numbers of small ones of either sign.
func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
