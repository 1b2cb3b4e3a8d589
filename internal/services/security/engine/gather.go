package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// Bounds of what one batch may give.
const (
	maxAlerts  = 500     // different behaviours
	maxRowSize = 1 << 20 // bytes of one outbox row, beyond its first alert
)

// gathering collects what a batch gives.
type gathering struct {
	e       *Engine
	src     source
	by      map[string]*alerts.Alert
	dropped int
	last    int64
}

// add is the detector's report.
func (g *gathering) add(f *detect.Finding) {
	g.last = max(g.last, f.Millis)
	a := alerts.Of(alerts.Source{Machine: g.src.id, Subscription: g.src.subscription, Host: g.src.host, Addresses: g.src.addresses}, f)
	if have := g.by[a.Key]; have != nil {
		have.Merge(a)
		return
	}
	if len(g.by) >= maxAlerts && !g.displace(a) {
		g.dropped++
		return
	}
	if g.by == nil {
		g.by = map[string]*alerts.Alert{}
	}
	g.by[a.Key] = a
}

// displace gives up a less severe alert for one: nobody hides the bad ones behind many that aren't.
func (g *gathering) displace(a *alerts.Alert) bool {
	for key, other := range g.by {
		if other.Severity.Rank() < a.Severity.Rank() {
			delete(g.by, key)
			g.dropped++
			return true
		}
	}
	return false
}

// The alerts that the engine raises by itself.
var (
	recordsLost = detect.Alert{
		Type: "BH_AuditRecordsLost", Name: "Audit records were lost", Severity: detect.Medium, Intent: "DefenseEvasion", Techniques: []string{"T1562.001"},
		Remedy: []string{
			"Find out what stopped or overran the collection: the agent's log and \"auditctl -s\" on the machine tell.",
			"Treat the time for which records are missing as unobserved.",
		},
	}
	alertsDropped = detect.Alert{
		Type: "BH_AlertsDropped", Name: "More alerts at once than are kept", Severity: detect.Medium, Intent: "DefenseEvasion", Techniques: []string{"T1562"},
		Remedy: []string{"Look at the machine itself: so many different suspicions at once are an attack that is loud, or one that wants to hide behind noise."},
	}
)

// losses adds what is missing: numbers between the last batch and this one, and what the machine says.
func (g *gathering) losses(seq, last uint64, b *batch.Batch) {
	at := g.last
	for i := range b.Events {
		at = max(at, b.Events[i].Millis)
	}
	if at == 0 {
		at = g.e.deps.Clock.Now().UnixMilli()
	}
	self := func(kind *detect.Alert, key, why string, counts map[string]uint64) {
		f := detect.Finding{Alert: kind, Rule: "collection", Key: key, Millis: at, Why: why, Confidence: 1}
		a := alerts.Of(alerts.Source{Machine: g.src.id, Subscription: g.src.subscription, Host: g.src.host, Addresses: g.src.addresses}, &f)
		a.Extended = map[string]string{}
		for k, n := range counts {
			a.Extended[k] = strconv.FormatUint(n, 10)
		}
		if g.by == nil {
			g.by = map[string]*alerts.Alert{}
		}
		g.by[a.Key] = a
	}
	if gap := seq - last - 1; gap > 0 {
		self(&recordsLost, "batchesMissing", fmt.Sprintf("batches %d to %d of the machine never came", last+1, seq-1), map[string]uint64{"batchesMissing": gap})
	}
	if counts, why := lost(&b.Counters); why != "" {
		self(&recordsLost, "recordsLost", why, counts)
	}
	if g.dropped > 0 {
		self(&alertsDropped, "alertsDropped", fmt.Sprintf("one batch gave %d alerts more than the %d that are kept", g.dropped, maxAlerts), map[string]uint64{"alertsDropped": uint64(g.dropped)})
	}
}

// lost is what an agent says is missing: in figures, as the alert's extended properties have them, and in words. Events that were cut but came are not missing.
func lost(c *batch.Counters) (counts map[string]uint64, why string) {
	var dropped uint64
	for _, d := range c.Dropped {
		dropped += d
	}
	counts = map[string]uint64{}
	var parts []string
	for _, p := range [...]struct {
		n         uint64
		key, what string
	}{
		{c.Lost, "recordsOverrun", "records were lost by the kernel or came too fast"},
		{c.Missing, "eventsMissing", "records never came"},
		{c.Malformed, "linesMalformed", "lines were no records"},
		{dropped, "eventsDropped", "events were given up because the agent's queue was full"},
	} {
		if p.n > 0 {
			counts["recordsLost"] += p.n
			counts[p.key] = p.n
			parts = append(parts, strconv.FormatUint(p.n, 10)+" "+p.what)
		}
	}
	return counts, strings.Join(parts, ", ")
}

// addLosses makes what another batch lost count on in the alert that tells of it: its figures are of all that is missing since its beginning.
func addLosses(fresh, have *alerts.Alert) {
	if fresh.Type != recordsLost.Type && fresh.Type != alertsDropped.Type {
		return
	}
	fresh.Extended = maps.Clone(fresh.Extended) // this may be worked out again
	for k, v := range fresh.Extended {
		n, err := strconv.ParseUint(v, 10, 64)
		was, werr := strconv.ParseUint(have.Extended[k], 10, 64)
		if err == nil && werr == nil {
			fresh.Extended[k] = strconv.FormatUint(n+was, 10)
		}
	}
}

// rows are the outbox rows: every alert with the name it gets if it is new, chosen here, so that a row that runs again makes no other.
func (g *gathering) rows(seq uint64) ([][]byte, error) {
	now := g.e.deps.Clock.Now()
	all := slices.SortedFunc(maps.Values(g.by), func(a, b *alerts.Alert) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Key, b.Key))
	})
	var rows [][]byte
	part := effect{GUID: g.src.guid, Subscription: g.src.subscription, Seq: seq, Part: 1}
	size := 0
	flush := func() error {
		if len(part.Alerts) == 0 {
			return nil
		}
		row, err := effectCodec.Encode(part)
		if err != nil {
			return err
		}
		rows = append(rows, row)
		part.Part, part.Alerts, size = part.Part+1, nil, 0
		return nil
	}
	for _, a := range all {
		a.Name = alerts.NewName(a.First, ids.New())
		a.Generated, a.Processed = now, now
		body, err := json.Marshal(a)
		if err != nil {
			return nil, err
		}
		if size+len(body) > maxRowSize {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		size += len(body)
		part.Alerts = append(part.Alerts, *a)
	}
	return rows, flush()
}
