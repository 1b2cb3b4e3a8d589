package detect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// account is one that was tried, or signed in.
type account struct {
	prefixes  map[netip.Prefix]bool // networks it signed in from
	from      map[netip.Addr]*habit // addresses it signed in from
	countries []string
	failures  int // since the last success, from anywhere
	last      int64
	key       int64 // when it last proved itself by a key
	slow      day   // failures of sources that are too slow to be told for themselves, and their networks
	told      [2]int
}

// habit is an address that an account signs in from: after several good sign-ins, mistakes from there are the account's own.
type habit struct {
	good  int
	first int64
}

const goodHabit = 2 // sign-ins in which nothing was odd

func (m *Machine) account(name string) *account {
	acc, ok := m.access.accounts.Get(name)
	if !ok {
		acc = &account{prefixes: map[netip.Prefix]bool{}, from: map[netip.Addr]*habit{}}
		m.access.accounts.Add(name, acc)
	}
	return acc
}

// slowly judges the failures on an account over a day that no source's own failures tell of: a few from each of many networks, or a few an hour from the same.
func (m *Machine) slowly(e *activity.Event, name string, n int, src *source, acc *account) {
	if e.Millis-acc.last > dayMillis {
		acc.failures = 0
	}
	acc.failures += n
	acc.last = max(acc.last, e.Millis)
	if src.guilty != 0 && e.Millis-src.guilty < dayMillis || acc.usual(e.SignIn.Addr) {
		return
	}
	if acc.slow.from == 0 || e.Millis-acc.slow.from >= 2*half {
		acc.told = [2]int{}
	}
	b := near(e.SignIn.Addr).Addr().As16()
	acc.slow.add(e.Millis, n, hashOf(b[:]))
	failures, networks := acc.slow.count()
	tell := func(a *Alert, confidence float64, why string) {
		if e.SignIn.Unknown { // nothing can come of it
			confidence /= 2
		}
		m.report(&Finding{
			Alert: a, Rule: "sign-ins", Key: "sign-ins|" + a.Type + "|" + name, Millis: e.Millis, Why: why + m.whence(e.SignIn.Addr), Confidence: confidence,
			Addrs: []netip.Addr{e.SignIn.Addr}, Account: name,
		})
	}
	switch {
	case networks >= m.params.GuessNetworks:
		if due(&acc.told[0], networks, m.params.GuessNetworks) {
			tell(&distributedGuess, 0.75, fmt.Sprintf("%d failures on %q from %d networks within a day, few from each", failures, name, networks))
		}
	case failures >= m.params.SlowFailures && due(&acc.told[1], failures, m.params.SlowFailures):
		tell(&slowGuess, 0.65, fmt.Sprintf("%d failures on %q from %d networks within a day, never many at once", failures, name, networks))
	}
}

// usual reports whether an account signs in from an address now and then.
func (acc *account) usual(addr netip.Addr) bool {
	h := acc.from[addr]
	return h != nil && h.good >= goodHabit
}

// byKey reports whether a sign-in was by what can't be guessed.
func byKey(method string) bool {
	return strings.HasPrefix(method, "publickey") || strings.HasPrefix(method, "pubkey") || strings.HasPrefix(method, "gssapi") || strings.HasPrefix(method, "hostbased")
}

// proved notes that an account proved itself by a key: the record of the sign-in that follows doesn't say so.
func (m *Machine) proved(e *activity.Event) {
	if a := &e.SignIn; e.Success && len(a.Account) > 0 && byKey(string(a.Method)) {
		m.account(string(a.Account[:min(len(a.Account), maxName)])).key = e.Millis
	}
}

