package monitor

import (
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
)

// parseFilter reads a $filter of dimensions:
//
//	A eq 'x' or A eq 'y'
//	A eq '*' and (B eq 'x' or B sw 'y')
//	A ne 'x'
//
// Comparisons of one dimension are joined by "or" (those by ne by "and"), dimensions by "and". sw is "starts with". A quote in a value is doubled.
func parseFilter(text string) ([]metrics.DimensionFilter, error) {
	p := filterParser{text: text}
	for p.next() != "" {
		if err := p.term(); err != nil {
			return nil, err
		}
		switch {
		case p.next() == "":
		case p.keyword("and"):
			if p.next() == "" {
				return nil, p.fail("a comparison is missing after 'and'")
			}
		default:
			return nil, p.fail("'and' is expected at '%s'", p.next())
		}
	}
	return p.out, nil
}

type filterParser struct {
	text string
	out  []metrics.DimensionFilter
}

func (p *filterParser) fail(format string, args ...any) error {
	return fault.New(fault.Invalid, "BadRequest", "The filter can't be read: "+format+".", args...)
}

// next is the rest without leading blanks, clipped for errors.
func (p *filterParser) next() string {
	p.text = strings.TrimLeft(p.text, " \t\r\n")
	if len(p.text) > 40 {
		return strings.ToValidUTF8(p.text[:40], "")
	}
	return p.text
}

// keyword takes a word if it is the next one.
func (p *filterParser) keyword(w string) bool {
	p.next()
	if len(p.text) < len(w) || !strings.EqualFold(p.text[:len(w)], w) {
		return false
	}
	if rest := p.text[len(w):]; rest == "" || strings.ContainsRune(" \t\r\n('", rune(rest[0])) {
		p.text = rest
		return true
	}
	return false
}

// term reads one comparison, or several of one dimension joined by "or", in parentheses or not.
func (p *filterParser) term() error {
	closing := false
	if strings.HasPrefix(p.next(), "(") {
		p.text, closing = p.text[1:], true
	}
	first := ""
	for {
		name, err := p.comparison()
		if err != nil {
			return err
		}
		if first == "" {
			first = name
		} else if !strings.EqualFold(first, name) {
			return p.fail("'or' joins comparisons of one dimension only, not of '%s' and '%s'", first, name)
		}
		if !p.keyword("or") {
			break
		}
	}
	if closing {
		if !strings.HasPrefix(p.next(), ")") {
			return p.fail("')' is expected at '%s'", p.next())
		}
		p.text = p.text[1:]
	}
	return nil
}

// comparison reads "name op 'value'".
func (p *filterParser) comparison() (name string, err error) {
	p.next()
	if strings.HasPrefix(p.text, "'") { // some clients quote names with blanks
		if name, err = p.quoted(); err != nil {
			return "", err
		}
	} else {
		n := strings.IndexAny(p.text, " \t\r\n()'")
		if n <= 0 {
			return "", p.fail("a dimension's name is expected at '%s'", p.next())
		}
		name, p.text = p.text[:n], p.text[n:]
	}
	op := ""
	for _, o := range []string{"eq", "ne", "sw"} {
		if p.keyword(o) {
			op = o
			break
		}
	}
	if op == "" {
		return "", p.fail("eq, ne or sw is expected at '%s'", p.next())
	}
	if !strings.HasPrefix(p.next(), "'") {
		return "", p.fail("a quoted value is expected at '%s'", p.next())
	}
	value, err := p.quoted()
	if err != nil {
		return "", err
	}
	if op == "sw" {
		value += "*"
	}
	i := slices.IndexFunc(p.out, func(f metrics.DimensionFilter) bool { return strings.EqualFold(f.Name, name) })
	switch exclude := op == "ne"; {
	case i < 0:
		p.out = append(p.out, metrics.DimensionFilter{Name: name, Values: []string{value}, Exclude: exclude})
	case p.out[i].Exclude != exclude:
		return "", p.fail("the dimension '%s' is compared by ne and by others", name)
	default:
		p.out[i].Values = append(p.out[i].Values, value)
	}
	return name, nil
}

func (p *filterParser) quoted() (string, error) {
	var b strings.Builder
	rest := p.text[1:]
	for {
		part, after, ok := strings.Cut(rest, "'")
		if !ok {
			return "", p.fail("a quoted text does not end")
		}
		b.WriteString(part)
		if !strings.HasPrefix(after, "'") {
			p.text = after
			return b.String(), nil
		}
		b.WriteByte('\'')
		rest = after[1:]
	}
}
