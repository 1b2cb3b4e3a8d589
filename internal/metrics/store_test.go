package metrics

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

const server = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DBforMySQL/servers/db"

var start = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// rig is a store of metrics that can be closed and opened again.
type rig struct {
	*Store
	t     testing.TB
	dir   string
	disk  *pebble.Engine
	clock *clock.Fake
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), clock: clock.NewFake(start)}
	r.open()
	t.Cleanup(func() { _ = r.disk.Close() })
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.disk, err = pebble.Open(r.dir, pebble.Options{}); err != nil {
		r.t.Fatal(err)
	}
	if r.Store, err = Open(context.Background(), Deps{Store: r.disk, Clock: r.clock}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) reopen() {
	r.t.Helper()
	if err := r.disk.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

func cpu(dims ...Dimension) Series {
	return Series{Resource: server, Namespace: "Microsoft.DBforMySQL/servers", Name: "cpu_percent", Dimensions: dims}
}

func (r *rig) add(samples ...Sample) {
	r.t.Helper()
	refused, err := r.Add(context.Background(), samples)
	if err != nil || len(refused) > 0 {
		r.t.Fatal(refused, err)
	}
}

func (r *rig) freeze() {
	r.t.Helper()
	if err := r.Freeze(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) query(q Query) []Result {
	r.t.Helper()
	res, err := r.Query(context.Background(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func TestAdd_Merges(t *testing.T) {
	r := newRig(t)
	r.add(Sample{cpu(), start, Of(10)}, Sample{cpu(), start.Add(59 * time.Second), Of(30)}, Sample{cpu(), start.Add(time.Minute), Of(5)})
	other := cpu()
	other.Resource, other.Name, other.Namespace = strings.ToUpper(server), "CPU_Percent", "microsoft.dbformysql/SERVERS"
	r.add(Sample{other, start.Add(10 * time.Second), Cell{60, 1, 40, 3}})
	got := r.query(Query{Resource: strings.ToLower(server), Names: []string{"Cpu_percent"}, From: start, To: start.Add(3 * time.Minute), Grain: time.Minute})
	want := []Result{{Namespace: "Microsoft.DBforMySQL/servers", Name: "cpu_percent", Lines: []Line{{
		Start: start, Grain: time.Minute, Cells: []Cell{{100, 1, 40, 5}, Of(5), {}},
	}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAdd_Refuses(t *testing.T) {
	r := newRig(t)
	long := cpu()
	long.Name = strings.Repeat("x", 257)
	many := cpu()
	for i := range 11 {
		many.Dimensions = append(many.Dimensions, Dimension{fmt.Sprint(i), "v"})
	}
	relative := cpu()
	relative.Resource = "db"
	samples := []Sample{
		{cpu(), start.Add(-20 * time.Minute), Of(1)},
		{cpu(), start.Add(-20*time.Minute - time.Second), Of(1)},
		{cpu(), start.Add(5 * time.Minute), Of(1)},
		{cpu(), start.Add(5*time.Minute + time.Second), Of(1)},
		{cpu(), start, Of(math.NaN())},
		{cpu(), start, Cell{1, 2, 1, 1}},
		{cpu(), start, Cell{1, 1, 1, 0}},
		{long, start, Of(1)},
		{many, start, Of(1)},
		{relative, start, Of(1)},
		{cpu(Dimension{"a", "1"}, Dimension{"A", "2"}), start, Of(1)},
	}
	refused, err := r.Add(t.Context(), samples)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range refused {
		got = append(got, fmt.Sprint(f.Index, " ", f.Code))
	}
	want := []string{
		"1 TooOld", "3 TooFarInFuture", "4 InvalidValue", "5 InvalidValue", "6 InvalidValue", "7 InvalidSeries", "8 InvalidSeries", "9 InvalidSeries", "10 InvalidSeries",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := refused[0].Text; !strings.Contains(text, server) || !strings.Contains(text, "20m0s") {
		t.Errorf("the refusal %q names neither the series nor the bound", text)
	}
}

func TestQuota(t *testing.T) {
	r := newRig(t)
	q := Quota{Group: "s/westeurope", Max: 3}
	send := func(name string) []Refusal {
		refused, err := r.AddWithin(t.Context(), []Sample{{cpu(Dimension{"d", name}), r.clock.Now(), Of(1)}}, q)
		if err != nil {
			t.Fatal(err)
		}
		return refused
	}
	for _, n := range []string{"a", "b", "c", "a"} {
		if got := send(n); len(got) > 0 {
			t.Fatal(got)
		}
	}
	if got := send("d"); len(got) != 1 || got[0].Code != "SeriesLimitReached" || !strings.Contains(got[0].Text, "3 series") {
		t.Fatalf("a fourth series: %v", got)
	}
	r.reopen() // the quota is as full as before
	if got := send("d"); len(got) != 1 {
		t.Fatalf("a fourth series after a restart: %v", got)
	}
	r.clock.Advance(11 * time.Hour)
	send("a")
	r.clock.Advance(time.Hour + time.Minute)
	if got := send("d"); len(got) > 0 {
		t.Fatalf("after twelve hours without b and c: %v", got)
	}
	if refused, err := r.AddWithin(t.Context(), []Sample{{cpu(Dimension{"d", "z"}), r.clock.Now(), Of(1)}}, Quota{Group: "s/eastus", Max: 1}); err != nil || len(refused) > 0 {
		t.Error("another region's quota:", refused, err)
	}
}

// TestModel puts samples in random order within what is allowed, with restarts and freezes between, and compares all ways to read with a plain map.
func TestModel(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	random := rand.New(rand.NewPCG(7, 9))
	names := []string{"a", "b", "c"}
	want := map[string]map[int64]*Cell{"a": {}, "b": {}, "c": {}}
	for step := range 700 {
		r.clock.Advance(time.Duration(random.IntN(120)) * time.Second)
		if random.IntN(60) == 0 {
			r.clock.Advance(time.Duration(random.IntN(400)) * time.Minute)
		}
		for range 4 {
			n := names[random.IntN(len(names))]
			at := r.clock.Now().Add(time.Duration(random.IntN(25*60)-20*60) * time.Second)
			v := float64(random.IntN(1000)) / 8
			r.add(Sample{cpu(Dimension{"n", n}), at, Of(v)})
			m := minuteOf(at)
			if want[n][m] == nil {
				want[n][m] = &Cell{}
			}
			want[n][m].Merge(Of(v))
		}
		if step%13 == 0 {
			r.freeze()
		}
		if step%97 == 0 {
			r.reopen()
		}
		if step%31 == 0 {
			now := minuteOf(r.clock.Now())
			for _, length := range []int64{1, 5, 60, 64, 130, 360, 1440} {
				for _, back := range []int64{-4, 0, 1, 30, 200} {
					compareWindow(ctx, t, r, want, now-back-length, now-back)
				}
			}
		}
	}
	r.freeze()
	from, to := minuteOf(start)-30, minuteOf(r.clock.Now())+10
	for _, grain := range []int64{1, 5, 15, 60, 1440, 7} {
		res := r.query(Query{Resource: server, Names: []string{"cpu_percent"}, Filter: []DimensionFilter{{Name: "n", Values: []string{"*"}}}, From: timeOf(from), To: timeOf(to), Grain: time.Duration(grain) * time.Minute})
		if len(res) != 1 || len(res[0].Lines) != 3 {
			t.Fatalf("got %d results", len(res))
		}
		for i, l := range res[0].Lines {
			cells := make([]Cell, (to-from+grain-1)/grain)
			for m := from; m < to; m++ {
				if c := want[names[i]][m]; c != nil {
					cells[(m-from)/grain].Merge(*c)
				}
			}
			if diff := cmp.Diff(cells, l.Cells); diff != "" {
				t.Fatalf("grain %d, line %v: %s", grain, l.Dimensions, diff)
			}
		}
	}
}

func compareWindow(ctx context.Context, t *testing.T, r *rig, want map[string]map[int64]*Cell, from, to int64) {
	t.Helper()
	for _, sel := range r.Select(Selector{Resource: server, Name: "cpu_percent"}) {
		var c Cell
		n := 0
		for m := from; m < to; m++ {
			if w := want[sel.Dimensions[0].Value][m]; w != nil {
				c.Merge(*w)
				n++
			}
		}
		got, present, err := r.Window(ctx, sel.Ref, timeOf(from), timeOf(to))
		if err != nil {
			t.Fatal(err)
		}
		if got != c || present != n {
			t.Fatalf("window of %v [-%d, -%d) at %s: got %v of %d minutes, want %v of %d", sel.Dimensions, minuteOf(r.clock.Now())-from, minuteOf(r.clock.Now())-to, r.clock.Now(), got, present, c, n)
		}
	}
}

// TestConcurrent: what many senders add while blocks are written is there once.
func TestConcurrent(t *testing.T) {
	r := newRig(t)
	const senders, rounds = 8, 40
	old := cpu(Dimension{"k", "0"})
	old.Resource += "0"
	r.add(Sample{old, start.Add(-5 * time.Minute), Of(3)})
	r.clock.Advance(24 * time.Minute) // a block's line is passed while they send
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for range rounds {
				var samples []Sample
				for k := range 5 {
					sr := cpu(Dimension{"k", fmt.Sprint(k)})
					sr.Resource = fmt.Sprintf("%s%d", server, k)
					samples = append(samples, Sample{sr, r.clock.Now(), Of(1)})
				}
				if refused, err := r.Add(context.Background(), samples); err != nil || len(refused) > 0 {
					t.Error(refused, err)
				}
				if i == 0 {
					r.clock.Advance(15 * time.Second) // below Late in all, however far a sender may lag behind
					if err := r.Freeze(context.Background()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	r.reopen()
	if res := r.query(Query{Resource: old.Resource, From: start.Add(-time.Hour), To: start, Grain: time.Hour}); len(res) != 1 || res[0].Lines[0].Cells[0] != Of(3) {
		t.Errorf("before: %v", res)
	}
	for k := range 5 {
		res := r.query(Query{Resource: fmt.Sprintf("%s%d", server, k), From: start, To: start.Add(time.Hour), Grain: time.Hour})
		if len(res) != 1 || res[0].Lines[0].Cells[0] != (Cell{senders * rounds, 1, 1, senders * rounds}) {
			t.Errorf("series %d: %v", k, res)
		}
	}
}

func TestRetention(t *testing.T) {
	r := newRig(t)
	r.add(Sample{cpu(Dimension{"n", "old"}), start, Of(1)}, Sample{cpu(Dimension{"n", "both"}), start, Of(1)})
	place := r.Place(server)
	r.clock.Advance(92 * 24 * time.Hour)
	r.freeze()
	r.add(Sample{cpu(Dimension{"n", "both"}), r.clock.Now(), Of(2)})
	if res := r.query(Query{Resource: server, From: start, To: start.Add(time.Minute), Grain: time.Minute}); len(res) != 1 || res[0].Lines[0].Cells[0].Count != 2 {
		t.Fatalf("after 92 days: %v", res)
	}
	r.clock.Advance(2 * 24 * time.Hour)
	r.add(Sample{cpu(Dimension{"n", "both"}), r.clock.Now(), Of(2)})
	r.freeze()
	if got := r.Select(Selector{Resource: server}); len(got) != 1 || got[0].Dimensions[0].Value != "both" {
		t.Errorf("after 94 days: %v", got)
	}
	if !place.Changed() {
		t.Error("nothing is said to have changed though a series went")
	}
	r.reopen()
	if got := r.Select(Selector{Resource: server}); len(got) != 1 {
		t.Errorf("after a restart: %v", got)
	}
	if res := r.query(Query{Resource: server, From: start, To: start.Add(time.Minute), Grain: time.Minute}); len(res) != 1 || !res[0].Lines[0].Cells[0].Empty() {
		t.Errorf("94 days old: %v", res)
	}
}

func TestFilterAndTop(t *testing.T) {
	r := newRig(t)
	for i, n := range []string{"GetBlob", "PutBlob", "GetPage"} {
		r.add(Sample{cpu(Dimension{"api", n}, Dimension{"Tier", "hot"}), start, Of(float64(i + 1))})
		r.add(Sample{cpu(Dimension{"Tier", "cold"}, Dimension{"API", n}), start, Of(float64(10 * (i + 1)))})
	}
	for _, c := range []struct {
		name   string
		filter []DimensionFilter
		top    int
		asc    bool
		want   string
	}{
		{"none", nil, 0, false, "[]=66"},
		{"split", []DimensionFilter{{Name: "Api", Values: []string{"*"}}}, 0, false, "[{api GetBlob}]=11 [{api GetPage}]=33 [{api PutBlob}]=22"},
		{"start", []DimensionFilter{{Name: "Api", Values: []string{"get*"}}}, 0, false, "[{api GetBlob}]=11 [{api GetPage}]=33"},
		{"but", []DimensionFilter{{Name: "Api", Values: []string{"getblob"}, Exclude: true}}, 0, false, "[{api GetPage}]=33 [{api PutBlob}]=22"},
		{"two", []DimensionFilter{{Name: "api", Values: []string{"GetBlob", "PutBlob"}}, {Name: "tier", Values: []string{"hot"}}}, 0, false, "[{api GetBlob} {Tier hot}]=1 [{api PutBlob} {Tier hot}]=2"},
		{"top", []DimensionFilter{{Name: "api", Values: []string{"*"}}}, 2, false, "[{api GetPage}]=33 [{api PutBlob}]=22"},
		{"bottom", []DimensionFilter{{Name: "api", Values: []string{"*"}}}, 1, true, "[{api GetBlob}]=11"},
		{"nothing", []DimensionFilter{{Name: "node", Values: []string{"*"}}}, 0, false, ""},
	} {
		q := Query{Resource: server, Names: []string{"cpu_percent"}, Filter: c.filter, From: start, To: start.Add(time.Minute), Grain: time.Minute, Top: c.top, Ascending: c.asc}
		if c.top > 0 {
			q.OrderBy = Total
		}
		res := r.query(q)
		var got []string
		for _, x := range res {
			for _, l := range x.Lines {
				got = append(got, fmt.Sprintf("%v=%g", l.Dimensions, l.Cells[0].Sum))
			}
		}
		// Names are as the series has them: the first of it that was sent.
		if g := strings.ReplaceAll(strings.Join(got, " "), "API", "api"); g != c.want {
			t.Errorf("%s: got %s, want %s", c.name, g, c.want)
		}
	}
}

func TestWindow_AllocatesNothing(t *testing.T) {
	r := newRig(t)
	for range 70 {
		r.add(Sample{cpu(), r.clock.Now(), Of(3)})
		r.clock.Advance(time.Minute)
	}
	ref := r.Select(Selector{Resource: server})[0].Ref
	to := r.clock.Now()
	from := to.Add(-time.Hour)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if c, present, err := r.Window(ctx, ref, from, to); c.Sum != 180 || present != 60 || err != nil {
			t.Fatal(c, present, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzLog(f *testing.F) {
	row := appendLogSample([]byte{2}, 7, 12, 1, Of(3))
	row = appendLogSample(row, 8, 12, 1, Cell{6, 1, 3.5, 3})
	row = appendLogSample(row, 9, 12, 1, Cell{6, 3, 3, 2})
	f.Add(row)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = readLog(b, func(_ uint32, _ int64, c Cell) {
			if c.valid() != "" {
				t.Fatalf("%v was read", c)
			}
		})
	})
}
