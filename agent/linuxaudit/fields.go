package linuxaudit

import (
	"bytes"
	"math"
)

// Quote is how a value was written.
type Quote uint8

// The ways to write a value. The kernel writes what a user can choose either between quotation marks or, if it has a blank, a quotation mark, a control
// character or a byte beyond ASCII, as hexadecimal digits: so a quoted value is never decoded, and whether a bare one is to be depends on its name.
const (
	Bare Quote = iota
	Quoted
)

// Fields walks over the fields of a record's body, those inside msg='...' too. The zero value has none.
type Fields struct {
	rest       []byte
	nested     bool
	Key, Value []byte // of the field that Next found
	Quote      Quote
}

// FieldsOf begins at the first field of a record's body.
func FieldsOf(body []byte) Fields { return Fields{rest: body} }

// Next goes to the next field, and reports whether there is one. Words without a value are skipped.
func (f *Fields) Next() bool {
	b := f.rest
	for {
		i := 0
		for i < len(b) && (b[i] == ' ' || b[i] == ',' || b[i] == '\n') {
			i++
		}
		if b = b[i:]; len(b) == 0 {
			f.rest = nil
			return false
		}
		i = 0
		for i < len(b) && b[i] != '=' && b[i] != ' ' {
			i++
		}
		if i == len(b) {
			f.rest = nil
			return false
		}
		if b[i] == ' ' || i == 0 {
			b = b[i+1:] // a word, or a value without a name
			continue
		}
		key, value := b[:i], b[i+1:]
		if len(value) > 0 && value[0] == '\'' && !f.nested && string(key) == "msg" {
			f.nested = true
			b = bytes.TrimSuffix(bytes.TrimRight(value[1:], " \n"), []byte{'\''})
			continue
		}
		if key[0] == '(' {
			key = key[1:]
		}
		f.Key = key
		f.rest = f.value(value)
		return true
	}
}

// value takes the value that b begins with, and returns what follows it.
func (f *Fields) value(b []byte) []byte {
	if len(b) > 0 && b[0] == '"' {
		if end := bytes.IndexByte(b[1:], '"'); end >= 0 {
			f.Value, f.Quote = b[1:1+end], Quoted
			return b[end+2:]
		}
	}
	i := 0
	for i < len(b) && b[i] != ' ' {
		i++
	}
	v := b[:i]
	for n := len(v); n > 0 && (v[n-1] == ',' || v[n-1] == ')' && v[0] != '('); n-- { // older messages: "(addr=::1, res=success)"
		v = v[:n-1]
	}
	f.Value, f.Quote = v, Bare
	return b[i:]
}

// Unset reports whether the field says that there is no value.
func (f *Fields) Unset() bool {
	return f.Quote == Bare && (len(f.Value) == 0 || string(f.Value) == "?" || string(f.Value) == "(null)" || string(f.Value) == "(none)")
}

// Number is the value as a user, group, process or session; Unset if it is none.
func (f *Fields) Number() uint32 { return id(f.Value) }

// Text is the value of a field that a user can choose, decoded into memory of its own if it has to be; nil if there is none.
func (f *Fields) Text() []byte {
	v, _ := f.text(make([]byte, 0, len(f.Value)/2))
	return v
}

// text decodes the value of a field that a user can choose, into dst if it has to be decoded: room is made by the caller, half of the value's length.
func (f *Fields) text(dst []byte) (value, rest []byte) {
	if f.Quote == Quoted {
		return f.Value, dst
	}
	if f.Unset() {
		return nil, dst
	}
	return decodeHex(f.Value, dst)
}

// decodeHex decodes hexadecimal digits to the end of dst, whose capacity is enough. What is not hexadecimal is literal, as older kernels wrote it.
func decodeHex(src, dst []byte) (value, rest []byte) {
	if len(src)%2 != 0 || len(dst)+len(src)/2 > cap(dst) {
		return src, dst
	}
	start := len(dst)
	for i := 0; i < len(src); i += 2 {
		hi, lo := hexDigit(src[i]), hexDigit(src[i+1])
		if hi|lo > 15 {
			return src, dst[:start]
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst[start:len(dst):len(dst)], dst
}

// hexDigit is the value of a digit, more than 15 if it is none.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

func decimal(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// id is a user, group, session or process number. Unset is 4294967295, which some kernels write as -1.
func id(b []byte) uint32 {
	n, ok := decimal(b)
	if !ok || n > math.MaxUint32 {
		return Unset
	}
	return uint32(n)
}

func signed(b []byte) int64 {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	n, ok := decimal(b)
	if !ok || n > math.MaxInt64 {
		return 0
	}
	if negative {
		return -int64(n)
	}
	return int64(n)
}

func hexNumber(b []byte) (n uint64) {
	if len(b) > 2 && b[0] == '0' && b[1] == 'x' {
		b = b[2:]
	}
	if len(b) > 16 {
		return 0
	}
	for _, c := range b {
		d := hexDigit(c)
		if d > 15 {
			return 0
		}
		n = n<<4 | uint64(d)
	}
	return n
}

func octal(b []byte) (n uint32) {
	if len(b) > 10 {
		return 0
	}
	for _, c := range b {
		if c < '0' || c > '7' {
			return 0
		}
		n = n<<3 | uint32(c-'0')
	}
	return n
}
