package packed

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
)

const (
	headSize   = 4096 // of the file: what describes it, and where UPX leaves its mark
	tailSize   = 512
	chunkSize  = 16 << 10 // of code; chunks are taken evenly over it
	maxChunks  = 16
	leastCode  = 4096 // less code says nothing
	evenEnough = 7.3  // bits for each byte; instructions have about six, compressed data nearly eight
	maxHeaders = 64
	executable = 1
	typeLoad   = 1
)

// Kind is how a file is packed.
type Kind string

// The kinds. Of most files it is None.
const (
	None    Kind = ""
	UPX     Kind = "UPX"
	Encoded Kind = "encoded" // its code is compressed or encrypted, by whatever
)

// Inspect looks at a file of a size. What is no ELF file is not packed. The error is the reader's.
func Inspect(r io.ReaderAt, size int64) (Kind, error) {
	head, err := read(r, 0, min(size, headSize))
	if err != nil || len(head) < 20 || string(head[:4]) != "\x7fELF" {
		return None, err
	}
	tail, err := read(r, max(0, size-tailSize), min(size, tailSize))
	if err != nil {
		return None, err
	}
	if bytes.Contains(head, []byte("UPX!")) || bytes.Contains(tail, []byte("UPX!")) {
		return UPX, nil
	}
	var counts [256]int
	total := 0
	for _, s := range code(head, size) {
		chunks := min(maxChunks, (s.size+chunkSize-1)/chunkSize)
		for i := range chunks {
			at := s.from
			if chunks > 1 {
				at += i * (s.size - chunkSize) / (chunks - 1)
			}
			b, err := read(r, at, min(chunkSize, s.from+s.size-at))
			if err != nil {
				return None, err
			}
			for _, c := range b {
				counts[c]++
			}
			total += len(b)
		}
	}
	if total >= leastCode && entropy(&counts, total) >= evenEnough {
		return Encoded, nil
	}
	return None, nil
}

func read(r io.ReaderAt, at, n int64) ([]byte, error) {
	b := make([]byte, n)
	got, err := r.ReadAt(b, at)
	if err == io.EOF {
		err = nil // it has become shorter
	}
	return b[:got], err
}

func entropy(counts *[256]int, total int) (bits float64) {
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(total)
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// span is a part of a file.
type span struct{ from, size int64 }

// code are the parts of an ELF file that are loaded to be run, as its program headers tell, as far as they lie in the file. Nothing in the headers is believed.
func code(head []byte, size int64) (out []span) {
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	wide := head[4] == 2
	least := 52
	if wide {
		least = 64
	}
	if len(head) < least {
		return nil
	}
	var table uint64
	var entry, count int
	if wide {
		table, entry, count = order.Uint64(head[32:]), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	} else {
		table, entry, count = uint64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	}
	if wide && entry < 56 || !wide && entry < 32 {
		return nil
	}
	for i := range min(count, maxHeaders) {
		at := table + uint64(i*entry)
		if at > uint64(len(head)) || uint64(len(head))-at < uint64(entry) {
			break
		}
		h := head[at:]
		var flags uint32
		var from, length uint64
		if wide {
			flags, from, length = order.Uint32(h[4:]), order.Uint64(h[8:]), order.Uint64(h[32:])
		} else {
			from, length, flags = uint64(order.Uint32(h[4:])), uint64(order.Uint32(h[16:])), order.Uint32(h[24:])
		}
		if order.Uint32(h) != typeLoad || flags&executable == 0 || from >= uint64(size) {
			continue
		}
		out = append(out, span{int64(from), int64(min(length, uint64(size)-from))})
	}
	return out
}
