package names_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	guidA = "aaaaaaaa-0000-0000-0000-000000000000"
	guidB = "bbbbbbbb-0000-0000-0000-000000000000"
)

func open(t testing.TB) (*names.Registry, *clock.Fake) {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	clk := clock.NewFake(time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC))
	return names.New(st, clk), clk
}

// step is one call and what it must answer: "" for success, else the fault's code.
type step struct {
	do   string
	name string
	guid string
	want string
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		steps []step
		want  *names.Entry // of "kv1" in the end
	}{
		"reserve, confirm, each twice": {
			[]step{{"reserve", "KV1", guidA, ""}, {"reserve", "kv1", guidA, ""}, {"confirm", "Kv1", guidA, ""}, {"confirm", "kv1", guidA, ""}, {"reserve", "kv1", guidA, ""}},
			&names.Entry{Kind: wire.HostVault, Name: "kv1", ResourceID: "/r/" + guidA, GUID: guidA, Confirmed: true},
		},
		"another is refused": {
			[]step{
				{"reserve", "kv1", guidA, ""},
				{"reserve", "kv1", guidB, "AlreadyExists"},
				{"confirm", "kv1", guidB, "AlreadyExists"},
				{"confirm", "kv1", guidA, ""},
				{"wait", "", "", ""},
				{"reserve", "KV1", guidB, "AlreadyExists"},
				{"release", "kv1", guidB, ""},
			},
			&names.Entry{Kind: wire.HostVault, Name: "kv1", ResourceID: "/r/" + guidA, GUID: guidA, Confirmed: true},
		},
		"released names are free": {
			[]step{{"reserve", "kv1", guidA, ""}, {"confirm", "kv1", guidA, ""}, {"release", "kv1", guidA, ""}, {"release", "kv1", guidA, ""}, {"reserve", "kv1", guidB, ""}},
			&names.Entry{Kind: wire.HostVault, Name: "kv1", ResourceID: "/r/" + guidB, GUID: guidB},
		},
		"an old reservation is reclaimed": {
			[]step{{"reserve", "kv1", guidA, ""}, {"wait", "", "", ""}, {"reserve", "kv1", guidB, ""}, {"confirm", "kv1", guidA, "AlreadyExists"}, {"confirm", "kv1", guidB, ""}},
			&names.Entry{Kind: wire.HostVault, Name: "kv1", ResourceID: "/r/" + guidB, GUID: guidB, Confirmed: true},
		},
		"an old reservation that nobody wants is confirmed late": {
			[]step{{"reserve", "kv1", guidA, ""}, {"wait", "", "", ""}, {"confirm", "kv1", guidA, ""}},
			&names.Entry{Kind: wire.HostVault, Name: "kv1", ResourceID: "/r/" + guidA, GUID: guidA, Confirmed: true},
		},
		"a repeated reservation is young again": {
			[]step{{"reserve", "kv1", guidA, ""}, {"wait", "", "", ""}, {"reserve", "kv1", guidA, ""}, {"reserve", "kv1", guidB, "AlreadyExists"}},
			&names.Entry{Kind: wire.HostVault, Name: "kv1", ResourceID: "/r/" + guidA, GUID: guidA},
		},
		"soft-deleted stays taken": {
			[]step{
				{"reserve", "kv1", guidA, ""},
				{"confirm", "kv1", guidA, ""},
				{"delete", "kv1", guidA, ""},
				{"delete", "kv1", guidA, ""},
				{"wait", "", "", ""},
				{"reserve", "kv1", guidB, "AlreadyExists"},
				{"delete", "kv1", guidB, "AlreadyExists"},
			},
			&names.Entry{Kind: wire.HostVault, Name: "kv1", ResourceID: "/r/" + guidA, GUID: guidA, Confirmed: true, Deleted: true},
		},
		"recovered": {
			[]step{{"reserve", "kv1", guidA, ""}, {"confirm", "kv1", guidA, ""}, {"delete", "kv1", guidA, ""}, {"confirm", "kv1", guidA, ""}},
			&names.Entry{Kind: wire.HostVault, Name: "kv1", ResourceID: "/r/" + guidA, GUID: guidA, Confirmed: true},
		},
		"nothing to confirm": {[]step{{"confirm", "kv1", guidA, "NameNotReserved"}, {"delete", "kv1", guidA, "NameNotReserved"}, {"release", "kv1", guidA, ""}}, nil},
		"no host name": {
			[]step{
				{"reserve", "", guidA, "InvalidResourceName"},
				{"reserve", "a.b", guidA, "InvalidResourceName"},
				{"reserve", "-a", guidA, "InvalidResourceName"},
				{"reserve", "a|b", guidA, "InvalidResourceName"},
				{"reserve", "ä", guidA, "InvalidResourceName"},
			}, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, clk := open(t)
			ctx := context.Background()
			for i, s := range tt.steps {
				var err error
				switch s.do {
				case "wait":
					clk.Advance(names.ReclaimAfter + time.Second)
				case "reserve":
					free, aerr := g.Available(ctx, wire.HostVault, s.name)
					err = g.Reserve(ctx, wire.HostVault, s.name, "/r/"+s.guid, s.guid)
					if aerr != nil || free && err != nil || !free && s.want == "" && !heldBy(t, g, s) {
						t.Errorf("step %d: Available says %v, %v; Reserve says %v", i, free, aerr, err)
					}
				case "confirm":
					err = g.Confirm(ctx, wire.HostVault, s.name, s.guid)
				case "release":
					err = g.Release(ctx, wire.HostVault, s.name, s.guid)
				case "delete":
					err = g.MarkDeleted(ctx, wire.HostVault, s.name, s.guid)
				}
				got := ""
				if err != nil {
					got = fault.As(err).Code
				}
				if got != s.want || errors.Is(err, names.ErrTaken) != (s.want == "AlreadyExists") {
					t.Fatalf("step %d %s %s: got %v, want %q", i, s.do, s.name, err, s.want)
				}
				if _, err := g.Lookup(ctx, wire.HostVault, "kv1"); err != nil { // fills the cache, which the next step must not be fooled by
					t.Fatal(err)
				}
			}
			got, err := g.Lookup(ctx, wire.HostVault, "KV1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if got.Served() != (tt.want != nil && tt.want.Confirmed && !tt.want.Deleted) {
				t.Errorf("Served: got %v", got.Served())
			}
			if other, err := g.Lookup(ctx, wire.HostCosmos, "kv1"); other != nil || err != nil {
				t.Errorf("the name of another kind: got %v, %v", other, err)
			}
		})
	}
}

// heldBy tells whether the name is the step's own already.
func heldBy(t *testing.T, g *names.Registry, s step) bool {
	t.Helper()
	e, err := g.Lookup(context.Background(), wire.HostVault, s.name)
	return err == nil && e != nil && e.GUID == s.guid
}

// Of many who want one name at once exactly one gets it.
func TestReserve_Concurrent(t *testing.T) {
	t.Parallel()
	g, _ := open(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch err := g.Reserve(context.Background(), wire.HostSite, "app", "/r", ids.New()); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, names.ErrTaken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d got the name, want 1", won.Load())
	}
}

func BenchmarkLookup(b *testing.B) {
	g, _ := open(b)
	ctx := context.Background()
	if err := g.Reserve(ctx, wire.HostVault, "kv1", "/r", guidA); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Lookup(ctx, wire.HostVault, "kv1"); err != nil {
			b.Fatal(err)
		}
	}
}
