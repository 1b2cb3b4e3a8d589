//go:build !amd64

package tensor

// fast says whether there is more than portable Go: not on this processor.
func fast() bool { return false }

func tileFast(k int, a []float32, lda int, b, bias []float32, f *finish, c []float32, ldc int) {
	tileGeneric(k, a, lda, b, bias, f, c, ldc)
}

func depthFast(pixels int, x []float32, step int, t taps, w, bias []float32, f *finish, n, stride int, out []float32) {
	for p := range pixels {
		depthGeneric(1, x[p*step:], step, t, w, bias, f, 0, n, out[p*stride:])
	}
}
