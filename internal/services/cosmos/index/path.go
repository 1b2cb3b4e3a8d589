package index

import (
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Path hashes are FNV-1a over the names from the root, each closed by a byte that no UTF-8 text has. Two paths with one hash would share their terms,
// which costs looking at more documents.
const (
	rootHash  = uint64(0xcbf29ce484222325)
	hashPrime = uint64(0x100000001b3)
)

func childHash(h uint64, name []byte) uint64 {
	for _, c := range name {
		h = (h ^ uint64(c)) * hashPrime
	}
	return (h ^ 0xff) * hashPrime
}

func elementHash(h uint64) uint64 { return (h ^ 0xfe) * hashPrime }

// step is one step of a path: a property, or all elements of an array.
type step struct {
	name     string
	elements bool
}

// Path is where a value is in a document.
type Path []step

func (p Path) hash() uint64 {
	h := rootHash
	for _, s := range p {
		if s.elements {
			h = elementHash(h)
		} else {
			h = childHash(h, []byte(s.name))
		}
	}
	return h
}

// single tells that a document has at most one value there: the path goes through no array.
func (p Path) single() bool {
	for _, s := range p {
		if s.elements {
			return false
		}
	}
	return true
}

// String is the path as policies and index metrics write it, without its end.
func (p Path) String() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteByte('/')
		switch {
		case s.elements:
			b.WriteString("[]")
		case plain(s.name):
			b.WriteString(s.name)
		default:
			b.WriteString(strconv.Quote(s.name))
		}
	}
	return b.String()
}

// plain tells whether a name stands in a path without quotes.
func plain(name string) bool {
	for i := range len(name) {
		if c := name[i]; !letter(c) && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 }

// parsePath reads `/a/"b c"/[]/?`. end is its last character where that is ? or *, else 0.
func parsePath(text string) (p Path, end byte, err error) {
	if text == "/" {
		return nil, '*', nil // of old clients
	}
	bad := func(at int) error {
		return fault.New(fault.Invalid, "BadRequest", "The indexing path '%s' could not be accepted, failed near position '%d'. Please ensure that the path is a valid path. "+
			"Common errors include invalid characters or absence of quotes around labels.", text, at)
	}
	if text == "" {
		return nil, 0, bad(0)
	}
	for i := 0; i < len(text); {
		if text[i] != '/' || end != 0 {
			return nil, 0, bad(i)
		}
		i++
		rest := text[i:]
		switch {
		case rest == "":
			return nil, 0, bad(i)
		case rest[0] == '?' || rest[0] == '*':
			end = rest[0]
			i++
		case strings.HasPrefix(rest, "[]"):
			p = append(p, step{elements: true})
			i += 2
		case rest[0] == '"':
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, 0, bad(i)
			}
			name, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, 0, bad(i)
			}
			p = append(p, step{name: name})
			i += len(quoted)
		default:
			n := 0
			for n < len(rest) && rest[n] != '/' {
				if c := rest[n]; !letter(c) && (n == 0 || c < '0' || c > '9') {
					return nil, 0, bad(i + n)
				}
				n++
			}
			if n == 0 {
				return nil, 0, bad(i)
			}
			p = append(p, step{name: rest[:n]})
			i += n
		}
	}
	return p, end, nil
}
