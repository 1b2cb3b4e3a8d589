package batch

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// Bounds of a batch. A packed one fits a value of the store.
const (
	MaxPacked = 3 << 20  // bytes packed
	MaxBody   = 16 << 20 // bytes unpacked
	MaxEvents = 1 << 16
	MaxItems  = 1 << 19 // arguments and files of all events together
)

const (
	version = 2
	window  = 1 << 20 // how far back repetition is looked for: bounds the memory of both sides
)

// Errors of Encode and Decode.
var (
	ErrMalformed = errors.New("not a batch of events")
	ErrTooLarge  = errors.New("the batch is too large")
	ErrVersion   = errors.New("a batch of a newer version")
)

// Priorities is how many there are; see Priority.
const Priorities = 4

// Counters tell what is missing from the stream of events, since the batch before.
type Counters struct {
	Lost      uint64             // audit records that the kernel lost, or that came faster than they were read
	Missing   uint64             // serial numbers that never came
	Malformed uint64             // lines that are no records
	Cut       uint64             // events that were too large to be kept whole
	Dropped   [Priorities]uint64 // events given up because the agent's queue was full, by priority
}

// Any reports whether anything was lost.
func (c *Counters) Any() bool { return *c != Counters{} }

// Add adds what another batch tells.
func (c *Counters) Add(o Counters) {
	c.Lost += o.Lost
	c.Missing += o.Missing
	c.Malformed += o.Malformed
	c.Cut += o.Cut
	for i := range c.Dropped {
		c.Dropped[i] += o.Dropped[i]
	}
}

// Batch is events in the order they came, with what was lost between them and the batch before.
type Batch struct {
	Events   []activity.Event
	Counters Counters
}

// Priority is how much an event is worth when there isn't room for all: 0 is kept longest. Sign-ins, accounts and what touches the audit system itself are few and decide most;
// then programs started; then what they did to files and whom they connected to; then the rest.
func Priority(e *activity.Event) int {
	switch e.Kind {
	case activity.SignIn, activity.Session, activity.Account, activity.Audit, activity.Module, activity.Abnormal, activity.Service, activity.Trace:
		return 0
	case activity.Exec, activity.Auth, activity.Memfile, activity.Running:
		return 1
	case activity.Other, activity.Times, activity.Kill, activity.SetUser:
		return 3
	default:
		return 2
	}
}

// Builder packs events as they come, one batch after the other, in memory of its own: it keeps none of them. Not for concurrent use. The zero value works.
type Builder struct {
	w     coder
	mark  coder // as w was before the event being added
	n     int
	z     *zstd.Encoder
	whole []byte
}

// maxHeader is what the counters and the number of events take at most.
const maxHeader = 10 * (4 + Priorities + 1)

// Add adds an event. It keeps nothing of it. ErrTooLarge leaves the batch as it was: pack that first, or make the event smaller if it is the only one.
func (b *Builder) Add(e *activity.Event) error {
	if b.n == 0 {
		b.w = coder{writing: true, buf: b.w.buf[:0], items: MaxItems}
	}
	if b.n == MaxEvents {
		return fmt.Errorf("%w: %d events are the most", ErrTooLarge, MaxEvents)
	}
	b.mark = b.w
	own := *e // walked in a copy: what the caller has isn't touched
	b.w.event(&own)
	if b.w.err == nil && len(b.w.buf) > MaxBody-maxHeader {
		b.w.err = fmt.Errorf("%w: %d bytes, %d at most", ErrTooLarge, len(b.w.buf), MaxBody)
	}
	if err := b.w.err; err != nil {
		b.mark.buf = b.w.buf[:len(b.mark.buf)]
		b.w = b.mark
		return err
	}
	b.n++
	return nil
}

// Len is how many events were added.
func (b *Builder) Len() int { return b.n }

// Size is how many bytes they take before they are packed.
func (b *Builder) Size() int {
	if b.n == 0 {
		return 0
	}
	return len(b.w.buf)
}

// Pack packs what was added and begins anew. The answer is the caller's. The only error is ErrTooLarge: what was added doesn't fit when packed, and is gone.
func (b *Builder) Pack(k Counters) ([]byte, error) {
	head := coder{writing: true, buf: b.whole[:0]}
	head.counters(&k)
	head.count(b.n, smallest)
	b.whole = head.buf
	if b.n > 0 {
		b.whole = append(b.whole, b.w.buf...)
	}
	b.n = 0
	if b.z == nil {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, err
		}
		b.z = z
	}
	out := b.z.EncodeAll(b.whole, []byte{'B', 'H', 'B', version})
	if cap(b.whole) > 2*window { // an exceptional batch's memory isn't kept
		b.whole, b.w.buf = nil, nil
	}
	if len(out) > MaxPacked {
		return nil, fmt.Errorf("%w: %d bytes packed, %d at most", ErrTooLarge, len(out), MaxPacked)
	}
	return out, nil
}

// Encode packs one batch. The only error is ErrTooLarge.
func (b *Builder) Encode(all *Batch) ([]byte, error) {
	b.n = 0
	for i := range all.Events {
		if err := b.Add(&all.Events[i]); err != nil {
			b.n = 0
			return nil, err
		}
	}
	return b.Pack(all.Counters)
}

// Encode packs one batch.
func Encode(b *Batch) ([]byte, error) { return new(Builder).Encode(b) }

// Decode unpacks a batch.
func Decode(packed []byte) (*Batch, error) {
	if len(packed) < 4 || string(packed[:3]) != "BHB" {
		return nil, ErrMalformed
	}
	if len(packed) > MaxPacked {
		return nil, fmt.Errorf("%w: %d bytes packed, %d at most", ErrTooLarge, len(packed), MaxPacked)
	}
	if packed[3] < 1 || packed[3] > version {
		return nil, fmt.Errorf("%w: %d, this program knows up to %d", ErrVersion, packed[3], version)
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(MaxBody), zstd.WithDecoderMaxWindow(8*window))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	body, err := z.DecodeAll(packed[4:], nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, fmt.Errorf("%w: more than %d bytes unpacked", ErrTooLarge, MaxBody)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r := coder{buf: body, items: MaxItems, old: packed[3] == 1}
	b := &Batch{}
	r.read(b)
	if r.err == nil && len(r.buf) > 0 {
		r.err = fmt.Errorf("%w: %d bytes after its end", ErrMalformed, len(r.buf))
	}
	if r.err != nil {
		return nil, r.err
	}
	return b, nil
}
