package kernel

import (
	"encoding/binary"
	"sync"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// buffer holds messages between the goroutine that takes them from the kernel and the one that makes events of them. It never blocks the first.
type buffer struct {
	mu      sync.Mutex
	bytes   []byte // messages: length (4), type (2), payload
	free    []byte
	most    int
	dropped uint64
	spans   []span
	bell    chan struct{} // has one entry when there may be something
}

const head = 6

// span is a run of serials of which records were dropped.
type span struct{ from, to uint64 }

// maxSpans bounds what is remembered of dropped serials; those beyond it are counted as missing too.
const maxSpans = 1024

func newBuffer(most int) *buffer { return &buffer{most: most, bell: make(chan struct{}, 1)} }

// put keeps a copy of a message, or counts it as dropped.
func (b *buffer) put(t linuxaudit.Type, payload []byte) {
	b.mu.Lock()
	if len(b.bytes)+head+len(payload) > b.most {
		b.drop(t, payload)
	} else {
		b.bytes = binary.LittleEndian.AppendUint32(b.bytes, uint32(len(payload)))
		b.bytes = binary.LittleEndian.AppendUint16(b.bytes, uint16(t))
		b.bytes = append(b.bytes, payload...)
	}
	b.mu.Unlock()
	select {
	case b.bell <- struct{}{}:
	default:
	}
}

func (b *buffer) drop(t linuxaudit.Type, payload []byte) {
	b.dropped++
	l, ok := linuxaudit.ParseMessage(t, payload)
	if !ok {
		return
	}
	n := len(b.spans)
	switch {
	case n > 0 && l.Serial >= b.spans[n-1].from && l.Serial <= b.spans[n-1].to+1:
		b.spans[n-1].to = max(b.spans[n-1].to, l.Serial)
	case n < maxSpans:
		b.spans = append(b.spans, span{from: l.Serial, to: l.Serial})
	}
}

// take is what was put since the last take, how many were dropped in all, and the serials of those dropped since the last take, which are later ones. messages is the caller's
// until give.
func (b *buffer) take() (messages []byte, dropped uint64, spans []span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	messages, dropped, spans = b.bytes, b.dropped, b.spans
	b.bytes, b.free, b.spans = b.free[:0], nil, nil
	return messages, dropped, spans
}

// give hands back what take returned. Little is kept of what a storm made large.
func (b *buffer) give(messages []byte) {
	const keep = 1 << 20
	if cap(messages) > keep {
		return
	}
	b.mu.Lock()
	b.free = messages[:0]
	b.mu.Unlock()
}

// next cuts the first message off.
func next(messages []byte) (t linuxaudit.Type, payload, rest []byte) {
	n := binary.LittleEndian.Uint32(messages)
	t = linuxaudit.Type(binary.LittleEndian.Uint16(messages[4:]))
	return t, messages[head : head+n], messages[head+n:]
}
