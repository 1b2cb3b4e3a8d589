package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

const (
	subscription = "33333333-3333-3333-3333-333333333333"
	machineID    = "/subscriptions/" + subscription + "/resourceGroups/rg1/providers/Microsoft.HybridCompute/machines/db1"
	machineGUID  = "44444444-4444-4444-4444-444444444444"
)

type resources struct{}

func (resources) Resource(_ context.Context, id string) (*arm.Resource, string, error) {
	if !strings.EqualFold(id, machineID) {
		return nil, "", nil
	}
	return &arm.Resource{ID: machineID, Name: "db1", GUID: machineGUID}, "tenant", nil
}

// rig is an engine on a store.
type rig struct {
	t      testing.TB
	store  store.Store
	clock  *clock.Fake
	engine *Engine
	box    *outbox.Drainer
}

// held is an outbox that may keep back what is in it, as a process does that ends.
type held struct {
	r    *rig
	keep bool
}

func (h *held) DrainThrough(ctx context.Context, shard string, lsn store.LSN) error {
	if h.keep {
		return errors.New("held")
	}
	return h.r.box.DrainThrough(ctx, shard, lsn)
}

func open(t testing.TB, st store.Store, box *held) *rig {
	t.Helper()
	r := &rig{t: t, store: st, clock: clock.NewFake(time.Date(2018, 11, 20, 6, 0, 0, 0, time.UTC))}
	if box == nil {
		box = &held{}
	}
	box.r = r
	r.engine = New(Deps{
		Store: st, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Outbox: box, Resources: resources{}, Params: detect.DefaultParams(), Intel: detect.ShippedIndicators(),
	})
	r.box = outbox.NewDrainer(st, nil, r.engine.OutboxHandlers())
	return r
}

func newStore(t testing.TB) store.Store {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// intrusion is the seed's, as batches of so many events.
func intrusion(t testing.TB, size int) (batches [][]byte) {
	t.Helper()
	log := &replay.Log{Now: time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC), Host: "cassandra1"}
	replay.Intrusion(log, replay.Disguise{})
	var n activity.Normalizer
	var events []activity.Event
	flush := func() {
		batches, events = append(batches, pack(t, events)), nil
	}
	r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
		one, err := batch.Decode(pack(t, []activity.Event{*n.Audit(e)})) // what the source lent is copied
		if err != nil {
			t.Fatal(err)
		}
		if events = append(events, one.Events[0]); len(events) == size {
			flush()
		}
	})
	for line := range strings.Lines(log.Audit()) {
		r.Line([]byte(line))
	}
	r.Flush()
	flush()
	return batches
}

