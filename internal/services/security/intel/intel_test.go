package intel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/honeypot"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

var began = time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)

// rig is a Store on a store that can be opened again.
type rig struct {
	t     *testing.T
	st    store.Store
	deps  Deps
	clock *clock.Fake
	*Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.OpenOrCreate(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, st: st, clock: clock.NewFake(began)}
	r.deps = Deps{Store: st, Sealer: sealer, Clock: r.clock, Log: slog.New(slog.DiscardHandler)}
	r.reopen()
	return r
}

func (r *rig) reopen() {
	r.t.Helper()
	var err error
	if r.Store, err = Open(r.t.Context(), r.deps); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) put(k Kind, value, witness string, weight float64) {
	r.t.Helper()
	if _, err := r.Put(r.t.Context(), []Sighting{{Kind: k, Value: value, Source: "honeypot", Witness: witness, Weight: weight, Time: r.clock.Now()}}); err != nil {
		r.t.Fatal(err)
	}
}

// TestLive: what is put is asked for at once, and after a restart.
func TestLive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var _ detect.Intel = r.Store
	check := func() {
		t.Helper()
		for what, got := range map[string]bool{
			"shipped":          r.Domain("nasapaul.com") && r.Domain("www.nasapaul.com"),
			"domain":           r.Domain("a.evil.example."),
			"address":          r.Addr("203.0.113.9") && r.Addr("::ffff:203.0.113.9"),
			"network":          r.Addr("198.51.100.200"),
			"IPv6 network":     r.Addr("2001:db8:1::77"),
			"url":              r.URL("http://EVIL.example/x.sh"),
			"hash":             r.SHA256(strings.Repeat("AB", 32)),
			"hassh":            r.HASSH(strings.Repeat("0f", 16)),
			"credential":       r.Credential("root", "pa:ss"),
			"account":          r.Account("root") && r.Account("Root"),
			"not the account":  !r.Account("alice"),
			"shingle":          r.Shingle("chmod +x a all"),
			"not the domain":   !r.Domain("notevil.example") && !r.Domain("example"),
			"not the address":  !r.Addr("203.0.113.10") && !r.Addr("198.51.101.1") && !r.Addr("nonsense"),
			"not the password": !r.Credential("root", "other"),
		} {
			if !got {
				t.Errorf("%s: wrong answer", what)
			}
		}
	}
	for k, v := range map[Kind][]string{
		Domain: {"Evil.Example"}, Address: {"203.0.113.9", "198.51.100.0/24", "2001:db8:1::/48"}, URL: {"http://evil.example/x.sh"}, SHA256: {strings.Repeat("ab", 32)}, HASSH: {strings.Repeat("0F", 16)},
		Credential: {"root:pa:ss"}, Shingle: {"chmod +x a all"},
	} {
		for _, x := range v {
			r.put(k, x, "", 0.9)
		}
	}
	check()
	r.reopen()
	check()
	if n, err := r.Remove(t.Context(), Address, "198.51.100.0/24"); n != 1 || err != nil || r.Addr("198.51.100.200") {
		t.Errorf("removed %d, %v, still known: %v", n, err, r.Addr("198.51.100.200"))
	}
}

