package sigma

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// matcher is a test made ready: of one field by number, with its texts sorted by how they are compared. Many rules may share one.
type matcher struct {
	kind  matchKind
	field int32
	ref   int32
	cased bool

	texts []string            // folded unless cased
	large map[string]struct{} // of matchEqual with many texts
	many  *finder             // of the other comparisons with many texts, by their beginnings or ends
	globs []glob

	re     *regexp.Regexp
	syntax *syntax.Regexp
	prefix netip.Prefix
	number float64
}

type matchKind uint8

// In the order of what they cost.
const (
	matchPresent matchKind = iota
	matchAbsent
	matchEqual
	matchPrefix
	matchSuffix
	matchRef
	matchRefPrefix
	matchRefSuffix
	matchRefContains
	matchLess
	matchLessEqual
	matchGreater
	matchGreaterEqual
	matchCIDR
	matchContains
	matchGlob
	matchRegexp
)

// manyTexts is from how many texts on a list is looked up instead of gone through.
const manyTexts = 12

// key is the same for tests that ask the same.
func (m *matcher) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %d %t %v %g %q", m.kind, m.field, m.ref, m.cased, m.prefix, m.number, m.texts)
	if m.re != nil {
		fmt.Fprintf(&b, " %q", m.re.String())
	}
	for _, g := range m.globs {
		fmt.Fprintf(&b, " %t %t %v", g.start, g.end, g.parts)
	}
	return b.String()
}

// prepare makes the tables of long lists, as far as the budget goes.
func (m *matcher) prepare(budget *int) {
	if len(m.texts) < manyTexts {
		return
	}
	if m.kind == matchEqual {
		m.large = make(map[string]struct{}, len(m.texts))
		for _, t := range m.texts {
			m.large[t] = struct{}{}
		}
		return
	}
	if m.cased || slices.Contains(m.texts, "") || m.kind != matchPrefix && m.kind != matchSuffix && m.kind != matchContains {
		return
	}
	cut := make([]sought, len(m.texts))
	for i, t := range m.texts {
		n := min(len(t), longestText)
		cut[i] = sought{t[:n], m.kind == matchPrefix, m.kind == matchSuffix}
		if m.kind == matchSuffix {
			cut[i].text = t[len(t)-n:]
		}
	}
	if f, ok := newFinder(cut, *budget); ok {
		m.many = f
		*budget -= f.bytes()
	}
}

// match asks the test. v is the field's value as compared, folded unless the test is cased; whole is the value as it came.
func (m *matcher) match(v, whole, other []byte) bool {
	if whole == nil {
		return m.kind == matchAbsent
	}
	switch m.kind {
	case matchPresent:
		return true
	case matchAbsent:
		return false
	case matchEqual:
		if m.large != nil {
			_, ok := m.large[string(v)]
			return ok
		}
		for _, t := range m.texts {
			if string(v) == t {
				return true
			}
		}
		return false
	case matchPrefix, matchSuffix, matchContains:
		return m.affix(v)
	case matchGlob:
		for i := range m.globs {
			if m.globs[i].match(v) {
				return true
			}
		}
		return false
	case matchRegexp:
		return m.re.Match(whole)
	case matchRef, matchRefPrefix, matchRefSuffix, matchRefContains:
		return other != nil && m.compare(v, other)
	case matchCIDR:
		a, ok := parseAddr(whole)
		return ok && m.prefix.Contains(a)
	}
	return m.order(whole)
}

func (m *matcher) affix(v []byte) bool {
	if m.many != nil {
		return m.anyOf(v)
	}
	for _, t := range m.texts {
		switch {
		case len(t) > len(v):
		case m.kind == matchPrefix:
			if string(v[:len(t)]) == t {
				return true
			}
		case m.kind == matchSuffix:
			if string(v[len(v)-len(t):]) == t {
				return true
			}
		case containsText(v, t):
			return true
		}
	}
	return false
}

// anyOf goes through v once for all texts.
func (m *matcher) anyOf(v []byte) (found bool) {
	m.many.find(v, func(text int32, at int) bool {
		t := m.texts[text]
		if m.kind == matchSuffix {
			found = len(v) >= len(t) && string(v[len(v)-len(t):]) == t
		} else {
			found = len(v)-at >= len(t) && string(v[at:at+len(t)]) == t
		}
		return found
	})
	return found
}

// containsText is bytes.Contains without a copy of t.
func containsText(v []byte, t string) bool { return indexText(v, t) >= 0 }

