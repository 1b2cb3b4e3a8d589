package intel

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/honeypot"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/report"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Reports takes what honeypots by themselves learn (package report). Who reports needs the right to write indicators, as for TAXII: whoever may say who is an attacker can accuse
// anybody. The shard honeypots holds
//
//	N|<principal>|<stream>   up to which number a stream's reports were taken
//	V|<time>|<session>       a visit that ended, the oldest first
type Reports struct {
	Store    store.Store
	Clock    clock.Clock
	Known    *Store
	Machines Machines // knows whose addresses are ours
	Alerts   Reporter

	taking sync.Mutex // one report at a time
	room   int        // visits that may be written until they are counted again
}

const (
	reportShard = "honeypots"
	maxStreams  = 1000
	maxVisits   = 10_000
	tooOld      = 30 * 24 * time.Hour
)

// stream is how far a honeypot's reports were taken.
type stream struct {
	Last uint64    `json:"last"`
	At   time.Time `json:"at"`
}

// Visit is a visit to a honeypot that told of it.
type Visit struct {
	report.Visit
	By string `json:"by"` // the object id of who told
}

var (
	streamCodec = store.Codec[stream]{Kind: 'N', Version: 1}
	visitCodec  = store.Codec[Visit]{Kind: 'V', Version: 1}
)

func streamKey(principal, id string) []byte {
	return []byte("N|" + strings.ToLower(principal) + "|" + strings.ToLower(id))
}

func visitKey(v *report.Visit) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("V|"), uint64(max(v.First.UnixNano(), 0))), "|"+v.Session...)
}

// acknowledged answers a report.
type acknowledged struct {
	Acknowledged uint64 `json:"acknowledged"`
}

// take enters a report, once, and says up to which number the platform has everything.
func (r *Reports) take(ctx context.Context, q *wire.Request) (any, error) {
	seq, err := strconv.ParseUint(q.Query("sequence"), 10, 63)
	if err != nil || seq == 0 {
		return nil, fault.New(fault.Invalid, "InvalidSequence", "The parameter sequence must be the report's number, counted from 1; it is %.40q.", q.Query("sequence"))
	}
	id := q.Query("stream")
	if !ids.IsGUID(id) {
		return nil, fault.New(fault.Invalid, "InvalidStream", "The parameter stream must be a GUID that the honeypot chose; it is %.60q.", id)
	}
	told, err := report.Decode(q.Body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "InvalidReport", "The report can't be read: %s.", err).WithCause(err)
	}
	by := q.Principal.ObjectID
	r.taking.Lock()
	defer r.taking.Unlock()
	key := streamKey(by, id)
	have, err := r.last(ctx, key)
	if err != nil || seq <= have.Last {
		return acknowledged{have.Last}, err
	}
	if told.Dropped > 0 {
		r.Known.deps.Log.Warn("a honeypot dropped what it learned: there was no room", "by", by, "dropped", told.Dropped)
	}
	// What comes before the number is stored may be done twice, if the platform ends in between: it is the same witness of the same values, and the same session.
	if err := r.enter(ctx, told); err != nil {
		return nil, err
	}
	return acknowledged{seq}, r.keep(ctx, key, seq, by, told)
}

func (r *Reports) last(ctx context.Context, key []byte) (s stream, err error) {
	var row []byte
	err = r.Store.View(ctx, reportShard, func(v store.Snapshot) error {
		b, err := v.Get(key)
		row = bytes.Clone(b)
		return err
	})
	if err != nil || row == nil {
		return s, err
	}
	return streamCodec.Decode(row)
}

