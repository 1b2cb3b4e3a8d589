package alerting

// Verdict is what an evaluation of one instance found.
type Verdict uint8

// The verdicts.
const (
	Unknown   Verdict = iota // no data
	Healthy                  // the condition does not hold
	Unhealthy                // it holds
)

// String is for people.
func (v Verdict) String() string { return [...]string{"no data", "healthy", "unhealthy"}[v] }

// Transition is what an evaluation changed.
type Transition uint8

// The transitions.
const (
	None Transition = iota
	Fire
	Resolve
)

// String is the monitor condition that the transition leads to.
func (t Transition) String() string { return [...]string{"", "Fired", "Resolved"}[t] }

// healthyToResolve is how many healthy evaluations in a row resolve an alert.
const healthyToResolve = 3

// State is what has to be kept of an instance between evaluations. The zero State is that of one that was never evaluated; an instance whose State is not Fired
// need not be kept but for Last, which its rule's checkpoint may stand for.
type State struct {
	Fired   bool  `json:"fired"`
	Healthy int   `json:"healthy,omitempty"` // evaluations in a row, while it is fired
	Since   int64 `json:"since"`             // minute of the last transition
	Last    int64 `json:"last"`              // minute of the last evaluation
}

// Step makes an evaluation's verdict the next State. A minute that is not after the last one changes nothing.
func (s State) Step(minute int64, v Verdict, autoMitigate bool) (State, Transition) {
	if minute <= s.Last {
		return s, None
	}
	s.Last = minute
	switch {
	case v == Unhealthy && !s.Fired:
		s.Fired, s.Healthy, s.Since = true, 0, minute
		return s, Fire
	case v == Unhealthy:
		s.Healthy = 0
	case v == Healthy && s.Fired && autoMitigate:
		if s.Healthy++; s.Healthy >= healthyToResolve {
			s.Fired, s.Healthy, s.Since = false, 0, minute
			return s, Resolve
		}
	}
	return s, None
}

// Bounds of what is made up for when evaluations did not take place, in minutes.
const (
	CatchUp = 6 * 60 // of missed minutes, the last so many are evaluated
	MaxBack = 60     // a clock that went back further than this is believed; until then it is waited for
)

// Ticks gives the minutes from..to that are to be evaluated at minute now after those up to last were (0: none ever was); none if from > to. If reset is set the
// clock went back so far that last is given up: the minutes of the states, too, must then be taken for now-1.
func Ticks(last, now int64) (from, to int64, reset bool) {
	switch {
	case last == 0 || last > now+MaxBack:
		return now, now, last != 0
	case now-last > CatchUp:
		return now - CatchUp + 1, now, false
	}
	return last + 1, now, false
}
