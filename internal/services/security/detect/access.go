package detect

import (
	"fmt"
	"net/netip"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// access is what is known of attempts to sign in.
type access struct {
	sources  *simplelru.LRU[netip.Addr, *source]
	accounts *simplelru.LRU[string, *account]
}

// source is one address that tried.
type source struct {
	from     int64 // when the window began
	failures int
	accounts map[string]int
	told     map[*Alert]bool
	ever     int // failures since the last success
	last     int64
}

// account is one that was tried, or signed in.
type account struct {
	prefixes map[netip.Prefix]bool // networks it signed in from
	from     map[netip.Addr]bool   // addresses it signed in from
	failures int                   // since the last success, from anywhere
	sources  map[netip.Addr]bool
	last     int64
}

func newAccess() (a access) {
	a.sources, _ = simplelru.NewLRU[netip.Addr, *source](maxSources, nil)
	a.accounts, _ = simplelru.NewLRU[string, *account](maxSources, nil)
	return a
}

const maxTold = 1024 // names or addresses that are kept of one source or account

// network is the part of an address that somebody keeps who changes addresses: a /16, or a /48.
func network(a netip.Addr) netip.Prefix {
	bits := 16
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}

func (m *Machine) signIn(e *activity.Event) {
	a := &e.SignIn
	name := string(a.Account)
	if !a.Addr.IsValid() && len(a.Host) == 0 {
		return // at the machine itself
	}
	src, ok := m.access.sources.Get(a.Addr)
	if !ok {
		src = &source{accounts: map[string]int{}, told: map[*Alert]bool{}}
		m.access.sources.Add(a.Addr, src)
	}
	acc, ok := m.access.accounts.Get(name)
	if !ok {
		acc = &account{prefixes: map[netip.Prefix]bool{}, from: map[netip.Addr]bool{}, sources: map[netip.Addr]bool{}}
		m.access.accounts.Add(name, acc)
	}
	if e.Success {
		m.signedIn(e, name, src, acc)
		return
	}
	n := max(a.Count, 1)
	if src.from == 0 || e.Millis-src.from > m.params.FailureWindow.Milliseconds() {
		src.from, src.failures = e.Millis, 0
		clear(src.accounts)
	}
	src.failures += n
	src.ever += n
	src.last, acc.last = e.Millis, e.Millis
	acc.failures += n
	if len(src.accounts) < maxTold {
		src.accounts[name] += n
	}
	if len(acc.sources) < maxTold {
		acc.sources[a.Addr] = true
	}
	m.attempts(e, src)
}

// attempts judges the failures of a source: many on few accounts are brute force, few on many accounts a spray.
func (m *Machine) attempts(e *activity.Event, src *source) {
	if src.failures < m.params.Failures {
		return
	}
	alert, why := &bruteForce, fmt.Sprintf("%d failures on %d accounts within %s", src.failures, len(src.accounts), m.params.FailureWindow)
	if len(src.accounts) >= m.params.SprayAccounts && src.failures < 3*len(src.accounts) {
		alert = &incomingSpray
	}
	m.report(&Finding{
		Alert: alert, Rule: "sign-ins", Key: "sign-ins|" + alert.Type + "|" + e.SignIn.Addr.String(), Millis: e.Millis, Why: why, Confidence: 0.8,
		Addrs: []netip.Addr{e.SignIn.Addr},
	})
}

// signedIn judges a success: after failures it is a guessed password; of a service's account it is a password that came with the service; from a network not seen before it
// is worth a note.
func (m *Machine) signedIn(e *activity.Event, name string, src *source, acc *account) {
	a := &e.SignIn
	if e.Process.Session != 0 && e.Process.Session != 1<<32-1 {
		s := m.login(e.Process.Session, e.Millis)
		s.Account, s.From = name, a.Addr.String()
	}
	find := func(alert *Alert, confidence float64, why string) {
		m.report(&Finding{
			Alert: alert, Rule: "sign-ins", Key: "sign-ins|" + alert.Type + "|" + name + "|" + a.Addr.String(), Millis: e.Millis, Why: why, Confidence: confidence,
			Addrs: []netip.Addr{a.Addr}, Account: name,
		})
	}
	if serviceName(name) {
		find(&serviceAccount, 0.8, fmt.Sprintf("%s, an account of a service, signed in from %s by %s", name, a.Addr, a.Method))
	}
	day := int64(24 * 3600 * 1000)
	if guessed := src.ever >= m.params.FailuresBefore && e.Millis-src.last < day; guessed || acc.failures >= 4*m.params.FailuresBefore && e.Millis-acc.last < day && !acc.prefixes[network(a.Addr)] {
		find(&bruteForceSuccess, 0.85, fmt.Sprintf("%d failures from there and %d on the account came before", src.ever, acc.failures))
	}
	if !acc.from[a.Addr] && len(acc.from) < maxTold {
		if len(acc.from) > 0 && serviceName(name) && acc.prefixes[network(a.Addr)] {
			find(&newSource, 0.3, fmt.Sprintf("%s had signed in from another address of %s", name, network(a.Addr)))
		}
		acc.from[a.Addr] = true
	}
	if p := network(a.Addr); !acc.prefixes[p] && len(acc.prefixes) < maxTold {
		if len(acc.prefixes) > 0 {
			find(&newSource, 0.2, fmt.Sprintf("%s had signed in from %d other networks", name, len(acc.prefixes)))
		}
		acc.prefixes[p] = true
	}
	src.ever, acc.failures = 0, 0
}
