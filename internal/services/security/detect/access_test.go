package detect

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// try is one attempt to sign in.
type try struct {
	at      time.Duration
	ok      bool
	account string
	addr    string
	method  string // "" is password
	audit   bool   // an audit record told of it, not a line of the log
	unknown bool
}

func event(t try) *activity.Event {
	e := &activity.Event{
		Kind: activity.SignIn, Millis: 1_500_000_000_000 + t.at.Milliseconds(), Success: t.ok,
		SignIn: activity.Access{Account: []byte(t.account), Addr: netip.MustParseAddr(t.addr), Method: []byte(t.method), Unknown: t.unknown, Count: 1},
	}
	if t.method == "" {
		e.SignIn.Method = []byte("password")
	}
	if e.Message = []byte("sshd[1]: ..."); t.audit {
		e.Message, e.SignIn.Method = nil, []byte("login")
	}
	return e
}

// told gives what is found, as "type account address", each once, in order.
func tried(tries ...try) (out []string) {
	m := New(DefaultParams(), nil, func(f *Finding) {
		s := f.Alert.Type + " " + f.Account + " " + f.Addrs[0].String()
		if f.Account == "" || strings.HasPrefix(f.Alert.Type, "BH_SshDistributed") || strings.HasPrefix(f.Alert.Type, "BH_SshSlow") {
			s = strings.TrimSpace(f.Alert.Type + " " + strings.TrimPrefix(f.Key, "sign-ins|"+f.Alert.Type+"|"))
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	})
	for _, t := range tries {
		m.Apply(event(t))
	}
	return out
}

func many(n int, f func(i int) try) (out []try) {
	for i := range n {
		out = append(out, f(i))
	}
	return out
}

const here, there = "198.51.100.7", "203.0.113.9"

func TestSignIns(t *testing.T) {
	t.Parallel()
	fails := func(n int, every time.Duration, account, addr string) []try {
		return many(n, func(i int) try { return try{at: time.Duration(i) * every, account: account, addr: addr} })
	}
	ok := func(at time.Duration, account, addr string) try {
		return try{at: at, ok: true, account: account, addr: addr}
	}
	usual := []try{ok(-50*time.Hour, "eve", here), ok(-40*time.Hour, "eve", here), ok(-30*time.Hour, "eve", here)}
	for _, c := range []struct {
		name  string
		tries []try
		want  []string
	}{
		{"ten failures in five minutes", fails(10, 20*time.Second, "root", here), []string{"BH_SshBruteForceFailed " + here}},
		{"nine failures in five minutes", fails(9, 20*time.Second, "root", here), nil},
		{"ten failures in ten minutes", fails(10, time.Minute, "root", here), nil},
		{"ten accounts", many(10, func(i int) try {
			return try{at: time.Duration(i) * time.Second, account: fmt.Sprint("u", i), addr: here}
		}), []string{"BH_SshPasswordSpray " + here}},
		{"forty accounts by twice", many(80, func(i int) try {
			return try{at: time.Duration(i) * time.Second, account: fmt.Sprint("u", i/2), addr: here}
		})[20:], []string{"BH_SshBruteForceFailed " + here, "BH_SshPasswordSpray " + here}},
		{"ten accounts, many each", many(60, func(i int) try {
			return try{at: time.Duration(i) * time.Second, account: fmt.Sprint("u", i%10), addr: here}
		})[:9], nil},
		{"an account an hour", many(20, func(i int) try {
			return try{at: time.Duration(i) * time.Hour / 2, account: fmt.Sprint("u", i), addr: here}
		}), []string{"BH_SshPasswordSpray " + here}},
		{"an account a day", many(20, func(i int) try {
			return try{at: time.Duration(i) * 25 * time.Hour, account: fmt.Sprint("u", i), addr: here}
		}), nil},
		{"twice an hour on one account", fails(42, 17*time.Minute, "eve", here), []string{"BH_SshSlowGuessing eve"}},
		{"once in three hours on one account", fails(42, 3*time.Hour, "eve", here), nil},
		{"from twenty networks", many(20, func(i int) try {
			return try{at: time.Duration(i) * 10 * time.Minute, account: "eve", addr: fmt.Sprintf("198.51.%d.7", i)}
		}), []string{"BH_SshDistributedGuessing eve"}},
		{"from twenty addresses of a network", many(20, func(i int) try {
			return try{at: time.Duration(i) * 10 * time.Minute, account: "eve", addr: fmt.Sprintf("198.51.100.%d", i)}
		}), nil},
		{"guessed", append(fails(5, time.Minute, "eve", here), ok(6*time.Minute, "eve", here)), []string{"BH_SshBruteForceSuccess eve " + here}},
		{"too few before", append(fails(4, time.Minute, "eve", here), ok(6*time.Minute, "eve", here)), nil},
		{"two days later", append(fails(5, time.Minute, "eve", here), ok(48*time.Hour, "eve", here)), nil},
		{"by a key", append(fails(5, time.Minute, "eve", here), try{at: 6 * time.Minute, ok: true, account: "eve", addr: here, method: "publickey"}), nil},
		{"guessed from beside", append(fails(12, time.Minute, "eve", "198.51.100.200"), ok(13*time.Minute, "eve", here)), []string{"BH_SshBruteForceSuccess eve " + here}},
		{"from elsewhere after a crowd", append(many(20, func(i int) try {
			return try{at: time.Duration(i) * time.Minute, account: "eve", addr: fmt.Sprintf("198.51.%d.7", i)}
		})[1:], try{at: 20 * time.Minute, account: "eve", addr: "198.52.0.1"}, ok(21*time.Minute, "eve", there)), []string{"BH_SshDistributedGuessing eve", "BH_SshBruteForceSuccess eve " + there}},
		{"who signs in from there now and then mistypes", append(append(slices.Clone(usual), fails(7, 20*time.Second, "eve", here)...), ok(3*time.Minute, "eve", here)), nil},
		{"from there, but on several accounts", append(append(append(slices.Clone(usual), fails(5, 20*time.Second, "eve", here)...), fails(1, 0, "adm", here)...), ok(3*time.Minute, "eve", here)), []string{"BH_SshBruteForceSuccess eve " + here}},
		{"a service's account", []try{ok(0, "cassandra", here)}, []string{"BH_ServiceAccountInteractive cassandra " + here}},
		{"another network", []try{ok(0, "eve", here), ok(time.Hour, "eve", there), ok(2*time.Hour, "eve", there)}, []string{"BH_NewSource eve " + there}},
		{"IPv6 of one customer", append(many(10, func(i int) try {
			return try{at: time.Duration(i) * time.Minute, account: "eve", addr: fmt.Sprintf("2001:db8:0:1::%x", i+1)}
		}), ok(11*time.Minute, "eve", "2001:db8:0:1::ffff")), []string{"BH_SshBruteForceSuccess eve 2001:db8:0:1::ffff"}},
	} {
		if d := cmp.Diff(c.want, tried(c.tries...)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestSignIns_ToldTwice: the audit records and the log of the same attempts are one, in whichever order they come; and neither takes anything from the other that it alone told.
func TestSignIns_ToldTwice(t *testing.T) {
	t.Parallel()
	both := func(n int, audit, log int) (tries []try) {
		for i := range n {
			for k := range audit {
				tries = append(tries, try{at: time.Duration(i)*30*time.Second + time.Duration(k)*time.Millisecond, account: "(unknown user)", unknown: true, addr: here, audit: true})
			}
			for k := range log {
				tries = append(tries, try{at: time.Duration(i)*30*time.Second + time.Duration(k)*time.Millisecond, account: fmt.Sprint("u", i%3), unknown: true, addr: here})
			}
		}
		return tries
	}
	byLog := func(tries []try) []try { // one log after the other
		slices.SortStableFunc(tries, func(a, b try) int {
			switch {
			case a.audit == b.audit:
				return 0
			case a.audit:
				return -1
			}
			return 1
		})
		return tries
	}
	for name, c := range map[string]struct {
		tries []try
		want  []string
	}{
		"nine, told by both":      {both(9, 1, 1), nil},
		"nine, one log then":      {byLog(both(9, 1, 1)), nil},
		"ten, told by both":       {both(10, 1, 1), []string{"BH_SshBruteForceFailed " + here}},
		"ten, one log then":       {byLog(both(10, 1, 1)), []string{"BH_SshBruteForceFailed " + here}},
		"five, two lines each":    {both(5, 1, 2), []string{"BH_SshBruteForceFailed " + here}},
		"five, two records each":  {both(5, 2, 1), []string{"BH_SshBruteForceFailed " + here}},
		"a success, told by both": {[]try{{ok: true, account: "nobody", addr: here, audit: true}, {ok: true, account: "nobody", addr: here}}, []string{"BH_ServiceAccountInteractive nobody " + here}},
	} {
		if d := cmp.Diff(c.want, tried(c.tries...)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	// A key was proved: the record of the sign-in doesn't say by what it was.
	m := New(DefaultParams(), nil, func(f *Finding) { t.Errorf("%+v", f) })
	for i := range 6 {
		m.Apply(event(try{at: time.Duration(i) * time.Minute, account: "eve", addr: here, audit: true}))
	}
	auth := event(try{at: 7 * time.Minute, ok: true, account: "eve", addr: here, audit: true})
	auth.Kind, auth.SignIn.Method = activity.Auth, []byte("pubkey")
	m.Apply(auth)
	m.Apply(event(try{at: 7*time.Minute + 10*time.Millisecond, ok: true, account: "eve", addr: here, audit: true}))
}

// TestSignIns_Number: a record that has the account's number is of the account of that number, and one with the line of the log.
func TestSignIns_Number(t *testing.T) {
	t.Parallel()
	var got []string
	m := New(DefaultParams(), nil, func(f *Finding) { got = append(got, f.Account) })
	begin := event(try{ok: true, account: "nobody", addr: here, audit: true})
	begin.Kind, begin.Began, begin.Process.AUID, begin.Process.Session = activity.Session, true, 65534, 9
	in := event(try{ok: true, account: "65534", addr: here, audit: true})
	in.Process.AUID, in.Process.Session = 65534, 9
	for _, e := range []*activity.Event{begin, in, event(try{ok: true, account: "nobody", addr: here})} {
		m.Apply(e)
	}
	if s := m.session("session 9", 0); !slices.Equal(got, []string{"nobody"}) || s.Account != "nobody" || s.From != here {
		t.Errorf("%q; %+v", got, s)
	}
}

// table is countries by the first number of an address.
type table map[byte]string

func (c table) Country(a netip.Addr) string { return c[a.As4()[0]] }

func TestSignIns_Country(t *testing.T) {
	t.Parallel()
	var got []string
	m := New(DefaultParams(), nil, func(f *Finding) { got = append(got, f.Alert.Type+": "+f.Why) })
	m.Locate(table{198: "DE", 203: "RO"})
	for i, addr := range []string{here, there, "192.0.2.1", here, there} {
		m.Apply(event(try{at: time.Duration(i) * time.Hour, ok: true, account: "eve", addr: addr}))
	}
	want := []string{
		"BH_NewSource: eve had signed in from 1 other networks, from RO", "BH_NewCountry: eve had signed in from DE only, from RO", "BH_NewSource: eve had signed in from 2 other networks",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestSignIns_Bounded: a crowd of sources and names takes no more than its room, and what was pushed out by it is not forgotten: a source that comes back has its failures.
func TestSignIns_Bounded(t *testing.T) {
	t.Parallel()
	var found []*Finding
	m := New(DefaultParams(), nil, func(f *Finding) { found = append(found, f) })
	for i := range 5 {
		m.Apply(event(try{at: time.Duration(i) * time.Minute, account: "eve", addr: here}))
	}
	for i := range 60_000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		m.Apply(event(try{at: time.Hour + time.Duration(i)*time.Millisecond, account: fmt.Sprint("name", i%9000, strings.Repeat("x", i%3*100)), addr: a.String()}))
	}
	for i := range 5000 { // one that tries very many
		m.Apply(event(try{at: 2*time.Hour + time.Duration(i)*time.Millisecond, account: fmt.Sprint("other", i), addr: "192.0.2.77"}))
	}
	x := &m.access
	if x.sources.Len() > maxSources || x.accounts.Len() > maxSources || x.networks.Len() > maxSources || len(x.ledger.young) > maxLedger || len(x.ledger.old) > maxLedger {
		t.Errorf("%d sources, %d accounts, %d networks", x.sources.Len(), x.accounts.Len(), x.networks.Len())
	}
	src, _ := x.sources.Peek(netip.MustParseAddr("192.0.2.77"))
	if attempts, names := src.day.count(); len(src.accounts) > maxWindow || src.day.things[0].exact != nil || attempts != 5000 || names < 4500 || names > 5500 {
		t.Errorf("%d accounts kept, %d attempts on %d names", len(src.accounts), attempts, names)
	}
	if n := len(found); n > 200 {
		t.Errorf("%d findings of one flood", n)
	}
	found = nil
	m.Apply(event(try{at: 3 * time.Hour, ok: true, account: "eve", addr: here}))
	if len(found) == 0 || found[0].Alert != &bruteForceSuccess {
		t.Errorf("a source that came back: %+v", found)
	}
}

func TestSketches(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 64, 65, 1000, 20_000} {
		var d distinct
		for i := range n {
			d.add(hashNumber(uint64(i)))
			d.add(hashNumber(uint64(i / 2)))
		}
		if off := max(d.count()-n, n-d.count()); off > n/10 || n <= 64 && off != 0 {
			t.Errorf("%d different things are counted as %d", n, d.count())
		}
	}
	c, exact := &countMin{}, map[uint64]int{}
	for range 3000 {
		k := hashNumber(uint64(rnd.IntN(2000)))
		exact[k] = max(exact[k], 1+rnd.IntN(100))
		c.raise(k, exact[k])
	}
	over := 0
	for k, n := range exact {
		if got := c.count(k); got < n {
			t.Fatalf("%d is counted as %d", n, got)
		} else if got > n {
			over++
		}
	}
	if over > len(exact)/5 {
		t.Errorf("%d of %d counts are too high", over, len(exact))
	}
	var d day
	for h := range 60 { // an event and a new thing each hour
		d.add(int64(h+1)*hour, 1, hashNumber(uint64(h)))
		if events, things := d.count(); events > 24 || things > 24 || h > 24 && events < 12 || events != things {
			t.Errorf("after %d hours: %d events of %d things", h, events, things)
		}
	}
}

func hashNumber(n uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return hashOf(b[:])
}

func (d *distinct) count() int {
	if d.sketch != nil {
		return int(d.sketch.Estimate())
	}
	return len(d.exact)
}
