package tensor

import (
	"fmt"
	"math"
	"slices"
)

// operation is what the builder knows of one kind of node.
type operation struct {
	inputs   int  // how many it has at least
	exact    bool // and at most
	computed int  // the first of them that must not be constants
	any      bool // whether the rest may be computed, too
	make     func(b *builder, n *nodeDef, in []*value) (*value, error)
}

// operations are the known kinds of nodes.
func operations() map[string]operation {
	conv := operation{inputs: 2, computed: 1, make: (*builder).conv}
	depth := operation{inputs: 2, computed: 1, make: (*builder).depthwise}
	matmul := operation{inputs: 2, computed: 1, make: (*builder).matmul}
	unary := func(make func(b *builder, n *nodeDef, in []*value) (*value, error)) operation {
		return operation{inputs: 1, exact: true, computed: 1, make: make}
	}
	binary := func(kind byte) operation {
		return operation{inputs: 2, exact: true, any: true, make: func(b *builder, n *nodeDef, in []*value) (*value, error) {
			return b.binary(n, kind, in[0], in[1])
		}}
	}
	return map[string]operation{
		"Conv2D":                     conv,
		"_FusedConv2D":               conv,
		"DepthwiseConv2dNative":      depth,
		"FusedDepthwiseConv2dNative": depth,
		"MatMul":                     matmul,
		"_FusedMatMul":               matmul,
		"Add":                        binary('+'),
		"AddV2":                      binary('+'),
		"BiasAdd":                    binary('+'),
		"Mul":                        binary('*'),
		"Minimum":                    binary('<'),
		"Maximum":                    binary('>'),
		"Prelu":                      {inputs: 2, exact: true, computed: 1, make: (*builder).prelu},
		"Relu":                       unary(clampOp(0, float32(math.Inf(1)))),
		"Relu6":                      unary(clampOp(0, 6)),
		"Sigmoid":                    unary((*builder).sigmoid),
		"Softmax":                    unary((*builder).softmax),
		"Identity":                   unary((*builder).identity),
		"Mean":                       {inputs: 2, exact: true, computed: 1, make: (*builder).mean},
		"Reshape":                    {inputs: 2, exact: true, computed: 1, make: (*builder).reshape},
		"Pad":                        {inputs: 2, exact: true, computed: 1, make: (*builder).pad},
		"MaxPool":                    unary(poolOp((*window).maxRows)),
		"AvgPool":                    unary(poolOp((*window).meanRows)),
		"ConcatV2":                   {inputs: 3, computed: 2, make: (*builder).concat},
	}
}

// alias is v under another shape of as many elements.
func alias(v *value, shape []int) *value { return &value{shape: slices.Clone(shape), of: v} }

func (b *builder) identity(_ *nodeDef, in []*value) (*value, error) {
	return alias(in[0], in[0].shape), nil
}

func (b *builder) reshape(_ *nodeDef, in []*value) (*value, error) {
	if len(in[1].data) > maxDims {
		return nil, fmt.Errorf("%d dimensions are too many", len(in[1].data))
	}
	total, known, open := in[0].size(), 1, -1
	var shape []int
	for i, f := range in[1].data {
		d := int(f)
		switch {
		case d == -1 && open < 0:
			open = i
		case d > 0 && known <= total/d:
			known *= d
		default:
			return nil, fmt.Errorf("%v can't become %v", in[0].shape, in[1].data)
		}
		shape = append(shape, d)
	}
	if open >= 0 {
		shape[open] = total / known
		known *= shape[open]
	}
	// The graphs were written for one item; the batch takes its place where it fits.
	if known != total && len(shape) > 0 && shape[0] == 1 && known*b.batch == total {
		shape[0], known = b.batch, total
	}
	if known != total {
		return nil, fmt.Errorf("%v can't become %v", in[0].shape, shape)
	}
	return alias(in[0], shape), nil
}

// elementwise adds a step that computes each value from the one at the same place.
func (b *builder) elementwise(n *nodeDef, in *value, f func(v float32, i int) float32) (*value, *step, error) {
	return b.add(n, in.shape, []*value{in}, func(in [][]float32, out []float32) {
		for i, v := range in[0] {
			out[i] = f(v, i)
		}
	})
}

