package rbac

import "strings"

// Everyone is the principal id by which a deny assignment means all principals.
const Everyone = "00000000-0000-0000-0000-000000000000"

// Assignment gives a principal a role at a scope.
type Assignment struct {
	ID          string
	Scope       string // folded resource id, "/" for a whole tenant
	PrincipalID string // lower case
	Role        *Role
}

// Denial takes permissions away from principals, whatever roles they have.
type Denial struct {
	ID          string
	Scope       string // folded
	Permissions []Permission
	Principals  []string // lower case; Everyone for all
	Excluded    []string // lower case
	OnlyHere    bool     // does not apply to scopes below
}

// Decision is the outcome: at most one of Assignment and Denial tells why. Neither means that no role grants the action.
type Decision struct {
	Assignment *Assignment // the one that grants it
	Denial     *Denial     // the one that refuses what a role grants
}

// Allowed tells whether the action may be done.
func (d Decision) Allowed() bool { return d.Assignment != nil && d.Denial == nil }

// Set is the assignments and denials of one place (a subscription, a tenant's root), ready to be asked. It is immutable and safe for concurrent use.
type Set struct {
	byPrincipal map[string][]Assignment
	denials     []Denial
}

// NewSet prepares assignments and denials.
func NewSet(assignments []Assignment, denials []Denial) *Set {
	s := &Set{byPrincipal: make(map[string][]Assignment, len(assignments)), denials: denials}
	for _, a := range assignments {
		s.byPrincipal[a.PrincipalID] = append(s.byPrincipal[a.PrincipalID], a)
	}
	return s
}

// Known tells whether one of the principals has any assignment at the scope, above it or below it.
func (s *Set) Known(principals []string, scope string) bool {
	for _, p := range principals {
		for i := range s.byPrincipal[p] {
			if a := s.byPrincipal[p][i].Scope; Within(scope, a) || Within(a, scope) {
				return true
			}
		}
	}
	return false
}

// Grant returns the assignment that lets one of the principals do the action at the scope, nil if there is none. Ids are in lower case, the scope is folded.
func (s *Set) Grant(principals []string, action string, data bool, scope string) *Assignment {
	for _, p := range principals {
		as := s.byPrincipal[p]
		for i := range as {
			if Within(scope, as[i].Scope) && covers(as[i].Role.Permissions, action, data) {
				return &as[i]
			}
		}
	}
	return nil
}

// Deny returns the denial that refuses the action to the principals, nil if there is none. Excluding any of a caller's ids excludes the caller.
func (s *Set) Deny(principals []string, action string, data bool, scope string) *Denial {
	for i := range s.denials {
		d := &s.denials[i]
		if d.OnlyHere && scope != d.Scope || !Within(scope, d.Scope) || !covers(d.Permissions, action, data) {
			continue
		}
		if (contains(d.Principals, Everyone) || overlap(d.Principals, principals)) && !overlap(d.Excluded, principals) {
			return d
		}
	}
	return nil
}

// Decide asks several sets about one action: a grant in any of them, then a denial in any of them.
func Decide(principals []string, action string, data bool, scope string, sets ...*Set) Decision {
	var d Decision
	for _, s := range sets {
		if d.Assignment == nil {
			d.Assignment = s.Grant(principals, action, data, scope)
		}
	}
	if d.Assignment == nil {
		return d
	}
	for _, s := range sets {
		if d.Denial = s.Deny(principals, action, data, scope); d.Denial != nil {
			return d
		}
	}
	return d
}

// Within tells whether scope is at or below the folded scope above.
func Within(scope, above string) bool {
	if above == "/" {
		return strings.HasPrefix(scope, "/")
	}
	return strings.HasPrefix(scope, above) && (len(scope) == len(above) || scope[len(above)] == '/')
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func overlap(a, b []string) bool {
	for _, x := range b {
		if contains(a, x) {
			return true
		}
	}
	return false
}
