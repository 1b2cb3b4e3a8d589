package cipherfs

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"sync"
)

// smallRead is up to where block by block beats setting up a stream, in bytes.
const smallRead = 128

// counter returns the counter block of the block that holds position off: the first one plus off/16, as a 128-bit big-endian number.
func (c *content) counter(off int64) (iv [aes.BlockSize]byte) {
	lo, carry := bits.Add64(binary.BigEndian.Uint64(c.first[8:]), uint64(off)/aes.BlockSize, 0)
	hi, _ := bits.Add64(binary.BigEndian.Uint64(c.first[:8]), 0, carry)
	binary.BigEndian.PutUint64(iv[:8], hi)
	binary.BigEndian.PutUint64(iv[8:], lo)
	return iv
}

// stream returns a stream that stands at position off.
func (c *content) stream(off int64) cipher.Stream {
	iv := c.counter(off)
	s := cipher.NewCTR(c.block, iv[:])
	if skip := off % aes.BlockSize; skip > 0 {
		var none [aes.BlockSize]byte
		s.XORKeyStream(none[:skip], none[:skip])
	}
	return s
}

// xor encrypts or decrypts p, which lies at position off, in place.
func (c *content) xor(p []byte, off int64) {
	if len(p) > smallRead {
		c.stream(off).XORKeyStream(p, p)
		return
	}
	// The blocks go through an interface, so they would escape from the stack: they are pooled.
	b := blocks.Get().(*[2 * aes.BlockSize]byte)
	defer blocks.Put(b)
	in, key := b[:aes.BlockSize], b[aes.BlockSize:]
	for skip := int(off % aes.BlockSize); len(p) > 0; skip = 0 {
		iv := c.counter(off)
		copy(in, iv[:])
		c.block.Encrypt(key, in)
		n := subtle.XORBytes(p, p, key[skip:])
		p, off = p[n:], off+int64(n)
	}
	clear(b[:])
}

var blocks = sync.Pool{New: func() any { return new([2 * aes.BlockSize]byte) }}
