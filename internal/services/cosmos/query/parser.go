package query

import (
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Bounds on what a query may be.
const (
	MaxText    = 512 << 10 // bytes, as the account's maxSqlQueryInputLength says
	maxNesting = 400       // operands, arguments and subqueries inside each other; brackets alone do not count
	maxChain   = 1 << 16   // operators of one level, or opening brackets, in a row
)

// What is said of a count that is none.
const (
	topMessage    = "The count value provided for a TOP clause must be an integer."
	offsetMessage = "The OFFSET count value exceeds the maximum allowed value."
	limitMessage  = "The LIMIT count value exceeds the maximum allowed value."
)

// Parse reads a query. An error is an *Error.
func Parse(text string) (q *Query, err error) {
	if len(text) > MaxText {
		return nil, fault.New(fault.Invalid, "BadRequest", "The query text has %d bytes; at most %d are allowed.", len(text), MaxText)
	}
	text = strings.ToValidUTF8(text, "\ufffd") // as a JSON decoder leaves it
	p := &parser{text: text}
	defer func() {
		if r := recover(); r != nil {
			stop, ok := r.(syntaxStop)
			if !ok {
				panic(r)
			}
			q, err = nil, newError(stop.d)
		}
	}()
	p.tok = lex(text, 0)
	q = p.query()
	if p.tok.kind != tokEOF {
		p.unexpected()
	}
	q.Text = text
	return q, nil
}

// parser is a recursive-descent parser; a syntax error unwinds to Parse as a syntaxStop.
type parser struct {
	text  string
	tok   token // the current one
	prev  int   // end of the one before
	depth int
}

type syntaxStop struct{ d Diagnostic }

func (p *parser) fail(s Span, code, format string, args ...any) {
	panic(syntaxStop{diagnose(p.text, s, code, format, args...)})
}

// unexpected reports the current token.
func (p *parser) unexpected() {
	s := p.tok.span
	switch p.tok.kind {
	case tokEOF:
		p.fail(s, "SC1001", "Syntax error, unexpected end of query.")
	case tokBad:
		if c := p.tok.text[0]; c == '\'' || c == '"' {
			p.fail(s, "SC1012", "Syntax error, invalid string literal.")
		}
		p.fail(s, "SC1010", "Syntax error, invalid token '%s'.", p.tok.text)
	default:
		p.fail(s, "SC1001", "Syntax error, incorrect syntax near '%s'.", p.text[s.Start:s.End])
	}
}

func (p *parser) next() { p.prev, p.tok = p.tok.span.End, lex(p.text, p.tok.span.End) }

// peek is the token after the current one.
func (p *parser) peek() token { return lex(p.text, p.tok.span.End) }

func (p *parser) isOp(op string) bool { return p.tok.kind == tokOp && p.tok.text == op }
func (p *parser) isKw(kw string) bool { return p.tok.kind == tokKeyword && p.tok.text == kw }

func (p *parser) acceptOp(op string) bool {
	ok := p.isOp(op)
	if ok {
		p.next()
	}
	return ok
}

func (p *parser) acceptKw(kw string) bool {
	ok := p.isKw(kw)
	if ok {
		p.next()
	}
	return ok
}

func (p *parser) expectOp(op string) {
	if !p.acceptOp(op) {
		p.unexpected()
	}
}

func (p *parser) expectKw(kw string) {
	if !p.acceptKw(kw) {
		p.unexpected()
	}
}

// enter counts nesting; the caller defers leave.
func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail(p.tok.span, "SC1001", "Syntax error, the query nests deeper than %d levels near '%s'.", maxNesting, p.tok.text)
	}
}

func (p *parser) leave() { p.depth-- }

// isIdent tells whether the current token can be a name.
func (t token) isIdent() bool {
	return t.kind == tokIdent || t.kind == tokKeyword && softKeyword(t.text)
}

// ident reads a name.
func (p *parser) ident() string {
	if !p.tok.isIdent() {
		p.unexpected()
	}
	name := p.text[p.tok.span.Start:p.tok.span.End]
	p.next()
	return name
}