// signedIn judges a success: after failures it is a guessed password; of a service's account it is a password that came with the service; from a network or a country not seen
// before it is worth a note.
func (m *Machine) signedIn(e *activity.Event, name string, src *source, acc *account) {
	a := &e.SignIn
	odd := false
	find := func(alert *Alert, confidence float64, why string) {
		odd = odd || alert.Severity > Low
		m.report(&Finding{
			Alert: alert, Rule: "sign-ins", Key: "sign-ins|" + alert.Type + "|" + name + "|" + a.Addr.String(), Millis: e.Millis, Why: why + m.whence(a.Addr), Confidence: confidence,
			Addrs: []netip.Addr{a.Addr}, Account: name,
		})
	}
	if serviceName(name) {
		find(&serviceAccount, 0.8, fmt.Sprintf("%s, an account of a service, signed in from %s by %s", name, a.Addr, a.Method))
	}
	if why := m.guessed(e, src, acc); why != "" {
		find(&bruteForceSuccess, 0.85, why)
	}
	m.whereFrom(e, name, acc, find)
	if h := acc.from[a.Addr]; h == nil || h.good < goodHabit {
		method := string(a.Method)
		if acc.key != 0 && e.Millis-acc.key <= keyMoments && e.Millis >= acc.key {
			method = "publickey"
		}
		m.knownSource(name, method, a.Addr, find)
	}
	h := acc.from[a.Addr]
	if h == nil && len(acc.from) < maxKnown {
		h = &habit{first: e.Millis}
		acc.from[a.Addr] = h
	}
	if h != nil && !odd {
		h.good++
	}
	src.ever, src.mixed, acc.failures = 0, false, 0
	m.near(a.Addr).ever = 0
}

// guessed says why a success may be a guessed password, or nothing.
func (m *Machine) guessed(e *activity.Event, src *source, acc *account) string {
	a := &e.SignIn
	if byKey(string(a.Method)) || acc.key != 0 && e.Millis-acc.key <= keyMoments && e.Millis >= acc.key {
		return ""
	}
	around := m.near(a.Addr)
	recently := func(f *failing) bool { return f.ever >= m.params.FailuresBefore && e.Millis-f.last < dayMillis }
	switch {
	case acc.usual(a.Addr) && !src.mixed && src.ever < m.params.Failures:
		return "" // somebody who signs in from there now and then, and mistyped
	case recently(&src.failing):
		return fmt.Sprintf("%d failures from there and %d on the account came before", src.ever, acc.failures)
	case recently(around) && (around.mixed || around.ever >= m.params.Failures):
		return fmt.Sprintf("%d failures from %s and %d on the account came before", around.ever, near(a.Addr), acc.failures)
	case acc.failures >= 4*m.params.FailuresBefore && e.Millis-acc.last < dayMillis && !acc.prefixes[network(a.Addr)]:
		return fmt.Sprintf("%d failures from elsewhere on the account came before, and it had never signed in from there", acc.failures)
	}
	return ""
}

// whereFrom notes a network, or a country, that an account wasn't in before.
func (m *Machine) whereFrom(e *activity.Event, name string, acc *account, find func(*Alert, float64, string)) {
	a := &e.SignIn
	p := network(a.Addr)
	switch {
	case !acc.prefixes[p] && len(acc.prefixes) < maxKnown:
		if len(acc.prefixes) > 0 {
			find(&newSource, 0.2, fmt.Sprintf("%s had signed in from %d other networks", name, len(acc.prefixes)))
		}
		acc.prefixes[p] = true
	case acc.from[a.Addr] == nil && len(acc.from) > 0 && serviceName(name):
		find(&newSource, 0.3, fmt.Sprintf("%s had signed in from another address of %s", name, p))
	}
	if m.access.countries == nil {
		return
	}
	c := m.access.countries.Country(a.Addr)
	for _, known := range acc.countries {
		if known == c {
			return
		}
	}
	if c == "" || len(acc.countries) >= maxKnown {
		return
	}
	if len(acc.countries) > 0 {
		find(&newCountry, 0.4, fmt.Sprintf("%s had signed in from %s only", name, strings.Join(acc.countries[:min(len(acc.countries), 8)], ", ")))
	}
	acc.countries = append(acc.countries, c)
}