func indexText(v []byte, t string) int {
	if t == "" {
		return 0
	}
	for from := 0; len(v)-from >= len(t); {
		i := bytes.IndexByte(v[from:len(v)-len(t)+1], t[0])
		if i < 0 {
			return -1
		}
		if from += i; string(v[from:from+len(t)]) == t {
			return from
		}
		from++
	}
	return -1
}

func (m *matcher) compare(v, other []byte) bool {
	switch m.kind {
	case matchRefPrefix:
		return bytes.HasPrefix(v, other)
	case matchRefSuffix:
		return bytes.HasSuffix(v, other)
	case matchRefContains:
		return bytes.Contains(v, other)
	}
	return bytes.Equal(v, other)
}

func (m *matcher) order(v []byte) bool {
	n, ok := parseNumber(v)
	if !ok {
		return false
	}
	switch m.kind {
	case matchLess:
		return n < m.number
	case matchLessEqual:
		return n <= m.number
	case matchGreater:
		return n > m.number
	}
	return n >= m.number
}

// longestNumber is what a conversion to a string holds without an allocation.
const longestNumber = 32

func parseNumber(v []byte) (float64, bool) {
	if len(v) == 0 || len(v) > longestNumber || v[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(v), 64)
	return n, err == nil
}

// glob is a pattern with wildcards inside: parts between its asterisks.
type glob struct {
	start, end bool // whether the first part begins the value, the last one ends it
	parts      []pattern
}

func newGlob(p pattern) glob {
	g := glob{start: true, end: true}
	if p[0].kind == pieceStar {
		g.start, p = false, p[1:]
	}
	if n := len(p) - 1; n >= 0 && p[n].kind == pieceStar {
		g.end, p = false, p[:n]
	}
	var part pattern
	for _, t := range p {
		if t.kind == pieceStar {
			g.parts = append(g.parts, part)
			part = nil
			continue
		}
		part = append(part, t)
	}
	g.parts = append(g.parts, part)
	return g
}

// match takes each part where it is first found; what ends the value is looked for from there.
func (g *glob) match(v []byte) bool {
	parts := g.parts
	if g.start {
		n, ok := here(parts[0], v)
		if !ok {
			return false
		}
		if len(parts) == 1 && g.end {
			return n == len(v)
		}
		v, parts = v[n:], parts[1:]
	}
	if g.end {
		n, ok := atEnd(parts[len(parts)-1], v)
		if !ok {
			return false
		}
		v, parts = v[:n], parts[:len(parts)-1]
	}
	for _, p := range parts {
		to, ok := first(p, v)
		if !ok {
			return false
		}
		v = v[to:]
	}
	return true
}

// here matches a part at the beginning of v and gives its length.
func here(p pattern, v []byte) (int, bool) {
	at := 0
	for i := range p {
		switch t := &p[i]; t.kind {
		case pieceText:
			if len(v)-at < len(t.text) || string(v[at:at+len(t.text)]) != t.text {
				return 0, false
			}
			at += len(t.text)
		default:
			r, n := utf8.DecodeRune(v[at:])
			if n == 0 || t.kind == pieceDash && !strings.ContainsRune(dashes, r) {
				return 0, false
			}
			at += n
		}
	}
	return at, true
}

// atEnd matches a part at the end of v and gives where it begins.
func atEnd(p pattern, v []byte) (int, bool) {
	at := len(v)
	for i := len(p) - 1; i >= 0; i-- {
		switch t := &p[i]; t.kind {
		case pieceText:
			if at < len(t.text) || string(v[at-len(t.text):at]) != t.text {
				return 0, false
			}
			at -= len(t.text)
		default:
			r, n := utf8.DecodeLastRune(v[:at])
			if n == 0 || t.kind == pieceDash && !strings.ContainsRune(dashes, r) {
				return 0, false
			}
			at -= n
		}
	}
	return at, true
}

// first finds a part anywhere in v and gives where it ends.
func first(p pattern, v []byte) (int, bool) {
	if len(p) == 0 {
		return 0, true
	}
	for from := 0; from <= len(v); {
		if p[0].kind == pieceText {
			i := indexText(v[from:], p[0].text)
			if i < 0 {
				return 0, false
			}
			from += i
		}
		if n, ok := here(p, v[from:]); ok {
			return from + n, true
		}
		_, n := utf8.DecodeRune(v[from:])
		from += max(n, 1)
	}
	return 0, false
}
