package metrics

import "sync"

// activeMinutes is for how long a sample makes its series count against a quota.
const activeMinutes = 12 * 60

// groups are those that share a quota.
type groups struct {
	mu     sync.Mutex
	byName map[string]*group
}

// group knows which of its series are active. A nil group knows none and bounds none.
type group struct {
	name string

	mu     sync.Mutex
	active map[*series]int64 // the minute of the last sample
	swept  int64
}

func (g *groups) get(name string) *group {
	if name == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName[name] == nil {
		g.byName[name] = &group{name: name, active: map[*series]int64{}}
	}
	return g.byName[name]
}

// touch notes a sample of a series that was let in.
func (g *group) touch(r *series, minute int64) {
	if g == nil {
		return
	}
	g.mu.Lock()
	g.active[r] = max(g.active[r], minute)
	g.mu.Unlock()
}

// admit notes a sample of a series, or refuses it if the series would be one more than most. r is nil for a series that does not exist yet; it is noted by touch.
func (g *group) admit(r *series, now int64, most int) bool {
	if g == nil || most == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r != nil {
		if _, ok := g.active[r]; ok {
			return true
		}
	}
	if len(g.active) >= most && g.swept != now {
		g.swept = now
		for r, last := range g.active {
			if last <= now-activeMinutes {
				delete(g.active, r)
			}
		}
	}
	return len(g.active) < most
}

func (g *group) forget(r *series) {
	if g == nil {
		return
	}
	g.mu.Lock()
	delete(g.active, r)
	g.mu.Unlock()
}
