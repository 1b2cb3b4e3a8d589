package pkey

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// Bits of the hashes of both versions.
const (
	bitsV1 = 32
	bitsV2 = 126
)

// isV1 tells whether EPKs begin with an encoded number instead of a hash.
func (d Definition) isV1() bool { return d.Kind != "MultiHash" && d.Version != 2 }

// Cuts are the n-1 EPKs that divide the hash space of a container into n equal ranges, in order.
func (d Definition) Cuts(n int) []string {
	out := make([]string, 0, max(n-1, 0))
	top := d.top()
	for i := 1; i < n; i++ {
		at := new(big.Int).Mul(top, big.NewInt(int64(i)))
		out = append(out, d.boundary(at.Div(at, big.NewInt(int64(n)))))
	}
	return out
}

// Middle is the EPK that divides the range [low, high) of two boundaries into equal halves. ok is false where there is no room for two.
func (d Definition) Middle(low, high string) (middle string, ok bool) {
	lo, err := d.position(low)
	if err != nil {
		return "", false
	}
	hi, err := d.position(high)
	if err != nil {
		return "", false
	}
	at := new(big.Int).Add(lo, hi)
	at.Rsh(at, 1)
	return d.boundary(at), lo.Cmp(at) < 0 && at.Cmp(hi) < 0
}

func (d Definition) top() *big.Int {
	bits := uint(bitsV2)
	if d.isV1() {
		bits = bitsV1
	}
	one := big.NewInt(1)
	top := new(big.Int).Lsh(one, bits)
	return top.Sub(top, one)
}

// boundary is the EPK at a place of the hash space.
func (d Definition) boundary(at *big.Int) string {
	if d.isV1() {
		return upperHex(NumberValue(float64(at.Uint64())).appendBinary(nil))
	}
	return upperHex(at.FillBytes(make([]byte, 16)))
}

// position undoes boundary.
func (d Definition) position(epk string) (*big.Int, error) {
	switch epk {
	case MinEPK:
		return new(big.Int), nil
	case MaxEPK:
		return d.top(), nil
	}
	b, err := hex.DecodeString(strings.ToLower(epk))
	if err != nil || len(b) < 2 {
		return nil, fmt.Errorf("pkey: %q is no boundary of a range", epk)
	}
	if !d.isV1() {
		return new(big.Int).SetBytes(b[:min(len(b), 16)]), nil
	}
	f := orderedNumber(b[1:])
	if b[0] != byte(Number) || f < 0 || f > math.MaxUint32 || f != math.Trunc(f) {
		return nil, fmt.Errorf("pkey: %q is no boundary of a range", epk)
	}
	return new(big.Int).SetUint64(uint64(f)), nil
}

// orderedNumber undoes appendOrderedNumber for numbers of 0 and above.
func orderedNumber(b []byte) float64 {
	p, shift := uint64(b[0])<<56, 49
	for _, c := range b[1:] {
		if shift > 0 {
			p |= uint64(c>>1) << shift
		} else {
			p |= uint64(c>>1) >> -shift
		}
		if shift -= 7; c&1 == 0 || shift <= -7 {
			break
		}
	}
	return math.Float64frombits(p ^ 1<<63)
}

// Width is how much of the hash space a range of two boundaries has, in a unit of its own.
func (d Definition) Width(low, high string) float64 {
	lo, errLow := d.position(low)
	hi, errHigh := d.position(high)
	if errLow != nil || errHigh != nil {
		return 0
	}
	w, _ := new(big.Float).SetInt(hi.Sub(hi, lo)).Float64()
	return w
}

// Between is an EPK above low, and not above high, near the middle of the two: a boundary that has one of two documents' keys on each side. ok is false
// where they are in one logical partition.
func (d Definition) Between(low, high string) (middle string, ok bool) {
	if d.isV1() {
		lo, errLow := d.position(low)
		hi, errHigh := d.position(high)
		if errLow != nil || errHigh != nil || lo.Cmp(hi) >= 0 {
			return "", false
		}
		at := new(big.Int).Add(lo, hi)
		return d.boundary(at.Add(at, big.NewInt(1)).Rsh(at, 1)), true
	}
	lo, errLow := hex.DecodeString(strings.ToLower(low))
	hi, errHigh := hex.DecodeString(strings.ToLower(high))
	if errLow != nil || errHigh != nil {
		return "", false
	}
	// As fractions of as many bytes as it takes to tell them apart.
	size := 0
	for size < len(lo) && size < len(hi) && lo[size] == hi[size] {
		size++
	}
	size = max(16, (size/16+1)*16)
	pad := func(b []byte) *big.Int {
		return new(big.Int).SetBytes(append(append(make([]byte, 0, size), b[:min(len(b), size)]...), make([]byte, max(size-len(b), 0))...))
	}
	first, last := pad(lo), pad(hi)
	if first.Cmp(last) >= 0 {
		return "", false
	}
	at := new(big.Int).Add(first, last)
	at.Add(at, big.NewInt(1)).Rsh(at, 1)
	return upperHex(at.FillBytes(make([]byte, size))), true
}
