package intel

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// known tells whether a value counts now.
func (s *Store) known(k Kind, value string) bool {
	s.mu.RLock()
	i := s.by[k][value]
	s.mu.RUnlock()
	return i != nil && i.Now(s.deps.Clock.Now()) >= Threshold
}

// Domain implements detect.Intel: a host name, or one it lies below, is known to be malicious.
func (s *Store) Domain(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for name != "" {
		if s.known(Domain, name) {
			return true
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return false
		}
		name = rest
	}
	return false
}

// Addr implements detect.Intel.
func (s *Store) Addr(text string) bool {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	if s.known(Address, a.String()) {
		return true
	}
	s.mu.RLock()
	lengths := make([]int, 0, 8)
	for l := range s.lengths {
		if (l < 0) == a.Is6() {
			lengths = append(lengths, max(l, -l))
		}
	}
	s.mu.RUnlock()
	for _, l := range lengths {
		if p, err := a.Prefix(l); err == nil && s.known(Address, p.String()) {
			return true
		}
	}
	return false
}

// URL tells whether an address of a download is known to be malicious.
func (s *Store) URL(address string) bool {
	v, err := Clean(URL, address)
	return err == nil && s.known(URL, v)
}

// SHA256 tells whether a file is, by its hash in hexadecimal.
func (s *Store) SHA256(hash string) bool { return s.known(SHA256, strings.ToLower(hash)) }

// HASSH tells whether an SSH client's fingerprint is.
func (s *Store) HASSH(hash string) bool { return s.known(HASSH, strings.ToLower(hash)) }

// Credential tells whether a user and a password were tried by attackers.
func (s *Store) Credential(user, password string) bool {
	return s.known(Credential, user+":"+password)
}

// Shingle tells whether commands, in the form of package shingle, are an attacker's.
func (s *Store) Shingle(normal string) bool { return s.known(Shingle, normal) }

// Get gives what is known of a value; nil is nothing.
func (s *Store) Get(k Kind, value string) *Indicator {
	v, err := Clean(k, value)
	if err != nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.by[k][v]
}

// Filter chooses indicators. Its zero value chooses all.
type Filter struct {
	Kinds []Kind
	Least float64   // score at present
	After time.Time // Added after this
	Limit int       // 0: all
	// IDs, if there are any, are those of STIX objects.
	IDs []string
}

// List gives indicators in the order in which they were added, and whether there are more. They are not to be changed.
func (s *Store) List(f Filter) (found []*Indicator, more bool) {
	now := s.deps.Clock.Now()
	s.mu.RLock()
	for k, m := range s.by {
		if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, k) {
			continue
		}
		for _, i := range m {
			if i.Added.After(f.After) && i.Now(now) >= f.Least && (len(f.IDs) == 0 || slices.Contains(f.IDs, i.ID)) {
				found = append(found, i)
			}
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(found, func(a, b *Indicator) int { return cmp.Or(a.Added.Compare(b.Added), cmp.Compare(a.ID, b.ID)) })
	if f.Limit > 0 && len(found) > f.Limit {
		return found[:f.Limit], true
	}
	return found, false
}
