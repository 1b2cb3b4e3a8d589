//go:build amd64 && !purego

package fasttext

import "golang.org/x/sys/cpu"

// vectors says whether the processor has the instructions of vector_amd64.s.
func vectors() bool { return cpu.X86.HasAVX2 }

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
func narrowFast(inside, open []uint32) {
	n := len(inside)
	if n == 0 {
		return
	}
	_ = open[n-1]
	narrowAVX2(&inside[0], &open[0], n)
}

//go:noescape
func extendAVX2(hash, first, second, third *uint32, n, most int)

//go:noescape
func narrowAVX2(inside, open *uint32, n int)
