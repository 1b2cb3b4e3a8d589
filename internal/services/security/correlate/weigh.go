package correlate

import (
	"bytes"
	"time"
)

// Weights in permille: two alerts are linked at linkAt.
const (
	linkAt = 1000
	always = 1000 // enough alone

	sessionOfService = 900
	sourceHere       = 900
	sourceAcross     = 850
	segmentHere      = 500
	segmentAcross    = 250
	accountService   = 900
	accountPlain     = 400
	accountCommon    = 200
	accountAcross    = 150
	indicatorHere    = 900
	indicatorBad     = 600
	indicatorAcross  = 500
	urlAcross        = 700
	toolName         = 250
	targetLink       = 150
	outwardLink      = 900
	lateralLink      = 1000
	lateralWeak      = 600

	sameMachine = 100 // added to others, never alone
	minutesNear = 200 // within ten minutes
	hourNear    = 150
	hoursNear   = 100 // within four
)

// maxContexts is in how many contexts a thing is seen before it links nothing.
const maxContexts = 32

// group is a kind of evidence. Of one group the best counts once, or, where parts add up, their sum up to a limit.
type group uint8

const (
	ancestry group = iota
	source
	segment
	account
	file
	kit
	indicator
	target
	outward
	lateral
	groups
)

// kinds describes the groups: how the key is called, the limit of a sum (0: the best counts), whether it counts for less as time goes by, and the words of it.
var kinds = [groups]struct {
	key    string
	limit  int
	fades  bool
	reason string // of Microsoft Graph's correlationReason
	words  string
}{
	ancestry:  {"ancestry", 0, false, "eventCasualSequence", "done in the same session, or descended from the same process"},
	source:    {"source", 0, true, "sameThreatSource", "came from the same address"},
	segment:   {"segment", 0, true, "sameNetworkSegment", "came from the same network"},
	account:   {"account", 0, true, "sameActor", "done with the same account"},
	file:      {"file", 0, false, "similarArtifacts", "about the same files"},
	kit:       {"kit", 1000, false, "sameCampaign", "tools of the same names"},
	indicator: {"indicator", 0, true, "sharedIndicators", "reached the same domain, URL or address"},
	target:    {"target", 450, true, "sameTargetedAsset", "attacked the same networks"},
	outward:   {"outward", 0, true, "sameAsset", "attacks by the same machine"},
	lateral:   {"lateral", 0, true, "lateralMovementPath", "one machine attacked another"},
}

func (g group) kind() string { return kinds[g].key }

// rare is a weight in so many contexts.
func rare(weight, free, contexts int) int {
	switch {
	case free == 0 || contexts <= free:
		return weight
	case contexts >= maxContexts:
		return 0
	}
	return weight * free / contexts
}

// gap is the time between two alerts, 0 if they overlap.
func gap(a, b *node) time.Duration {
	if a.first.After(b.first) {
		a, b = b, a
	}
	return max(0, b.first.Sub(a.last))
}

// linked judges two alerts.
func (c *Correlator) linked(a, b *node) bool {
	c.pairs++
	apart := gap(a, b)
	if apart > c.p.Window {
		return false
	}
	weights := c.shared(a, b)
	weights[segment] = max(0, weights[segment]-weights[source]) // the address says it already
	total := 0
	for g, w := range weights {
		if kinds[g].fades {
			w = fade(w, apart, c.p.Window)
		}
		total += w
	}
	if total == 0 {
		return false
	}
	if a.machine == b.machine {
		total += sameMachine
	}
	switch {
	case apart <= 10*time.Minute:
		total += minutesNear
	case apart <= time.Hour:
		total += hourNear
	case apart <= 4*time.Hour:
		total += hoursNear
	}
	return total >= linkAt
}

// fade is a weight after a time: whole for six hours, half at the end of the window.
func fade(w int, apart, window time.Duration) int {
	const whole = 6 * time.Hour
	if apart <= whole || window <= whole {
		return w
	}
	return w - int(int64(w)*int64(apart-whole)/int64(window-whole)/2)
}

// weight is what one thing that two alerts have says.
func (c *Correlator) weight(a, b *node, x, y *feature) int {
	w := min(x.across, y.across)
	if a.machine == b.machine {
		w = max(x.weight, y.weight)
	}
	if x.role != either { // the attacker's side tells how much
		w = min(x.weight, y.weight)
	}
	return rare(w, max(x.free, y.free), c.keys[x.key].count())
}

// shared is what two alerts have in common, by group.
func (c *Correlator) shared(a, b *node) (weights [groups]int) {
	i, j := 0, 0
	for i < len(a.features) && j < len(b.features) {
		x, y := &a.features[i], &b.features[j]
		switch d := bytes.Compare(x.key[:], y.key[:]); {
		case d < 0:
			i++
			continue
		case d > 0:
			j++
			continue
		}
		// Several features of one key differ in their role; all pairs of them are looked at.
		iEnd, jEnd := i, j
		for iEnd < len(a.features) && a.features[iEnd].key == x.key {
			iEnd++
		}
		for jEnd < len(b.features) && b.features[jEnd].key == x.key {
			jEnd++
		}
		for ; i < iEnd; i++ {
			for j := j; j < jEnd; j++ {
				x, y := &a.features[i], &b.features[j]
				if x.role != either && x.role == y.role {
					continue
				}
				w := c.weight(a, b, x, y)
				if limit := kinds[x.group].limit; limit > 0 {
					weights[x.group] = min(limit, weights[x.group]+w)
				} else {
					weights[x.group] = max(weights[x.group], w)
				}
			}
		}
		j = jEnd
	}
	return weights
}
