package intel

import (
	"net/netip"
	"strings"
)

// tried keeps the credentials by the account they are for.
func tried(users map[string]map[string]*Indicator, old, fresh *Indicator) {
	user := func(i *Indicator) string {
		name, _, _ := strings.Cut(i.Value, ":")
		return strings.ToLower(name)
	}
	if old != nil && old.Kind == Credential {
		name := user(old)
		if delete(users[name], old.Value); len(users[name]) == 0 {
			delete(users, name)
		}
	}
	if fresh != nil && fresh.Kind == Credential {
		name := user(fresh)
		if users[name] == nil {
			users[name] = map[string]*Indicator{}
		}
		users[name][fresh.Value] = fresh
	}
}

// enough is how many of an account's credentials are looked at: many intruders try thousands of root's.
const enough = 64

// Account tells whether attackers try an account, whatever the passwords were: each of its credentials is a witness, as its score is at present. Machines don't tell which password somebody
// gave, so the name is all that can be asked about them.
func (s *Store) Account(name string) bool {
	now := s.deps.Clock.Now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	doubt, n := 1.0, 0
	for _, i := range s.users[strings.ToLower(name)] {
		if doubt *= 1 - i.Now(now); 1-doubt >= accountThreshold {
			return true
		}
		if n++; n == enough {
			break
		}
	}
	return false
}

// accountThreshold is more than Threshold: one visitor's one attempt isn't enough.
const accountThreshold = 0.7

// Visitors is how many others than an address used an SSH client of a fingerprint at the honeypot, as far as an indicator remembers them.
func (s *Store) Visitors(hassh string, but netip.Addr) (n int) {
	i := s.Get(HASSH, hassh)
	if i == nil {
		return 0
	}
	for _, from := range i.Sources {
		if _, witness, _ := strings.Cut(from, " "); witness != "" && witness != but.String() {
			n++
		}
	}
	return n
}
