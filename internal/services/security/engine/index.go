package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Lists are narrowed down by what is indexed, so that one alert among many is found without reading the others. Beside its record an alert has, written in the
// same transaction:
//
//	I|<facets>|<name>          for lists of all machines
//	J|<host>|<facets>|<name>   for those of one
//	X|<name>                   its facets, host and tally, by which the two are found when they change
//
// and is counted in
//
//	N|<tally>                  of one machine in one group: how many alerts there are of each facets
//
// The mark Y| says that the alerts of a store from before the index are in it.
//
// Facets are three letters: class, status, severity. Host and tally are hashes, since machines name themselves as they like.
type facets [3]byte

const (
	classes    = "ai" // alert, incident
	severities = "0123"
	nFacets    = len(classes) * len(statusLetters) * len(severities)

	statusLetters = "APRD"
)

func statusLetter(s alerts.Status) byte {
	switch s {
	case alerts.InProgress:
		return 'P'
	case alerts.Resolved:
		return 'R'
	case alerts.Dismissed:
		return 'D'
	}
	return 'A'
}

// place is the number of the facets among all; -1 if they are none.
func (f facets) place() int {
	c, s, v := strings.IndexByte(classes, f[0]), strings.IndexByte(statusLetters, f[1]), strings.IndexByte(severities, f[2])
	if c < 0 || s < 0 || v < 0 {
		return -1
	}
	return (c*len(statusLetters)+s)*len(severities) + v
}

func facetsAt(place int) facets {
	return facets{classes[place/(len(statusLetters)*len(severities))], statusLetters[place/len(severities)%len(statusLetters)], severities[place%len(severities)]}
}

func facetsOf(a *alerts.Alert) facets {
	f := facets{'a', statusLetter(a.Status), severities[a.Severity.Rank()]}
	if a.IsIncident() {
		f[0] = 'i'
	}
	return f
}

const hashLength = 24 // letters

func hashed(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(parts, "\x00"))))
	return hex.EncodeToString(sum[:hashLength/2])
}

const (
	indexKind, indexVersion = 'I', 1
	entryKind, entryVersion = 'X', 1
	tallyKind, tallyVersion = 'N', 1
	markKind, markVersion   = 'Y', 1
)

func entryKey(name string) []byte { return []byte("X|" + name) }
func markKey() []byte             { return []byte("Y|") }

// entry is an alert's part of the index; without a record it is removed.
type entry struct {
	name   string
	record []byte // kind, version, facets, host, tally
	group  string
	host   string
}

func indexed(a *alerts.Alert) entry {
	e := entry{name: a.Name, host: a.Compromised()}
	if id, err := arm.ParseID(a.Machine); err == nil {
		e.group = id.ResourceGroup
	}
	f := facetsOf(a)
	e.record = append([]byte{entryKind, entryVersion}, f[:]...)
	e.record = append(append(e.record, hashed(e.host)...), hashed(e.group, e.host)...)
	return e
}

// keys are those of the index, and of the tally the alert is counted in.
func indexKeys(name string, record []byte) (all, host, tally []byte, place int, ok bool) {
	if len(record) != 5+2*hashLength || record[0] != entryKind || record[1] != entryVersion {
		return nil, nil, nil, 0, false
	}
	f, h, t := record[2:5], record[5:5+hashLength], record[5+hashLength:]
	place = facets(f).place()
	all = fmt.Appendf(nil, "I|%s|%s", f, name)
	host = fmt.Appendf(nil, "J|%s|%s|%s", h, f, name)
	return all, host, append([]byte("N|"), t...), place, place >= 0
}

