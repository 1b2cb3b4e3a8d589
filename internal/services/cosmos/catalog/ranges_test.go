package catalog

import "testing"

func TestFirstRanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ manual, most, want int }{
		{400, 0, 1}, {10_000, 0, 1}, {12_000, 0, 2}, {12_100, 0, 3}, {21_000, 0, 4}, {25_100, 0, 5}, {maxRU, 0, maxRanges}, {0, 10_000, 1}, {0, 12_000, 2}, {0, 25_000, 3},
	} {
		if got := firstRanges(&Throughput{Manual: tt.manual, Max: tt.most}); got != tt.want {
			t.Errorf("manual %d, autoscale %d: got %d ranges, want %d", tt.manual, tt.most, got, tt.want)
		}
	}
	if got := firstRanges(nil); got != 1 {
		t.Errorf("no throughput: got %d ranges, want 1", got)
	}
}
