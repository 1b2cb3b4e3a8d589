// Package masterkey reads Cosmos DB's authorization header and checks the signatures made with an account's keys.
//
// The header is the percent-encoded text `type={master|resource|aad}&ver={version}&sig={signature}`. The signature of type master is the
// base64 form of HMAC-SHA256, keyed with the decoded account key, over five lines: verb, resource type, resource link, x-ms-date and date, all but
// the link in lower case (https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources).
package masterkey

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"strings"
	"sync"
)

// Size is the length of a key in bytes.
const Size = 64

// Kind is the type of an authorization header.
type Kind uint8

// The kinds.
const (
	Master   Kind = iota + 1 // signed with an account key
	Resource                 // a resource token, given out with a permission
	AAD                      // a bearer token of Entra ID
)

// Header is a parsed authorization header. It is a credential: it prints as redacted.
type Header struct {
	Kind      Kind
	Version   string
	Signature string
}

// LogValue implements slog.LogValuer.
func (Header) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String implements fmt.Stringer.
func (Header) String() string { return "[redacted]" }

// ErrMalformed is the error of ParseHeader. It never repeats the header.
var ErrMalformed = errors.New("the authorization header is not of the form type={typeoftoken}&ver={tokenversion}&sig={hashsignature}")

const maxHeader = 16 << 10

// ParseHeader takes an authorization header apart. Percent escapes may have digits of either case, or be absent.
func ParseHeader(raw string) (Header, error) {
	if len(raw) > maxHeader {
		return Header{}, ErrMalformed
	}
	text, ok := unescape(raw)
	if !ok {
		return Header{}, ErrMalformed
	}
	kind, rest, ok := cutField(text, "type=")
	if !ok {
		return Header{}, ErrMalformed
	}
	version, rest, ok := cutField(rest, "ver=")
	if !ok || len(rest) <= 4 || !strings.EqualFold(rest[:4], "sig=") {
		return Header{}, ErrMalformed
	}
	h := Header{Version: version, Signature: rest[4:]}
	switch {
	case strings.EqualFold(kind, "master"):
		h.Kind = Master
	case strings.EqualFold(kind, "resource"):
		h.Kind = Resource
	case strings.EqualFold(kind, "aad"):
		h.Kind = AAD
	default:
		return Header{}, ErrMalformed
	}
	return h, nil
}

// cutField takes `name=value&` from the front of s.
func cutField(s, name string) (value, rest string, ok bool) {
	if len(s) < len(name) || !strings.EqualFold(s[:len(name)], name) {
		return "", "", false
	}
	value, rest, ok = strings.Cut(s[len(name):], "&")
	return value, rest, ok
}

// unescape decodes percent escapes; a plus sign stands for itself, since signatures hold it.
func unescape(s string) (string, bool) {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s, true
	}
	var room [256]byte // of a signed header; a token is longer
	b := append(room[:0], s[:i]...)
	for ; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi > 15 || lo > 15 {
			return "", false
		}
		b = append(b, hi<<4|lo)
		i += 2
	}
	return string(b), true
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// Request is what a signature covers.
type Request struct {
	Verb, Type, Link string
	XMSDate, Date    string // the headers; Date counts only when XMSDate is absent
}

// AppendText appends the text that is signed. The link goes in as it is.
func (r Request) AppendText(b []byte) []byte {
	b = append(appendLower(b, r.Verb), '\n')
	b = append(appendLower(b, r.Type), '\n')
	b = append(append(b, r.Link...), '\n')
	b = append(appendLower(b, r.XMSDate), '\n')
	if r.XMSDate == "" {
		b = appendLower(b, r.Date)
	}
	return append(b, '\n')
}

func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// Key is a decoded account key, safe for concurrent use. It prints as redacted.
type Key struct {
	hashes sync.Pool // of hash.Hash, each keyed: saves deriving the pads on every check
	strict *base64.Encoding
}

// Generate makes a new key in its text form.
func Generate() string {
	var b [Size]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// NewKey decodes a key's text form.
func NewKey(text string) (*Key, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != Size {
		return nil, fmt.Errorf("masterkey: a key is %d bytes in base64", Size)
	}
	k := &Key{strict: base64.StdEncoding.Strict()}
	k.hashes.New = func() any { return hmac.New(sha256.New, raw) }
	return k, nil
}

// LogValue implements slog.LogValuer.
func (*Key) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String implements fmt.Stringer.
func (*Key) String() string { return "[redacted]" }

// Sign returns the signature of text in its header form, before percent-encoding.
func (k *Key) Sign(text []byte) string {
	var sum [sha256.Size]byte
	k.sum(text, &sum)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (k *Key) sum(text []byte, out *[sha256.Size]byte) {
	h := k.hashes.Get().(hash.Hash)
	h.Reset()
	h.Write(text)
	h.Sum(out[:0])
	k.hashes.Put(h)
}

// Verify tells, in constant time, whether signature is that of the signed text. A signature that is not base64 is just wrong.
func (k *Key) Verify(signature string, signed []byte) bool {
	var text [64]byte
	var buf [48]byte
	if len(signature) > len(text) {
		return false
	}
	n, err := k.strict.Decode(buf[:], text[:copy(text[:], signature)])
	if err != nil || n != sha256.Size {
		return false
	}
	var sum [sha256.Size]byte
	k.sum(signed, &sum)
	return hmac.Equal(sum[:], buf[:n])
}
