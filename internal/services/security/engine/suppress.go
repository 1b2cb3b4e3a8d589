package engine

import (
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// Rule says which new alerts are kept as dismissed.
type Rule struct {
	Name    string    `json:"name"`
	Type    string    `json:"type"` // alertType; "*" is every one
	Enabled bool      `json:"enabled"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	AllOf   []Scope   `json:"allOf,omitempty"`  // each must hold; none: every alert of the type
}

// Scope is a condition of a rule. It holds if one of the alert's values for Field, without regard to case, is one of In or has one of Contains in it.
type Scope struct {
	Field    string   `json:"field"` // "ip.address": Azure's name without "entities.", in lower case
	In       []string `json:"in,omitempty"`
	Contains []string `json:"contains,omitempty"`
}

// fits reports whether the rule suppresses an alert at a time.
func (r *Rule) fits(a *alerts.Alert, now time.Time) bool {
	if !r.Enabled || !r.Expires.IsZero() && !now.Before(r.Expires) || r.Type != "*" && !strings.EqualFold(r.Type, a.Type) {
		return false
	}
	for i := range r.AllOf {
		if !r.AllOf[i].holds(a) {
			return false
		}
	}
	return true
}

func (s *Scope) holds(a *alerts.Alert) bool {
	values, _ := a.Fields(s.Field)
	for _, v := range values {
		for _, want := range s.In {
			if strings.EqualFold(v, want) {
				return true
			}
		}
		for _, want := range s.Contains {
			if want != "" && strings.Contains(strings.ToLower(v), strings.ToLower(want)) {
				return true
			}
		}
	}
	return false
}

// suppress dismisses a new alert that one of the rules fits.
func suppress(a *alerts.Alert, rules []Rule, now time.Time) {
	for i := range rules {
		if rules[i].fits(a, now) {
			a.Status, a.Suppressed = alerts.Dismissed, rules[i].Name
			return
		}
	}
}
