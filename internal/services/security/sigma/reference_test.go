package sigma

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reference evaluates rules as they are written, with none of what makes the engine fast: no tables, no folding, patterns as regular expressions.
type reference struct {
	schema *Schema
	cache  map[string]*regexp.Regexp
}

func newReference(s *Schema) *reference { return &reference{s, map[string]*regexp.Regexp{}} }

func (r *reference) rule(e *expr, src *Source, values [][]byte) bool {
	switch e.op {
	case opTrue:
		return true
	case opFalse:
		return false
	case opNot:
		return !r.rule(e.kids[0], src, values)
	case opAnd:
		for _, k := range e.kids {
			if !r.rule(k, src, values) {
				return false
			}
		}
		return true
	case opOr:
		for _, k := range e.kids {
			if r.rule(k, src, values) {
				return true
			}
		}
		return false
	}
	return r.test(e.test, src, values)
}

func (r *reference) value(name string, src *Source, values [][]byte) []byte {
	n := src.Message
	if name != "" {
		var err error
		if n, err = r.schema.field(name); err != nil || n < 0 {
			return nil
		}
		if n != src.Message && !slices.Contains(src.Fields, n) {
			return nil
		}
	}
	if n < 0 {
		return nil
	}
	return values[n]
}

func (r *reference) test(t *test, src *Source, values [][]byte) bool {
	v := r.value(t.field, src, values)
	if t.kind == testNull {
		return v == nil && (t.field != "")
	}
	if v == nil {
		return false
	}
	switch t.kind {
	case testExists:
		return true
	case testRegexp:
		return t.re.Match(v)
	case testCIDR:
		a, err := netip.ParseAddr(string(v))
		return err == nil && a.Zone() == "" && t.prefix.Contains(a.Unmap())
	case testField:
		o := r.value(t.ref, src, values)
		p := literal(string(o)).around(t.refMode == refSuffix || t.refMode == refContains, t.refMode == refPrefix || t.refMode == refContains)
		return o != nil && r.pattern(p, t.cased, v)
	case testPattern:
		return slices.ContainsFunc(t.patterns, func(p pattern) bool { return r.pattern(p, t.cased, v) })
	}
	n, err := strconv.ParseFloat(string(v), 64)
	if err != nil || v[0] > '9' || len(v) > longestNumber {
		return false
	}
	return map[testKind]bool{
		testLess: n < t.number, testLessEqual: n <= t.number, testGreater: n > t.number, testGreaterEqual: n >= t.number,
	}[t.kind]
}

func (r *reference) pattern(p pattern, cased bool, v []byte) bool {
	var b strings.Builder
	b.WriteString(`(?s`)
	if !cased {
		b.WriteString(`i`)
	}
	b.WriteString(`)\A`)
	for _, t := range p {
		switch t.kind {
		case pieceText:
			if !utf8.ValidString(t.text) {
				return r.bytes(p, cased, v)
			}
			b.WriteString(regexp.QuoteMeta(t.text))
		case pieceStar:
			b.WriteString(`.*`)
		case pieceOne:
			b.WriteString(`.`)
		case pieceDash:
			b.WriteString(`[` + `\-` + dashes[1:] + `]`)
		}
	}
	b.WriteString(`\z`)
	re := r.cache[b.String()]
	if re == nil {
		re = regexp.MustCompile(b.String())
		r.cache[b.String()] = re
	}
	return re.Match(v)
}

// bytes is for texts that are no characters, of which rules have only simple patterns.
func (r *reference) bytes(p pattern, cased bool, v []byte) bool {
	s := string(v)
	if !cased {
		s, p = fold(s), p.folded()
	}
	switch kind, text := shape(p); kind {
	case matchEqual:
		return s == text
	case matchPrefix:
		return strings.HasPrefix(s, text)
	case matchSuffix:
		return strings.HasSuffix(s, text)
	case matchContains:
		return strings.Contains(s, text)
	}
	panic("no simple pattern: " + p.String())
}
