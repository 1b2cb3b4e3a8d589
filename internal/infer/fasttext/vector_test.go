package fasttext

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// needVectors skips where there is nothing but portable Go.
func needVectors(t *testing.T) {
	t.Helper()
	if !vectors() {
		t.Skip("this processor has only the portable way")
	}
}

var odd = []string{
	"", " ", "a", " a ", "ab  cd\tef\vgh\x00ij\rkl", "déjà vu", "привет, мир", "漢字 かな", "x’y – z", "a\x80b", "\xff\xfe \xc3", "😀 ok", "\xe4\xb8", "two\nlines",
	"__label__red", "say __label__unknown no", "a </s> b", strings.Repeat("long ", 100), strings.Repeat("ё", 70), "한국어 ไทย हिन्दी", "ẞǅŉ", "\u00a0x\u2028",
}

// TestSpread_Vectors: what is told of characters is the same in both ways.
func TestSpread_Vectors(t *testing.T) {
	needVectors(t)
	for _, text := range odd {
		var a, b scratch
		a.take(text)
		b.take(text)
		size := (len(a.text) - pad + lanes) &^ (lanes - 1)
		stride := size + 2*lanes
		fast, generic := make([]uint32, planes*stride), make([]uint32, planes*stride)
		fastBlanks, genericBlanks := make([]uint64, size/64+1), make([]uint64, size/64+1)
		n, most, ok := spreadFast(a.text, size, fast, stride, fastBlanks)
		n2, most2, ok2 := spreadGeneric(b.text, size, generic, stride, genericBlanks)
		if ok != ok2 || ok && (n != n2 || most != most2) {
			t.Fatalf("%q: %d characters of %d bytes, %v; want %d, %d, %v", text, n, most, ok, n2, most2, ok2)
		}
		if !ok {
			continue
		}
		for p := range planes {
			if d := cmp.Diff(generic[p*stride:][:n], fast[p*stride:][:n]); d != "" {
				t.Errorf("%q, plane %d: %s", text, p, d)
			}
		}
		if d := cmp.Diff(genericBlanks, fastBlanks); d != "" {
			t.Errorf("%q: blanks %s", text, d)
		}
	}
}

// TestHashes_Vectors: hashes, and what is kept of them, are the same in both ways, with buckets of each kind.
func TestHashes_Vectors(t *testing.T) {
	needVectors(t)
	r := rand.New(rand.NewPCG(1, 1))
	const n = 64
	words := func(zero bool) []uint32 {
		out := make([]uint32, n)
		for i := range out {
			if !zero || r.IntN(2) == 0 {
				out[i] = r.Uint32()
			}
		}
		return out
	}
	for most := 1; most <= 3; most++ {
		hash, first, second, third := words(false), words(false), words(true), words(true)
		want := slices.Clone(hash)
		extendGeneric(want, first, second, third, most)
		extendFast(hash, first, second, third, most)
		if d := cmp.Diff(want, hash); d != "" {
			t.Errorf("characters of %d bytes: %s", most, d)
		}
	}
	for _, bucket := range []int32{64, 1 << 21, 2_000_000, 1000, 96, 123_456_78, 1<<27 - 2} {
		g := newGrams(args{Bucket: bucket, MinN: 1, MaxN: 3})
		if !g.divide.ok {
			t.Fatalf("%d buckets have no divisor", bucket)
		}
		kept := map[int32]bool{}
		hashes, inside := words(false), make([]uint32, n)
		hashes[0], hashes[1], hashes[2], hashes[3] = 0, 1<<32-1, uint32(bucket), uint32(bucket)-1
		for i, h := range hashes {
			if got, want := g.divide.mod(h), h%uint32(bucket); got != want {
				t.Errorf("%d modulo %d is %d; want %d", h, bucket, got, want)
			}
			inside[i] = r.Uint32() & 1
			if r.IntN(3) > 0 {
				kept[int32(h%uint32(bucket))] = true
			}
		}
		var all []int32
		for b := range kept {
			all = append(all, b)
		}
		if !g.keep(all) {
			t.Fatal("a bucket came twice")
		}
		want, got := make([]int32, n+lanes), make([]int32, n+lanes)
		wantN, gotN := keepGeneric(hashes, inside, &g, want), keepFast(hashes, inside, &g, got)
		if d := cmp.Diff(want[:wantN], got[:gotN]); d != "" || wantN == 0 {
			t.Errorf("%d buckets: %s", bucket, d)
		}
		rows := g.rows(hashes, inside, nil, 7)
		for i, b := range want[:wantN] {
			if row := g.slot(uint32(b)) + 7; i >= len(rows) || rows[i] != row {
				t.Fatalf("%d buckets: row %v for %d; want %d", bucket, rows, b, row)
			}
		}
	}
}

