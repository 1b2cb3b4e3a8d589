package query

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Binding strengths, weakest first. BETWEEN, IN and LIKE stand at bindTest and do not chain.
const (
	bindCoalesce = 1 + iota
	bindConditional
	bindOr
	bindAnd
	bindTest
	bindBinary // and upwards: the operators of binaryStrength
)

// binaryStrength is the strength of the operators above bindTest; 0 for any other text.
func binaryStrength(op string) int {
	switch op {
	case "||":
		return bindBinary
	case "|":
		return bindBinary + 1
	case "^":
		return bindBinary + 2
	case "&":
		return bindBinary + 3
	case "=", "!=", "<>":
		return bindBinary + 4
	case "<", ">", "<=", ">=":
		return bindBinary + 5
	case "<<", ">>", ">>>":
		return bindBinary + 6
	case "+", "-":
		return bindBinary + 7
	case "*", "/", "%":
		return bindBinary + 8
	}
	return 0
}

// expr reads a scalar expression.
func (p *parser) expr() Expr { return p.binding(bindCoalesce) }

func (p *parser) exprList() []Expr {
	list := []Expr{p.expr()}
	for p.acceptOp(",") {
		list = append(list, p.expr())
	}
	return list
}

// binding reads an expression whose operators are at least as strong as least.
func (p *parser) binding(least int) Expr {
	p.enter()
	defer p.leave()
	start := p.tok.span.Start
	return p.operators(p.unary(), start, least)
}

// operators reads the operators, at least as strong as least, that follow x.
func (p *parser) operators(x Expr, start, least int) Expr {
	here := func() at { return at{Span{start, p.prev}} }
	strongest := bindBinary + 100 // what may still follow: nothing stronger than the operator before
	for n := 0; ; n++ {
		if n > maxChain {
			p.fail(p.tok.span, "SC1001", "Syntax error, the expression has more than %d operators near '%s'.", maxChain, p.tok.text)
		}
		op, strength := p.operator()
		if strength == 0 || strength < least || strength > strongest {
			return x
		}
		strongest = strength
		switch strength {
		case bindTest:
			x = p.test(x, start)
			strongest--
			continue
		case bindConditional:
			p.next()
			then := p.expr()
			p.expectOp(":")
			x = &Conditional{If: x, Then: then, Else: p.binding(bindConditional)}
			x.(*Conditional).at = here()
			continue
		}
		p.next()
		y := p.binding(strength + 1)
		x = &Binary{at: here(), Op: op, X: x, Y: y}
	}
}

// operator names the infix operator at the current token and its strength, 0 where there is none.
func (p *parser) operator() (op string, strength int) {
	op = p.tok.text
	switch p.tok.kind {
	case tokOp:
		switch op {
		case "??":
			return op, bindCoalesce
		case "?":
			return op, bindConditional
		case "<>":
			return "!=", binaryStrength(op)
		}
		return op, binaryStrength(op)
	case tokKeyword:
		switch op {
		case "OR":
			return op, bindOr
		case "AND":
			return op, bindAnd
		case "NOT", "BETWEEN", "IN", "LIKE":
			return op, bindTest
		}
	}
	return "", 0
}

// test reads [NOT] BETWEEN, IN or LIKE after x.
func (p *parser) test(x Expr, start int) Expr {
	not := p.acceptKw("NOT")
	here := func() at { return at{Span{start, p.prev}} }
	switch {
	case p.acceptKw("BETWEEN"):
		low := p.binding(bindBinary)
		p.expectKw("AND")
		high := p.binding(bindBinary)
		return &Between{at: here(), X: x, Low: low, High: high, Not: not}
	case p.acceptKw("IN"):
		p.expectOp("(")
		list := p.exprList()
		p.expectOp(")")
		return &In{at: here(), X: x, List: list, Not: not}
	case p.acceptKw("LIKE"):
		e := &Like{X: x, Pattern: p.binding(bindBinary), Not: not}
		if p.acceptKw("ESCAPE") {
			if p.tok.kind != tokString {
				p.unexpected()
			}
			e.Escape, e.HasEscape = unquote(p.tok.text), true
			p.next()
		}
		e.at = here()
		return e
	}
	p.unexpected()
	return nil
}

