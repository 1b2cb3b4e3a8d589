package tensor

// A tile of the matrix product: tileRows rows of A times tileCols columns of B.
const (
	tileRows = 6
	tileCols = 16
)

// finish is what is done to a sum before it's stored: below zero it is multiplied by the channel's slope, then held between lo and hi.
// A nil slope stands for 1 everywhere.
type finish struct {
	slope  []float32
	lo, hi float32
}

// apply does it to one value of channel c.
func (f *finish) apply(v float32, c int) float32 {
	if v < 0 && f.slope != nil {
		v *= f.slope[c]
	}
	return min(max(v, f.lo), f.hi)
}

// tileGeneric computes a tile: c[r][j] = finish(bias[j] + sum over t of a[r*lda+t]*b[t*tileCols+j]), rows of c being ldc apart. bias and f.slope begin at the tile's
// first column and have tileCols values.
func tileGeneric(k int, a []float32, lda int, b, bias []float32, f *finish, c []float32, ldc int) {
	for r := 0; r < tileRows; r += 2 {
		a0, a1 := a[r*lda:r*lda+k], a[(r+1)*lda:(r+1)*lda+k]
		for j := 0; j < tileCols; j += 4 {
			s00, s01, s02, s03 := bias[j], bias[j+1], bias[j+2], bias[j+3]
			s10, s11, s12, s13 := s00, s01, s02, s03
			for t, x := range a0 {
				y := a1[t]
				w := (*[4]float32)(b[t*tileCols+j:])
				s00 += x * w[0]
				s01 += x * w[1]
				s02 += x * w[2]
				s03 += x * w[3]
				s10 += y * w[0]
				s11 += y * w[1]
				s12 += y * w[2]
				s13 += y * w[3]
			}
			p, q := c[r*ldc+j:r*ldc+j+4], c[(r+1)*ldc+j:(r+1)*ldc+j+4]
			p[0], p[1], p[2], p[3] = f.apply(s00, j), f.apply(s01, j+1), f.apply(s02, j+2), f.apply(s03, j+3)
			q[0], q[1], q[2], q[3] = f.apply(s10, j), f.apply(s11, j+1), f.apply(s12, j+2), f.apply(s13, j+3)
		}
	}
}

// taps are the places of a filter that lie inside the image: where their input begins from a pixel's first one, and where their weights begin.
type taps struct{ x, w []int }

// depthGeneric computes pixels of one row of a depthwise convolution for the channels from..n: out[p][c] = finish(bias[c] + sum over taps t of
// x[p*step+t.x+c]*w[t.w+c]).
func depthGeneric(pixels int, x []float32, step int, t taps, w, bias []float32, f *finish, from, n int, out []float32) {
	for p := range pixels {
		o := out[p*n : p*n+n]
		in := x[p*step:]
		for c := from; c < n; c++ {
			s := bias[c]
			for i, off := range t.x {
				s += in[off+c] * w[t.w[i]+c]
			}
			o[c] = f.apply(s, c)
		}
	}
}
