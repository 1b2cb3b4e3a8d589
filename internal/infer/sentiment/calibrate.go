package sentiment

import "math"

// warmth turns a language's two pulls into ones whose shares say how often they are right: Platt's scaling of both classes, and what a pull to either
// side means for neutral.
type warmth [5]float64

// apply is the pulls as calibrated: towards positive, and towards neutral.
func (w *warmth) apply(p, n float64) (polarity, neutral float64) {
	return w[0]*p + w[1], w[2]*n + w[3]*math.Abs(p) + w[4]
}

// trial is what a model that hadn't seen an example made of it, and its label (0 negative, 1 neutral, 2 positive).
type trial struct {
	p, n  float64
	label int
	fold  int
}

// report tells how the trials went: each fold with the warmth of the others, as the finished model does on texts that it hasn't seen.
func report(language string, trials []trial, o Options) {
	if len(trials) == 0 {
		return
	}
	var q Quality
	for fold := range o.Folds {
		w := fit(trials, fold)
		for _, t := range trials {
			if t.fold == fold {
				q.Add(shares(w.apply(t.p, t.n)), t.label-1)
			}
		}
	}
	o.Report("%s: %v\n", language, &q)
}

// fit is the warmth by which the trials of all folds but one are likeliest, found by Newton's method; where nothing tells, it leaves the pulls as they are.
func fit(trials []trial, but int) warmth {
	const size = len(warmth{})
	start := warmth{1, 0, 1, 0, 0}
	at := start
	for range 30 {
		var grad [size]float64
		var hess [size][size]float64
		for i := range at {
			grad[i], hess[i][i] = at[i]-start[i], 1 // a weak pull to where it began
		}
		for _, t := range trials {
			if t.fold == but {
				continue
			}
			s := shares(at.apply(t.p, t.n))
			share := [3]float64{s.Negative, s.Neutral, s.Positive}
			slope := [3][size]float64{{-t.p, -1}, {0, 0, t.n, math.Abs(t.p), 1}, {t.p, 1}}
			var mean [size]float64
			for c := range slope {
				for i := range mean {
					mean[i] += share[c] * slope[c][i]
				}
			}
			for i := range mean {
				grad[i] += mean[i] - slope[t.label][i]
				for k := range mean {
					for c := range slope {
						hess[i][k] += share[c] * (slope[c][i] - mean[i]) * (slope[c][k] - mean[k])
					}
				}
			}
		}
		for i, v := range solve(hess, grad) {
			at[i] -= max(-0.5, min(0.5, v))
		}
	}
	return at
}

// solve finds x of a*x = b, for a positive definite a.
func solve(a [len(warmth{})][len(warmth{})]float64, b [len(warmth{})]float64) [len(warmth{})]float64 {
	for i := range b {
		for k := i + 1; k < len(b); k++ {
			f := a[k][i] / a[i][i]
			for j := i; j < len(b); j++ {
				a[k][j] -= f * a[i][j]
			}
			b[k] -= f * b[i]
		}
	}
	for i := len(b) - 1; i >= 0; i-- {
		for j := i + 1; j < len(b); j++ {
			b[i] -= a[i][j] * b[j]
		}
		b[i] /= a[i][i]
	}
	return b
}
