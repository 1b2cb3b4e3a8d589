//go:build amd64 && !goexperiment.simd

package tensor

import "golang.org/x/sys/cpu"

// fast says whether the processor has the instructions of kernel_amd64.s.
func fast() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

// tileFast is tileGeneric in AVX2.
func tileFast(k int, a []float32, lda int, b, bias []float32, f *finish, c []float32, ldc int) {
	_, _, _, _ = a[(tileRows-1)*lda+k-1], b[k*tileCols-1], bias[tileCols-1], c[(tileRows-1)*ldc+tileCols-1]
	var slope *float32
	if f.slope != nil {
		_ = f.slope[tileCols-1]
		slope = &f.slope[0]
	}
	tileAVX2(k, &a[0], lda, &b[0], &bias[0], slope, f.lo, f.hi, &c[0], ldc)
}

// depthFast is depthGeneric in AVX2 for a number of channels that 8 divides.
func depthFast(pixels int, x []float32, step int, t taps, w, bias []float32, f *finish, n, stride int, out []float32) {
	if pixels == 0 || n == 0 || len(t.x) == 0 {
		return
	}
	for i, off := range t.x {
		_, _ = x[(pixels-1)*step+off+n-1], w[t.w[i]+n-1]
	}
	_, _ = bias[n-1], out[(pixels-1)*stride+n-1]
	var slope *float32
	if f.slope != nil {
		_ = f.slope[n-1]
		slope = &f.slope[0]
	}
	depthAVX2(pixels, &x[0], step, len(t.x), &t.x[0], &w[0], &t.w[0], &bias[0], slope, f.lo, f.hi, n, &out[0], stride)
}

//go:noescape
func tileAVX2(k int, a *float32, lda int, b, bias, slope *float32, lo, hi float32, c *float32, ldc int)

//go:noescape
func depthAVX2(pixels int, x *float32, step, taps int, xoff *int, w *float32, woff *int, bias, slope *float32, lo, hi float32, n int, out *float32, stride int)
