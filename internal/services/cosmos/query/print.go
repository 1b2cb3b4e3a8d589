package query

import (
	"bytes"
	"strconv"
	"strings"
)

// String prints the query in canonical form: keywords in upper case, every operator in brackets, strings in double quotes.
func (q *Query) String() string {
	var b printer
	b.query(q)
	return b.String()
}

// Print prints an expression in canonical form. Two expressions that print alike mean the same.
func Print(e Expr) string {
	var b printer
	b.expr(e)
	return b.String()
}

// printer prints either for people and keys of maps, on one line, or, as plan says, in the form of the service's own planner: a clause a
// line, no ASC that the query does not say, numbers with 17 digits.
type printer struct {
	strings.Builder
	plan  bool
	depth int // of subqueries, as the planner indents them
}

// clause begins a clause, on a line of its own where the planner does so.
func (b *printer) clause(text string) {
	if b.plan {
		b.line()
		text = text[1:]
	}
	b.put(text)
}

func (b *printer) line() { b.put("\n", strings.Repeat("    ", b.depth)) }

// bracketed prints a subquery in its brackets.
func (b *printer) bracketed(q *Query) {
	b.put("(")
	if b.plan {
		b.depth++
		b.line()
	}
	b.query(q)
	if b.plan {
		b.depth--
		b.line()
	}
	b.put(")")
}

func (b *printer) put(parts ...string) {
	for _, s := range parts {
		b.WriteString(s)
	}
}

func (b *printer) query(q *Query) {
	b.put("SELECT ")
	if q.Distinct {
		b.put("DISTINCT ")
	}
	if q.Top != nil {
		b.put("TOP ", q.Top.String(), " ")
	}
	switch {
	case q.Star:
		b.put("*")
	case q.Value != nil:
		b.put("VALUE ")
		b.expr(q.Value)
	default:
		for i, item := range q.Items {
			b.comma(i)
			b.expr(item.Expr)
			if item.Alias != "" {
				b.put(" AS ", item.Alias)
			}
		}
	}
	if q.From != nil {
		b.clause(" FROM ")
		b.collection(q.From)
	}
	if q.Where != nil {
		b.clause(" WHERE ")
		b.expr(q.Where)
	}
	if q.GroupBy != nil {
		b.clause(" GROUP BY ")
		b.list(q.GroupBy)
	}
	b.orderBy(q)
	if q.Offset != nil {
		b.clause(" OFFSET ")
		b.put(q.Offset.String(), " LIMIT ", q.Limit.String())
	}
}

func (b *printer) orderBy(q *Query) {
	for i, item := range q.OrderBy {
		switch {
		case i > 0:
			b.put(", ")
		case q.Rank:
			b.clause(" ORDER BY RANK ")
		default:
			b.clause(" ORDER BY ")
		}
		b.expr(item.Expr)
		switch {
		case item.Desc:
			b.put(" DESC")
		case item.Explicit || !q.Rank && !b.plan:
			b.put(" ASC")
		}
	}
}

// String is the number, or the parameter's name.
func (c *Count) String() string {
	if c.Param != "" {
		return c.Param
	}
	return strconv.FormatUint(c.N, 10)
}

func (b *printer) comma(i int) {
	if i > 0 {
		b.put(", ")
	}
}

func (b *printer) list(list []Expr) {
	for i, e := range list {
		b.comma(i)
		b.expr(e)
	}
}

func (b *printer) quoted(s string) { b.Write(appendString(nil, s)) }

func (b *printer) collection(c Collection) {
	alias := ""
	switch c := c.(type) {
	case *PathCollection:
		b.put(c.Root)
		for _, s := range c.Path {
			switch {
			case s.IsIndex:
				b.put("[", strconv.Itoa(s.Index), "]")
			case s.Quoted:
				b.put("[")
				b.quoted(s.Name)
				b.put("]")
			default:
				b.put(".", s.Name)
			}
		}
		alias = c.Alias
	case *SubqueryCollection:
		b.bracketed(c.Query)
		alias = c.Alias
	case *IterateCollection:
		b.put(c.Name, " IN ")
		b.collection(c.Source)
	case *JoinCollection:
		b.collection(c.Left)
		b.clause(" JOIN ")
		b.collection(c.Right)
	}
	if alias != "" {
		b.put(" AS ", alias)
	}
}

func (b *printer) expr(e Expr) {
	switch e := e.(type) {
	case *Literal:
		if e.Value.kind == KindUndefined {
			b.put("undefined")
			return
		}
		text := e.Value.AppendJSON(nil)
		if e.Value.kind == KindNumber {
			text = bytes.ToUpper(text) // 1E+21
			if b.plan {
				text = strconv.AppendFloat(nil, e.Value.num, 'g', 17, 64)
			}
		}
		b.Write(text)
	case *Ident:
		b.put(e.Name)
	case *Param:
		b.put(e.Name)
	case *Property:
		b.expr(e.Base)
		b.put(".", e.Name)
	case *Index:
		b.expr(e.Base)
		b.put("[")
		b.expr(e.Key)
		b.put("]")
	case *Unary:
		if id, ok := e.X.(*Ident); ok && e.Op == "-" && id.Name == infinity {
			b.put("-", infinity)
			return
		}
		b.put("(", e.Op, " ")
		b.expr(e.X)
		b.put(")")
	case *Binary:
		b.put("(")
		b.expr(e.X)
		b.put(" ", e.Op, " ")
		b.expr(e.Y)
		b.put(")")
	case *Call:
		if e.UDF {
			b.put("udf.")
		}
		b.put(e.Name, "(")
		b.list(e.Args)
		b.put(")")
	case *ArrayLit:
		b.put("[")
		b.list(e.List)
		b.put("]")
	case *ObjectLit:
		b.put("{")
		for i, name := range e.Names {
			b.comma(i)
			b.quoted(name)
			b.put(": ")
			b.expr(e.Values[i])
		}
		b.put("}")
	case *Subquery:
		b.put(e.Kind)
		b.bracketed(e.Query)
	default:
		b.put("(")
		b.test(e)
		b.put(")")
	}
}

// test prints what stands between brackets of its own, other than the plain operators.
func (b *printer) test(e Expr) {
	not := func(n bool) {
		if n {
			b.put(" NOT")
		}
	}
	switch e := e.(type) {
	case *Conditional:
		b.expr(e.If)
		b.put(" ? ")
		b.expr(e.Then)
		b.put(" : ")
		b.expr(e.Else)
	case *Between:
		b.expr(e.X)
		not(e.Not)
		b.put(" BETWEEN ")
		b.expr(e.Low)
		b.put(" AND ")
		b.expr(e.High)
	case *In:
		b.expr(e.X)
		not(e.Not)
		b.put(" IN (")
		b.list(e.List)
		b.put(")")
	case *Like:
		b.expr(e.X)
		not(e.Not)
		b.put(" LIKE ")
		b.expr(e.Pattern)
		if e.HasEscape {
			b.put(" ESCAPE ")
			b.quoted(e.Escape)
		}
	}
}
