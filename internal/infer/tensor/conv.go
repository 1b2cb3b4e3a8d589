package tensor

import (
	"fmt"
	"slices"
)

// window is how a filter moves over an image.
type window struct {
	n, h, w, c     int // of the input
	fh, fw         int // of the filter
	sh, sw         int // its steps
	top, left      int // the zeros before the first row and column
	oh, ow         int // of the output
	dilateH, dilaW int
}

// window works out a node's output size from its attributes.
func (n *nodeDef) window(in []int, fh, fw int) (window, error) {
	if len(in) != 4 {
		return window{}, fmt.Errorf("an image has four dimensions, not %v", in)
	}
	w := window{n: in[0], h: in[1], w: in[2], c: in[3], fh: fh, fw: fw, dilateH: 1, dilaW: 1}
	strides, err := n.attrInts("strides")
	if err != nil {
		return w, err
	}
	dilations, err := n.attrInts("dilations")
	if err != nil {
		return w, err
	}
	padding, err := n.attrString("padding")
	if err != nil {
		return w, err
	}
	format, err := n.attrString("data_format")
	if err != nil {
		return w, err
	}
	if format != "" && format != "NHWC" {
		return w, fmt.Errorf("layout %q isn't known", format)
	}
	if len(strides) != 4 || strides[1] < 1 || strides[2] < 1 || strides[0] != 1 || strides[3] != 1 {
		return w, fmt.Errorf("strides %v aren't possible", strides)
	}
	w.sh, w.sw = strides[1], strides[2]
	if dilations != nil && !slices.Equal(dilations, []int{1, 1, 1, 1}) {
		return w, fmt.Errorf("dilations %v aren't known", dilations)
	}
	switch padding {
	case "SAME":
		w.oh, w.ow = (w.h+w.sh-1)/w.sh, (w.w+w.sw-1)/w.sw
		w.top = max(0, (w.oh-1)*w.sh+fh-w.h) / 2
		w.left = max(0, (w.ow-1)*w.sw+fw-w.w) / 2
	case "VALID":
		w.oh, w.ow = (w.h-fh)/w.sh+1, (w.w-fw)/w.sw+1
		if w.h < fh || w.w < fw {
			return w, fmt.Errorf("a filter of %dx%d doesn't fit into %v", fh, fw, in)
		}
	default:
		return w, fmt.Errorf("padding %q isn't known", padding)
	}
	return w, nil
}

// rows copies what the filter sees at the output pixels from..to, one row of fh*fw*c values for each; what lies outside the image is zero.
func (w *window) rows(in []float32, from, to int, out []float32) {
	k := w.fw * w.c
	for p := from; p < to; p++ {
		item, y, x := p/(w.oh*w.ow), p/w.ow%w.oh, p%w.ow
		row := out[(p-from)*w.fh*k:]
		left := x*w.sw - w.left
		skip, end := max(0, -left), min(w.fw, w.w-left)
		for fy := range w.fh {
			line := row[fy*k : fy*k+k]
			iy := y*w.sh - w.top + fy
			if iy < 0 || iy >= w.h || end <= skip {
				clear(line)
				continue
			}
			clear(line[:skip*w.c])
			copy(line[skip*w.c:end*w.c], in[((item*w.h+iy)*w.w+left+skip)*w.c:])
			clear(line[end*w.c:])
		}
	}
}

// fused reads what a node says is to follow its sum: a bias, an activation. extra are the node's inputs after the filter.
func (n *nodeDef) fused(e *epilogue, extra []*value) error {
	ops, err := n.attrStrings("fused_ops")
	if err != nil {
		return err
	}
	next := func() ([]float32, error) {
		if len(extra) == 0 || extra[0].data == nil {
			return nil, fmt.Errorf("a constant for %v is missing", ops)
		}
		v := extra[0].data
		extra = extra[1:]
		return v, nil
	}
	for _, op := range ops {
		var v []float32
		ok := true
		switch op {
		case "BiasAdd":
			if v, err = next(); err == nil {
				ok = e.shift(v)
			}
		case "Prelu":
			if v, err = next(); err == nil {
				ok = e.leak(v)
			}
		case "Relu":
			ok = e.clamp(0, e.hi)
		case "Relu6":
			ok = e.clamp(0, 6)
		default:
			return fmt.Errorf("%q after the sum isn't known", op)
		}
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%s doesn't fit %d channels", op, e.channels)
		}
	}
	if len(extra) != 0 {
		return fmt.Errorf("%d inputs too many", len(extra))
	}
	return nil
}

// conv is a convolution: a matrix product of what the filter sees at each pixel with the filter's weights.
func (b *builder) conv(n *nodeDef, in []*value) (*value, error) {
	f := in[1].shape
	if len(f) != 4 {
		return nil, fmt.Errorf("a filter has four dimensions, not %v", f)
	}
	w, err := n.window(in[0].shape, f[0], f[1])
	if err != nil {
		return nil, err
	}
	if f[2] != w.c {
		return nil, fmt.Errorf("a filter for %d channels on %d", f[2], w.c)
	}
	return b.product(n, in, []int{w.n, w.oh, w.ow, f[3]}, w)
}

