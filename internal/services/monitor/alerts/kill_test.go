//go:build unix

package alerts

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// The environment that makes a test process the one that is killed.
const (
	killFolder = "BULKHEAD_ALERTS_KILL_DIR"
	killHook   = "BULKHEAD_ALERTS_KILL_HOOK"
	killRules  = 12
)

// made is a Source without a store: what a server measures in a minute is a function of both. No data, healthy and unhealthy alike, some minutes each.
type made struct{}

func madeValue(resource string, minute int64) (v float64, ok bool) {
	h := fnv.New64a()
	fmt.Fprint(h, strings.ToLower(nameOf(resource)), minute/3)
	switch h.Sum64() >> 42 % 4 {
	case 0:
		return 0, false
	case 1:
		return 95, true
	}
	return 10, true
}

func (made) Merge(_ context.Context, q *alerting.Query, from, to int64, out []alerting.Sample) ([]alerting.Sample, error) {
	var all alerting.Cell
	for m := from; m < to; m++ {
		if v, ok := madeValue(q.Resource, m); ok {
			all.Merge(alerting.Cell{Sum: v, Count: 1, Min: v, Max: v})
		}
	}
	if all.Count > 0 {
		out = append(out, alerting.Sample{Cell: all})
	}
	return out, nil
}

// openKilled opens the plane of a folder; the first to do so makes the rules.
func openKilled(t *testing.T, dir, hook string) *plane {
	t.Helper()
	st, err := pebble.Open(filepath.Join(dir, "store"), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	p := &plane{t: t, st: st, clk: clock.NewFake(start), source: made{}}
	p.begin()
	subs, err := p.control.Subscriptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(subs) > 0 {
		p.sub = subs[0]
		return p
	}
	if p.sub, err = p.control.CreateSubscription(t.Context(), tenantID, "Sub", objectID("owner")); err != nil {
		t.Fatal(err)
	}
	p.ok("PUT", p.rg(), `{"location":"westeurope"}`, 201)
	p.ok("PUT", p.insights("actionGroups/ag1"), `{"location":"Global","properties":{"groupShortName":"ag1","webhookReceivers":[{"name":"w","serviceUri":"`+hook+`","useCommonAlertSchema":true}]}}`, 201)
	for i := range killRules {
		p.ok("PUT", p.server(fmt.Sprint("s", i)), `{"location":"westeurope","properties":{}}`, 201)
		p.ok("PUT", p.insights(fmt.Sprint("metricAlerts/r", i)), p.rule("servers/db1", fmt.Sprint("servers/s", i), `"windowSize":"PT5M"`, `"windowSize":"PT1M"`), 200)
	}
	return p
}

// judged is the minute up to which all that is known says the rules were judged.
func (p *plane) judged() int64 {
	_, marks, err := all(p.t.Context(), p.st, shardOf(p.sub), tagSlice, sliceCodec)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(marks) == 0 {
		return 0
	}
	return slices.Max(marks)
}

// TestKilled is the process that TestKill_FiringAndResolving kills. Its minutes follow each other at once, until a file says that it may end.
func TestKilled(t *testing.T) {
	dir := os.Getenv(killFolder)
	if dir == "" {
		t.Skip("run by TestKill_FiringAndResolving")
	}
	p := openKilled(t, dir, os.Getenv(killHook))
	if m := p.judged(); m != 0 {
		p.clk.Advance(timeOf(m).Add(4 * time.Second).Sub(p.clk.Now()))
		p.judge()
	}
	fmt.Println("ready")
	for {
		p.tick()
		if _, err := os.Stat(filepath.Join(dir, "end")); err == nil {
			break
		}
	}
	// What is still to be delivered is due within minutes.
	for range 40 {
		p.clk.Advance(30 * time.Second)
		if err := p.s.queue.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// killed starts the process that is killed, and waits until it is at work.
func killed(t *testing.T, dir, hook string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.timeout=0") //nolint:gosec // this very program
	c.Env = append(os.Environ(), killFolder+"="+dir, killHook+"="+hook)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() {
		if said = append(said, lines.Text()); lines.Text() == "ready" {
			go io.Copy(io.Discard, out) //nolint:errcheck // until the process ends
			return c
		}
	}
	_ = c.Wait()
	t.Fatalf("the process ended before it was ready:\n%s", strings.Join(said, "\n"))
	return nil
}

// times are when an alert fired and resolved, in minutes; 0: not yet.
type times struct{ Fired, Resolved int64 }

// should are the times of a rule's alerts from a minute to another.
func should(resource string, from, to int64) (out []times) {
	var s alerting.State
	for m := from; m <= to; m++ {
		verdict := alerting.Unknown
		if v, ok := madeValue(resource, m-1); ok {
			verdict = alerting.Healthy
			if v > 80 {
				verdict = alerting.Unhealthy
			}
		}
		var tr alerting.Transition
		if s, tr = s.Step(m, verdict, true); tr == alerting.Fire {
			out = append(out, times{Fired: m})
		} else if tr == alerting.Resolve {
			out[len(out)-1].Resolved = m
		}
	}
	return out
}

// TestKill_FiringAndResolving kills a process by SIGKILL while rules fire and resolve, again and again (BULKHEAD_SOAK_KILLS; a few times else): no transition is lost, none
// is made twice, and each was told of at least once, always by the same id.
func TestKill_FiringAndResolving(t *testing.T) {
	kills := 3
	if n, err := strconv.Atoi(os.Getenv("BULKHEAD_SOAK_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	var mu sync.Mutex
	told := map[string]map[string]int{} // alert and condition -> id -> how often
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b commonBody
		_ = json.NewDecoder(r.Body).Decode(&b)
		mu.Lock()
		defer mu.Unlock()
		if rand.IntN(10) == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		what := nameOf(b.Data.Essentials.ID) + " " + b.Data.Essentials.Condition
		if told[what] == nil {
			told[what] = map[string]int{}
		}
		told[what][r.Header.Get(notify.HeaderID)]++
	}))
	defer hook.Close()
	for range kills {
		c := killed(t, dir, hook.URL)
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
	}
	c := killed(t, dir, hook.URL)
	if err := os.WriteFile(filepath.Join(dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	p := openKilled(t, dir, hook.URL)
	checkKilled(t, p, told)
}

func checkKilled(t *testing.T, p *plane, told map[string]map[string]int) {
	t.Helper()
	have := map[string][]times{}
	want := map[string]bool{}
	_, list, err := all(t.Context(), p.st, shardOf(p.sub), tagAlert, alertCodec)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		one := times{Fired: minuteOf(a.Fired)}
		want[a.ID+" "+fired] = true
		events := map[string]int{"AlertCreated": 1}
		if !a.Resolved.IsZero() {
			one.Resolved = minuteOf(a.Resolved)
			want[a.ID+" "+resolved] = true
			events["MonitorConditionChange"] = 1
		}
		have[a.Target] = append(have[a.Target], one)
		_, history, err := all(t.Context(), p.st, shardOf(p.sub), tagHistory+a.ID+"|", historyCodec)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range history {
			if !strings.HasPrefix(h.Event, "Actions") {
				events[h.Event]--
			}
		}
		for event, n := range events {
			if n != 0 {
				t.Errorf("the alert %s: %d %s too few in its history", a.ID, n, event)
			}
		}
	}
	first, last, total := minuteOf(start)+1, p.judged(), 0
	for i := range killRules {
		id := p.server(fmt.Sprint("s", i))
		got := have[id]
		slices.SortFunc(got, func(a, b times) int { return int(a.Fired - b.Fired) })
		if d := cmp.Diff(should(id, first, last), got); d != "" {
			t.Errorf("alerts of %s from %d to %d (-want +got):\n%s", nameOf(id), first, last, d)
		}
		total += len(got)
	}
	if total == 0 {
		t.Error("nothing fired: the test proves nothing")
	}
	for what := range want {
		if len(told[what]) != 1 {
			t.Errorf("%s was told of by %d ids, want 1", what, len(told[what]))
		}
	}
	for what := range told {
		if !want[what] {
			t.Errorf("%s was told of, and never was", what)
		}
	}
	t.Logf("%d minutes, %d alerts, %d notifications", last-first, total, len(want))
}
