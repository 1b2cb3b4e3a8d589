package lang

import (
	"math"
	"testing"
)

func TestExp(t *testing.T) {
	for x := float32(-12); x <= 0; x += 1.0 / 1024 {
		if got, want := float64(exp(x)), math.Exp(float64(x)); math.Abs(got/want-1) > 1.0/200_000 {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if got := exp(0); got != 1 {
		t.Errorf("exp(0) = %v, want 1", got)
	}
}