// TestSums_Vectors: sums and products are the same in both ways, bit by bit.
func TestSums_Vectors(t *testing.T) {
	needVectors(t)
	r := rand.New(rand.NewPCG(2, 1))
	for _, dim := range []int{8, 16, 24, 40} {
		dense, rows := make([]float32, 100*dim), make([]int32, 777)
		for i := range dense {
			dense[i] = float32(r.NormFloat64())
		}
		for i := range rows {
			rows[i] = r.Int32N(100)
		}
		want, got := make([]float32, dim), make([]float32, dim)
		sumGeneric(want, dense, dim, rows)
		sumFast(got, dense, dim, rows)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("rows of %d: %s", dim, d)
		}
		want, got = make([]float32, 72), make([]float32, 72)
		multiplyGeneric(dense[:72*8], dense[:8], want)
		multiplyFast(dense[:72*8], dense[:8], got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("products: %s", d)
		}
	}
	bytes, rows := make([]int8, 100*len24), make([]int32, 3*most16+5)
	for i := range bytes {
		bytes[i] = int8(r.IntN(255) - 127)
	}
	for i := range rows {
		rows[i] = r.Int32N(2) // the same rows again and again reach the ends of sixteen bits
	}
	units := slices.Repeat([]float32{0.5}, len24)
	got, want := make([]float32, len24), make([]float32, len24)
	sumBytes(got, bytes, units, rows)
	for _, row := range rows {
		for j := range want {
			want[j] += 0.5 * float32(bytes[int(row)*len24+j])
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("bytes: %s", d)
	}
}

func TestExp(t *testing.T) {
	for x := -100.0; x < 100; x += 0.0137 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-10*want {
			t.Fatalf("exp %g is %g; want %g", x, got, want)
		}
	}
}

// sameRows compares the rows that the fast and the slow way find, in whatever order.
func sameRows(t *testing.T, m *Model, text string) {
	t.Helper()
	var s scratch
	got := slices.Clone(m.features(text, nil, &s))
	line, _, _ := strings.Cut(text, "\n")
	want := m.slow(line, nil, &s)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%q: rows %v; want %v", text, got, want)
	}
}

func TestFeatures_Ways(t *testing.T) {
	for _, keep := range []int{0, 300} {
		m := trained(t, Softmax, keep)
		for _, text := range odd {
			sameRows(t, m, text)
		}
	}
}

func FuzzFeatures(f *testing.F) {
	for _, text := range odd {
		f.Add(text)
	}
	all, some := trained(f, Softmax, 0), trained(f, HierarchicalSoftmax, 300)
	f.Fuzz(func(t *testing.T, text string) {
		sameRows(t, all, text)
		sameRows(t, some, text)
	})
}

// TestCompact: rows of bytes give nearly the same probabilities.
func TestCompact(t *testing.T) {
	o := small()
	o.Dim, o.Keep, o.Retrain = len24, 300, 2000
	m, err := Train(colours(), o)
	if err != nil {
		t.Fatal(err)
	}
	c := m.Compact()
	if err := c.Write(nil); err == nil {
		t.Error("a compact model was written")
	}
	p, q := m.NewPredictor(), c.NewPredictor()
	for _, text := range []string{"abc dea", "jgh", "äk nom", strings.Repeat("abcde fgh ", 300)} {
		a, x := p.Best(text)
		b, y := q.Best(text)
		if a != b || x-y > 0.02 || y-x > 0.02 {
			t.Errorf("%q: label %d with %.4f; want %d with %.4f", text, b, y, a, x)
		}
	}
}