// TestSealed: no credential lies in the store in clear.
func TestSealed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(Credential, "root:hunter2-clear", "", 1)
	err := r.st.View(t.Context(), shard, func(s store.Snapshot) error {
		return s.Scan(store.Range{}, func(k, v []byte) bool {
			if bytes.Contains(k, []byte("hunter2")) || bytes.Contains(v, []byte("hunter2")) {
				t.Errorf("%q: %q", k, v)
			}
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Export(&out, STIX, Filter{}); err != nil || strings.Contains(out.String(), "hunter2") {
		t.Errorf("exported unasked: %v", err)
	}
	out.Reset()
	if err := r.Export(&out, STIX, Filter{Kinds: []Kind{Credential}}); err != nil || !strings.Contains(out.String(), "hunter2") {
		t.Errorf("not exported when asked: %v", err)
	}
}

// TestScore: witnesses add up, the same one doesn't; time takes away; an end is an end.
func TestScore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	score := func() float64 {
		i := r.Get(Domain, "sometimes.example")
		return i.Now(r.clock.Now())
	}
	want := func(what string, want float64) {
		t.Helper()
		if got := score(); got < want-0.005 || got > want+0.005 {
			t.Errorf("%s: %.3f, want %.3f", what, got, want)
		}
	}
	r.put(Domain, "sometimes.example", "192.0.2.1", 0.3)
	want("one witness", 0.3)
	r.put(Domain, "sometimes.example", "192.0.2.1", 0.3)
	want("the same again", 0.3)
	if r.Domain("sometimes.example") {
		t.Error("one weak witness is enough")
	}
	r.put(Domain, "sometimes.example", "192.0.2.2", 0.3)
	r.put(Domain, "sometimes.example", "192.0.2.3", 0.3)
	want("three", 1-0.7*0.7*0.7)
	if !r.Domain("sometimes.example") {
		t.Error("three witnesses are not enough")
	}
	r.clock.Advance(45 * 24 * time.Hour)
	want("after a half-life", (1-0.7*0.7*0.7)/2)
	if r.Domain("sometimes.example") {
		t.Error("it doesn't fade")
	}
	r.clock.Advance(400 * 24 * time.Hour)
	if n, err := r.Sweep(t.Context()); err != nil || n != 1 || r.Get(Domain, "sometimes.example") != nil || !r.Domain("nasapaul.com") {
		t.Errorf("swept %d, %v", n, err)
	}
	end := r.clock.Now().Add(time.Hour)
	if _, err := r.Put(t.Context(), []Sighting{{Kind: Address, Value: "203.0.113.1", Source: "x", Weight: 1, Time: r.clock.Now(), Until: end}}); err != nil {
		t.Fatal(err)
	}
	before := r.Addr("203.0.113.1")
	r.clock.Advance(time.Hour)
	if after := r.Addr("203.0.113.1"); !before || after {
		t.Errorf("before its end %v, after it %v", before, after)
	}
}

// TestBundle: what is written is read again, the same.
func TestBundle(t *testing.T) {
	t.Parallel()
	r, other := newRig(t), newRig(t)
	values := map[Kind][]string{
		Address: {"203.0.113.9", "2001:db8::1", "198.51.100.0/24"}, Domain: {"evil.example"}, URL: {"http://evil.example/a'b"}, SHA256: {strings.Repeat("ab", 32)}, HASSH: {strings.Repeat("0f", 16)}, Shingle: {`echo 'it''s' \ x`},
	}
	for k, v := range values {
		for _, x := range v {
			r.put(k, x, "", 0.9)
		}
	}
	var out bytes.Buffer
	if err := r.Export(&out, STIX, Filter{}); err != nil {
		t.Fatal(err)
	}
	done, err := other.Import(t.Context(), STIX, out.Bytes(), "import:test", 0)
	if err != nil || done.Entered != 9 || done.New != 8 || done.Skipped != 0 { // nasapaul.com was there
		t.Fatalf("%+v, %v", done, err)
	}
	for k, v := range values {
		for _, x := range v {
			a, b := r.Get(k, x), other.Get(k, x)
			if b == nil || a.ID != b.ID || b.Score != 0.9 {
				t.Errorf("%s %q: %+v became %+v", k, x, a, b)
			}
		}
	}
	var again bytes.Buffer
	if err := r.Export(&again, List, Filter{Kinds: []Kind{Address, Domain, Shingle}}); err != nil {
		t.Fatal(err)
	}
	third := newRig(t)
	done, err = third.Import(t.Context(), List, again.Bytes(), "import:list", 0.8)
	if err != nil || done.Entered != 6 || done.Skipped != 0 || !third.Shingle(`echo 'it''s' \ x`) {
		t.Errorf("%+v, %v from\n%s", done, err, &again)
	}
}

func TestForeignBundle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bundle := `{"type":"bundle","id":"bundle--1","objects":[
		{"type":"identity","id":"identity--1"},
		{"type":"indicator","spec_version":"2.1","pattern_type":"stix","pattern":"[ipv4-addr:value = '203.0.113.5'] OR [domain-name:value IN ('a.example', 'b.example')]","confidence":90,"valid_until":"2030-01-01T00:00:00Z"},
		{"type":"indicator","pattern_type":"stix","pattern":"[file:hashes.'SHA-256' = '` + strings.Repeat("cd", 32) + `' OR file:hashes.'SHA-256' = '` + strings.Repeat("ef", 32) + `']"},
		{"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value = '203.0.113.6' AND network-traffic:dst_port = 22]"},
		{"type":"indicator","pattern_type":"stix","pattern":"[process:name LIKE 'x%']"},
		{"type":"indicator","pattern_type":"yara","pattern":"rule x {}"},
		{"type":"indicator","pattern_type":"stix","pattern":"[domain-name:value = 'gone.example']","revoked":true},
		{"type":"indicator","pattern_type":"stix","pattern":"[domain-name:value = 'not a domain']"}
	]}`
	r.put(Domain, "gone.example", "", 1)
	done, err := r.Import(t.Context(), STIX, []byte(bundle), "import:feed", 0)
	if err != nil {
		t.Fatal(err)
	}
	if done.Objects != 8 || done.Entered != 5 || done.New != 5 || done.Removed != 1 || done.Skipped != 5 || len(done.Problems) != 4 {
		t.Errorf("%+v", done)
	}
	if !r.Addr("203.0.113.5") || !r.Domain("b.example") || !r.SHA256(strings.Repeat("ef", 32)) || r.Addr("203.0.113.6") || r.Domain("gone.example") {
		t.Error("something else was made of it")
	}
	for _, bad := range []string{"", "[]", "{}", `{"type":"report"}`, `{"type":"bundle","objects":{}}`} {
		if _, err := r.Import(t.Context(), STIX, []byte(bad), "x", 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     Kind
		in, want string
	}{
		{Address, " ::ffff:203.0.113.9 ", "203.0.113.9"},
		{Address, "198.51.100.77/24", "198.51.100.0/24"},
		{Address, "0.0.0.0/0", ""},
		{Address, "evil.example", ""},
		{Domain, "*.Evil.Example.", "evil.example"},
		{Domain, "localhost", ""},
		{Domain, "a b.example", ""},
		{URL, "HTTP://Evil.Example/Path", "http://evil.example/Path"},
		{URL, "evil.example/x", ""},
		{SHA256, strings.Repeat("AB", 32), strings.Repeat("ab", 32)},
		{SHA256, "abcd", ""},
		{HASSH, strings.Repeat("zz", 16), ""},
		{Credential, "rootroot", ""},
		{Credential, "root:", "root:"},
		{Shingle, "a\x00b", ""},
		{"colour", "red", ""},
	} {
		got, err := Clean(c.kind, c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Clean(%s, %q) = %q, %v, want %q", c.kind, c.in, got, err, c.want)
		}
	}
}

// TestPages: a list in pages is whole, and what changed comes again.
func TestPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var all []Sighting
	for i := range 450 {
		all = append(all, Sighting{Kind: Domain, Value: fmt.Sprintf("d%d.example", i), Source: "x", Weight: 1})
	}
	if n, err := r.Put(t.Context(), all); n != 450 || err != nil {
		t.Fatal(n, err)
	}
	var got []string
	f := Filter{Limit: 100}
	for {
		found, more := r.List(f)
		for _, i := range found {
			got = append(got, i.Value)
		}
		if !more {
			break
		}
		f.After = found[len(found)-1].Added
	}
	if len(got) != 451 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 451 {
		t.Errorf("%d came in pages", len(got))
	}
	r.clock.Advance(time.Hour)
	mark := r.clock.Now().Add(-time.Minute)
	r.put(Domain, "d7.example", "new witness", 1)
	found, _ := r.List(Filter{After: mark})
	if len(found) != 1 || found[0].Value != "d7.example" || found[0].Count != 2 {
		t.Errorf("after the change: %+v", found)
	}
}

// reports keeps what Watch reports.
type reports struct {
	machine, id []string
	found       []*detect.Finding
}

func (r *reports) Report(_ context.Context, machineID, id string, found []*detect.Finding) error {
	r.machine, r.id, r.found = append(r.machine, machineID), append(r.id, id), append(r.found, found...)
	return nil
}

type fleet map[netip.Addr]string

func (f fleet) MachineAt(_ context.Context, a netip.Addr) (string, error) { return f[a], nil }

func TestWatch(t *testing.T) {
	t.Parallel()
	ours := netip.MustParseAddr("10.0.0.4")
	got := &reports{}
	w := NewWatch(fleet{ours: "/subscriptions/s/vm1"}, got, slog.New(slog.DiscardHandler))
	visit := honeypot.Attack{Session: "s1", Protocol: "ssh", Source: ours, First: began, Last: began.Add(time.Minute), Tries: 3, User: "root", Lines: []string{"uname -a", "wget http://192.0.2.1/x"}, Ended: true}
	stranger := visit
	stranger.Source = netip.MustParseAddr("203.0.113.9")
	for _, a := range []honeypot.Attack{visit, stranger} {
		if err := w.look(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if len(got.found) != 1 || got.machine[0] != "/subscriptions/s/vm1" || got.id[0] != "s1-end" {
		t.Fatalf("%+v", got)
	}
	f := got.found[0]
	if f.Alert.Severity != detect.High || f.Alert.Type != "BH_HoneypotAttacked" || len(f.Commands) != 2 || f.Commands[1].Line != "wget http://192.0.2.1/x" || !strings.Contains(f.Why, "10.0.0.4 tried 3 sign-ins") {
		t.Errorf("%+v", f)
	}
}

// TestWatch_Client: that a machine of ours has the SSH client of other visitors is told.
func TestWatch_Client(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ours, hassh := netip.MustParseAddr("10.0.0.4"), strings.Repeat("0f", 16)
	got := &reports{}
	w := NewWatch(fleet{ours: "/subscriptions/s/vm1"}, got, slog.New(slog.DiscardHandler))
	w.Clients(r.Visitors)
	visit := honeypot.Attack{Session: "s1", Protocol: "ssh", Source: ours, Tries: 1, HASSH: hassh}
	for _, witness := range []string{ours.String(), "203.0.113.1", "203.0.113.2"} {
		if err := w.look(t.Context(), visit); err != nil {
			t.Fatal(err)
		}
		r.put(HASSH, hassh, witness, 0.6)
	}
	if err := w.look(t.Context(), visit); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "of 1 other visitors", "of 2 other visitors"} {
		if why := got.found[i].Why; want == "" && strings.Contains(why, "HASSH") || !strings.Contains(why, want) {
			t.Errorf("visit %d: %s", i, why)
		}
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := NewFeed(r.Store, func(a netip.Addr) bool { return a.String() == "203.0.113.77" })
	for k, values := range map[honeypot.Kind][]string{
		honeypot.Address: {"203.0.113.9", "10.0.0.4", "127.0.0.1", "203.0.113.77", "fe80::1"}, honeypot.URL: {"http://192.0.2.1/a.sh", "nonsense"}, honeypot.Shingle: {"chmod +x # go"},
	} {
		for _, v := range values {
			f.Observe(honeypot.Observation{Kind: k, Value: v, Source: "203.0.113.9", Time: began})
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Run(ctx); err != nil { // it enters what is left before it ends
		t.Fatal(err)
	}
	var got []string
	found, _ := r.List(Filter{})
	for _, i := range found {
		got = append(got, string(i.Kind)+" "+i.Value)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"domain nasapaul.com", "ip 203.0.113.9", "shingle chmod +x # go", "url http://192.0.2.1/a.sh"}, got); diff != "" {
		t.Error(diff)
	}
	if !r.Addr("203.0.113.9") || !r.Shingle("chmod +x # go") {
		t.Error("what was observed doesn't count")
	}
}

// TestAccount: an account counts when several attempts were made on it, fades with them, and goes with the last of them.
func TestAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(Credential, "oracle:oracle", "203.0.113.1", 0.5)
	if r.Account("oracle") {
		t.Error("one attempt of one visitor is enough")
	}
	r.put(Credential, "oracle:oracle1", "203.0.113.2", 0.5)
	if !r.Account("oracle") {
		t.Error("two attempts are not enough")
	}
	r.reopen()
	if !r.Account("oracle") {
		t.Error("it is forgotten by a restart")
	}
	r.clock.Advance(180 * 24 * time.Hour)
	if r.Account("oracle") {
		t.Error("it doesn't fade")
	}
	r.put(Credential, "oracle:x", "203.0.113.3", 0.9)
	if _, err := r.Remove(t.Context(), Credential, "oracle:x", "oracle:oracle", "oracle:oracle1"); err != nil || r.Account("oracle") || len(r.users) != 0 {
		t.Errorf("removed: %v, still %v, %d names", err, r.Account("oracle"), len(r.users))
	}
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte(`{"type":"bundle","objects":[{"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value = '1.2.3.4']","valid_until":"2030-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"objects":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseBundle(b, "x", began)
		if err != nil {
			return
		}
		for _, s := range append(p.sightings, p.revoked...) {
			if again, err := Clean(s.Kind, s.Value); err != nil || again != s.Value {
				t.Errorf("%s %q was taken and is cleaned to %q, %v", s.Kind, s.Value, again, err)
			}
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"[ipv4-addr:value = '1.2.3.4'] OR [url:value IN ('http://a.b/', 'x')]", "[user-account:account_login = 'u' AND user-account:credential = 'p\\'']", "[file:hashes.'SHA-256' = 'x']", "["} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		values, err := ParsePattern(s)
		if err != nil {
			return
		}
		for _, v := range values {
			again, err := ParsePattern(patternOf(v.Kind, v.Value))
			if v.Kind != Address && (err != nil || len(again) != 1 || again[0] != v) {
				t.Errorf("%+v is written %s and read %+v, %v", v, patternOf(v.Kind, v.Value), again, err)
			}
		}
	})
}

func FuzzList(f *testing.F) {
	f.Add("203.0.113.9\nevil.example # x\ncredential root:x\n")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseList(strings.NewReader(s), "x", 1, began)
		if err == nil {
			if _, err := json.Marshal(p.Imported); err != nil {
				t.Error(err)
			}
		}
	})
}
