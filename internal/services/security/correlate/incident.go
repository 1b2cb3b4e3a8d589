package correlate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// Type is the alert type of incidents. Azure's has no published name for those that detection on machines makes.
const Type = "BH_SecurityIncident"

// tacticsOf are the phases that a set went through, in the order of the kill chain.
func (s *set) tacticsOf() []string {
	seen := map[string]bool{}
	for _, n := range s.members {
		for _, t := range n.tactics() {
			seen[t] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b string) int { return cmp.Or(phase(a)-phase(b), strings.Compare(a, b)) })
}

// qualifies reports whether a set is worth telling as an incident: several kinds of alerts, not all from outside the door, that are bad by themselves, in two phases or very bad together, and
// sure enough. Many things that are hardly worth a note, as in every long session of an administrator, are none.
func (s *set) qualifies(p Params) bool {
	quarters, worthNote := map[string]int{}, map[string]bool{} // by type
	bad, inside := 0, false
	for _, n := range s.members {
		rank := n.severity.Rank()
		bad += [...]int{0, 1, 3, 6}[rank]
		if rank >= alerts.Medium.Rank() {
			weight := 1
			if n.confidence >= p.Sure {
				weight = 4 * (rank - alerts.Low.Rank())
			}
			quarters[n.kind] = max(quarters[n.kind], weight)
		}
		worthNote[n.kind] = worthNote[n.kind] || rank > 0
		for _, t := range n.tactics() {
			inside = inside || t != "PreAttack" && t != "Probing"
		}
	}
	witnesses, types := 0, 0
	for kind, worth := range worthNote {
		witnesses += quarters[kind]
		if worth {
			types++
		}
	}
	if types < 2 || witnesses < 4*p.Witnesses || !inside || s.score() < p.Score {
		return false
	}
	return bad >= p.Severity || len(s.tacticsOf()) >= p.Tactics
}

// score is how sure it is that something happened: one less the chance that every kind of alert was wrong. Repetitions of a kind are no further witnesses, and what is often
// harmless counts for less.
func (s *set) score() float64 {
	best := map[string]float64{}
	for _, n := range s.members {
		best[n.kind] = max(best[n.kind], n.confidence*[...]float64{0.2, 0.4, 1, 1}[n.severity.Rank()])
	}
	wrong := 1.0
	for _, kind := range slices.Sorted(maps.Keys(best)) { // in order: sums of floats depend on it
		wrong *= 1 - best[kind]
	}
	return 1 - wrong
}

// severity is the worst of its alerts; one that went through three phases or more is High where any part was Medium.
func (s *set) severity() alerts.Severity {
	worst := alerts.Informational
	for _, n := range s.members {
		if n.severity.Rank() > worst.Rank() {
			worst = n.severity
		}
	}
	if worst == alerts.Medium && len(s.tacticsOf()) >= 3 {
		return alerts.High
	}
	return worst
}

const (
	maxEntities = 200
	maxEdges    = 400
	maxRows     = 40
	maxRemedy   = 16
)

