package intel

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	shard = "intel"
	// Most is how many indicators are kept. Those that count least make room for new ones.
	Most   = 200_000
	atOnce = 200 // indicators in one transaction
)

// Sealer keeps credentials from everybody who reads the store.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
	MAC(shard string, parts ...string) []byte
}

// Deps is what a Store stands on.
type Deps struct {
	Store  store.Store
	Sealer Sealer
	Clock  clock.Clock
	Log    *slog.Logger
}

// Store has the indicators, durably and in memory. Safe for concurrent use.
type Store struct {
	deps Deps

	writing sync.Mutex // one writer at a time
	mu      sync.RWMutex
	lsn     store.LSN
	by      map[Kind]map[string]*Indicator   // an Indicator here is not changed, but replaced
	lengths map[int]int                      // of networks: how many there are of each length, IPv6's below zero
	users   map[string]map[string]*Indicator // credentials by the account's name in lower case, and by their value
	added   time.Time                        // the last Added
	total   int
}

var codec = store.Codec[Indicator]{Kind: 'I', Version: 1}

// Open reads the store, and puts what is shipped into an empty one.
func Open(ctx context.Context, d Deps) (*Store, error) {
	s := &Store{deps: d}
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("indicators: %w", err)
	}
	if s.lsn == 0 {
		_, err := s.Put(ctx, []Sighting{{
			Kind: Domain, Value: "nasapaul.com", Source: "shipped", Weight: 1, Lasting: true, Time: d.Clock.Now(), Note: "hosts enumeration and speed test scripts of an intrusion told on 24 November 2018",
		}})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// key is where an indicator lies: its kind, and a hash of its value that tells nothing of a credential.
func (s *Store) key(k Kind, value string) []byte {
	if k == Credential {
		return append([]byte("I|"+string(k)+"|"), s.deps.Sealer.MAC(shard, value)...)
	}
	sum := sha256.Sum256([]byte(value))
	return append([]byte("I|"+string(k)+"|"), sum[:]...)
}

func addedKey(t time.Time, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("D|"), uint64(t.UnixNano())), key...)
}

type stored struct{ key, value []byte }

