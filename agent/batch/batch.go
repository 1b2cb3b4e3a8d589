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
	version = 1
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
	case activity.Exec, activity.Auth, activity.Memfile:
		return 1
	case activity.Other, activity.Times, activity.Kill, activity.SetUser:
		return 3
	default:
		return 2
	}
}

// Encoder packs batches, one after the other, in memory of its own. Not for concurrent use. The zero value works.
type Encoder struct {
	z    *zstd.Encoder
	body []byte
}

// Encode packs a batch. The answer is the caller's. The only error is ErrTooLarge.
func (c *Encoder) Encode(b *Batch) ([]byte, error) {
	if len(b.Events) > MaxEvents {
		return nil, fmt.Errorf("%w: %d events, %d at most", ErrTooLarge, len(b.Events), MaxEvents)
	}
	w := coder{writing: true, buf: c.body[:0], items: MaxItems}
	w.batch(b)
	c.body = w.buf
	if w.err != nil {
		return nil, w.err
	}
	if len(w.buf) > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes, %d at most", ErrTooLarge, len(w.buf), MaxBody)
	}
	if c.z == nil {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, err
		}
		c.z = z
	}
	out := c.z.EncodeAll(w.buf, []byte{'B', 'H', 'B', version})
	if cap(c.body) > window { // an exceptional batch's memory isn't kept
		c.body = nil
	}
	if len(out) > MaxPacked {
		return nil, fmt.Errorf("%w: %d bytes packed, %d at most", ErrTooLarge, len(out), MaxPacked)
	}
	return out, nil
}

// Encode packs one batch.
func Encode(b *Batch) ([]byte, error) { return new(Encoder).Encode(b) }

// Decode unpacks a batch.
func Decode(packed []byte) (*Batch, error) {
	if len(packed) < 4 || string(packed[:3]) != "BHB" {
		return nil, ErrMalformed
	}
	if len(packed) > MaxPacked {
		return nil, fmt.Errorf("%w: %d bytes packed, %d at most", ErrTooLarge, len(packed), MaxPacked)
	}
	if packed[3] != version {
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
	r := coder{buf: body, items: MaxItems}
	b := &Batch{}
	r.batch(b)
	if r.err == nil && len(r.buf) > 0 {
		r.err = fmt.Errorf("%w: %d bytes after its end", ErrMalformed, len(r.buf))
	}
	if r.err != nil {
		return nil, r.err
	}
	return b, nil
}