// unary reads prefix operators. A minus that touches a number belongs to it.
func (p *parser) unary() Expr {
	start := p.tok.span
	op := p.tok.text
	prefix := p.tok.kind == tokOp && (op == "-" || op == "+" || op == "~") || p.isKw("NOT")
	if !prefix {
		return p.postfix()
	}
	p.enter()
	defer p.leave()
	p.next()
	if op == "-" && p.tok.kind == tokNumber && p.tok.span.Start == start.End {
		p.tok.text = "-" + p.tok.text
		p.tok.span.Start = start.Start
		return p.postfix()
	}
	x := p.unary()
	return &Unary{at: at{Span{start.Start, p.prev}}, Op: op, X: x}
}

// postfix reads a primary expression with its `.name` and `[index]` steps.
func (p *parser) postfix() Expr {
	start := p.tok.span.Start
	return p.steps(p.primary(), start)
}

// steps reads the `.name` and `[index]` that follow x.
func (p *parser) steps(x Expr, start int) Expr {
	for n := 0; ; n++ {
		if n > maxChain {
			p.fail(p.tok.span, "SC1001", "Syntax error, the path has more than %d steps near '%s'.", maxChain, p.tok.text)
		}
		switch {
		case p.acceptOp("."):
			name := p.ident()
			x = &Property{at: at{Span{start, p.prev}}, Base: x, Name: name}
		case p.acceptOp("["):
			key := p.expr()
			p.expectOp("]")
			x = &Index{at: at{Span{start, p.prev}}, Base: x, Key: key}
		default:
			return x
		}
	}
}