func pack(t testing.TB, events []activity.Event) []byte {
	t.Helper()
	b, err := batch.Encode(&batch.Batch{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (r *rig) take(seq int, packed []byte) {
	r.t.Helper()
	acked, err := r.engine.Ingest(r.t.Context(), machineID, uint64(seq), nil, packed)
	if err != nil || acked < uint64(seq) {
		r.t.Fatalf("batch %d: acknowledged up to %d, %v", seq, acked, err)
	}
}

func (r *rig) alerts() []*alerts.Alert {
	r.t.Helper()
	all, next, err := r.engine.List(r.t.Context(), subscription, "", 0, nil)
	if err != nil || next != "" {
		r.t.Fatalf("list: next %q, %v", next, err)
	}
	return all
}

// summary is what has to be the same however often the platform ended in between.
func summary(all []*alerts.Alert) []string {
	var out []string
	for i := len(all) - 1; i >= 0; i-- {
		a := all[i]
		out = append(out, fmt.Sprintf("%s %s %d %s %s %s", a.Type, a.Status, a.Count, a.First.Format("15:04:05.000"), a.Last.Format("15:04:05.000"), a.Key))
	}
	return out
}

var unordered = cmpopts.SortSlices(func(a, b string) bool { return a < b })

// TestIntrusion: the seed's intrusion, reported in batches, becomes alerts of every behaviour; each is one, counts its repetitions, and has evidence and a graph.
func TestIntrusion(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	for i, events := range intrusion(t, 10) {
		r.take(i+1, events)
	}
	have := map[string]*alerts.Alert{}
	for _, a := range r.alerts() {
		if have[a.Key] != nil {
			t.Errorf("two alerts of the behaviour %s", a.Key)
		}
		have[a.Key], have[a.Type] = a, a
		if a.Machine != machineID || a.Status != alerts.Active || len(a.Remedy) == 0 || len(a.Entities) == 0 {
			t.Errorf("alert %+v", a)
		}
	}
	for _, kind := range []string{
		"BH_ServiceAccountInteractive", "BH_NewSource", "VM_SuspectDownload", "VM_LinuxReconnaissance", "BH_BandwidthTest", "VM_SuspectDownloadArtifacts", "VM_KnownLinuxAttackTool",
		"BH_OutgoingPortScan", "VM_SuspectExecutablePath", "VM_KnownLinuxDDoSToolkit", "BH_KitRemoved", "VM_DownloadAndRunCombo", "BH_OutgoingPasswordSpray", "BH_ResultsRead",
	} {
		if have[kind] == nil {
			t.Errorf("no alert of type %s", kind)
		}
	}
	spray := have["BH_OutgoingPasswordSpray"]
	if spray == nil || spray.Count != 4 || spray.Title() != "Outgoing password spray detected [seen multiple times]" || len(spray.Evidence) != 4 || spray.Severity != alerts.High {
		t.Fatalf("the spray over four networks is %+v", spray)
	}
	if a := have["VM_SuspectDownload"]; a.DisplayName != "Detected file download from a known malicious source" || a.Entity("dns:nasapaul.com") == nil {
		t.Errorf("download: %+v", a)
	}
}

// TestRestart: wherever the platform ends, between any two commits, what comes out is what would have come out without.
func TestRestart(t *testing.T) {
	t.Parallel()
	batches := intrusion(t, 25)
	whole := open(t, newStore(t), nil)
	for i, events := range batches {
		whole.take(i+1, events)
	}
	want := summary(whole.alerts())
	if len(want) < 14 {
		t.Fatalf("%d alerts, want at least 14", len(want))
	}
	// After every batch: the process ends before the effects are made; a batch whose acknowledgement was lost is sent again.
	st := newStore(t)
	for i, events := range batches {
		r := open(t, st, &held{keep: i%2 == 0})
		r.take(i+1, events)
		r = open(t, st, nil)
		if err := r.box.DrainAll(t.Context(), "machine/"); err != nil {
			t.Fatal(err)
		}
		r.take(i+1, events)
	}
	r := open(t, st, nil)
	if diff := cmp.Diff(want, summary(r.alerts()), unordered); diff != "" {
		t.Errorf("with restarts (-without +with):\n%s", diff)
	}
	if acked, err := r.engine.Acked(t.Context(), machineID); err != nil || acked != uint64(len(batches)) {
		t.Errorf("acknowledged up to %d, %v; want %d", acked, err, len(batches))
	}
}

// cutting is a store that ends at a commit: that one and all later ones fail, some after they were made.
type cutting struct {
	store.Store
	left int
	made bool // the last commit is made, and only its answer lost
}

var errCut = errors.New("cut")

func (c *cutting) Update(ctx context.Context, shard string, fn func(store.Tx) error) (store.LSN, error) {
	c.left--
	if c.left < 0 && !(c.left == -1 && c.made) {
		return 0, errCut
	}
	lsn, err := c.Store.Update(ctx, shard, fn)
	if c.left < 0 {
		return 0, errCut
	}
	return lsn, err
}

// TestCut: the store fails at every commit in turn, before and after it is made; after a restart and sending again nothing is lost and nothing is told twice.
func TestCut(t *testing.T) {
	t.Parallel()
	batches := intrusion(t, 60)
	whole := open(t, newStore(t), nil)
	for i, events := range batches {
		whole.take(i+1, events)
	}
	want := summary(whole.alerts())
	for _, made := range []bool{false, true} {
		done := false
		for cut := 0; !done; cut++ {
			st := newStore(t)
			broken := open(t, &cutting{Store: st, left: cut, made: made}, nil)
			next := 1
			for ; next <= len(batches); next++ {
				if _, err := broken.engine.Ingest(t.Context(), machineID, uint64(next), nil, batches[next-1]); err != nil {
					break
				}
			}
			done = next > len(batches) && cut > 10
			r := open(t, st, nil)
			if err := r.box.DrainAll(t.Context(), "machine/"); err != nil {
				t.Fatal(err)
			}
			for ; next <= len(batches); next++ {
				r.take(next, batches[next-1])
			}
			if diff := cmp.Diff(want, summary(r.alerts()), unordered); diff != "" {
				t.Fatalf("cut at commit %d (made: %t) (-without +with):\n%s", cut, made, diff)
			}
		}
	}
}

// TestFailedCommit: a batch that could not be stored leaves no trace in memory either: sent again, it is judged as if it came first.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	st := &cutting{Store: newStore(t), left: 0}
	r := open(t, st, nil)
	events := intrusion(t, 1000)[0]
	if _, err := r.engine.Ingest(t.Context(), machineID, 1, nil, events); !errors.Is(err, errCut) {
		t.Fatalf("a batch that can't be stored: %v, want %v", err, errCut)
	}
	st.left = 1 << 30
	r.take(1, events)
	whole := open(t, newStore(t), nil)
	whole.take(1, events)
	if diff := cmp.Diff(summary(whole.alerts()), summary(r.alerts()), unordered); diff != "" {
		t.Error(diff)
	}
}

// TestLoss: missing numbers and what the machine says it lost are alerts, which count.
func TestLoss(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	r.take(1, pack(t, nil))
	if n := len(r.alerts()); n != 0 {
		t.Fatalf("%d alerts of nothing", n)
	}
	r.take(4, pack(t, nil))
	b := batch.Batch{Counters: batch.Counters{Lost: 12, Cut: 3}}
	packed, err := batch.Encode(&b)
	if err != nil {
		t.Fatal(err)
	}
	r.take(5, packed)
	r.take(5, packed) // has no effect
	b.Counters = batch.Counters{Missing: 3, Dropped: [batch.Priorities]uint64{1, 0, 0, 4}}
	if packed, err = batch.Encode(&b); err != nil {
		t.Fatal(err)
	}
	r.take(6, packed)
	var got []string
	for _, a := range r.alerts() {
		got = append(got, fmt.Sprintf("%s %d %s: %s %v", a.DisplayName, a.Count, a.Severity, a.Why, a.Extended))
	}
	want := []string{
		"Audit records were lost 1 Medium: batches 2 to 3 of the machine never came map[batchesMissing:2]",
		"Audit records were lost 2 Medium: 3 records never came, 5 events were given up because the agent's queue was full " +
			"map[eventsDropped:5 eventsMissing:3 recordsLost:20 recordsOverrun:12]", // of both batches together
	}
	if diff := cmp.Diff(want, got, unordered); diff != "" {
		t.Error(diff)
	}
}

// TestRefusals: what isn't a batch of a known machine is refused, by its fault.
func TestRefusals(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	for _, c := range []struct {
		machine string
		seq     uint64
		packed  []byte
		want    fault.Kind
	}{
		{machineID, 0, pack(t, nil), fault.Invalid},
		{machineID, 1, []byte("BHB"), fault.Invalid},
		{machineID + "x", 1, pack(t, nil), fault.NotFound},
	} {
		if _, err := r.engine.Ingest(t.Context(), c.machine, c.seq, nil, c.packed); !fault.Is(err, c.want) {
			t.Errorf("%s, batch %d: %v, want kind %d", c.machine, c.seq, err, c.want)
		}
	}
}
