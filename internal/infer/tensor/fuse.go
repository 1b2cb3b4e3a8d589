package tensor

import "math"

// epilogue is what happens to each value of a step's result before it's stored: for convolutions scale and shift by channel, then an activation.
type epilogue struct {
	channels int
	scale    []float32 // nil: 1; only convolutions, whose weights it is multiplied into when the step is finished
	bias     []float32 // nil: 0
	slope    []float32 // nil: 1
	lo, hi   float32
	linear   bool // no activation yet, so that scale and shift may still follow
	affine   bool // the step can take scale and shift at all
	complete func(*epilogue)
}

func newEpilogue(channels int, affine bool, complete func(*epilogue)) *epilogue {
	return &epilogue{channels: channels, lo: float32(math.Inf(-1)), hi: float32(math.Inf(1)), linear: true, affine: affine, complete: complete}
}

func (e *epilogue) finish() finish { return finish{slope: e.slope, lo: e.lo, hi: e.hi} }

// shift adds a value per channel, or one for all; false when it can't.
func (e *epilogue) shift(v []float32) bool {
	if !e.affine || !e.linear || len(v) != e.channels && len(v) != 1 {
		return false
	}
	sum := make([]float32, e.channels)
	copy(sum, e.bias)
	for i := range sum {
		sum[i] += v[i%len(v)]
	}
	e.bias = sum
	return true
}

// times multiplies by a value per channel, or one for all.
func (e *epilogue) times(v []float32) bool {
	if !e.affine || !e.linear || len(v) != e.channels && len(v) != 1 {
		return false
	}
	scale, bias := make([]float32, e.channels), make([]float32, e.channels)
	copy(bias, e.bias)
	for i := range scale {
		scale[i] = v[i%len(v)]
		bias[i] *= scale[i]
		if e.scale != nil {
			scale[i] *= e.scale[i]
		}
	}
	e.scale = scale
	if e.bias != nil {
		e.bias = bias
	}
	return true
}

// clamp holds values between lo and hi.
func (e *epilogue) clamp(lo, hi float32) bool {
	e.linear = false
	e.lo, e.hi = min(max(e.lo, lo), hi), min(max(e.hi, lo), hi)
	return true
}

// leak multiplies what is below zero by a slope per channel.
func (e *epilogue) leak(slope []float32) bool {
	if !e.linear || len(slope) != e.channels && len(slope) != 1 {
		return false
	}
	e.linear = false
	e.slope = make([]float32, e.channels)
	for i := range e.slope {
		e.slope[i] = slope[i%len(slope)]
	}
	return true
}

// finish lets the step put its epilogue to work, once nothing more will be added to it.
func (s *step) finish() {
	if s.fin != nil {
		s.fin.complete(s.fin)
	}
}

// fuse takes single-reader element-wise steps with constant operands into the step before them.
func (b *builder) fuse() {
	kept := b.steps[:0]
	for _, s := range b.steps {
		if !b.takeOver(s) {
			kept = append(kept, s)
		}
	}
	b.steps = kept
}

// takeOver tries to hand s to the step that makes its first input.
func (b *builder) takeOver(s *step) bool {
	e, ok := b.after[s]
	if !ok {
		return false
	}
	src := s.in[0].root()
	if src.made == nil || src.made.fin == nil || src.users != 1 || !e(src.made.fin) {
		return false
	}
	// What s would have written is now what the step before writes; a shape in between (an alias) is only a way to see it.
	s.out.of, s.out.made = src, nil
	src.users = s.out.users
	return true
}
