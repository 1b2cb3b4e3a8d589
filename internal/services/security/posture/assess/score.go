package assess

import (
	"math"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// Score is what a control, or all of them, come to.
type Score struct {
	Max        int
	Current    float64 // two digits after the point
	Percentage float64 // Current / Max, four digits; 0 if Max is
}

// ControlScore is a control with what counts in it.
type ControlScore struct {
	Control                           Control
	Healthy, Unhealthy, NotApplicable int
	Score                             Score
}

// Weight is what the control counts when scores of subscriptions are put together.
func (c *ControlScore) Weight() int { return c.Healthy + c.Unhealthy }

// Scores adds verdicts up: every control, and the whole.
func Scores(verdicts []Verdict) (by []ControlScore, all Score) {
	for _, c := range controls {
		sc := ControlScore{Control: c}
		for _, code := range worst(verdicts, c.Name) {
			switch code {
			case Healthy:
				sc.Healthy++
			case Unhealthy:
				sc.Unhealthy++
			default:
				sc.NotApplicable++
			}
		}
		if n := sc.Weight(); n > 0 {
			sc.Score = score(c.Max, float64(c.Max)*float64(sc.Healthy)/float64(n))
		}
		all.Max += sc.Score.Max
		all.Current += sc.Score.Current
		by = append(by, sc)
	}
	return by, score(all.Max, all.Current)
}

// worst gives each resource of a control its worst outcome: it counts once.
func worst(verdicts []Verdict, control string) map[string]Code {
	out := map[string]Code{}
	rank := map[Code]int{NotApplicable: 1, Healthy: 2, Unhealthy: 3}
	for _, v := range verdicts {
		if v.Check.Control != control {
			continue
		}
		id := strings.ToLower(v.Resource.ID)
		if rank[v.Code] > rank[out[id]] {
			out[id] = v.Code
		}
	}
	return out
}

func score(limit int, current float64) Score {
	s := Score{Max: limit, Current: math.Round(current*100) / 100}
	if limit > 0 {
		s.Percentage = math.Round(s.Current/float64(limit)*10_000) / 10_000
	}
	return s
}

// Fix gives the calls that put right what a verdict found. ask is what the caller of the fix wants done in particular, nil for the usual. The error is a fault.
func Fix(s *State, v *Verdict, ask arm.Object) ([]Step, error) {
	switch {
	case v.Check.Manual || v.Check.fix == nil:
		return nil, invalid("'%s' can't be put right from here. %s", v.Check.DisplayName, v.Check.Remedy)
	case v.Code != Unhealthy:
		return nil, invalid("There is nothing to put right: the assessment is %s.", v.Code)
	}
	return v.Check.fix(s, v, ask)
}