// matmul is a product of a computed matrix with a constant one.
func (b *builder) matmul(n *nodeDef, in []*value) (*value, error) {
	s, f := in[0].shape, in[1].shape
	for _, name := range []string{"transpose_a", "transpose_b"} {
		if t, err := n.attrBool(name); err != nil || t {
			return nil, fmt.Errorf("%s isn't known (%v)", name, err)
		}
	}
	if len(s) != 2 || len(f) != 2 || s[1] != f[0] {
		return nil, fmt.Errorf("%v by %v isn't possible", s, f)
	}
	return b.product(n, in, []int{s[0], f[1]}, window{n: s[0], h: 1, w: 1, c: s[1], fh: 1, fw: 1, sh: 1, sw: 1, oh: 1, ow: 1})
}

// product adds the step of a matrix product with in[1].
func (b *builder) product(n *nodeDef, in []*value, shape []int, w window) (*value, error) {
	k, cols := w.fh*w.fw*w.c, shape[len(shape)-1]
	if k > maxElements/tileRows/64 {
		return nil, fmt.Errorf("a filter of %d values is too large", k)
	}
	fin := newEpilogue(cols, true, nil)
	if err := n.fused(fin, in[2:]); err != nil {
		return nil, err
	}
	v, s, err := b.add(n, shape, in[:1], nil)
	if err != nil {
		return nil, err
	}
	weights := in[1].data
	fin.complete = func(e *epilogue) {
		p := newProduct(w, weights, k, cols, e)
		s.run = func(in [][]float32, out []float32) { p.run(in[0], out) }
	}
	s.fin = fin
	return v, nil
}

// depthwise is a convolution of each channel by itself.
func (b *builder) depthwise(n *nodeDef, in []*value) (*value, error) {
	f := in[1].shape
	if len(f) != 4 || f[3] != 1 {
		return nil, fmt.Errorf("only one filter for each channel is known, not %v", f)
	}
	w, err := n.window(in[0].shape, f[0], f[1])
	if err != nil {
		return nil, err
	}
	if f[2] != w.c {
		return nil, fmt.Errorf("a filter for %d channels on %d", f[2], w.c)
	}
	fin := newEpilogue(w.c, true, nil)
	if err := n.fused(fin, in[2:]); err != nil {
		return nil, err
	}
	v, s, err := b.add(n, []int{w.n, w.oh, w.ow, w.c}, in[:1], nil)
	if err != nil {
		return nil, err
	}
	weights := in[1].data
	fin.complete = func(e *epilogue) {
		d := newDepth(w, weights, e)
		s.run = func(in [][]float32, out []float32) { d.run(in[0], out) }
	}
	s.fin = fin
	return v, nil
}

// poolOp is a kind of pooling by what it does with the output rows from..to.
func poolOp(rows func(w *window, in []float32, from, to int, out []float32)) func(b *builder, n *nodeDef, in []*value) (*value, error) {
	return func(b *builder, n *nodeDef, in []*value) (*value, error) {
		k, err := n.attrInts("ksize")
		if err != nil {
			return nil, err
		}
		if len(k) != 4 || k[0] != 1 || k[3] != 1 || k[1] < 1 || k[2] < 1 || k[1] > 64 || k[2] > 64 {
			return nil, fmt.Errorf("a window of %v isn't known", k)
		}
		w, err := n.window(in[0].shape, k[1], k[2])
		if err != nil {
			return nil, err
		}
		v, _, err := b.add(n, []int{w.n, w.oh, w.ow, w.c}, in, func(in [][]float32, out []float32) {
			parallel(w.n*w.oh, func(from, to int) { rows(&w, in[0], from, to, out) })
		})
		return v, err
	}
}

// visit calls f with each output pixel of the rows from..to and each input pixel it sees, first telling the first of them.
func (w *window) visit(in []float32, from, to int, out []float32, f func(o, px []float32, first bool)) {
	for r := from; r < to; r++ {
		item, y := r/w.oh, r%w.oh
		for x := range w.ow {
			o := out[(r*w.ow+x)*w.c:][:w.c]
			first := true
			for iy := max(0, y*w.sh-w.top); iy < min(w.h, y*w.sh-w.top+w.fh); iy++ {
				for ix := max(0, x*w.sw-w.left); ix < min(w.w, x*w.sw-w.left+w.fw); ix++ {
					f(o, in[((item*w.h+iy)*w.w+ix)*w.c:][:w.c], first)
					first = false
				}
			}
		}
	}
}

// maxRows pools the output rows from..to to the largest.
func (w *window) maxRows(in []float32, from, to int, out []float32) {
	w.visit(in, from, to, out, func(o, px []float32, first bool) {
		if first {
			copy(o, px)
			return
		}
		for i, v := range px {
			o[i] = max(o[i], v)
		}
	})
}

// meanRows pools the output rows from..to to the mean of what lies inside the image.
func (w *window) meanRows(in []float32, from, to int, out []float32) {
	w.visit(in, from, to, out, func(o, px []float32, first bool) {
		if first {
			clear(o)
		}
		for i, v := range px {
			o[i] += v
		}
	})
	for r := from; r < to; r++ {
		y := r % w.oh
		rows := min(w.h, y*w.sh-w.top+w.fh) - max(0, y*w.sh-w.top)
		for x := range w.ow {
			columns := min(w.w, x*w.sw-w.left+w.fw) - max(0, x*w.sw-w.left)
			for i := range w.c {
				out[(r*w.ow+x)*w.c+i] /= float32(rows * columns)
			}
		}
	}
}
