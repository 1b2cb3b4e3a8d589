package engine

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// Bounds of Related.
const (
	maxRelated = 300 // alerts
	maxPages   = 5   // of a list that are looked through
	around     = 24 * time.Hour
)

// Related are the alerts that have to do with one: its incident and all in that, its own if it is one, and those within a day that name the same account, session, process, file, address or
// the like.
func (e *Engine) Related(ctx context.Context, subscription string, a *alerts.Alert) (out []*alerts.Alert, err error) {
	have := map[string]bool{a.Name: true}
	get := func(name string) (*alerts.Alert, error) {
		if name == "" || have[name] || len(out) >= maxRelated {
			return nil, nil
		}
		have[name] = true
		x, err := e.Get(ctx, subscription, name)
		if err == nil && x != nil {
			out = append(out, x)
		}
		return x, err
	}
	members := a.Members
	if incident, err := get(a.Incident); err != nil {
		return nil, err
	} else if incident != nil {
		members = incident.Members
	}
	for _, name := range members {
		if _, err := get(name); err != nil {
			return nil, err
		}
	}
	named := map[string]bool{}
	for _, x := range a.Entities {
		named[x.ID] = x.Kind != alerts.Host
	}
	from := alerts.NewName(a.Last.Add(around), "")
	for range maxPages {
		page, next, err := e.List(ctx, subscription, from, listAtOnce, nil)
		if err != nil {
			return nil, err
		}
		for _, x := range page {
			if !have[x.Name] && !x.IsIncident() && len(out) < maxRelated && !x.Last.Before(a.First.Add(-around)) && shares(x, named) {
				have[x.Name] = true
				out = append(out, x)
			}
		}
		if from = next; next == "" || next > alerts.NewName(a.First.Add(-around), "") {
			break
		}
	}
	return out, nil
}

func shares(a *alerts.Alert, named map[string]bool) bool {
	for i := range a.Entities {
		if named[a.Entities[i].ID] {
			return true
		}
	}
	return false
}
