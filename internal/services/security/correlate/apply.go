package correlate

import (
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// Apply makes what is kept be as changes say. get gives a kept alert or incident by name, nil if there is none; put is told each record to write.
//
// An incident that is known keeps what people made of it: its status, unless it was resolved and something new came, and the members that are no longer held in memory. One that went into another is resolved
// and says into which.
func Apply(ch *Changes, get func(name string) *alerts.Alert, put func(*alerts.Alert)) {
	joined := map[string]bool{}
	for _, m := range ch.Members {
		joined[m.Incident] = true
		if a := get(m.Alert); a != nil && a.Incident != m.Incident {
			a.Incident = m.Incident
			put(a)
		}
	}
	for _, in := range ch.Incidents {
		if was := get(in.Name); was != nil {
			keep(in, was, joined[in.Name])
		}
		put(in)
	}
	for _, m := range ch.Merged {
		if a := get(m.From); a != nil {
			end(a, "mergedInto", m.Into, "This incident is part of "+m.Into+" now: a later alert showed that both are one.")
			put(a)
		}
	}
	for _, name := range ch.Ended {
		if a := get(name); a != nil {
			end(a, "ended", "true", "What joined these alerts turned out to be common to many; they are no incident by themselves.")
			put(a)
		}
	}
}

// The keys of Alert.Extended that tell how an incident ended.
var endings = [...]string{"mergedInto", "ended"}

func end(a *alerts.Alert, key, value, why string) {
	a.Status = alerts.Resolved
	if a.Extended == nil {
		a.Extended = map[string]string{}
	}
	a.Extended[key] = value
	if !strings.HasPrefix(a.Why, why) {
		a.Why = why + "\n" + a.Why
	}
}

// keep carries over to an incident what was kept of it.
func keep(in, was *alerts.Alert, grew bool) {
	ended := slices.ContainsFunc(endings[:], func(k string) bool { return was.Extended[k] != "" })
	if was.Status != alerts.Resolved || !ended && !grew {
		in.Status = was.Status
	}
	in.Generated = was.Generated
	in.Suppressed = was.Suppressed
	if ended {
		return // it comes to life again with the members it has now
	}
	if was.First.Before(in.First) { // what is no longer in memory was before
		in.First, in.Machine, in.Host = was.First, was.Machine, was.Host
		old := slices.DeleteFunc(slices.Clone(was.Members), func(name string) bool { return slices.Contains(in.Members, name) })
		in.Members = append(old, in.Members...)
		in.Members = in.Members[max(0, len(in.Members)-maxMembers):]
		in.Count = max(in.Count, len(in.Members))
	}
}

// maxMembers are the names kept of one incident.
const maxMembers = 2000
