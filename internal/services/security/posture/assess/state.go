package assess

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// State is what is judged. Maps are keyed by folded resource ids but for Used.
type State struct {
	Subscription string
	Now          time.Time
	Limits       Limits
	Resources    []*arm.Resource
	Grants       []arm.Grant
	Keys         map[string][]Key     // of accounts, as far as known
	Machines     map[string]Hardening // of machines that told
	Used         map[string]time.Time // principal id, lower case -> when it last got a token
	UsedSince    time.Time            // since when that is recorded; zero: it isn't
}

// Limits are the thresholds. The zero value of one means its default.
type Limits struct {
	KeyAge    time.Duration // an older account key should be replaced; 90 days
	Unused    time.Duration // an identity that got no token for so long is unused; 90 days
	NeverUsed time.Duration // a younger identity may have got none yet; 7 days
}

func (l Limits) keyAge() time.Duration    { return cmp.Or(l.KeyAge, 90*24*time.Hour) }
func (l Limits) unused() time.Duration    { return cmp.Or(l.Unused, 90*24*time.Hour) }
func (l Limits) neverUsed() time.Duration { return cmp.Or(l.NeverUsed, 7*24*time.Hour) }

// Key is an account key's age, never the key.
type Key struct {
	Kind      string // as regenerateKey names it: "primary"
	Generated time.Time
}

// Hardening is what a machine's agent told of its log-in. nil: not known.
type Hardening struct {
	PasswordLogin      *bool
	DefaultCredentials *bool
	Why                string // which setting or account
}

// Code is the outcome of a check.
type Code string

// The outcomes, as Azure spells them.
const (
	Healthy       Code = "Healthy"
	Unhealthy     Code = "Unhealthy"
	NotApplicable Code = "NotApplicable"
)

// Verdict is what a check says of one resource.
type Verdict struct {
	Check       *Check
	Resource    *arm.Resource
	Code        Code
	Cause       string // a word for programs
	Description string
	Parts       []Part // what of the resource is wrong, one by one
}

// Part is one fault of several that a resource can have: a rule, a key, a role assignment.
type Part struct {
	Key         string // names it within the verdict
	DisplayName string
	Description string
}

// Step is one call to the control plane that a fix consists of.
type Step struct {
	Method string
	Path   string // from /subscriptions on, with its query
	Body   any    // nil: none
}

// Evaluate judges every resource by every check that is about it, in order of resource and check.
func Evaluate(s *State) []Verdict {
	var out []Verdict
	for _, r := range s.Resources {
		for i := range checks {
			v := checks[i].judge(s, r)
			if v == nil {
				continue
			}
			v.Check, v.Resource = &checks[i], r
			out = append(out, *v)
		}
	}
	slices.SortStableFunc(out, func(a, b Verdict) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Resource.ID), strings.ToLower(b.Resource.ID)), strings.Compare(a.Check.Name, b.Check.Name))
	})
	return out
}

func healthy() *Verdict { return &Verdict{Code: Healthy} }

func unhealthy(cause, description string, parts ...Part) *Verdict {
	return &Verdict{Code: Unhealthy, Cause: cause, Description: description, Parts: parts}
}

func notApplicable(cause, description string) *Verdict {
	return &Verdict{Code: NotApplicable, Cause: cause, Description: description}
}

// properties reads what a check looks at of a resource of one type; nil if it is of another, or unreadable.
func properties[T any](r *arm.Resource, typ string) *T {
	if !strings.EqualFold(r.Type, typ) {
		return nil
	}
	v := new(T)
	if json.Unmarshal(r.Properties, v) != nil {
		return nil
	}
	return v
}
