package benchbar

import "testing"

var sink []byte

func TestAllocs(t *testing.T) {
	for _, c := range []struct {
		most float64
		over bool
	}{{11, false}, {9, true}} {
		var got float64
		var over bool
		testing.Benchmark(func(b *testing.B) {
			bar := Start(b)
			for range b.N {
				for range 10 {
					sink = make([]byte, 64)
				}
			}
			got, over = bar.over(c.most)
		})
		if over != c.over {
			t.Errorf("%.2f allocations against a bar of %g: over = %t; want %t", got, c.most, over, c.over)
		}
	}
}
