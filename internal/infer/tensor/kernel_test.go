package tensor

import (
	"math"
	"math/rand/v2"
	"testing"
)

func randoms(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = r.Float32()*2 - 1
	}
	return out
}

// near fails when two results differ by more than rounding: 1e-5 of the sum of the magnitudes, for a fused multiply-add rounds once where others round twice.
func near(t *testing.T, what string, got, want []float32, scale float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-5*scale) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestKernelsAgree(t *testing.T) {
	t.Parallel()
	if !fast() {
		t.Skip("this build or processor has the portable kernels only")
	}
	r := rand.New(rand.NewPCG(1, 2))
	inf := float32(math.Inf(1))
	for _, k := range []int{1, 3, 16, 27, 147, 1024} {
		for _, f := range []finish{{lo: -inf, hi: inf}, {lo: 0, hi: 6}, {lo: -inf, hi: inf, slope: randoms(r, 64)}, {lo: -0.25, hi: 0.5, slope: randoms(r, 64)}} {
			a, b, bias := randoms(r, tileRows*(k+3)), randoms(r, k*tileCols), randoms(r, tileCols)
			got, want := make([]float32, tileRows*20), make([]float32, tileRows*20)
			tileFast(k, a, k+3, b, bias, &f, got, 20)
			tileGeneric(k, a, k+3, b, bias, &f, want, 20)
			near(t, "tile", got, want, float64(k))

			const pixels, n = 5, 24
			x, w, dbias := randoms(r, 4096), randoms(r, 9*n), randoms(r, n)
			tp := taps{x: []int{0, n, 2 * n, 100, 1000}, w: []int{0, n, 3 * n, 5 * n, 8 * n}}
			dgot, dwant := make([]float32, pixels*n), make([]float32, pixels*n)
			depthFast(pixels, x, 2*n, tp, w, dbias, &f, n, n, dgot)
			depthGeneric(pixels, x, 2*n, tp, w, dbias, &f, 0, n, dwant)
			near(t, "depth", dgot, dwant, float64(len(tp.x)))
		}
	}
}