func clampOp(lo, hi float32) func(b *builder, n *nodeDef, in []*value) (*value, error) {
	return func(b *builder, n *nodeDef, in []*value) (*value, error) { return b.clamp(n, in[0], lo, hi) }
}

func (b *builder) clamp(n *nodeDef, in *value, lo, hi float32) (*value, error) {
	v, s, err := b.elementwise(n, in, func(v float32, _ int) float32 { return min(max(v, lo), hi) })
	if err == nil {
		b.after[s] = func(e *epilogue) bool { return e.clamp(lo, hi) }
	}
	return v, err
}

// prelu multiplies what is below zero by a slope, one for each channel or, as some graphs have it, with leading dimensions of 1.
func (b *builder) prelu(n *nodeDef, in []*value) (*value, error) {
	slope := in[1].data
	if c := in[0].shape[len(in[0].shape)-1]; len(slope) != c {
		return nil, fmt.Errorf("%d slopes for %d channels", len(slope), c)
	}
	v, s, err := b.elementwise(n, in[0], func(v float32, i int) float32 {
		if v < 0 {
			v *= slope[i%len(slope)]
		}
		return v
	})
	if err == nil {
		b.after[s] = func(e *epilogue) bool { return e.leak(slope) }
	}
	return v, err
}

// binary combines two values of one shape, or one with a constant for each channel or for all.
func (b *builder) binary(n *nodeDef, kind byte, x, y *value) (*value, error) {
	if x.root().data != nil {
		x, y = y, x
	}
	if x.root().data != nil {
		return nil, fmt.Errorf("both of its inputs are constants")
	}
	f := map[byte]func(a, b float32) float32{
		'+': func(a, b float32) float32 { return a + b },
		'*': func(a, b float32) float32 { return a * b },
		'<': func(a, b float32) float32 { return min(a, b) },
		'>': func(a, b float32) float32 { return max(a, b) },
	}[kind]
	if y.root().data == nil {
		return b.pairwise(n, kind, x, y, f)
	}
	c := y.data
	if len(c) != 1 && len(c) != x.shape[len(x.shape)-1] {
		return nil, fmt.Errorf("%d values don't fit %v", len(c), x.shape)
	}
	v, s, err := b.elementwise(n, x, func(v float32, i int) float32 { return f(v, c[i%len(c)]) })
	if err != nil {
		return nil, err
	}
	inf := float32(math.Inf(1))
	switch {
	case kind == '+':
		b.after[s] = func(e *epilogue) bool { return e.shift(c) }
	case kind == '*':
		b.after[s] = func(e *epilogue) bool { return e.times(c) }
	case kind == '<' && len(c) == 1:
		b.after[s] = func(e *epilogue) bool { return e.clamp(-inf, c[0]) }
	case kind == '>' && len(c) == 1:
		b.after[s] = func(e *epilogue) bool { return e.clamp(c[0], inf) }
	}
	return v, nil
}

// pairwise combines two computed values; a sum takes a following activation over.
func (b *builder) pairwise(n *nodeDef, kind byte, x, y *value, f func(a, b float32) float32) (*value, error) {
	if !slices.Equal(x.shape, y.shape) {
		return nil, fmt.Errorf("%v and %v don't fit", x.shape, y.shape)
	}
	v, s, err := b.add(n, x.shape, []*value{x, y}, func(in [][]float32, out []float32) {
		for i, v := range in[0] {
			out[i] = f(v, in[1][i])
		}
	})
	if err != nil || kind != '+' {
		return v, err
	}
	channels := x.shape[len(x.shape)-1]
	s.fin = newEpilogue(channels, false, func(e *epilogue) { s.run = newSum(channels, e).run })
	return v, nil
}

func (b *builder) sigmoid(n *nodeDef, in []*value) (*value, error) {
	v, _, err := b.elementwise(n, in[0], func(v float32, _ int) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) })
	return v, err
}

