package detect

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// Bounds of what is kept of attempts to sign in. Sources and accounts beyond maxSources are counted by countMin.
const (
	maxKnown   = 256 // addresses and networks that are kept of one account
	maxName    = 128 // bytes of an account's name
	maxWindow  = 32  // accounts that are kept of one source's window; of more, only that there are more
	dayMillis  = 24 * hour
	keyMoments = 5000 // milliseconds between the proof by a key and the sign-in that it led to
)

// Countries tells the country of an address, as "RO"; "" where it isn't known.
type Countries interface {
	Country(netip.Addr) string
}

// Locate makes a machine tell sign-ins from countries that an account wasn't in before. It is called before the first Apply.
func (m *Machine) Locate(c Countries) { m.access.countries = c }

// access is what is known of attempts to sign in.
type access struct {
	sources   *lru[netip.Addr, *source]
	accounts  *lru[string, *account]
	networks  *lru[netip.Prefix, *failing] // the /24 or /64 around a source
	beyond    [2]*countMin                 // failures of sources that are no longer among them, in the younger and the older half of a day; nil before there are any
	since     int64                        // when the younger half began
	ledger    ledger
	users     map[uint32]string
	countries Countries
}

// source is one address that tried.
type source struct {
	from     int64 // when the window began
	failures int
	accounts map[string]int // failures in the window; at most maxWindow
	more     int            // failures on others, and on names that weren't told
	tell     [3]int         // the number of failures at which it is told next, by what for
	failing
	day day // of accounts
}

// failing counts failures since the last success.
type failing struct {
	ever   int
	only   string // the account all were on, "" if there were several
	last   int64
	mixed  bool
	guilty int64 // when it was last told for guessing
}

func (f *failing) fail(name string, millis int64, n int) {
	if millis-f.last > dayMillis {
		f.ever, f.mixed, f.only = 0, false, ""
	}
	if f.ever == 0 {
		f.only = name
	}
	f.mixed = f.mixed || f.only != name
	f.ever += n
	f.last = max(f.last, millis)
}

func newAccess() (a access) {
	a.users = map[uint32]string{}
	a.sources = newLRU[netip.Addr, *source](maxSources, seeded[netip.Addr](), nil)
	a.accounts = newLRU[string, *account](maxSources, seeded[string](), nil)
	a.networks = newLRU[netip.Prefix, *failing](maxSources, seeded[netip.Prefix](), nil)
	return a
}

// network is the part of an address that somebody keeps who changes addresses: a /16, or a /48.
func network(a netip.Addr) netip.Prefix {
	bits := 16
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}

