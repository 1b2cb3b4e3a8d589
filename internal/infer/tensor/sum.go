package tensor

import "math"

// sum adds two values of one shape and finishes what comes out, channel by channel.
type sum struct {
	depth        // a filter of one tap and weight 1: its kernels do the finishing, in place
	plain   bool // nothing to finish
	channel int
}

// sumAlone is how many values are added by one processor: fewer aren't worth the parting.
const sumAlone = 1 << 14

// newSum makes one of what follows it.
func newSum(channels int, e *epilogue) *sum {
	s := &sum{channel: channels, plain: e.slope == nil && math.IsInf(float64(e.lo), -1) && math.IsInf(float64(e.hi), 1)}
	ones := make([]float32, channels)
	for i := range ones {
		ones[i] = 1
	}
	s.depth = *newDepth(window{c: channels, sw: 1}, ones, e)
	return s
}

// run adds the two inputs; out may be either of them.
func (s *sum) run(in [][]float32, out []float32) {
	pixels := len(out) / s.channel
	some := func(from, to int) {
		from, to = from*s.channel, to*s.channel
		a, b, o := in[0][from:to], in[1][from:to], out[from:to]
		for i := range o {
			o[i] = a[i] + b[i]
		}
		if !s.plain && len(o) > 0 {
			s.pixels(len(o)/s.channel, o, taps{x: []int{0}, w: []int{0}}, o)
		}
	}
	if len(out) < sumAlone {
		some(0, pixels)
		return
	}
	parallel(pixels, some)
}