func (b *builder) softmax(n *nodeDef, in []*value) (*value, error) {
	k := in[0].shape[len(in[0].shape)-1]
	v, _, err := b.add(n, in[0].shape, in, func(in [][]float32, out []float32) {
		for at := 0; at < len(out); at += k {
			row, res := in[0][at:at+k], out[at:at+k]
			top, sum := slices.Max(row), 0.0
			for i, v := range row {
				e := math.Exp(float64(v - top))
				res[i] = float32(e)
				sum += e
			}
			for i := range res {
				res[i] = float32(float64(res[i]) / sum)
			}
		}
	})
	return v, err
}

// mean is the average over rows and columns.
func (b *builder) mean(n *nodeDef, in []*value) (*value, error) {
	s := in[0].shape
	if len(s) != 4 || len(in[1].data) != 2 || in[1].data[0] != 1 || in[1].data[1] != 2 {
		return nil, fmt.Errorf("only a mean over rows and columns is known, not of %v over %v", s, in[1].data)
	}
	keep, err := n.attrBool("keep_dims")
	if err != nil {
		return nil, err
	}
	shape := []int{s[0], s[3]}
	if keep {
		shape = []int{s[0], 1, 1, s[3]}
	}
	area, c := s[1]*s[2], s[3]
	v, _, err := b.add(n, shape, in[:1], func(in [][]float32, out []float32) {
		clear(out)
		for item := range s[0] {
			sum := out[item*c : item*c+c]
			for p := range area {
				for i, v := range in[0][(item*area+p)*c:][:c] {
					sum[i] += v
				}
			}
			for i := range sum {
				sum[i] /= float32(area)
			}
		}
	})
	return v, err
}

// pad surrounds with zeros.
func (b *builder) pad(n *nodeDef, in []*value) (*value, error) {
	s, p := in[0].shape, in[1].data
	if len(s) != 4 || len(p) != 8 {
		return nil, fmt.Errorf("only four dimensions can be padded, not %v", s)
	}
	shape := make([]int, 4)
	for i := range shape {
		if p[2*i] < 0 || p[2*i+1] < 0 || p[2*i] > 4096 || p[2*i+1] > 4096 {
			return nil, fmt.Errorf("a padding of %v isn't possible", p)
		}
		shape[i] = s[i] + int(p[2*i]) + int(p[2*i+1])
	}
	if shape[0] != s[0] {
		return nil, fmt.Errorf("the batch can't be padded")
	}
	top, left, front := int(p[2]), int(p[4]), int(p[6])
	v, _, err := b.add(n, shape, in[:1], func(in [][]float32, out []float32) {
		clear(out)
		for item := range s[0] {
			for y := range s[1] {
				for x := range s[2] {
					from := ((item*s[1]+y)*s[2] + x) * s[3]
					to := ((item*shape[1]+y+top)*shape[2]+x+left)*shape[3] + front
					copy(out[to:to+s[3]], in[0][from:from+s[3]])
				}
			}
		}
	})
	return v, err
}

func (b *builder) concat(n *nodeDef, in []*value) (*value, error) {
	axis := in[len(in)-1]
	parts := in[:len(in)-1]
	if len(axis.data) != 1 {
		return nil, fmt.Errorf("its axis isn't a constant")
	}
	dims := len(parts[0].shape)
	a := int(axis.data[0])
	if a < 0 {
		a += dims
	}
	if a < 0 || a >= dims {
		return nil, fmt.Errorf("axis %v isn't one of %v", axis.data, parts[0].shape)
	}
	shape := slices.Clone(parts[0].shape)
	shape[a] = 0
	var run []int // of each part: how many elements lie together
	for _, p := range parts {
		if p.root().data != nil || len(p.shape) != dims {
			return nil, fmt.Errorf("%v doesn't fit", p.shape)
		}
		k := 1
		for i, d := range p.shape {
			if i != a && d != shape[i] {
				return nil, fmt.Errorf("%v doesn't fit %v", p.shape, parts[0].shape)
			}
			if i >= a {
				k *= d
			}
		}
		shape[a] += p.shape[a]
		run = append(run, k)
	}
	v, _, err := b.add(n, shape, parts, func(in [][]float32, out []float32) {
		for at, row := 0, 0; at < len(out); row++ {
			for i, k := range run {
				copy(out[at:at+k], in[i][row*k:])
				at += k
			}
		}
	})
	return v, err
}
