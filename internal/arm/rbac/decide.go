package rbac

import "strings"

// Everyone is the principal id by which a deny assignment means all principals.
const Everyone = "00000000-0000-0000-0000-000000000000"

// Assignment gives a principal a role at a scope.
type Assignment struct {
	ID          string
	Scope       string // folded resource id, "/" for a whole tenant
	PrincipalID string // lower case
	Role        *Role  // nil for a custom role, which is looked up when the question is asked: it changes without the assignment
	RoleID      string // lower case, of a custom role
	RoleKey     string // of a custom role, as it was when the assignment was made
}

// Custom are the custom roles of a tenant by lower-case id.
type Custom map[string]*Role

// role is the assignment's role, nil if there is none any more. A role made anew with the id of an earlier one is another role.
func (a *Assignment) role(custom Custom) *Role {
	if a.Role != nil {
		return a.Role
	}
	if r := custom[a.RoleID]; r != nil && r.Key == a.RoleKey {
		return r
	}
	return nil
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
	Role       *Role       // its role
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

// Place is where a set is asked.
type Place struct {
	Set   *Set
	Scope string   // folded
	Above []string // scopes above that the text of Scope does not tell: its management groups, folded
}

// at tells whether what hangs on a scope counts at the place.
func (p *Place) at(scope string) bool { return Within(p.Scope, scope) || contains(p.Above, scope) }

// Known tells whether one of the principals has any assignment at the place, above it or below it.
func (p *Place) Known(principals []string) bool {
	for _, who := range principals {
		for i := range p.Set.byPrincipal[who] {
			if a := p.Set.byPrincipal[who][i].Scope; p.at(a) || Within(a, p.Scope) {
				return true
			}
		}
	}
	return false
}

// grant returns the assignment, and its role, that lets one of the principals do the action.
func (p *Place) grant(principals []string, action string, data bool, custom Custom) (*Assignment, *Role) {
	for _, who := range principals {
		as := p.Set.byPrincipal[who]
		for i := range as {
			if !p.at(as[i].Scope) {
				continue
			}
			if r := as[i].role(custom); r != nil && covers(r.Permissions, action, data) {
				return &as[i], r
			}
		}
	}
	return nil, nil
}

// deny returns the denial that refuses the action to the principals, nil if there is none. Excluding any of a caller's ids excludes the caller.
func (p *Place) deny(principals []string, action string, data bool) *Denial {
	for i := range p.Set.denials {
		d := &p.Set.denials[i]
		if d.OnlyHere && p.Scope != d.Scope || !p.at(d.Scope) || !covers(d.Permissions, action, data) {
			continue
		}
		if (contains(d.Principals, Everyone) || overlap(d.Principals, principals)) && !overlap(d.Excluded, principals) {
			return d
		}
	}
	return nil
}

// Decide asks several sets about one action: a grant in any of them, then a denial in any of them. Ids of principals are in lower case.
func Decide(principals []string, action string, data bool, custom Custom, places ...Place) Decision {
	var d Decision
	for i := range places {
		if d.Assignment, d.Role = places[i].grant(principals, action, data, custom); d.Assignment != nil {
			break
		}
	}
	if d.Assignment == nil {
		return d
	}
	for i := range places {
		if d.Denial = places[i].deny(principals, action, data); d.Denial != nil {
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
