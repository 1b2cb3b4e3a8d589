package gateway

import (
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

func throttled(mode Throttling, now *time.Duration, t catalog.Throughput, ranges int) (*throttle, *call, *catalog.Container) {
	con := &catalog.Container{Database: 7, Derived: catalog.Derived{Throughput: t}}
	for i := range ranges {
		con.Ranges = append(con.Ranges, catalog.Range{GUID: string(rune('a' + i))})
	}
	return newThrottle(mode, func() time.Duration { return *now }), &call{account: &Account{GUID: "acct"}}, con
}

func TestThrottle_Strict(t *testing.T) {
	t.Parallel()
	now := 100 * time.Hour
	th, c, con := throttled(ThrottleStrict, &now, catalog.Throughput{Manual: 400}, 1)
	take := func(charge float64) time.Duration {
		m, f := th.meter(c, con, con.Ranges[0].GUID)
		if f != nil {
			if f.Kind.Status() != 429 || f.Substatus != 3200 || f.RetryAfter <= 0 {
				t.Errorf("%+v", f)
			}
			return f.RetryAfter
		}
		th.settle(m, charge)
		return 0
	}
	for i := range 40 { // a second's worth, however long it was idle
		if w := take(10); w != 0 {
			t.Fatalf("operation %d: wait %v", i, w)
		}
	}
	take(100) // the last one goes into debt: the bucket is empty, but not below
	if w := take(1); w != 250*time.Millisecond {
		t.Errorf("wait %v, want 250ms", w)
	}
	now += 249 * time.Millisecond
	if w := take(1); w != time.Millisecond {
		t.Errorf("wait %v, want 1ms", w)
	}
	now += time.Millisecond
	if w := take(1); w != 0 {
		t.Errorf("wait %v", w)
	}
	// In the long run it is what was provisioned.
	done := 0.0
	for end := now + 10*time.Second; now < end; now += time.Millisecond {
		if take(5) == 0 {
			done += 5
		}
	}
	if done < 3995 || done > 4010 {
		t.Errorf("%v units in 10 s of 400", done)
	}
	con.Derived.Throughput.Manual = 800 // more is provisioned: the same debt is paid off sooner
	done = 0
	for end := now + 10*time.Second; now < end; now += time.Millisecond {
		if take(5) == 0 {
			done += 5
		}
	}
	if done < 7995 || done > 8010 {
		t.Errorf("%v units in 10 s of 800", done)
	}
}

func TestThrottle_Modes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		platform, account Throttling
		throughput        catalog.Throughput
		ranges            int
		serverless        bool
		want              float64 // units that an idle range gives at once; 0: no end
	}{
		{"default", ThrottleDefault, ThrottleDefault, catalog.Throughput{Manual: 400}, 1, false, 1_000_000},
		{"burst of much", ThrottleBurst, ThrottleDefault, catalog.Throughput{Manual: 10_000}, 1, false, 3_000_000},
		{"of two ranges", ThrottleStrict, ThrottleDefault, catalog.Throughput{Manual: 1000}, 2, false, 500},
		{"autoscale", ThrottleStrict, ThrottleDefault, catalog.Throughput{Max: 4000}, 1, false, 4000},
		{"account is strict", ThrottleOff, ThrottleStrict, catalog.Throughput{Manual: 400}, 1, false, 400},
		{"account is off", ThrottleStrict, ThrottleOff, catalog.Throughput{Manual: 400}, 1, false, 0},
		{"platform is off", ThrottleOff, ThrottleDefault, catalog.Throughput{Manual: 400}, 1, false, 0},
		{"serverless", ThrottleStrict, ThrottleDefault, catalog.Throughput{}, 1, true, 5000},
		{"none provisioned", ThrottleStrict, ThrottleDefault, catalog.Throughput{}, 1, false, 0},
	} {
		now := time.Duration(0)
		th, c, con := throttled(tt.platform, &now, tt.throughput, tt.ranges)
		c.account.Throttling, c.account.Serverless = tt.account, tt.serverless
		got := 0.0
		for got <= 5_000_000 {
			m, f := th.meter(c, con, con.Ranges[0].GUID)
			if f != nil {
				break
			}
			th.settle(m, 50)
			got += 50
		}
		if tt.want == 0 && got < 5_000_000 || tt.want > 0 && (got < tt.want || got > tt.want+50) {
			t.Errorf("%s: %v units, want %v", tt.name, got, tt.want)
		}
	}
}

// Containers of a database with throughput share it; ranges of one container do not share theirs.
func TestThrottle_Shared(t *testing.T) {
	t.Parallel()
	now := time.Duration(0)
	th, c, one := throttled(ThrottleStrict, &now, catalog.Throughput{Manual: 400}, 2)
	_, _, two := throttled(ThrottleStrict, &now, catalog.Throughput{Manual: 400}, 1)
	two.Ranges[0].GUID = "other"
	empty := func(con *catalog.Container, r int) bool {
		m, f := th.meter(c, con, con.Ranges[r].GUID)
		if f == nil {
			th.settle(m, 1e6)
		}
		return f != nil
	}
	if empty(one, 0) || !empty(one, 0) || empty(one, 1) || empty(two, 0) {
		t.Error("ranges share a throughput")
	}
	one.Derived.SharedThroughput, two.Derived.SharedThroughput = true, true
	if empty(one, 0) || !empty(one, 1) || !empty(two, 0) {
		t.Error("containers do not share their database's throughput")
	}
	c.account = &Account{GUID: "another"}
	if empty(one, 0) {
		t.Error("accounts share a throughput")
	}
}

func TestThrottle_Concurrent(t *testing.T) {
	t.Parallel()
	now := time.Duration(0)
	th, c, con := throttled(ThrottleStrict, &now, catalog.Throughput{Manual: 400}, 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				th.settle(meter{th.bucket(bucketKey{owner: "a"}), 400}, 4)
			}
		})
	}
	wg.Wait()
	_, f := th.meter(c, con, con.Ranges[0].GUID)
	if f == nil || f.RetryAfter != 79*time.Second { // 32,000 units at 400, less the one second that is kept
		t.Errorf("%+v", f)
	}
}

func TestThrottle_NoAllocation(t *testing.T) {
	now := time.Duration(0)
	th, c, con := throttled(ThrottleStrict, &now, catalog.Throughput{Manual: 1_000_000}, 1)
	if n := testing.AllocsPerRun(1000, func() {
		m, _ := th.meter(c, con, con.Ranges[0].GUID)
		th.settle(m, 0.01)
	}); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkThrottle(b *testing.B) {
	_, c, con := throttled(ThrottleStrict, new(time.Duration), catalog.Throughput{Manual: 1_000_000}, 1)
	con.Ranges[0].GUID = "11111111-2222-3333-4444-555555555555"
	th := newThrottle(ThrottleStrict, nil)
	b.ReportAllocs()
	for b.Loop() {
		m, _ := th.meter(c, con, con.Ranges[0].GUID)
		th.settle(m, 0.0001)
	}
}
