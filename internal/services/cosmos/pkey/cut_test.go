package pkey

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCuts(t *testing.T) {
	t.Parallel()
	v2 := Definition{Paths: []string{"/pk"}, Kind: "Hash", Version: 2}
	want := []string{"15555555555555555555555555555555", "2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	if d := cmp.Diff(want, v2.Cuts(3)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"}, v2.Cuts(2)); d != "" {
		t.Error(d)
	}
	if got := v2.Cuts(1); len(got) != 0 {
		t.Errorf("one range has the cuts %v", got)
	}
}

// TestCuts_Even: keys fall evenly into the ranges, and each half of a range gets about half of its keys.
func TestCuts_Even(t *testing.T) {
	t.Parallel()
	const keys, n = 20_000, 5
	for _, d := range []Definition{
		{Paths: []string{"/pk"}, Kind: "Hash", Version: 1},
		{Paths: []string{"/pk"}, Kind: "Hash", Version: 2},
		{Paths: []string{"/a", "/b"}, Kind: "MultiHash", Version: 2},
	} {
		cuts := append(d.Cuts(n), MaxEPK)
		middles := make([]string, n)
		low := MinEPK
		for i, high := range cuts {
			m, ok := d.Middle(low, high)
			if !ok {
				t.Fatalf("%+v: no middle of %q and %q", d, low, high)
			}
			middles[i], low = m, high
		}
		var first, second [n]int
		for i := range keys {
			k := Key{StringValue(fmt.Sprint("key ", i))}
			if d.Kind == "MultiHash" {
				k = append(k, NumberValue(float64(i%7)))
			}
			epk, at := k.EPK(d), 0
			for epk >= cuts[at] {
				at++
			}
			if epk < middles[at] {
				first[at]++
			} else {
				second[at]++
			}
		}
		for i := range first {
			for _, got := range []int{first[i], second[i]} {
				if want := keys / n / 2; got < want*85/100 || got > want*115/100 {
					t.Errorf("%+v: half of range %d got %d of %d keys", d, i, got, want)
				}
			}
		}
	}
}

func TestMiddle_NoRoom(t *testing.T) {
	t.Parallel()
	d := Definition{Paths: []string{"/pk"}, Kind: "Hash", Version: 2}
	for _, r := range [][2]string{{"", "00000000000000000000000000000001"}, {"05", "05"}, {"2", "3"}, {"x", "FF"}} {
		if m, ok := d.Middle(r[0], r[1]); ok {
			t.Errorf("%q: middle %q", r, m)
		}
	}
}
