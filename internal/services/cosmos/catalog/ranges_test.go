package catalog

import "testing"

func TestSpecRanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ wide, manual, want int }{
		{0, 400, 1}, {0, 10_000, 1}, {0, 12_000, 2}, {0, 25_100, 3}, {5, 10_000, 1}, {5, 12_000, 5}, {5, 60_000, 6},
	} {
		if got := (&Spec{Wide: tt.wide}).ranges(&Throughput{Manual: tt.manual}); got != tt.want {
			t.Errorf("%d RU/s, at least %d: got %d ranges, want %d", tt.manual, tt.wide, got, tt.want)
		}
	}
	if got := (&Spec{Wide: 5}).ranges(nil); got != 1 {
		t.Errorf("no throughput: got %d ranges, want 1", got)
	}
}
