package sigma

import (
	"fmt"
	"strings"
)

// parseCondition reads a condition over the search identifiers. From loosest to tightest: or, and, not, "1 of" and "all of", parentheses.
func parseCondition(s string, searches []search) (*expr, error) {
	if strings.Contains(s, "|") {
		return nil, fmt.Errorf("the aggregation %q of Sigma 1 is not supported; write a correlation", strings.TrimSpace(s[strings.Index(s, "|"):]))
	}
	p := &conditionParser{words: conditionWords(s), searches: searches}
	e, err := p.or()
	if err == nil && p.peek() != "" {
		err = fmt.Errorf("%q isn't expected after a complete condition", p.peek())
	}
	return e, err
}

func conditionWords(s string) []string {
	s = strings.ReplaceAll(s, "(", " ( ")
	return strings.Fields(strings.ReplaceAll(s, ")", " ) "))
}

type conditionParser struct {
	words    []string
	searches []search
	depth    int
	size     int
}

func (p *conditionParser) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

// take consumes the next word if it is the keyword.
func (p *conditionParser) take(keyword string) bool {
	if !strings.EqualFold(p.peek(), keyword) || keyword == "" {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *conditionParser) or() (*expr, error) { return p.chain("or", opOr, p.and) }

func (p *conditionParser) and() (*expr, error) { return p.chain("and", opAnd, p.not) }

func (p *conditionParser) chain(word string, op exprOp, next func() (*expr, error)) (*expr, error) {
	var kids []*expr
	for {
		e, err := next()
		if err != nil {
			return nil, err
		}
		kids = append(kids, e)
		if !p.take(word) {
			return join(op, kids), nil
		}
	}
}

func (p *conditionParser) not() (*expr, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("more than %d levels", maxNesting)
	}
	defer func() { p.depth-- }()
	if p.take("not") {
		e, err := p.not()
		if err != nil {
			return nil, err
		}
		return not(e), nil
	}
	return p.primary()
}

func (p *conditionParser) primary() (*expr, error) {
	word := p.peek()
	if word == "" {
		return nil, fmt.Errorf("ends where a search identifier is expected")
	}
	if p.take("(") {
		e, err := p.or()
		if err == nil && !p.take(")") {
			err = fmt.Errorf("a parenthesis isn't closed")
		}
		return e, err
	}
	p.words = p.words[1:]
	if p.take("of") {
		return p.of(word)
	}
	switch strings.ToLower(word) {
	case ")", "and", "or", "of", "them":
		return nil, fmt.Errorf("%q where a search identifier is expected", word)
	}
	for _, s := range p.searches {
		if s.name == word {
			return p.use(s.body)
		}
	}
	return nil, fmt.Errorf("there is no search identifier %q", word)
}

// use counts what a condition expands to: identifiers may be named again and again.
func (p *conditionParser) use(e *expr) (*expr, error) {
	if p.size += e.size(); p.size > maxNodes {
		return nil, fmt.Errorf("expands to more than %d parts", maxNodes)
	}
	return e, nil
}

// of reads what follows "1 of" or "all of": them, or a name with wildcards. Names that begin with an underscore are not among them.
func (p *conditionParser) of(count string) (*expr, error) {
	op := opOr
	switch strings.ToLower(count) {
	case "1", "any":
	case "all":
		op = opAnd
	default:
		return nil, fmt.Errorf("%q of; want 1, any or all", count)
	}
	name := p.peek()
	if name == "" || name == "(" || name == ")" {
		return nil, fmt.Errorf("%s of what?", count)
	}
	p.words = p.words[1:]
	var kids []*expr
	for _, s := range p.searches {
		if strings.EqualFold(name, "them") && !strings.HasPrefix(s.name, "_") || nameMatches(name, s.name) {
			e, err := p.use(s.body)
			if err != nil {
				return nil, err
			}
			kids = append(kids, e)
		}
	}
	if len(kids) == 0 {
		return nil, fmt.Errorf("no search identifier is %q", name)
	}
	return join(op, kids), nil
}

// nameMatches compares a name with one that may hold asterisks.
func nameMatches(glob, name string) bool {
	parts := strings.Split(glob, "*")
	if len(parts) == 1 {
		return glob == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}
