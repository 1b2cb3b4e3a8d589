package tensor

import (
	"runtime"
	"sync"
)

// blockRows is how many rows of what a filter sees are copied at once before they're multiplied: it bounds that memory, and keeps it in the cache.
const blockRows = 8 * tileRows

// product is a matrix product made ready: the weights in panels of tileCols columns, each k rows of tileCols values, filled up with zeros.
type product struct {
	w       window
	k, cols int
	panels  []float32
	bias    []float32 // filled up to whole panels
	fin     finish    // its slopes filled up, too
	direct  bool      // the filter sees the pixel itself: nothing to copy
	fast    bool
	scratch sync.Pool
}

func newProduct(w window, weights []float32, k, cols int, e *epilogue) *product {
	np := (cols + tileCols - 1) / tileCols
	p := &product{w: w, k: k, cols: cols, fin: e.finish(), fast: fast()}
	p.direct = w.fh == 1 && w.fw == 1 && w.sh == 1 && w.sw == 1
	p.panels = make([]float32, np*k*tileCols)
	for t := range k {
		for c := range cols {
			v := weights[t*cols+c]
			if e.scale != nil {
				v *= e.scale[c]
			}
			p.panels[(c/tileCols*k+t)*tileCols+c%tileCols] = v
		}
	}
	p.bias = make([]float32, np*tileCols)
	copy(p.bias, e.bias)
	if e.slope != nil {
		p.fin.slope = make([]float32, np*tileCols)
		copy(p.fin.slope, e.slope)
	}
	p.scratch.New = func() any {
		mem := make([]float32, blockRows*k+tileRows*tileCols)
		return &mem
	}
	return p
}

// run multiplies all rows, in parallel.
func (p *product) run(in, out []float32) {
	rows := p.w.n * p.w.oh * p.w.ow
	parallel((rows+blockRows-1)/blockRows, func(from, to int) {
		memory := p.scratch.Get().(*[]float32)
		defer p.scratch.Put(memory)
		mem := *memory
		for b := from; b < to; b++ {
			first, last := b*blockRows, min(rows, (b+1)*blockRows)
			p.block(in, out, first, last, mem[:blockRows*p.k], mem[blockRows*p.k:])
		}
	})
}

// block multiplies the rows first..last.
func (p *product) block(in, out []float32, first, last int, seen, tile []float32) {
	rows := last - first
	a := seen
	switch {
	case !p.direct:
		p.w.rows(in, first, last, seen)
	case rows < tileRows:
		copy(seen, in[first*p.k:last*p.k])
	default:
		a = in[first*p.k : last*p.k]
	}
	for panel := 0; panel*tileCols < p.cols; panel++ {
		b := p.panels[panel*p.k*tileCols : (panel+1)*p.k*tileCols]
		bias := p.bias[panel*tileCols : (panel+1)*tileCols]
		fin := p.fin
		if fin.slope != nil {
			fin.slope = fin.slope[panel*tileCols : (panel+1)*tileCols]
		}
		width := min(tileCols, p.cols-panel*tileCols)
		for r := 0; r < rows; r += tileRows {
			r := max(0, min(r, rows-tileRows)) // the last tile goes back over rows that are done already
			if width == tileCols && rows >= tileRows {
				p.tile(a[r*p.k:], b, bias, &fin, out[(first+r)*p.cols+panel*tileCols:], p.cols)
				continue
			}
			p.tile(a[r*p.k:], b, bias, &fin, tile, tileCols)
			for i := range min(tileRows, rows) {
				copy(out[(first+r+i)*p.cols+panel*tileCols:][:width], tile[i*tileCols:])
			}
		}
	}
}

func (p *product) tile(a, b, bias []float32, f *finish, c []float32, ldc int) {
	if p.fast {
		tileFast(p.k, a, p.k, b, bias, f, c, ldc)
		return
	}
	tileGeneric(p.k, a, p.k, b, bias, f, c, ldc)
}

// depth is a depthwise convolution made ready.
type depth struct {
	w       window
	weights []float32
	bias    []float32
	fin     finish
	fast    bool
}

func newDepth(w window, weights []float32, e *epilogue) *depth {
	d := &depth{w: w, fin: e.finish(), fast: fast(), bias: make([]float32, w.c), weights: make([]float32, len(weights))}
	copy(d.bias, e.bias)
	for i, v := range weights {
		if e.scale != nil {
			v *= e.scale[i%w.c]
		}
		d.weights[i] = v
	}
	return d
}

func (d *depth) run(in, out []float32) {
	parallel(d.w.n*d.w.oh, func(from, to int) {
		var t taps
		for r := from; r < to; r++ {
			d.row(in, out, r, &t)
		}
	})
}

// row computes one row of the output: the pixels whose filter lies inside the columns in one go, those at the edges one by one.
func (d *depth) row(in, out []float32, r int, t *taps) {
	w := &d.w
	item, y := r/w.oh, r%w.oh
	inner := min(w.ow, (w.left+w.sw-1)/w.sw)               // the first pixel that sees no zeros on the left
	end := max(inner, min(w.ow, (w.w+w.left-w.fw)/w.sw+1)) // behind the last that sees none on the right
	if w.w < w.fw {
		end = inner
	}
	for x := 0; x < w.ow; x++ {
		count := 1
		if x == inner {
			count = max(1, end-inner)
		}
		t.x, t.w = t.x[:0], t.w[:0]
		base := -1
		for fy := range w.fh {
			iy := y*w.sh - w.top + fy
			if iy < 0 || iy >= w.h {
				continue
			}
			for fx := range w.fw {
				ix := x*w.sw - w.left + fx
				if ix < 0 || ix >= w.w {
					continue
				}
				at := ((item*w.h+iy)*w.w + ix) * w.c
				if base < 0 {
					base = at
				}
				t.x, t.w = append(t.x, at-base), append(t.w, (fy*w.fw+fx)*w.c)
			}
		}
		d.pixels(count, in[max(base, 0):], *t, out[(r*w.ow+x)*w.c:])
		x += count - 1
	}
}

func (d *depth) pixels(count int, x []float32, t taps, out []float32) {
	c, step := d.w.c, d.w.sw*d.w.c
	done := 0
	if d.fast {
		done = c &^ 7
		depthFast(count, x, step, t, d.weights, d.bias, &d.fin, done, c, out)
	}
	if done < c {
		depthGeneric(count, x, step, t, d.weights, d.bias, &d.fin, done, c, out)
	}
}

// parallel runs f over 0..n in as many parts as there are processors, and waits for all.
func parallel(n int, f func(from, to int)) {
	parts := min(n, runtime.GOMAXPROCS(0))
	if parts <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() { f(i*n/parts, (i+1)*n/parts) })
	}
	wg.Wait()
}