// parseNumber reads a number of a query, hexadecimal after 0x. A 64-bit integer keeps its digits for the print and the Int functions; for all else it is a double.
func parseNumber(text string) (Value, error) {
	if digits, ok := strings.CutPrefix(strings.ToLower(strings.TrimPrefix(text, "-")), "0x"); ok {
		n, err := strconv.ParseUint(digits, 16, 64)
		switch {
		case err != nil:
			return Undefined, err
		case text[0] == '-':
			return Number(-float64(n)), nil
		case n <= math.MaxInt64:
			return Integer(int64(n)), nil
		}
		return Number(float64(n)), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && !exactFloat(n) {
		return Integer(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	return Number(f), err
}

func (p *parser) primary() Expr {
	t := p.tok
	here := func() at { return at{Span{t.span.Start, p.prev}} }
	switch t.kind {
	case tokNumber:
		v, err := parseNumber(t.text)
		if err != nil {
			p.fail(t.span, "SC1011", "Syntax error, invalid numeric value token '%s'.", t.text)
		}
		p.next()
		return &Literal{at{t.span}, v}
	case tokString:
		p.next()
		return &Literal{at{t.span}, String(unquote(t.text))}
	case tokParam:
		p.next()
		return &Param{at{t.span}, t.text}
	case tokIdent:
		return p.name()
	case tokKeyword:
		return p.keywordPrimary()
	case tokOp:
		switch t.text {
		case "(":
			return p.parenthesized()
		case "[":
			p.next()
			var list []Expr
			if !p.isOp("]") {
				list = p.exprList()
			}
			p.expectOp("]")
			return &ArrayLit{here(), list}
		case "{":
			return p.object()
		}
	}
	p.unexpected()
	return nil
}

func (p *parser) keywordPrimary() Expr {
	t := p.tok
	literal := func(v Value) Expr {
		p.next()
		return &Literal{at{t.span}, v}
	}
	switch t.text {
	case "true":
		return literal(Bool(true))
	case "false":
		return literal(Bool(false))
	case "null":
		return literal(Null)
	case "undefined":
		return literal(Undefined)
	case "udf":
		p.next()
		p.expectOp(".")
		c := &Call{Name: p.ident(), UDF: true}
		c.Args = p.args()
		c.at = at{Span{t.span.Start, p.prev}}
		return c
	case "LEFT", "RIGHT":
		p.next()
		c := &Call{Name: t.text, Args: p.args()}
		c.at = at{Span{t.span.Start, p.prev}}
		return c
	case "EXISTS", "ARRAY", "ALL", "FIRST", "LAST":
		open := p.peek()
		if open.kind == tokOp && open.text == "(" {
			if sel := lex(p.text, open.span.End); sel.kind == tokKeyword && sel.text == "SELECT" {
				p.next()
				p.next()
				q := p.query()
				p.expectOp(")")
				return &Subquery{at{Span{t.span.Start, p.prev}}, t.text, q}
			}
		}
		if softKeyword(t.text) {
			return p.name()
		}
		p.next() // point at what should have been a subquery
		if p.acceptOp("(") {
			p.expectKw("SELECT")
		}
	}
	p.unexpected()
	return nil
}

// name reads an identifier or a function call.
func (p *parser) name() Expr {
	start := p.tok.span.Start
	name := p.ident()
	if !p.isOp("(") {
		return &Ident{at{Span{start, p.prev}}, name}
	}
	args := p.args()
	return &Call{at: at{Span{start, p.prev}}, Name: name, Args: args}
}

func (p *parser) args() []Expr {
	p.expectOp("(")
	if p.acceptOp(")") {
		return nil
	}
	list := p.exprList()
	p.expectOp(")")
	return list
}

// parenthesized reads a bracketed expression or subquery. The canonical print of a long chain, ((((a OR b) OR c) OR d), begins with as many
// brackets as it has operators: they are read in a loop, so that whatever parses also parses once printed.
func (p *parser) parenthesized() Expr {
	var starts []int
	for p.isOp("(") {
		if len(starts) > maxChain {
			p.fail(p.tok.span, "SC1001", "Syntax error, the query has more than %d brackets in a row near '%s'.", maxChain, p.tok.text)
		}
		starts = append(starts, p.tok.span.Start)
		p.next()
	}
	var x Expr
	last := len(starts) - 1
	if p.isKw("SELECT") {
		q := p.query()
		p.expectOp(")")
		x = &Subquery{at{Span{starts[last], p.prev}}, "", q}
	} else {
		start := p.tok.span.Start
		x = p.operators(p.unary(), start, bindCoalesce)
		p.expectOp(")")
	}
	for i := last - 1; i >= 0; i-- {
		inner := starts[i+1]
		x = p.operators(p.steps(x, inner), inner, bindCoalesce)
		p.expectOp(")")
	}
	return x
}

func (p *parser) object() Expr {
	start := p.tok.span.Start
	o := &ObjectLit{}
	p.next()
	for !p.isOp("}") {
		if len(o.Names) > 0 {
			p.expectOp(",")
		}
		var name string
		switch p.tok.kind {
		case tokString:
			name = unquote(p.tok.text)
		case tokIdent, tokKeyword: // the service takes a bare name, which its client's grammar does not have
			name = p.text[p.tok.span.Start:p.tok.span.End]
		default:
			p.unexpected()
		}
		p.next()
		p.expectOp(":")
		o.Names, o.Values = append(o.Names, name), append(o.Values, p.expr())
	}
	p.next()
	o.at = at{Span{start, p.prev}}
	return o
}

// unquote reads a string literal that the lexer has accepted.
func unquote(lit string) string {
	body := lit[1 : len(lit)-1]
	if strings.IndexByte(body, '\\') < 0 {
		return body
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			b.WriteByte(body[i])
			continue
		}
		i++
		switch body[i] {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r := rune(hex4(body[i+1:]))
			i += 4
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if strings.HasPrefix(body[i+1:], `\u`) {
					pair = utf16.DecodeRune(r, rune(hex4(body[i+3:])))
				}
				if pair != utf8.RuneError {
					i += 6
				}
				r = pair
			}
			b.WriteRune(r)
		default:
			b.WriteByte(body[i])
		}
	}
	return b.String()
}

// hex4 reads four hexadecimal digits; the lexer has seen to it that they are there.
func hex4(s string) uint64 {
	n, _ := strconv.ParseUint(s[:4], 16, 16)
	return n
}