// enter makes indicators of observations, and alerts of visits by machines of ours.
func (r *Reports) enter(ctx context.Context, told *report.Report) error {
	now := r.Clock.Now()
	ours := func(a netip.Addr) bool {
		id, err := r.Machines.MachineAt(ctx, a)
		return err != nil || id != "" // better not accused than wrongly
	}
	var seen []Sighting
	for _, o := range told.Observations {
		at := o.Time
		if at.After(now) || now.Sub(at) > tooOld {
			at = now // its clock is wrong, or it tells of long ago: what is learned now counts from now
		}
		s, ok := sighted(honeypot.Observation{Kind: o.Kind, Value: o.Value, Note: o.Note, Session: o.Session, Source: o.Source, Time: at}, ours)
		if ok {
			seen = append(seen, s)
		}
	}
	if _, err := r.Known.Put(ctx, seen); err != nil {
		return err
	}
	w := &Watch{machines: r.Machines, alerts: r.Alerts}
	for i := range told.Visits {
		if err := w.look(ctx, told.Visits[i].Attack()); err != nil && !fault.Is(err, fault.NotFound) { // the machine may be gone meanwhile
			return err
		}
	}
	return nil
}

// keep stores the number, and the visits that ended.
func (r *Reports) keep(ctx context.Context, key []byte, seq uint64, by string, told *report.Report) error {
	row, err := streamCodec.Encode(stream{Last: seq, At: r.Clock.Now().UTC()})
	if err != nil {
		return err
	}
	puts := []stored{{key, row}}
	for i := range told.Visits {
		if v := &told.Visits[i]; v.Ended {
			b, err := visitCodec.Encode(Visit{Visit: *v, By: by})
			if err != nil {
				return err
			}
			puts = append(puts, stored{visitKey(v), b})
		}
	}
	gone, err := r.makeRoom(ctx, len(puts))
	if err != nil {
		return err
	}
	_, err = r.Store.Update(ctx, reportShard, func(tx store.Tx) error {
		for _, k := range gone {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		for _, p := range puts {
			if err := tx.Put(p.key, p.value); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// makeRoom chooses the oldest visits where there would be too many, and the streams that were silent longest.
func (r *Reports) makeRoom(ctx context.Context, more int) (gone [][]byte, err error) {
	if r.room -= more; r.room > 0 {
		return nil, nil
	}
	var visits, keys, rows [][]byte
	err = r.Store.View(ctx, reportShard, func(v store.Snapshot) error {
		visits, keys, rows = nil, nil, nil
		err := v.Scan(store.Prefix([]byte("V|")), func(k, _ []byte) bool {
			visits = append(visits, bytes.Clone(k))
			return true
		})
		if err != nil {
			return err
		}
		return v.Scan(store.Prefix([]byte("N|")), func(k, b []byte) bool {
			keys, rows = append(keys, bytes.Clone(k)), append(rows, bytes.Clone(b))
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	const step = maxVisits / 10
	if over := len(visits) + more - maxVisits; over > 0 {
		over = min(over+step, len(visits))
		gone, visits = visits[:over], visits[over:]
	}
	if len(keys) >= maxStreams {
		oldest, at := -1, time.Time{}
		for i, b := range rows {
			if s, err := streamCodec.Decode(b); err == nil && (oldest < 0 || s.At.Before(at)) {
				oldest, at = i, s.At
			}
		}
		if oldest >= 0 {
			gone = append(gone, keys[oldest])
		}
	}
	r.room = maxVisits - len(visits) - more
	if len(keys) >= maxStreams {
		r.room = 0
	}
	return gone, nil
}

// Visits are the last ones that were told of, the newest first.
func (r *Reports) Visits(ctx context.Context, limit int) ([]Visit, error) {
	var rows [][]byte
	err := r.Store.View(ctx, reportShard, func(v store.Snapshot) error {
		rows = nil
		p := store.Prefix([]byte("V|"))
		p.Reverse = true
		return v.Scan(p, func(_, b []byte) bool {
			rows = append(rows, bytes.Clone(b))
			return len(rows) < limit
		})
	})
	if err != nil {
		return nil, err
	}
	out := make([]Visit, len(rows))
	for i, b := range rows {
		if out[i], err = visitCodec.Decode(b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// list answers the visits over the admin socket.
func (r *Reports) list(ctx context.Context, q *wire.Request) (any, error) {
	limit, err := q.QueryInt("limit", 50, 1, 1000)
	if err != nil {
		return nil, err
	}
	all, err := r.Visits(ctx, limit)
	if all == nil {
		all = []Visit{}
	}
	return map[string]any{"value": all}, err
}
