package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkheadhq/bulkhead/agent/enrol"
	"github.com/bulkheadhq/bulkhead/internal/honeypot"
)

// platform takes reports as the real one does. Requests and answers get lost as often as it is told.
type platform struct {
	mu       sync.Mutex
	last     map[string]uint64 // by stream
	values   []string
	visits   []Visit
	dropped  uint64
	requests int
	lose     int // every so many requests, and their answers in between; 0: none
	refuse   string
}

func (p *platform) Post(_ context.Context, path, _ string, body []byte, out any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, err := url.Parse(path)
	if err != nil || u.Path != "/bulkhead/honeypot/report" {
		return fmt.Errorf("%s is no route", path)
	}
	if p.requests++; p.lose > 0 && p.requests%p.lose == 0 {
		return errors.New("lost on its way")
	}
	r, err := Decode(body)
	if err != nil {
		return err
	}
	if len(r.Observations) > 0 && p.refuse != "" && r.Observations[0].Value == p.refuse {
		return &enrol.StatusError{Status: 400, Code: "InvalidReport"}
	}
	seq, err := strconv.ParseUint(u.Query().Get("sequence"), 10, 64)
	if err != nil {
		return err
	}
	stream := u.Query().Get("stream")
	if seq > p.last[stream] {
		for _, o := range r.Observations {
			p.values = append(p.values, o.Value)
		}
		p.visits = append(p.visits, r.Visits...)
		p.dropped += r.Dropped
		p.last[stream] = seq
	}
	if p.lose > 0 && p.requests%p.lose == 1 {
		return errors.New("the answer is lost")
	}
	return json.Unmarshal(fmt.Appendf(nil, `{"acknowledged":%d}`, p.last[stream]), out)
}

func (p *platform) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		done := ok()
		p.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not so after 30 s: %s; %d values, %d visits, %d dropped", what, len(p.values), len(p.visits), p.dropped)
		}
	}
}

