// Package backlog holds messages between a goroutine that must never wait, as somebody's processes would wait with it, and one that may.
package backlog

import (
	"encoding/binary"
	"sync"
)

const (
	head = 6
	keep = 1 << 20 // memory kept for the next messages
)

// Buffer is a bounded queue of messages, each with a number of the caller's. One goroutine puts, one takes.
type Buffer struct {
	mu      sync.Mutex
	bytes   []byte // messages: length (4), tag (2), payload
	free    []byte
	most    int
	dropped uint64
	bell    chan struct{}
}

// New makes one that holds so many bytes.
func New(most int) *Buffer { return &Buffer{most: most, bell: make(chan struct{}, 1)} }

// Bell has an entry when there may be something to take.
func (b *Buffer) Bell() <-chan struct{} { return b.bell }

// Put keeps a copy of a message. If there is no room it is dropped and counted, and ok is false. It never blocks.
func (b *Buffer) Put(tag uint16, payload []byte) (ok bool) {
	b.mu.Lock()
	if ok = len(b.bytes)+head+len(payload) <= b.most; ok {
		b.bytes = binary.LittleEndian.AppendUint32(b.bytes, uint32(len(payload)))
		b.bytes = binary.LittleEndian.AppendUint16(b.bytes, tag)
		b.bytes = append(b.bytes, payload...)
	} else {
		b.dropped++
	}
	b.mu.Unlock()
	select {
	case b.bell <- struct{}{}:
	default:
	}
	return ok
}

// Take is what was put since the last Take, and how many were dropped in all. The messages are the caller's until Give.
func (b *Buffer) Take() (messages Messages, dropped uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	messages, dropped = Messages{all: b.bytes, rest: b.bytes}, b.dropped
	b.bytes, b.free = b.free[:0], nil
	return messages, dropped
}

// Give hands back what Take returned. Little is kept of what a storm made large.
func (b *Buffer) Give(m Messages) {
	if cap(m.all) > keep {
		return
	}
	b.mu.Lock()
	b.free = m.all[:0]
	b.mu.Unlock()
}

// Messages are taken messages.
type Messages struct{ all, rest []byte }

// Len is how many bytes are left.
func (m *Messages) Len() int { return len(m.rest) }

// Next is the next message; Len must not be zero.
func (m *Messages) Next() (tag uint16, payload []byte) {
	n := binary.LittleEndian.Uint32(m.rest)
	tag = binary.LittleEndian.Uint16(m.rest[4:])
	payload, m.rest = m.rest[head:head+n], m.rest[head+n:]
	return tag, payload
}
