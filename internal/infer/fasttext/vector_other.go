//go:build !amd64 || purego

package fasttext

// vectors says whether there is more than portable Go: not on this processor.
func vectors() bool { return false }

func sumFast(sum, dense []float32, dim int, rows []int32) { sumGeneric(sum, dense, dim, rows) }

func extendFast(hash, first, second, third []uint32, most int) {
	extendGeneric(hash, first, second, third, most)
}

func narrowFast(inside, open []uint32) {
	for i := range inside {
		inside[i] &= open[i]
	}
}

func keepFast(hashes, inside []uint32, g *grams, out []int32) int {
	return keepGeneric(hashes, inside, g, out)
}

func multiplyFast(across, hidden, into []float32) { multiplyGeneric(across, hidden, into) }

func spreadFast(text []byte, bytes int, to []uint32, stride int, blanks []uint64) (n, most int, ok bool) {
	return spreadGeneric(text, bytes, to, stride, blanks)
}

func sum24Fast(*[32]int16, []int8, []int32) { panic("there are no vectors") }

func rankFast(out []int32, g *grams, base int32) { rankGeneric(out, g, base) }

func widenFast(inside, letters []uint32) {
	for i := range inside {
		inside[i] |= letters[i]
	}
}
