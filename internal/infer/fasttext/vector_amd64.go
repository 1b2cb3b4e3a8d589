//go:build amd64 && !purego

package fasttext

import "golang.org/x/sys/cpu"

// vectors says whether the processor has the instructions of vector_amd64.s.
func vectors() bool { return cpu.X86.HasAVX2 && cpu.X86.HasBMI2 && cpu.X86.HasPOPCNT }

// sumFast is sumGeneric in AVX2, for a length that 8 divides. Rows must be of dense.
func sumFast(sum, dense []float32, dim int, rows []int32) {
	if len(rows) == 0 {
		return
	}
	at := 0
	for ; at+16 <= len(sum); at += 16 {
		sum16AVX2(&dense[at], dim, &rows[0], len(rows), &sum[at])
	}
	if at < len(sum) {
		sum8AVX2(&dense[at], dim, &rows[0], len(rows), &sum[at])
	}
}

//go:noescape
func sum16AVX2(dense *float32, dim int, rows *int32, n int, sum *float32)

//go:noescape
func sum8AVX2(dense *float32, dim int, rows *int32, n int, sum *float32)

// extendFast is extendGeneric in AVX2.
func extendFast(hash, first, second, third []uint32, most int) {
	n := len(hash)
	if n == 0 {
		return
	}
	_, _, _ = first[n-1], second[n-1], third[n-1]
	extendAVX2(&hash[0], &first[0], &second[0], &third[0], n, most)
}

// narrowFast is narrow in AVX2.
func narrowFast(inside, letters []uint32) {
	n := len(inside)
	if n == 0 {
		return
	}
	_ = letters[n-1]
	narrowAVX2(&inside[0], &letters[0], n)
}

//go:noescape
func extendAVX2(hash, first, second, third *uint32, n, most int)

//go:noescape
func narrowAVX2(inside, letters *uint32, n int)

// order has, for each set of lanes, these lanes first: what puts the kept of eight numbers together.
var order = func() (t [256][lanes]uint32) {
	for set := range t {
		n := 0
		for lane := range uint32(lanes) {
			if set>>lane&1 != 0 {
				t[set][n] = lane
				n++
			}
		}
	}
	return t
}()

// keepFast is keepGeneric in AVX2. out has room for lanes more than hashes.
func keepFast(hashes, inside []uint32, g *grams, out []int32) int {
	n := len(hashes)
	if n == 0 {
		return 0
	}
	_, _ = inside[n-1], out[n+lanes-1]
	return keepAVX2(&hashes[0], &inside[0], n, &g.bits[0], &g.divide.bucket, &order[0][0], &out[0])
}

// keepAVX2 takes the divisor's numbers from bucket on.
//
//go:noescape
func keepAVX2(hashes, inside *uint32, n int, bits *uint64, divisor, order *uint32, out *int32) int

// multiplyFast is multiplyGeneric in AVX2, for a length that lanes divides.
func multiplyFast(across, hidden, into []float32) {
	if len(hidden) == 0 || len(into) == 0 {
		return
	}
	_ = across[len(hidden)*len(into)-1]
	multiplyAVX2(&across[0], &hidden[0], len(hidden), &into[0], len(into))
}

//go:noescape
func multiplyAVX2(across, hidden *float32, dim int, into *float32, n int)

// spreadFast is spreadGeneric in AVX2. text has eleven bytes more than bytes, which lanes divides.
func spreadFast(text []byte, bytes int, to []uint32, stride int, blanks []uint64) (n, most int, ok bool) {
	_, _, _ = text[bytes+10], to[planes*stride-1], blanks[(bytes+63)/64-1]
	n, flags := spreadAVX2(&text[0], bytes, &to[0], stride, &blanks[0], &order[0][0])
	most = 1
	switch {
	case flags&2 != 0:
		most = 3
	case flags&1 != 0:
		most = 2
	}
	return n, most, flags&4 == 0
}

// spreadAVX2 returns flags: 1 for a character of two bytes, 2 for one of three, 4 for what it can't do.
//
//go:noescape
func spreadAVX2(text *byte, bytes int, to *uint32, stride int, blanks *uint64, order *uint32) (n, flags int)

// sum24Fast adds up at most most16 rows of 24 bytes.
func sum24Fast(sum *[32]int16, bytes []int8, rows []int32) {
	sum24AVX2(&bytes[0], &rows[0], len(rows), sum)
}

//go:noescape
func sum24AVX2(bytes *int8, rows *int32, n int, sum *[32]int16)

// rankFast is rankGeneric in machine code.
func rankFast(out []int32, g *grams, base int32) {
	rankBMI2(&out[0], len(out), &g.bits[0], &g.before[0], base)
}

//go:noescape
func rankBMI2(out *int32, n int, bits *uint64, before *uint32, base int32)

// widenFast is widen in AVX2.
func widenFast(inside, letters []uint32) {
	n := len(inside)
	if n == 0 {
		return
	}
	_ = letters[n-1]
	widenAVX2(&inside[0], &letters[0], n)
}

//go:noescape
func widenAVX2(inside, letters *uint32, n int)
