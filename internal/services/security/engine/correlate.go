package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/correlate"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds of what correlation holds and writes.
const (
	maxJoiners  = 64      // subscriptions whose alerts are held in memory
	maxRecent   = 2000    // alerts read when a subscription's are not
	maxJoinRows = 2000    // alerts whose incident is changed in one transaction
	maxJoinSize = 6 << 20 // bytes of them; the others follow with the next alert
)

// joiners hold what correlation knows of subscriptions. Each is used by who has the turn of its subscription (books).
type joiners struct {
	mu sync.Mutex
	by *simplelru.LRU[string, *joiner]
}

// joiner is a Correlator that is as far as the shard's epoch says.
type joiner struct {
	*correlate.Correlator
	epoch uint64
	owed  map[string]string // alerts whose incident is yet to be written
}

func newJoiners() *joiners {
	by, _ := simplelru.NewLRU[string, *joiner](maxJoiners, nil)
	return &joiners{by: by}
}

func (j *joiners) get(subscription string) *joiner {
	j.mu.Lock()
	defer j.mu.Unlock()
	x, _ := j.by.Get(subscription)
	return x
}

// put keeps a joiner; nil forgets.
func (j *joiners) put(subscription string, x *joiner) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if x == nil {
		j.by.Remove(subscription)
		return
	}
	j.by.Add(subscription, x)
}

// The epoch counts the transactions that correlated alerts: a joiner that saw all of them needs no reading.
func epochKey() []byte { return []byte("C|") }

const epochKind, epochVersion = 'C', 1

func encodeEpoch(n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{epochKind, epochVersion}, n)
}

func decodeEpoch(b []byte) uint64 {
	if len(b) != 10 || b[0] != epochKind {
		return 0
	}
	return binary.BigEndian.Uint64(b[2:])
}

// join adds to a page what its entered alerts do to the subscription's incidents, so that both are written together. The caller has the turn, and has read the shard as of lsn.
// If the page isn't written, the joiner is to be forgotten.
func (e *Engine) join(ctx context.Context, subscription string, lsn store.LSN, p *page) error {
	var epoch uint64
	var pending map[string][]byte
	err := e.deps.Store.View(ctx, alerts.Shard(subscription), func(s store.Snapshot) error {
		if s.LSN() != lsn {
			return errStale
		}
		b, err := s.Get(epochKey())
		if err != nil {
			return err
		}
		epoch = decodeEpoch(b)
		pending, err = updates(s)
		return err
	})
	if err != nil {
		return err
	}
	j := e.joiners.get(subscription)
	e.joiners.put(subscription, nil) // until it is written
	var changes []*correlate.Changes
	if j == nil || j.epoch != epoch {
		recent, _, err := e.List(ctx, subscription, "", maxRecent, nil)
		if err != nil {
			return err
		}
		j = &joiner{Correlator: correlate.New(*e.deps.Correlate), owed: map[string]string{}}
		changes = append(changes, j.Restore(recent))
	}
	changes = append(changes, j.Add(e.deps.Clock.Now(), p.entered...))
	if err := e.putJoined(ctx, subscription, lsn, p, j, changes, pending); err != nil {
		return err
	}
	j.epoch = epoch + 1
	p.put(epochKey(), encodeEpoch(j.epoch))
	p.joiner = j
	return nil
}

// putJoined writes incidents, and which alerts are in them, to a page. pending are the incidents that people are to be told of already.
func (e *Engine) putJoined(ctx context.Context, subscription string, lsn store.LSN, p *page, j *joiner, changes []*correlate.Changes, pending map[string][]byte) error {
	have := map[string]*alerts.Alert{}
	for _, a := range p.entered {
		have[a.Name] = a
	}
	names := slices.DeleteFunc(concerned(changes, j.owed), func(name string) bool { return have[name] != nil })
	rows, err := e.records(ctx, subscription, lsn, names)
	if err != nil {
		return err
	}
	for _, b := range rows {
		if b == nil {
			continue // it was removed meanwhile
		}
		a, err := alerts.Record.Decode(b)
		if err != nil {
			return err
		}
		have[a.Name] = &a
	}
	late := map[string]bool{} // for which there was no room
	for _, name := range names[len(rows):] {
		late[name] = true
	}
	for _, ch := range changes {
		ch.Members = slices.DeleteFunc(ch.Members, func(m correlate.Membership) bool {
			delete(j.owed, m.Alert)
			if late[m.Alert] {
				j.owed[m.Alert] = m.Incident
			}
			return late[m.Alert]
		})
	}
	due := &correlate.Changes{}
	for name, incident := range j.owed {
		if !late[name] {
			due.Members = append(due.Members, correlate.Membership{Alert: name, Incident: incident})
			delete(j.owed, name)
		}
	}
	stored, was := maps.Clone(have), map[string]standing{}
	for name, a := range have {
		was[name] = standing{a.Status, len(a.Members)}
	}
	changed := map[string]*alerts.Alert{}
	for _, ch := range append([]*correlate.Changes{due}, changes...) {
		correlate.Apply(ch, func(name string) *alerts.Alert { return have[name] }, func(a *alerts.Alert) { have[a.Name], changed[a.Name] = a, a })
	}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		a := changed[name]
		var err error
		if a.IsIncident() && stored[name] == nil {
			err = e.fresh(p, a)
		} else if err = p.alert(a); err == nil && a.IsIncident() {
			err = e.changed(p, was[name], a, pending[name] != nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// concerned are the names of what changes are about, incidents first.
func concerned(changes []*correlate.Changes, owed map[string]string) (names []string) {
	seen := map[string]bool{}
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, ch := range changes {
		for _, in := range ch.Incidents {
			add(in.Name)
		}
		for _, m := range ch.Merged {
			add(m.From)
		}
		for _, name := range ch.Ended {
			add(name)
		}
	}
	for _, ch := range changes {
		for _, m := range ch.Members {
			add(m.Alert)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(owed)) {
		add(name)
	}
	return names
}

// records reads the alerts of names as of lsn, as many of the first as there is room for; nil for one that isn't there.
func (e *Engine) records(ctx context.Context, subscription string, lsn store.LSN, names []string) (rows [][]byte, err error) {
	err = e.deps.Store.View(ctx, alerts.Shard(subscription), func(s store.Snapshot) error {
		rows = nil
		if s.LSN() != lsn {
			return errStale
		}
		size := 0
		for _, name := range names[:min(len(names), maxJoinRows)] {
			b, err := s.Get(alerts.RecordKey(name))
			if err != nil {
				return err
			}
			if size += len(b); size > maxJoinSize {
				return nil
			}
			rows = append(rows, bytes.Clone(b))
		}
		return nil
	})
	return rows, err
}

// maxAddresses are those taken of one machine.
const maxAddresses = 8

// addressesOf are the addresses that a machine's resource tells: networkProfile of Microsoft.HybridCompute.
func addressesOf(properties json.RawMessage) (out []netip.Addr) {
	var p struct {
		NetworkProfile struct {
			NetworkInterfaces []struct {
				IPAddresses []struct {
					Address string `json:"address"`
				} `json:"ipAddresses"`
			} `json:"networkInterfaces"`
		} `json:"networkProfile"`
	}
	if json.Unmarshal(properties, &p) != nil {
		return nil
	}
	for _, i := range p.NetworkProfile.NetworkInterfaces {
		for _, at := range i.IPAddresses {
			if a, err := netip.ParseAddr(at.Address); err == nil && len(out) < maxAddresses && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
				out = append(out, a.Unmap().WithZone(""))
			}
		}
	}
	return out
}