// begin runs a Reporter on a folder; end ends it.
func begin(t *testing.T, dir string, p *platform) (r *Reporter, end func()) {
	t.Helper()
	r, err := Open(Options{Dir: dir, Client: p, MinWait: time.Millisecond, MaxWait: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return r, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func seen(n int) honeypot.Observation {
	return honeypot.Observation{Kind: honeypot.URL, Value: fmt.Sprintf("http://203.0.113.9/%d", n), Session: "s", Source: "198.51.100.7", Time: time.Unix(1_800_000_000, 0).UTC()}
}

// TestReporter: what is told arrives, each once and in order, though requests and answers get lost and the honeypot is started anew; what was told in the moment of its end comes after
// the next start.
func TestReporter(t *testing.T) {
	t.Parallel()
	dir, p := t.TempDir(), &platform{last: map[string]uint64{}, lose: 3}
	var want []string
	tell := func(r *Reporter, n int) {
		for range n {
			o := seen(len(want))
			want = append(want, o.Value)
			r.Observe(o)
		}
	}
	r, end := begin(t, dir, p)
	tell(r, 5000)
	p.until(t, "the first 5000", func() bool { return len(p.values) == len(want) })
	a := honeypot.Attack{Session: "s1", Protocol: "ssh", Source: netip.MustParseAddr("198.51.100.7"), First: time.Unix(1, 0).UTC(), Last: time.Unix(2, 0).UTC(), Tries: 2, User: "root", Lines: []string{"id"}, URLs: []string{"http://x/y"}, Ended: true}
	r.Attack(a)
	p.until(t, "a visit", func() bool { return len(p.visits) == 1 })
	if d := cmp.Diff(a, p.visits[0].Attack(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("the visit: -told +arrived\n%s", d)
	}
	p.mu.Lock()
	p.lose = 1 // the platform is away
	p.mu.Unlock()
	tell(r, 50)
	end()
	p.mu.Lock()
	p.lose = 0
	p.mu.Unlock()
	r, end = begin(t, dir, p)
	tell(r, 10)
	p.until(t, "what waited", func() bool { return len(p.values) == len(want) })
	end()
	if !slices.Equal(p.values, want) || len(p.last) != 1 {
		t.Errorf("%d values arrived in %d streams, want %d in order in one", len(p.values), len(p.last), len(want))
	}
}

// TestReporter_Refused: a report that is never taken doesn't keep the others; what it held is told as missing.
func TestReporter_Refused(t *testing.T) {
	t.Parallel()
	p := &platform{last: map[string]uint64{}, refuse: seen(0).Value}
	r, end := begin(t, t.TempDir(), p)
	defer end()
	r.Observe(seen(0))
	p.until(t, "one is missing", func() bool { return p.dropped == 1 })
	r.Observe(seen(1))
	p.until(t, "the next", func() bool { return len(p.values) == 1 })
}

// TestReporter_Bounded: long lines are cut, and what is too much for a report comes in several.
func TestReporter_Bounded(t *testing.T) {
	t.Parallel()
	p := &platform{last: map[string]uint64{}}
	r, end := begin(t, t.TempDir(), p)
	defer end()
	long := strings.Repeat("\x00\"<", 10_000)
	for i := range 30 {
		a := honeypot.Attack{Session: fmt.Sprint(i), Source: netip.MustParseAddr("198.51.100.7")}
		for range 2000 {
			a.Lines = append(a.Lines, long)
		}
		r.Attack(a)
	}
	p.until(t, "all visits", func() bool { return len(p.visits) == 30 })
	if v := p.visits[29]; p.dropped != 0 || v.Session != "29" || len(v.Lines) < 3 || !strings.HasPrefix(v.Lines[0], long[:100]) {
		t.Errorf("%d are dropped; the last visit is %s with %d lines", p.dropped, v.Session, len(v.Lines))
	}
	r.mu.Lock()
	for range maxQueued {
		r.waiting.Observations = append(r.waiting.Observations, Observation{})
	}
	r.mu.Unlock()
	r.Observe(seen(1))
	p.until(t, "too many at once", func() bool { return p.dropped > 0 && len(p.values) == maxQueued })
}

func TestThin(t *testing.T) {
	t.Parallel()
	full, err := Encode(&Report{Observations: []Observation{{Value: "x"}, {Value: "y"}}, Visits: []Visit{{Session: "s", Source: netip.MustParseAddr("198.51.100.7")}}})
	if err != nil {
		t.Fatal(err)
	}
	for least, want := range map[int][3]int{3: {0, 1, 2}, 1: {0, 1, 2}, 0: {0, 0, 3}} {
		b, n, err := thin(full, least)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Decode(b)
		if err != nil || len(r.Observations) != want[0] || len(r.Visits) != want[1] || int(n) != want[2] || int(r.Dropped) != want[2] {
			t.Errorf("priority %d leaves %+v, %d dropped, %v", least, r, n, err)
		}
		if again, n, err := thin(b, least); err != nil || n != 0 || !bytes.Equal(again, b) {
			t.Errorf("priority %d again drops %d, %v", least, n, err)
		}
	}
	if b, n, err := thin([]byte("nonsense"), 0); string(b) != "nonsense" || n != 0 || err != nil {
		t.Errorf("of nonsense: %s, %d, %v", b, n, err)
	}
}

func TestDecode_Refuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		``, `{}`, `{"version":2}`, `{"version":1}{}`, `{"version":1,"visits":[{"session":"s"}]}`, `{"version":1,"visits":[{"source":"198.51.100.7"}]}`,
		`{"version":1,"observations":[{"value":"` + strings.Repeat("x", maxText+1) + `"}]}`, `{"version":1,"observations":[` + strings.Repeat(`{},`, maxReported) + `{}]}`,
		`{"version":1,"visits":[{"session":"s","source":"198.51.100.7","tries":-1}]}`,
	} {
		if r, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%.80s is read as %+v", bad, r)
		}
	}
}

// FuzzDecode: whatever a report says, it is refused or within bounds, and says the same when it is written again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"observations":[{"kind":"ip","value":"203.0.113.9","session":"s","source":"198.51.100.7","time":"2026-01-02T03:04:05Z"}],"dropped":3}`))
	f.Add([]byte(`{"version":1,"visits":[{"session":"s","protocol":"ssh","source":"2001:db8::1","first":"2026-01-02T03:04:05Z","last":"2026-01-02T03:04:05Z","tries":1,"lines":["id"],"ended":true}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		for i := range r.Visits {
			if !r.Visits[i].Attack().Source.IsValid() {
				t.Error("a visit from nowhere")
			}
		}
		again, err := Encode(r)
		if err != nil {
			t.Skip() // a year that JSON doesn't have
		}
		if len(again) > MaxBytes {
			t.Skip() // escapes are longer
		}
		if same, err := Decode(again); err != nil || cmp.Diff(r, same, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty()) != "" {
			t.Errorf("%s is %+v, then %+v, %v", b, r, same, err)
		}
	})
}
