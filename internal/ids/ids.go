// Package ids makes the identifiers Azure uses: GUIDs and 32-digit hexadecimal versions.
package ids

import (
	"crypto/rand"
	"encoding/hex"
)

// New returns a random (version 4) GUID in lower-case text form.
func New() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand aborts the program instead)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return Format(b)
}

// Format writes 16 bytes as a GUID in text form, in byte order.
func Format(b [16]byte) string {
	var s [36]byte
	return string(Append(s[:0], b))
}

// Append is Format onto dst.
func Append(dst []byte, b [16]byte) []byte {
	dst = append(hex.AppendEncode(dst, b[0:4]), '-')
	dst = append(hex.AppendEncode(dst, b[4:6]), '-')
	dst = append(hex.AppendEncode(dst, b[6:8]), '-')
	dst = append(hex.AppendEncode(dst, b[8:10]), '-')
	return hex.AppendEncode(dst, b[10:16])
}

// Parse is the reverse of Format: it reads the lower-case text form only, so that Format gives the same text again.
func Parse(s string) (b [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, false
	}
	for i, at := range [...]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		hi, lo := digit(s[at]), digit(s[at+1])
		if hi > 15 || lo > 15 {
			return b, false
		}
		b[i] = hi<<4 | lo
	}
	return b, true
}

// digit is the value of a lower-case hexadecimal digit, 255 for anything else.
func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// Version returns 32 random lower-case hexadecimal digits, the form of a Key Vault object version.
func Version() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// IsGUID tells whether s has the 8-4-4-4-12 hexadecimal form, in any case.
func IsGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}
