package cipherfs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
)

const (
	// KeySize is the length of a data key in bytes.
	KeySize = 32
	// HeaderSize is how many bytes of each file are the header.
	HeaderSize = 64

	version  = 1
	idSize   = 8
	fileID   = 24
	macSize  = 16
	idAt     = 16
	fileIDAt = idAt + idSize
	macAt    = fileIDAt + fileID
)

var magic = [8]byte{0xb7, 'B', 'H', 'D', 'F', 'I', 'L', 'E'}

// Errors of opening a file.
var (
	ErrHeader    = errors.New("cipherfs: the file's header is damaged, or the file is not an encrypted one")
	ErrKey       = errors.New("cipherfs: the file was encrypted with a data key that is not in the keyring")
	ErrOverwrite = errors.New("cipherfs: an encrypted file can only be appended to: writing a place twice would use a keystream twice")
)

// Keys are the data keys: one makes new files, all open. Safe for concurrent use; prints as redacted.
type Keys struct{ set atomic.Pointer[keySet] }

type keySet struct {
	active *dataKey
	byID   map[[idSize]byte]*dataKey
}

type dataKey struct {
	id  [idSize]byte
	key []byte
	mac []byte
}

// NewKeys returns the data keys; the first makes new files. Each has KeySize bytes, which are copied.
func NewKeys(active []byte, older ...[]byte) (*Keys, error) {
	set := keySet{byID: map[[idSize]byte]*dataKey{}}
	for i, key := range append([][]byte{active}, older...) {
		d, err := newDataKey(key)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			set.active = d
		}
		set.byID[d.id] = d
	}
	k := &Keys{}
	k.set.Store(&set)
	return k, nil
}

func newDataKey(key []byte) (*dataKey, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("cipherfs: a data key has %d bytes, must have %d", len(key), KeySize)
	}
	d := &dataKey{key: bytes.Clone(key)}
	id, err := hkdf.Key(sha256.New, d.key, nil, "bulkhead cipherfs v1 key id", idSize)
	if err != nil {
		return nil, fmt.Errorf("cipherfs: %w", err)
	}
	d.id = [idSize]byte(id)
	if d.mac, err = hkdf.Key(sha256.New, d.key, nil, "bulkhead cipherfs v1 header mac", sha256.Size); err != nil {
		return nil, fmt.Errorf("cipherfs: %w", err)
	}
	return d, nil
}

// Use makes key the one that makes new files; the present ones go on opening theirs.
func (k *Keys) Use(key []byte) error {
	d, err := newDataKey(key)
	if err != nil {
		return err
	}
	for {
		old := k.set.Load()
		set := &keySet{active: d, byID: map[[idSize]byte]*dataKey{d.id: d}}
		for id, o := range old.byID {
			set.byID[id] = o
		}
		if k.set.CompareAndSwap(old, set) {
			return nil
		}
	}
}

// ActiveID names the data key that makes new files; it is no secret.
func (k *Keys) ActiveID() string { return hex.EncodeToString(k.set.Load().active.id[:]) }

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (k *Keys) String() string { return redacted }

// Format implements fmt.Formatter: no verb shows a key.
func (k *Keys) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) } //nolint:errcheck // nothing to do about it

// LogValue implements slog.LogValuer.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (k *Keys) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// newHeader draws a file id and returns the header with it and the content's cipher.
func (k *Keys) newHeader() ([]byte, *content, error) {
	d := k.set.Load().active
	h := make([]byte, HeaderSize)
	copy(h, magic[:])
	h[len(magic)] = version
	copy(h[idAt:], d.id[:])
	if _, err := rand.Read(h[fileIDAt:macAt]); err != nil {
		return nil, nil, fmt.Errorf("cipherfs: %w", err)
	}
	copy(h[macAt:], d.sign(h))
	c, err := d.content(h[fileIDAt:macAt])
	return h, c, err
}

// openHeader returns the cipher of the file that begins with h, which has HeaderSize bytes.
func (k *Keys) openHeader(h []byte) (*content, error) {
	if len(h) != HeaderSize || !bytes.Equal(h[:len(magic)], magic[:]) {
		return nil, ErrHeader
	}
	if v := h[len(magic)]; v != version {
		return nil, fmt.Errorf("%w: its version is %d, this program knows %d; use a newer program", ErrHeader, v, version)
	}
	d := k.set.Load().byID[[idSize]byte(h[idAt:fileIDAt])]
	if d == nil {
		return nil, fmt.Errorf("%w: %x", ErrKey, h[idAt:fileIDAt])
	}
	if !hmac.Equal(d.sign(h), h[macAt:]) {
		return nil, ErrHeader
	}
	return d.content(h[fileIDAt:macAt])
}

func (d *dataKey) sign(h []byte) []byte {
	m := hmac.New(sha256.New, d.mac)
	m.Write(h[:macAt])
	return m.Sum(nil)[:macSize]
}

func (d *dataKey) content(id []byte) (*content, error) {
	b, err := hkdf.Key(sha256.New, d.key, id, "bulkhead cipherfs v1 file", KeySize+aes.BlockSize)
	if err != nil {
		return nil, fmt.Errorf("cipherfs: %w", err)
	}
	block, err := aes.NewCipher(b[:KeySize])
	if err != nil {
		return nil, fmt.Errorf("cipherfs: %w", err)
	}
	return &content{block: block, first: [aes.BlockSize]byte(b[KeySize:])}, nil
}

// content encrypts and decrypts one file's content. Safe for concurrent use.
type content struct {
	block cipher.Block
	first [aes.BlockSize]byte // counter block of position 0
}
