//go:build amd64 && goexperiment.simd && !purego

package tensor

import "simd/archsimd"

// fast says whether the processor has the instructions of archsimd's 256-bit vectors and their fused multiply-add.
func fast() bool { return archsimd.X86.AVX2() && archsimd.X86.FMA() }

// tileFast is tileGeneric in vectors of eight: two for each row, all twelve in registers.
func tileFast(k int, a []float32, lda int, b, bias []float32, f *finish, c []float32, ldc int) {
	x0, x1 := archsimd.LoadFloat32x8Slice(bias), archsimd.LoadFloat32x8Slice(bias[8:])
	y0, y1, z0, z1, u0, u1, v0, v1, w0, w1 := x0, x1, x0, x1, x0, x1, x0, x1, x0, x1
	r0, r1, r2 := a[:k], a[lda:lda+k], a[2*lda:2*lda+k]
	r3, r4, r5 := a[3*lda:3*lda+k], a[4*lda:4*lda+k], a[5*lda:5*lda+k]
	b = b[:k*tileCols]
	for t := range k {
		row := (*[tileCols]float32)(b[t*tileCols:])
		b0, b1 := archsimd.LoadFloat32x8((*[8]float32)(row[:8])), archsimd.LoadFloat32x8((*[8]float32)(row[8:]))
		s := archsimd.BroadcastFloat32x8(r0[t])
		x0, x1 = s.MulAdd(b0, x0), s.MulAdd(b1, x1)
		s = archsimd.BroadcastFloat32x8(r1[t])
		y0, y1 = s.MulAdd(b0, y0), s.MulAdd(b1, y1)
		s = archsimd.BroadcastFloat32x8(r2[t])
		z0, z1 = s.MulAdd(b0, z0), s.MulAdd(b1, z1)
		s = archsimd.BroadcastFloat32x8(r3[t])
		u0, u1 = s.MulAdd(b0, u0), s.MulAdd(b1, u1)
		s = archsimd.BroadcastFloat32x8(r4[t])
		v0, v1 = s.MulAdd(b0, v0), s.MulAdd(b1, v1)
		s = archsimd.BroadcastFloat32x8(r5[t])
		w0, w1 = s.MulAdd(b0, w0), s.MulAdd(b1, w1)
	}
	lo, hi, zero := archsimd.BroadcastFloat32x8(f.lo), archsimd.BroadcastFloat32x8(f.hi), archsimd.BroadcastFloat32x8(0)
	for r, p := range [tileRows][2]archsimd.Float32x8{{x0, x1}, {y0, y1}, {z0, z1}, {u0, u1}, {v0, v1}, {w0, w1}} {
		for h, v := range p {
			if f.slope != nil {
				v = v.Min(zero).MulAdd(archsimd.LoadFloat32x8Slice(f.slope[8*h:]), v.Max(zero))
			}
			v.Max(lo).Min(hi).StoreSlice(c[r*ldc+8*h:])
		}
	}
}

// depthFast is depthGeneric in vectors of eight for a number of channels that 8 divides.
func depthFast(pixels int, x []float32, step int, t taps, w, bias []float32, f *finish, n, stride int, out []float32) {
	lo, hi, zero := archsimd.BroadcastFloat32x8(f.lo), archsimd.BroadcastFloat32x8(f.hi), archsimd.BroadcastFloat32x8(0)
	for p := range pixels {
		o, in := out[p*stride:p*stride+n], x[p*step:]
		for c := 0; c < n; c += 8 {
			s := archsimd.LoadFloat32x8Slice(bias[c:])
			for i, off := range t.x {
				s = archsimd.LoadFloat32x8Slice(in[off+c:]).MulAdd(archsimd.LoadFloat32x8Slice(w[t.w[i]+c:]), s)
			}
			if f.slope != nil {
				s = s.Min(zero).MulAdd(archsimd.LoadFloat32x8Slice(f.slope[c:]), s.Max(zero))
			}
			s.Max(lo).Min(hi).StoreSlice(o[c:])
		}
	}
}
