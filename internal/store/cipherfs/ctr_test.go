package cipherfs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"math/big"
	"testing"
)

// Wherever one starts, the keystream is that of one stream from the beginning, also where the counter carries over from its lower half, or
// wraps.
func TestCounter(t *testing.T) {
	t.Parallel()
	for name, first := range map[string][16]byte{
		"zero":            {},
		"carry":           {7: 5, 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xfe},
		"wrap":            [16]byte(bytes.Repeat([]byte{0xff}, 16)),
		"carry, low byte": {15: 0xff},
	} {
		block, err := aes.NewCipher(bytes.Repeat([]byte{3}, 32))
		if err != nil {
			t.Fatal(err)
		}
		c := &content{block: block, first: first}
		want := make([]byte, 1000)
		cipher.NewCTR(block, first[:]).XORKeyStream(want, want)
		for off := range 600 {
			for _, n := range []int{0, 1, 16, 33, smallRead, smallRead + 1, 300} {
				got := make([]byte, n)
				if c.xor(got, int64(off)); !bytes.Equal(got, want[off:off+n]) {
					t.Fatalf("%s: %d bytes at %d differ", name, n, off)
				}
			}
		}
		// Far out: the counter is the first one plus the block's number, modulo 2^128.
		for _, off := range []int64{1 << 36, 1<<62 + 5, 1<<63 - 1} {
			sum := new(big.Int).Add(new(big.Int).SetBytes(first[:]), big.NewInt(off/16))
			var want [16]byte
			sum.And(sum, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))).FillBytes(want[:])
			if got := c.counter(off); got != want {
				t.Errorf("%s: counter at %d is %x, want %x", name, off, got, want)
			}
		}
	}
}
