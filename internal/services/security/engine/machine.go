package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// machine is the detector of one machine, and what is known of its shard. Who is in busy owns all but users and used, which are under the engine's mu.
type machine struct {
	guid, shard string
	busy        chan struct{}
	users       int
	used        uint64

	loaded   bool
	state    state
	row      []byte // the state as stored
	detector *detect.Machine
	rules    rules.State
	checked  uint64                // the batch behind which the rules' state is stored, 0 for none
	report   func(*detect.Finding) // where findings go
	log      []kept                // the batches in the shard, oldest first
	events   int                   // of all of them
	bytes    int
}

// errElsewhere: another process took a batch of the machine.
var errElsewhere = errors.New("the machine's state was changed elsewhere")

func newMachine(guid string) *machine {
	return &machine{guid: guid, shard: machineShard(guid), busy: make(chan struct{}, 1)}
}

// forget makes the next batch load everything anew.
func (m *machine) forget() { m.loaded, m.detector, m.log = false, nil, nil }

const loadAtOnce = 8 << 20 // bytes read in one View

// load reads the log and applies it in silence: what it gave was committed with it.
func (m *machine) load(ctx context.Context, e *Engine) error {
	if m.loaded {
		return nil
	}
	m.forget()
	m.state, m.events, m.bytes = state{}, 0, 0
	m.report = func(*detect.Finding) {}
	m.detector = detect.New(e.deps.Params, e.deps.Intel, func(f *detect.Finding) { m.report(f) })
	if e.deps.Countries != nil {
		m.detector.Locate(e.deps.Countries)
	}
	m.rules, m.checked = rules.State{}, 0
	var checkpoint []byte
	for from := uint64(0); ; {
		var batches [][]byte
		var seqs []uint64
		err := e.deps.Store.View(ctx, m.shard, func(s store.Snapshot) error {
			batches, seqs = nil, nil
			b, err := s.Get(stateKey())
			if err != nil {
				return err
			}
			if from == 0 {
				c, err := s.Get(checkpointKey())
				if checkpoint = bytes.Clone(c); err != nil {
					return err
				}
			}
			if m.row = bytes.Clone(b); b != nil {
				if m.state, err = stateCodec.Decode(b); err != nil {
					return err
				}
			}
			size := 0
			r := store.Prefix([]byte("B|"))
			r.Start = batchKey(from)
			return s.Scan(r, func(k, v []byte) bool {
				batches, seqs = append(batches, bytes.Clone(v)), append(seqs, binary.BigEndian.Uint64(k[2:]))
				size += len(v)
				return size < loadAtOnce
			})
		})
		if err != nil {
			return fmt.Errorf("load machine %s: %w", m.guid, err)
		}
		if from == 0 {
			var snapshot []byte
			m.checked, snapshot = decodeCheckpoint(checkpoint)
			m.rules = rules.Restored(snapshot)
		}
		if len(batches) == 0 {
			break
		}
		for i, b := range batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			m.replay(e, seqs[i], b)
		}
		from = seqs[len(seqs)-1] + 1
	}
	m.loaded = true
	return nil
}

// replay applies a stored batch. One that can't be read any more costs memory of what was, not the machine.
func (m *machine) replay(e *Engine, seq uint64, record []byte) {
	k, packed, err := decodeBatch(seq, record)
	if err == nil {
		var b *batch.Batch
		if b, err = batch.Decode(packed); err == nil {
			m.apply(e, b.Events, seq > m.checked)
		}
	}
	if err != nil {
		e.deps.Log.Error("a stored batch can't be read", "machine", m.guid, "batch", seq, "error", err)
		k = kept{seq: seq, bytes: len(record)}
	}
	m.remember(k)
}

func (m *machine) remember(k kept) {
	m.log = append(m.log, k)
	m.events += k.events
	m.bytes += k.bytes
}

// apply gives events to the detector, and to the rules unless they know of them. An event that makes it fail is told in the log, and the others go on.
func (m *machine) apply(e *Engine, events []activity.Event, asked bool) {
	var set *rules.Set
	if asked && e.deps.Rules != nil {
		set = e.deps.Rules()
	}
	matcher, ok := e.matchers.Get().(*rules.Matcher)
	if !ok {
		matcher = rules.NewMatcher()
	}
	defer func() { e.matchers.Put(matcher) }()
	for i := range events {
		func() {
			defer func() {
				if p := recover(); p != nil {
					matcher = rules.NewMatcher() // the other stopped in the middle
					e.deps.Log.Error("detection failed at an event", "machine", m.guid, "kind", events[i].Kind.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				}
			}()
			m.detector.Apply(&events[i])
			matcher.Apply(set, &m.rules, m.detector, &events[i], m.report)
		}()
	}
}

// take applies a new batch and commits it with all it gave. lsn is 0 if it left no outbox row.
func (m *machine) take(ctx context.Context, e *Engine, src source, seq uint64, b *batch.Batch, packed []byte) (lsn store.LSN, err error) {
	g := gathering{e: e, src: src}
	m.report = g.add
	m.apply(e, b.Events, true)
	m.report = func(*detect.Finding) {}
	k := kept{seq: seq, events: len(b.Events), taken: e.deps.Clock.Now().UnixMilli()}
	g.losses(seq, m.state.Last, b)
	rows, err := g.rows(seq)
	if err != nil {
		return 0, err
	}
	record := encodeBatch(k, packed)
	k.bytes = len(record)
	next := state{Last: seq, Machine: src.id}
	stateRow, err := stateCodec.Encode(next)
	if err != nil {
		return 0, err
	}
	old := m.surplus(k, e.deps.Params.Memory.Milliseconds())
	var checkpoint []byte
	if len(old) > 0 && old[len(old)-1].seq > m.checked && e.deps.Rules != nil { // what is removed is no longer there for them to be asked about again
		checkpoint = encodeCheckpoint(seq, m.rules.Snapshot(maxCheckpoint))
	}
	lsn, err = e.deps.Store.Update(ctx, m.shard, func(tx store.Tx) error {
		if have, err := tx.Get(stateKey()); err != nil {
			return err
		} else if !bytes.Equal(have, m.row) {
			return errElsewhere
		}
		for _, o := range old {
			if err := tx.Delete(batchKey(o.seq)); err != nil {
				return err
			}
		}
		if err := tx.Put(batchKey(seq), record); err != nil {
			return err
		}
		if err := tx.Put(stateKey(), stateRow); err != nil {
			return err
		}
		if checkpoint != nil {
			if err := tx.Put(checkpointKey(), checkpoint); err != nil {
				return err
			}
		}
		for _, row := range rows {
			if err := outbox.PutOrdered(tx, EffectKind, m.guid, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	m.state, m.row = next, stateRow
	if checkpoint != nil {
		m.checked = seq
	}
	for _, o := range old {
		m.events -= o.events
		m.bytes -= o.bytes
	}
	m.log = m.log[len(old):]
	m.remember(k)
	if len(rows) == 0 {
		return 0, nil
	}
	return lsn, nil
}

const deleteAtOnce = 1000 // batches removed by one commit

// surplus are the oldest batches that need not be kept once there is a newer one: the detector has forgotten them, or there is no room.
func (m *machine) surplus(newer kept, memory int64) []kept {
	n, events, size := 0, m.events+newer.events, m.bytes+newer.bytes
	for n < len(m.log) && n < deleteAtOnce && (events > MaxLogEvents || size > MaxLogBytes || newer.taken-m.log[n].taken > memory) {
		events -= m.log[n].events
		size -= m.log[n].bytes
		n++
	}
	return m.log[:n:n]
}
