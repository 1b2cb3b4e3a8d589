package rbac

import "strings"

// Match tells whether the action fits the pattern. Both are compared in any case; * in the pattern stands for any characters, also none. A * that is a whole segment may
// stand for no segment: a/*/read covers a/read. Azure's built-in roles count on it (Managed Identity Operator assigns by userAssignedIdentities/*/assign/action, Key Vault
// Reader reads vaults by vaults/*/read).
func Match(pattern, action string) bool {
	if glob(pattern, action) {
		return true
	}
	i := strings.Index(pattern, "/*/")
	return i >= 0 && i <= len(action) && strings.EqualFold(pattern[:i], action[:i]) && glob(pattern[i+2:], action[i:])
}

func glob(pattern, action string) bool {
	p, a := 0, 0
	star, mark := -1, 0 // the last * met, and where in the action it ends for now
	for a < len(action) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, a
			p++
		case p < len(pattern) && lower(pattern[p]) == lower(action[a]):
			p++
			a++
		case star >= 0:
			mark++
			p, a = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Permission is one set of actions with its exceptions.
type Permission struct {
	Actions        []string `json:"actions"`
	NotActions     []string `json:"notActions"`
	DataActions    []string `json:"dataActions"`
	NotDataActions []string `json:"notDataActions"`
}

// Covers tells whether the permission is about the action.
func (p *Permission) Covers(action string, data bool) bool {
	if data {
		return matchAny(p.DataActions, action) && !matchAny(p.NotDataActions, action)
	}
	return matchAny(p.Actions, action) && !matchAny(p.NotActions, action)
}

func covers(ps []Permission, action string, data bool) bool {
	for i := range ps {
		if ps[i].Covers(action, data) {
			return true
		}
	}
	return false
}

func matchAny(patterns []string, action string) bool {
	for _, p := range patterns {
		if Match(p, action) {
			return true
		}
	}
	return false
}
