package sigma

import (
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// Example gives the values of an event of a source that a rule of the set matches, or nil if none was found: what a rule is written for isn't always what it says. Slow.
func (s *Set) Example(rule int32, source int) [][]byte {
	examples := s.Examples(rule, source, 1)
	if len(examples) == 0 {
		return nil
	}
	return examples[0]
}

// Examples gives the values of at most so many events.
func (s *Set) Examples(rule int32, source, most int) (out [][][]byte) {
	var w Scratch
	for _, wants := range ways(s.Rules[rule].detection, true) {
		if values := event(s.schema, &s.schema.Sources[source], wants); slices.Contains(s.Match(&w, source, values), rule) {
			if out = append(out, values); len(out) == most {
				break
			}
		}
	}
	return out
}

// want is one test that an event shall meet, or not.
type want struct {
	t   *test
	pat int // which of its patterns
	yes bool
}

// mostWays bounds how many ways to meet an expression are looked at.
const mostWays = 200

// ways gives sets of tests, each of which makes e true (or false).
func ways(e *expr, yes bool) [][]want {
	switch {
	case e.op == opTrue || e.op == opFalse:
		if (e.op == opTrue) == yes {
			return [][]want{nil}
		}
		return nil
	case e.op == opNot:
		return ways(e.kids[0], !yes)
	case e.op == opLeaf:
		if !yes || e.test.kind != testPattern {
			return [][]want{{{e.test, 0, yes}}}
		}
		var out [][]want
		for i := range e.test.patterns {
			out = append(out, []want{{e.test, i, true}})
		}
		return out
	case (e.op == opOr) == yes: // one of them is enough
		var out [][]want
		for _, k := range e.kids {
			if out = append(out, ways(k, yes)...); len(out) > mostWays {
				return out[:mostWays]
			}
		}
		return out
	}
	out := [][]want{nil}
	for _, k := range e.kids {
		var next [][]want
		for _, more := range ways(k, yes) {
			for _, w := range out {
				if next = append(next, slices.Concat(w, more)); len(next) >= mostWays {
					break
				}
			}
			if len(next) >= mostWays {
				break
			}
		}
		out = next
	}
	return out
}

// event builds values that may meet the wants; whoever calls checks.
func event(s *Schema, src *Source, wants []want) [][]byte {
	type built struct {
		exact, prefix, suffix string
		middle                []string
		set                   bool
	}
	fields := map[int]*built{}
	values := make([][]byte, len(s.Fields))
	for _, w := range wants {
		n := src.Message
		if w.t.field != "" {
			n, _ = s.field(w.t.field)
		}
		if n < 0 || !w.yes || w.t.kind == testNull {
			continue
		}
		b := fields[n]
		if b == nil {
			b = &built{}
			fields[n] = b
		}
		b.set = true
		switch w.t.kind {
		case testPattern:
			p := w.t.patterns[w.pat]
			start := len(p) == 0 || p[0].kind != pieceStar
			end := len(p) == 0 || p[len(p)-1].kind != pieceStar
			switch text := example(p); {
			case start && end:
				b.exact = text
			case start:
				if len(text) > len(b.prefix) {
					b.prefix = text
				}
			case end:
				if len(text) > len(b.suffix) {
					b.suffix = text
				}
			default:
				b.middle = append(b.middle, text)
			}
		case testRegexp:
			b.middle = append(b.middle, sample(w.t.syntax))
		case testCIDR:
			b.exact = w.t.prefix.Addr().String()
		case testLess, testLessEqual:
			b.exact = strconv.FormatFloat(w.t.number-1, 'f', -1, 64)
		case testGreater, testGreaterEqual:
			b.exact = strconv.FormatFloat(w.t.number+1, 'f', -1, 64)
		case testField:
			b.exact = "same"
			if o, _ := s.field(w.t.ref); o >= 0 {
				values[o] = []byte("same")
			}
		}
	}
	for n, b := range fields {
		text := b.exact
		if text == "" {
			text = b.prefix + strings.Join(b.middle, " ") + b.suffix
		}
		values[n] = []byte(text)
	}
	return values
}

// example is a text that a pattern matches.
func example(p pattern) string {
	var b strings.Builder
	for _, t := range p {
		switch t.kind {
		case pieceText:
			b.WriteString(t.text)
		case pieceOne:
			b.WriteByte('x')
		case pieceDash:
			b.WriteByte('-')
		}
	}
	return b.String()
}

// sample is a text in which a regular expression is found.
func sample(re *syntax.Regexp) string {
	var b strings.Builder
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		for _, r := range "a0-/ x" {
			for i := 0; i+1 < len(re.Rune); i += 2 {
				if re.Rune[i] <= r && r <= re.Rune[i+1] {
					return string(r)
				}
			}
		}
		return string(re.Rune[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x"
	case syntax.OpCapture, syntax.OpPlus:
		return sample(re.Sub[0])
	case syntax.OpRepeat:
		return strings.Repeat(sample(re.Sub[0]), re.Min)
	case syntax.OpConcat:
		for _, s := range re.Sub {
			b.WriteString(sample(s))
		}
	case syntax.OpAlternate:
		return sample(re.Sub[0])
	}
	return b.String()
}