// write brings the index to where the alert is.
func (e *entry) write(tx store.Tx) error {
	was, err := tx.Get(entryKey(e.name))
	if err != nil || bytes.Equal(was, e.record) {
		return err
	}
	if all, host, tally, place, ok := indexKeys(e.name, bytes.Clone(was)); ok {
		for _, k := range [][]byte{all, host} {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		if err := e.count(tx, tally, place, -1); err != nil {
			return err
		}
	}
	if e.record == nil {
		return tx.Delete(entryKey(e.name))
	}
	if all, host, tally, place, ok := indexKeys(e.name, e.record); ok {
		for _, k := range [][]byte{all, host} {
			if err := tx.Put(k, []byte{indexKind, indexVersion}); err != nil {
				return err
			}
		}
		if err := e.count(tx, tally, place, 1); err != nil {
			return err
		}
	}
	return tx.Put(entryKey(e.name), e.record)
}

// count changes one number of a tally. Its record is binary: kind, version, the numbers, the group and the host.
func (e *entry) count(tx store.Tx, key []byte, place, by int) error {
	b, err := tx.Get(key)
	if err != nil {
		return err
	}
	row := bytes.Clone(b)
	if len(row) < 2+4*nFacets {
		row = append([]byte{tallyKind, tallyVersion}, make([]byte, 4*nFacets)...)
		row = append(append(append(row, e.group...), 0), e.host...)
	}
	at := row[2+4*place:]
	binary.BigEndian.PutUint32(at, uint32(max(0, int(binary.BigEndian.Uint32(at))+by)))
	if bytes.Count(row[2:2+4*nFacets], []byte{0}) == 4*nFacets {
		return tx.Delete(key)
	}
	return tx.Put(key, row)
}

// Tally is how many alerts a machine has.
type Tally struct {
	Key         string // names it within the subscription
	Group, Host string
	Of          []Count
}

// Count is how many alerts are like each other; none is left out.
type Count struct {
	Incident bool
	Status   alerts.Status
	Severity alerts.Severity
	N        int
}

var (
	statusOf   = map[byte]alerts.Status{'A': alerts.Active, 'P': alerts.InProgress, 'R': alerts.Resolved, 'D': alerts.Dismissed}
	severityOf = map[byte]alerts.Severity{'0': alerts.Informational, '1': alerts.Low, '2': alerts.Medium, '3': alerts.High}
)

func decodeTally(key string, row []byte) (t Tally, ok bool) {
	if len(row) < 2+4*nFacets || row[0] != tallyKind || row[1] != tallyVersion {
		return t, false
	}
	t.Key = key
	t.Group, t.Host, _ = strings.Cut(string(row[2+4*nFacets:]), "\x00")
	for place := range nFacets {
		if n := binary.BigEndian.Uint32(row[2+4*place:]); n > 0 {
			f := facetsAt(place)
			t.Of = append(t.Of, Count{f[0] == 'i', statusOf[f[1]], severityOf[f[2]], int(n)})
		}
	}
	return t, true
}

// Tallies counts a subscription's alerts by machine, in the order of their keys from one on ("": the first), at most limit of them. next is the key to go on at, "" at the end.
func (e *Engine) Tallies(ctx context.Context, subscription, from string, limit int) (out []Tally, next string, err error) {
	if err := e.index(ctx, subscription); err != nil {
		return nil, "", err
	}
	r := store.Prefix([]byte("N|"))
	r.Start = []byte("N|" + from)
	var keys []string
	var rows [][]byte
	err = e.deps.Store.View(ctx, alerts.Shard(subscription), func(s store.Snapshot) error {
		keys, rows, next = nil, nil, ""
		return s.Scan(r, func(k, v []byte) bool {
			if len(rows) == limit {
				next = string(k[2:])
				return false
			}
			keys, rows = append(keys, string(k[2:])), append(rows, bytes.Clone(v))
			return true
		})
	})
	if err != nil {
		return nil, "", err
	}
	for i, row := range rows {
		if t, ok := decodeTally(keys[i], row); ok {
			out = append(out, t)
		}
	}
	return out, next, nil
}

// index makes sure that the alerts of a subscription are all in the index: those of an older store are entered the first time they are asked for.
func (e *Engine) index(ctx context.Context, subscription string) error {
	if _, done := e.ready.Load(subscription); done {
		return nil
	}
	for start := alerts.Records().Start; ; {
		var records [][]byte
		var marked bool
		var last string
		err := e.change(ctx, subscription, func(s store.Snapshot) error {
			records = nil
			mark, err := s.Get(markKey())
			if marked = mark != nil; err != nil || marked {
				return err
			}
			return s.Scan(store.Range{Start: start, End: alerts.Records().End}, func(_, v []byte) bool {
				records = append(records, bytes.Clone(v))
				return len(records) < perStep
			})
		}, func(p *page) error {
			if marked {
				return nil
			}
			for _, b := range records {
				a, err := alerts.Record.Decode(b)
				if err != nil {
					return err
				}
				p.index = append(p.index, indexed(&a))
				last = a.Name
			}
			if len(records) < perStep {
				p.put(markKey(), []byte{markKind, markVersion})
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("index of the alerts of %s: %w", subscription, err)
		}
		if marked || len(records) < perStep {
			e.ready.Store(subscription, true)
			return nil
		}
		start = append(alerts.RecordKey(last), 0)
	}
}

// Query is which alerts are wanted. Its zero value is all of them.
type Query struct {
	Statuses   []alerts.Status   // one of them; nil: any
	Severities []alerts.Severity // likewise
	Incident   *bool
	Host       string // what alerts.Alert.Compromised says, in any case
	// Names are the ones that may be meant, in order; nil: all. Least and Below bound them: Least <= name < Below; "": no bound.
	Names        []string
	Least, Below string
	// Keep judges what the index doesn't know; nil: all are kept.
	Keep func(*alerts.Alert) bool
}

// maxLooked is how many records one Find decodes: behind that the caller goes on with another.
const maxLooked = 1000

// Find gives the alerts that are wanted, newest first, beginning at the name from ("": the newest), at most limit. next is the name to go on at, "" at the end; there may be more
// although fewer than limit were found.
func (e *Engine) Find(ctx context.Context, subscription string, q Query, from string, limit int) (found []*alerts.Alert, next string, err error) {
	if err := e.index(ctx, subscription); err != nil {
		return nil, "", err
	}
	from = max(from, q.Least)
	for looked := 0; ; {
		var names []string
		var rows [][]byte
		err := e.deps.Store.View(ctx, alerts.Shard(subscription), func(s store.Snapshot) error {
			var err error
			if names, err = q.names(s, from, limit+1); err != nil {
				return err
			}
			keys := make([][]byte, len(names))
			for i, n := range names {
				keys[i] = alerts.RecordKey(n)
			}
			rows = make([][]byte, len(names))
			return s.GetMany(keys, func(i int, v []byte) bool { rows[i] = bytes.Clone(v); return true })
		})
		if err != nil {
			return nil, "", err
		}
		for i, b := range rows {
			if len(found) == limit || looked == maxLooked {
				return found, names[i], nil
			}
			if b == nil {
				continue
			}
			looked++
			a, err := alerts.Record.Decode(b)
			if err != nil {
				return nil, "", fmt.Errorf("alerts of %s: %w", subscription, err)
			}
			if q.keeps(&a) {
				found = append(found, &a)
			}
		}
		if len(names) <= limit {
			return found, "", nil
		}
		from = names[len(names)-1] + "\x00"
	}
}

func (q *Query) keeps(a *alerts.Alert) bool {
	return (q.Statuses == nil || slices.Contains(q.Statuses, a.Status)) && (q.Severities == nil || slices.Contains(q.Severities, a.Severity)) &&
		(q.Incident == nil || *q.Incident == a.IsIncident()) && (q.Host == "" || strings.EqualFold(q.Host, a.Compromised())) && (q.Keep == nil || q.Keep(a))
}

// names are the first that may be meant, from one on.
func (q *Query) names(s store.Snapshot, from string, limit int) (out []string, err error) {
	within := func(name string) bool { return name >= from && (q.Below == "" || name < q.Below) }
	if q.Names != nil {
		for _, n := range q.Names {
			if within(n) && len(n) <= maxName && len(out) < limit {
				out = append(out, n)
			}
		}
		return out, nil
	}
	for _, prefix := range q.prefixes() {
		r := store.Prefix([]byte(prefix))
		r.Start = []byte(prefix + from)
		if q.Below != "" {
			r.End = []byte(prefix + q.Below)
		}
		if bytes.Compare(r.Start, r.End) >= 0 {
			continue
		}
		n := 0
		err := s.Scan(r, func(k, _ []byte) bool {
			out = append(out, string(k[len(prefix):]))
			n++
			return n < limit
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return out[:min(len(out), limit)], nil
}

// prefixes are those of the keys under which the wanted alerts are.
func (q *Query) prefixes() (out []string) {
	if q.Statuses == nil && q.Severities == nil && q.Incident == nil && q.Host == "" {
		return []string{string(alerts.Records().Start)}
	}
	base := "I|"
	if q.Host != "" {
		base = "J|" + hashed(q.Host) + "|"
	}
	for place := range nFacets {
		f := facetsAt(place)
		if (q.Incident == nil || *q.Incident == (f[0] == 'i')) && (q.Statuses == nil || slices.Contains(q.Statuses, statusOf[f[1]])) &&
			(q.Severities == nil || slices.Contains(q.Severities, severityOf[f[2]])) {
			out = append(out, base+string(f[:])+"|")
		}
	}
	return out
}
