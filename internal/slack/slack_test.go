package slack

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		live, bytes uint64
		want        int
	}{
		{0, 64 << 20, 300},
		{10 << 20, 64 << 20, 300},
		{32 << 20, 64 << 20, 200},
		{64 << 20, 64 << 20, 100},
		{120 << 20, 64 << 20, 53},
		{1 << 40, 64 << 20, 50},
	} {
		if got := percent(c.live, c.bytes); got != c.want {
			t.Errorf("percent(%d, %d) = %d, want %d", c.live, c.bytes, got, c.want)
		}
	}
}

// TestBound follows a heap that grows by 64 MiB, and that shrinks again.
func TestBound(t *testing.T) {
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	stop := Bound(32 << 20)
	until(t, "a small heap", func(share uint64) bool { return share > 150 })
	ballast := make([]byte, 64<<20)
	until(t, "64 MiB", func(share uint64) bool { return share == least })
	runtime.KeepAlive(ballast)
	until(t, "a small heap again", func(share uint64) bool { return share > 150 })
	stop()
	stop()
	if got := share(); got != 77 {
		t.Errorf("after stop: GOGC is %d, want 77, as before", got)
	}
	for range 3 {
		runtime.GC()
	}
	if got := share(); got != 77 {
		t.Errorf("after stop and collections: GOGC is %d, want 77", got)
	}
}

// until collects until the share is as wanted.
func until(t *testing.T, with string, want func(uint64) bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		runtime.GC() // its finalizers run some time after
		got := share()
		if want(got) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("with %s: GOGC stays at %d", with, got)
		}
		time.Sleep(time.Millisecond)
	}
}

func share() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