func (p *parser) query() *Query {
	p.enter()
	defer p.leave()
	q := &Query{}
	start := p.tok.span.Start
	p.expectKw("SELECT")
	q.Distinct = p.acceptKw("DISTINCT")
	if p.acceptKw("TOP") {
		q.Top = p.count("SC2060", topMessage)
	}
	p.selection(q)
	if p.acceptKw("FROM") {
		q.From = p.from()
	}
	if p.acceptKw("WHERE") {
		q.Where = p.expr()
	}
	if p.acceptKw("GROUP") {
		p.expectKw("BY")
		q.GroupBy = p.exprList()
	}
	if p.acceptKw("ORDER") {
		p.orderBy(q)
	}
	if p.acceptKw("OFFSET") {
		q.Offset = p.count("SC2062", offsetMessage)
		p.expectKw("LIMIT")
		q.Limit = p.count("SC2061", limitMessage)
	}
	q.Span = Span{start, p.prev}
	return q
}

func (p *parser) selection(q *Query) {
	switch {
	case p.isOp("*"):
		q.Star, q.StarSpan = true, p.tok.span
		p.next()
	case p.acceptKw("VALUE"):
		q.Value = p.expr()
	default:
		for {
			item := SelectItem{Expr: p.expr()}
			if p.acceptKw("AS") {
				item.Alias = p.ident()
			}
			q.Items = append(q.Items, item)
			if !p.acceptOp(",") {
				return
			}
		}
	}
}

// count reads a whole number of at most 32 bits, or a parameter.
func (p *parser) count(code, message string) *Count {
	c := &Count{Span: p.tok.span}
	switch p.tok.kind {
	case tokParam:
		c.Param = p.tok.text
	case tokNumber:
		n, err := strconv.ParseUint(p.tok.text, 10, 32)
		if err != nil {
			p.fail(c.Span, code, "%s", message)
		}
		c.N = n
	default:
		p.unexpected()
	}
	p.next()
	return c
}

func (p *parser) orderBy(q *Query) {
	p.expectKw("BY")
	q.Rank = p.acceptKw("RANK")
	for {
		item := OrderItem{Expr: p.expr()}
		if _, isCall := item.Expr.(*Call); q.Rank && !isCall {
			s := item.Expr.Pos()
			p.fail(s, "SC1001", "Syntax error, incorrect syntax near '%s'.", p.text[s.Start:s.End])
		}
		switch {
		case p.acceptKw("ASC"):
			item.Explicit = true
		case p.acceptKw("DESC"):
			item.Explicit, item.Desc = true, true
		}
		q.OrderBy = append(q.OrderBy, item)
		if !p.acceptOp(",") {
			return
		}
	}
}

func (p *parser) from() Collection {
	left := p.collection()
	for n := 0; p.acceptKw("JOIN"); n++ {
		if n >= maxNesting {
			p.fail(p.tok.span, "SC1001", "Syntax error, too many joins near '%s'.", p.tok.text)
		}
		left = &JoinCollection{left, p.collection()}
	}
	return left
}

// collection reads `name IN source` or `source [[AS] alias]`.
func (p *parser) collection() Collection {
	if after := p.peek(); p.tok.isIdent() && after.kind == tokKeyword && after.text == "IN" {
		name := p.ident()
		p.next()
		return &IterateCollection{Name: name, Source: p.source()}
	}
	src := p.source()
	alias := ""
	if p.acceptKw("AS") || p.tok.isIdent() {
		alias = p.ident()
	}
	switch src := src.(type) {
	case *PathCollection:
		src.Alias = alias
	case *SubqueryCollection:
		src.Alias = alias
	}
	return src
}

// source reads a path or a bracketed subquery.
func (p *parser) source() Collection {
	if p.acceptOp("(") {
		q := p.query()
		p.expectOp(")")
		return &SubqueryCollection{Query: q}
	}
	c := &PathCollection{Span: p.tok.span}
	c.Root = p.ident()
	for {
		switch {
		case p.acceptOp("."):
			c.Path = append(c.Path, PathSegment{Name: p.ident()})
		case p.acceptOp("["):
			switch p.tok.kind {
			case tokNumber:
				n, err := strconv.ParseUint(p.tok.text, 10, 31)
				if err != nil {
					p.unexpected()
				}
				c.Path = append(c.Path, PathSegment{Index: int(n), IsIndex: true})
			case tokString:
				c.Path = append(c.Path, PathSegment{Name: unquote(p.tok.text), Quoted: true})
			default:
				p.unexpected()
			}
			p.next()
			p.expectOp("]")
		default:
			c.Span.End = p.prev
			return c
		}
	}
}