func (s *Store) load(ctx context.Context) error {
	var rows []stored
	var lsn store.LSN
	err := s.deps.Store.View(ctx, shard, func(snap store.Snapshot) error {
		rows, lsn = rows[:0], snap.LSN()
		return snap.Scan(store.Prefix([]byte("I|")), func(k, v []byte) bool {
			rows = append(rows, stored{bytes.Clone(k), bytes.Clone(v)})
			return true
		})
	})
	if err != nil {
		return err
	}
	by, lengths, users, total := map[Kind]map[string]*Indicator{}, map[int]int{}, map[string]map[string]*Indicator{}, 0
	var added time.Time
	for _, r := range rows {
		if bytes.HasPrefix(r.key, []byte("I|"+string(Credential)+"|")) {
			if r.value, err = s.deps.Sealer.Open(shard, r.key, r.value); err != nil {
				return err
			}
		}
		i, err := codec.Decode(r.value)
		if err != nil {
			return err
		}
		if by[i.Kind] == nil {
			by[i.Kind] = map[string]*Indicator{}
		}
		by[i.Kind][i.Value] = &i
		total++
		if i.Added.After(added) {
			added = i.Added
		}
		count(lengths, &i, 1)
		tried(users, nil, &i)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by, s.lengths, s.users, s.total, s.lsn, s.added = by, lengths, users, total, lsn, added
	return nil
}

func count(lengths map[int]int, i *Indicator, n int) {
	if i.Kind != Address || !strings.Contains(i.Value, "/") {
		return
	}
	if p, err := netip.ParsePrefix(i.Value); err == nil {
		l := p.Bits()
		if p.Addr().Is6() {
			l = -l
		}
		if lengths[l] += n; lengths[l] <= 0 {
			delete(lengths, l)
		}
	}
}

// change is one indicator's old and new state; nil is none.
type change struct{ old, fresh *Indicator }

var errMoved = errors.New("indicators were changed elsewhere")

// Put enters sightings, in transactions of 200, and gives how many indicators there were anew. A value that isn't one of its kind is a fault Invalid that names it, and nothing of
// its transaction is entered.
func (s *Store) Put(ctx context.Context, sightings []Sighting) (fresh int, err error) {
	for len(sightings) > 0 {
		n := min(len(sightings), atOnce)
		part := slices.Clone(sightings[:n])
		sightings = sightings[n:]
		for i := range part {
			if part[i].Value, err = Clean(part[i].Kind, part[i].Value); err != nil {
				return fresh, fault.New(fault.Invalid, "InvalidIndicator", "%s.", err)
			}
			if part[i].Time.IsZero() {
				part[i].Time = s.deps.Clock.Now()
			}
		}
		more, err := s.put(ctx, part)
		if fresh += more; err != nil {
			return fresh, err
		}
	}
	return fresh, nil
}

func (s *Store) put(ctx context.Context, part []Sighting) (fresh int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	for try := 0; ; try++ {
		fresh = 0
		changes := map[string]*change{}
		var order []string
		for i := range part {
			g := &part[i]
			id := string(g.Kind) + " " + g.Value
			c := changes[id]
			if c == nil {
				c = &change{old: s.by[g.Kind][g.Value]}
				c.fresh = &Indicator{Kind: g.Kind, Value: g.Value, ID: idOf(g.Kind, g.Value)}
				if c.old != nil {
					*c.fresh = *c.old
				} else {
					fresh++
				}
				changes[id] = c
				order = append(order, id)
			}
			c.fresh.add(g)
		}
		var list []change
		for _, id := range order {
			if c := changes[id]; !c.idle() {
				list = append(list, *c)
			}
		}
		list = append(list, s.room(fresh, changes)...)
		err := s.commit(ctx, list)
		if !errors.Is(err, errMoved) || try == 3 {
			return fresh, err
		}
		if err := s.load(ctx); err != nil {
			return 0, err
		}
	}
}

// idle tells that a change is not worth a write: the same was seen again a moment later.
func (c *change) idle() bool {
	return c.old != nil && c.fresh != nil && c.fresh.Last.Sub(c.old.Last) < time.Minute && c.fresh.Score-c.old.Score < 0.01 && c.fresh.Until.Equal(c.old.Until) && len(c.fresh.Sources) == len(c.old.Sources)
}

// room are those that go because there are too many.
func (s *Store) room(more int, kept map[string]*change) []change {
	if s.total+more <= Most {
		return nil
	}
	now := s.deps.Clock.Now()
	var all []*Indicator
	for _, m := range s.by {
		for _, i := range m {
			if kept[string(i.Kind)+" "+i.Value] == nil {
				all = append(all, i)
			}
		}
	}
	slices.SortFunc(all, func(a, b *Indicator) int { return cmp.Compare(a.Now(now), b.Now(now)) })
	var out []change
	for _, i := range all[:min(len(all), more+1000)] {
		out = append(out, change{old: i})
	}
	return out
}

// commit stores changes, and then shows them. It is called by the one writer.
func (s *Store) commit(ctx context.Context, list []change) error {
	if len(list) == 0 {
		return nil
	}
	var puts []stored
	var gone [][]byte
	now := s.deps.Clock.Now()
	added := s.added
	for _, c := range list {
		if c.old != nil {
			key := s.key(c.old.Kind, c.old.Value)
			gone = append(gone, addedKey(c.old.Added, key))
			if c.fresh == nil {
				gone = append(gone, key)
				continue
			}
		}
		at := now.Truncate(time.Microsecond) // STIX's times have no more
		if !at.After(added) {                // no two are equal
			at = added.Add(time.Microsecond)
		}
		added = at
		c.fresh.Added = added
		key := s.key(c.fresh.Kind, c.fresh.Value)
		b, err := codec.Encode(*c.fresh)
		if err == nil && c.fresh.Kind == Credential {
			b, err = s.deps.Sealer.Seal(shard, key, b)
		}
		if err != nil {
			return err
		}
		puts = append(puts, stored{key, b}, stored{addedKey(added, key), []byte{'D', 1}})
	}
	want := s.lsn + 1
	lsn, err := s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		if tx.LSN() != want {
			return errMoved
		}
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
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lsn, s.added = lsn, added
	for _, c := range list {
		s.show(c)
	}
	return nil
}

// show makes a change seen. It is called with the lock held.
func (s *Store) show(c change) {
	tried(s.users, c.old, c.fresh)
	if c.old != nil {
		count(s.lengths, c.old, -1)
		delete(s.by[c.old.Kind], c.old.Value)
		s.total--
	}
	if c.fresh != nil {
		if s.by[c.fresh.Kind] == nil {
			s.by[c.fresh.Kind] = map[string]*Indicator{}
		}
		s.by[c.fresh.Kind][c.fresh.Value] = c.fresh
		count(s.lengths, c.fresh, 1)
		s.total++
	}
}

// Remove takes indicators away; those that aren't there are no error. It gives how many went.
func (s *Store) Remove(ctx context.Context, k Kind, values ...string) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	for try := 0; ; try++ {
		var list []change
		for _, v := range values {
			if v, err := Clean(k, v); err == nil && s.by[k][v] != nil {
				list = append(list, change{old: s.by[k][v]})
			}
		}
		err := s.commit(ctx, list)
		if !errors.Is(err, errMoved) || try == 3 {
			return len(list), err
		}
		if err := s.load(ctx); err != nil {
			return 0, err
		}
	}
}

// Sweep removes what has faded away.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	now := s.deps.Clock.Now()
	removed := 0
	for _, k := range Kinds() {
		var faded []string
		s.mu.RLock()
		for v, i := range s.by[k] {
			if i.Now(now) < forgotten && len(faded) < atOnce {
				faded = append(faded, v)
			}
		}
		s.mu.RUnlock()
		n, err := s.Remove(ctx, k, faded...)
		if removed += n; err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// Run sweeps now and then until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Minute):
		}
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.deps.Log.Warn("faded indicators not removed", "error", err)
		}
	}
}