// incident makes the alert that stands for a set. Its members are sorted by time.
func (c *Correlator) incident(s *set, now time.Time) *alerts.Alert {
	first := s.members[0]
	hosts := s.hosts()
	a := &alerts.Alert{
		Name: s.name, Subscription: first.subscription, Machine: first.machine, Host: first.host, Key: "incident|" + s.name, Type: Type, DisplayName: "Security incident detected on " + first.host,
		Severity: s.severity(), Intent: strings.Join(s.tacticsOf(), ","), Rule: "correlation", Status: alerts.Active, First: first.first, Last: first.last, Generated: s.born, Processed: now,
		Count: len(s.members), Confidence: s.score(), Reasons: c.reasons(s), Why: c.story(s),
	}
	if len(hosts) > 1 {
		a.DisplayName = fmt.Sprintf("Security incident detected on %d machines", len(hosts))
	}
	known := map[string]bool{}
	arrows := map[alerts.Edge]bool{}
	for _, n := range s.members {
		a.Members = append(a.Members, n.name)
		a.Last = later(a.Last, n.last)
		a.Techniques = union(a.Techniques, n.techniques, 64)
		for _, e := range n.entities {
			if !known[e.ID] && len(a.Entities) < maxEntities {
				known[e.ID] = true
				a.Entities = append(a.Entities, e)
			}
		}
		for _, e := range n.edges {
			if known[e.From] && known[e.To] && !arrows[e] && len(a.Edges) < maxEdges {
				arrows[e] = true
				a.Edges = append(a.Edges, e)
			}
		}
		if len(a.Evidence) < maxRows {
			a.Evidence = append(a.Evidence, n.evidence...)
		} else {
			a.Omitted += len(n.evidence)
		}
	}
	a.Remedy = s.remedy(hosts)
	a.Extended = map[string]string{"alerts": fmt.Sprint(len(s.members)), "machines": strings.Join(hosts[:min(len(hosts), 16)], ", ")}
	return a
}

func union(have, more []string, most int) []string {
	for _, m := range more {
		if len(have) < most && !slices.Contains(have, m) {
			have = append(have, m)
		}
	}
	return have
}

// hosts are the machines it happened on, in the order it came to them.
func (s *set) hosts() (out []string) {
	seen := map[string]bool{}
	for _, n := range s.members {
		if !seen[n.machine] {
			seen[n.machine] = true
			out = append(out, n.host)
		}
	}
	return out
}

// remedy are the steps of all alerts, those of the worst first.
func (s *set) remedy(hosts []string) []string {
	out := []string{fmt.Sprintf("Isolate %s from the network, and keep what is on it for the investigation.", listed(hosts, 5))}
	byWorst := slices.SortedStableFunc(slices.Values(s.members), func(a, b *node) int { return b.severity.Rank() - a.severity.Rank() })
	for _, n := range byWorst {
		out = union(out, n.remedy, maxRemedy)
	}
	return out
}

// reasons are why the alerts are believed to belong together, in the words of Microsoft Graph's correlationReason, with what was shared.
func (c *Correlator) reasons(s *set) []alerts.Reason {
	var pairs [groups]int
	repeated, near := 0, 0
	for i, n := range s.members {
		if n.count > 1 {
			repeated++
		}
		if i > 0 && gap(s.members[i-1], n) <= time.Hour {
			near++
		}
	}
	held := map[key]int{}
	for _, n := range s.members {
		for i, f := range n.features {
			if i > 0 && n.features[i-1].key == f.key {
				continue
			}
			held[f.key]++
			if held[f.key] == 2 && rare(max(f.weight, f.across), f.free, c.keys[f.key].count()) > 0 && (f.role == either || c.lateral(s, f.key)) {
				pairs[f.group]++
			}
		}
	}
	var out []alerts.Reason
	for g, n := range pairs {
		if n > 0 {
			out = append(out, alerts.Reason{Type: kinds[g].reason, Reason: kinds[g].words})
		}
	}
	if near > 0 {
		out = append(out, alerts.Reason{Type: "temporalProximity", Reason: fmt.Sprintf("%d of %d alerts within an hour of the one before", near, len(s.members))})
	}
	if repeated > 0 {
		out = append(out, alerts.Reason{Type: "repeatedAlertOccurrence", Reason: fmt.Sprintf("%d of the alerts were seen more than once", repeated)})
	}
	return out
}

// lateral reports whether a set has both ends of an attack.
func (c *Correlator) lateral(s *set, k key) bool {
	ends := map[role]bool{}
	for _, n := range c.keys[k].members {
		if n.set == s {
			for _, f := range n.features {
				if f.key == k {
					ends[f.role] = true
				}
			}
		}
	}
	return ends[attacker] && ends[attacked]
}