// near is the part of an address that one customer of a provider has as a rule: a /24, or a /64.
func near(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// signIn takes an attempt to sign in from elsewhere. What both the kernel's records and sshd's log tell of counts once.
func (m *Machine) signIn(e *activity.Event) {
	a := &e.SignIn
	if !a.Addr.IsValid() && len(a.Host) == 0 {
		return // at the machine itself
	}
	name := m.accountName(e)
	n := m.access.ledger.add(e, name, max(a.Count, 1))
	src := m.source(a.Addr, e.Millis)
	acc := m.account(name)
	if e.Success {
		m.begins(e, name)
		if n > 0 {
			m.signedIn(e, name, src, acc)
		}
		return
	}
	if n == 0 && !(a.Unknown && channel(e) == ofLog) { // that has the name, which the record had not
		return
	}
	if age := e.Millis - src.from; max(age, -age) > m.params.FailureWindow.Milliseconds() {
		src.from, src.failures, src.more, src.tell[tellGuess], src.tell[tellSpray] = e.Millis, 0, 0, 0, 0
		clear(src.accounts)
	}
	src.failures += n
	if placeholder(name) {
		src.more += n
	} else if _, ok := src.accounts[name]; ok || len(src.accounts) < maxWindow {
		src.accounts[name] += n
		src.day.add(e.Millis, n, hashOf([]byte(name)))
	} else {
		src.more += n
		src.day.add(e.Millis, n, hashOf([]byte(name)))
	}
	if n > 0 {
		src.fail(name, e.Millis, n)
		m.near(a.Addr).fail(name, e.Millis, n)
	}
	m.attempts(e, src)
	if n > 0 && !placeholder(name) {
		m.slowly(e, name, n, src, acc)
	}
}

// accountName is who an attempt is of. Records of a sign-in have the account's number where they aren't enriched; the session that began just before has its name.
func (m *Machine) accountName(e *activity.Event) string {
	a := e.SignIn.Account
	if id := e.Process.AUID; e.Success && id != linuxaudit.Unset && string(a) == strconv.FormatUint(uint64(id), 10) {
		if name := m.access.users[id]; name != "" {
			return name
		}
		if id == 0 {
			return "root"
		}
	}
	return string(a[:min(len(a), maxName)])
}

// begun learns the name of an account's number.
func (x *access) begun(e *activity.Event) {
	if a := e.SignIn.Account; e.Process.AUID != linuxaudit.Unset && len(a) > 0 && len(a) <= maxName {
		if len(x.users) >= maxSources {
			clear(x.users)
		}
		x.users[e.Process.AUID] = string(a)
	}
}

// begins notes who a session is of.
func (m *Machine) begins(e *activity.Event, name string) {
	if e.Process.Session != 0 && e.Process.Session != linuxaudit.Unset {
		s := m.login(e.Process.Session, e.Millis)
		s.Account, s.From = name, e.SignIn.Addr.String()
	}
}

// source is what is known of an address. One that had to be forgotten comes back with the failures it had.
func (m *Machine) source(addr netip.Addr, millis int64) *source {
	x := &m.access
	src, ok := x.sources.Get(addr)
	if ok {
		return src
	}
	if millis-x.since >= half {
		x.beyond[0], x.beyond[1], x.since = nil, x.beyond[0], millis
	}
	if x.sources.Len() == maxSources {
		if was, old, ok := x.sources.Oldest(); ok && old.ever > 0 {
			if x.beyond[0] == nil {
				x.beyond[0] = &countMin{}
			}
			b := was.As16()
			x.beyond[0].raise(hashOf(b[:]), old.ever)
		}
	}
	src = &source{accounts: map[string]int{}}
	b := addr.As16()
	for _, c := range x.beyond {
		if c != nil {
			src.ever = max(src.ever, c.count(hashOf(b[:])))
		}
	}
	if src.ever > 0 {
		src.mixed, src.last = true, millis-half // some time in the day: more isn't known
	}
	x.sources.Add(addr, src)
	return src
}

func (m *Machine) near(addr netip.Addr) *failing {
	p := near(addr)
	f, ok := m.access.networks.Get(p)
	if !ok {
		f = &failing{}
		m.access.networks.Add(p, f)
	}
	return f
}

// What a source is told for, by its place in source.tell.
const (
	tellGuess = iota
	tellSpray
	tellSlowSpray
)

// due reports whether a number is to be told: the first that is enough, and each that is twice the last. So a flood of attempts isn't a flood of findings.
func due(next *int, n, least int) bool {
	if *next == 0 {
		*next = least
	}
	if n < *next {
		return false
	}
	for *next <= n {
		*next *= 2
	}
	return true
}

// attempts judges the failures of a source: many on few accounts are brute force, few on many accounts a spray. A spray that takes its time is seen by the accounts of a day.
func (m *Machine) attempts(e *activity.Event, src *source) {
	tell := func(alert *Alert, confidence float64, why string) {
		src.guilty = e.Millis
		m.near(e.SignIn.Addr).guilty = e.Millis
		m.report(&Finding{
			Alert: alert, Rule: "sign-ins", Key: "sign-ins|" + alert.Type + "|" + e.SignIn.Addr.String(), Millis: e.Millis, Why: why + m.whence(e.SignIn.Addr), Confidence: confidence,
			Addrs: []netip.Addr{e.SignIn.Addr},
		})
	}
	accounts := len(src.accounts)
	if src.failures >= m.params.Failures {
		others := ""
		if src.more > 0 {
			others = " or more"
		}
		why := fmt.Sprintf("%d failures on %d%s accounts within %s", src.failures, accounts, others, m.params.FailureWindow)
		spray := accounts >= m.params.SprayAccounts && src.failures < 3*accounts || accounts == maxWindow && src.failures < 3*(accounts+src.more)
		switch {
		case spray && due(&src.tell[tellSpray], src.failures, m.params.Failures):
			tell(&incomingSpray, 0.8, why)
		case !spray && due(&src.tell[tellGuess], src.failures, m.params.Failures):
			tell(&bruteForce, 0.8, why)
		}
		return
	}
	if attempts, names := src.day.count(); names >= m.params.SlowAccounts && attempts < 3*names && due(&src.tell[tellSlowSpray], names, m.params.SlowAccounts) {
		tell(&incomingSpray, 0.7, fmt.Sprintf("%d failures on %d accounts within a day, never many at once", attempts, names))
	}
}

// whence is the country of an address, as the end of a sentence.
func (m *Machine) whence(a netip.Addr) string {
	if m.access.countries != nil {
		if c := m.access.countries.Country(a); c != "" {
			return ", from " + c
		}
	}
	return ""
}
