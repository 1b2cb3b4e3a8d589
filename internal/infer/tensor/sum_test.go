package tensor

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestSums: a sum of two computed values, with what follows it taken over: nothing, a slope for each channel, bounds.
func TestSums(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []int{1, 3, 8, 19} {
		for _, pixels := range []int{1, 7, sumAlone/c + 5} {
			in, slope := randoms(r, pixels*c), randoms(r, c)
			for _, after := range []string{"", "Prelu", "Relu6", "Relu"} {
				n := &net{}
				x := n.input(-1, pixels, 1, c)
				out := n.node("Add", "sum", nil, x, n.node("Maximum", "most", nil, x, n.floats("quarter", []int{1}, []float32{0.25})))
				want := make([]float32, len(in))
				for i, v := range in {
					v += max(v, 0.25)
					switch after {
					case "Prelu":
						if v < 0 {
							v *= slope[i%c]
						}
					case "Relu6":
						v = min(max(v, 0), 6)
					case "Relu":
						v = max(v, 0)
					}
					want[i] = v
				}
				switch after {
				case "":
				case "Prelu":
					out = n.node(after, "out", nil, out, n.floats("slope", []int{1, 1, c}, slope))
				default:
					out = n.node(after, "out", nil, out)
				}
				near(t, fmt.Sprintf("%d channels, %d pixels, then %q", c, pixels, after), run(t, n, 1, in, out)[0], want, 1)
			}
		}
	}
}
