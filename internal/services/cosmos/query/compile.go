package query

import (
	"encoding/json"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Program is a compiled query. It is immutable and safe for concurrent use.
type Program struct {
	main  *block
	slots int
	facts Facts
}

// Facts says what a query needs beyond looking at one document at a time.
type Facts struct {
	Filter, Join                          bool
	OrderBy, Aggregate, GroupBy, Distinct bool
	Top, OffsetLimit                      bool
}

// CrossDocument names the first construct that needs state across documents, empty where there is none. A gateway
// refuses such a query across partitions.
func (f Facts) CrossDocument() string {
	for _, c := range [...]struct {
		is   bool
		name string
	}{{f.GroupBy, "GROUP BY"}, {f.Aggregate, "aggregate"}, {f.Distinct, "DISTINCT"}, {f.OrderBy, "ORDER BY"}, {f.OffsetLimit, "OFFSET LIMIT"}, {f.Top, "TOP"}} {
		if c.is {
			return c.name
		}
	}
	return ""
}

// Facts says what the query needs.
func (p *Program) Facts() Facts { return p.facts }

// evalFn computes an expression for the row that is in the frame.
type evalFn func(f *frame) Value

// frame holds what a program works on: one slot per FROM alias, group key and aggregate.
type frame struct {
	slots []Value
	rows  int   // made so far, to look at ctx now and then
	err   error // stops the run
	stop  func() error
	doc   string // key of the document, which decides where ORDER BY does not
}

// tick is called for each row made; it tells whether to go on.
func (f *frame) tick() bool {
	if f.rows++; f.rows&1023 == 0 && f.stop != nil && f.err == nil {
		f.err = f.stop()
	}
	return f.err == nil
}

// rootSlot is where the document is.
const rootSlot = 0

// compiler resolves names and builds closures. The first problem unwinds to Compile.
type compiler struct {
	text      string
	params    map[string]Value
	slots     int
	rootBound bool         // some FROM has named the container
	also      []Diagnostic // found, but compilation went on to find more
}

type compileStop struct{ err error }

func (c *compiler) fail(s Span, code, format string, args ...any) {
	panic(compileStop{newError(diagnose(c.text, s, code, format, args...))})
}

func (c *compiler) unsupported(what string) { panic(compileStop{unsupported(what)}) }

// Compile resolves the names of a query and binds its parameters, whose names include the @. An error is an *Error, or a 501 fault
// that names what this engine lacks.
func Compile(q *Query, params map[string]json.RawMessage) (p *Program, err error) {
	c := &compiler{text: q.Text, params: make(map[string]Value, len(params)), slots: 1}
	var parser Parser
	for name, raw := range params {
		v, err := parser.Parse(raw)
		if err != nil {
			return nil, fault.New(fault.Invalid, "BadRequest", "The value of the query parameter %q is not valid JSON.", name)
		}
		c.params[name] = v.Detach()
	}
	defer func() {
		if r := recover(); r != nil {
			stop, ok := r.(compileStop)
			if !ok {
				panic(r)
			}
			p, err = nil, stop.err
		}
	}()
	main := c.block(q, nil)
	for _, item := range q.OrderBy {
		c.orderPath(item.Expr)
	}
	if c.also != nil {
		return nil, newError(c.also...)
	}
	_, plain := q.From.(*PathCollection)
	return &Program{main: main, slots: c.slots, facts: Facts{
		Filter: q.Where != nil, Join: q.From != nil && !plain,
		OrderBy: main.orderBy != nil, GroupBy: q.GroupBy != nil, Aggregate: len(main.aggregates) > 0, Distinct: q.Distinct,
		Top: q.Top != nil, OffsetLimit: q.Offset != nil,
	}}, nil
}

// orderPath refuses what is not a path in the document; the service sorts by its index only.
func (c *compiler) orderPath(e Expr) {
	for {
		switch x := e.(type) {
		case *Property:
			e = x.Base
			continue
		case *Index:
			if _, ok := x.Key.(*Literal); ok {
				e = x.Base
				continue
			}
		case *Ident:
			return
		}
		panic(compileStop{newError(Diagnostic{
			Severity: "Error", Code: 2206,
			Message: "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.",
		})})
	}
}

func (c *compiler) newSlot() int { c.slots++; return c.slots - 1 }

// scope maps the names that are visible to slots.
type scope struct {
	parent *scope
	names  map[string]int
	group  *grouping // set while the select list of a grouped query is compiled
}

// grouping is what the select list of a grouped query may use of its rows.
type grouping struct {
	keys        map[string]int // canonical print of a GROUP BY expression to its slot
	block       *block
	inAggregate bool
}

func (s *scope) bind(c *compiler, at Span, name string, slot int) {
	if _, taken := s.names[name]; taken {
		panic(compileStop{newError(Diagnostic{
			Severity: "Error", Location: diagnose(c.text, at, "", "").Location,
			Message: "The input alias '" + name + "' is specified more than once in the FROM clause.",
		})})
	}
	s.names[name] = slot
}

// block is one compiled SELECT.
type block struct {
	from       source // nil: one row
	where      evalFn // nil: all
	grouped    bool
	groupBy    []groupKey
	aggregates []aggregate
	orderBy    []orderKey
	distinct   bool
	skip       uint64
	limit      uint64 // noLimit: none
	project    evalFn
}

const noLimit = 1<<64 - 1

type groupKey struct {
	slot int
	eval evalFn
}

type orderKey struct {
	eval evalFn
	desc bool
}

func (c *compiler) block(q *Query, parent *scope) *block {
	b := &block{distinct: q.Distinct, limit: noLimit}
	sc := &scope{parent: parent, names: map[string]int{}}
	if q.From != nil {
		b.from = c.from(q.From, sc)
	}
	if q.Where != nil {
		b.where = c.expr(q.Where, sc)
	}
	if q.Rank {
		c.unsupported("ORDER BY RANK")
	}
	for _, item := range q.OrderBy {
		b.orderBy = append(b.orderBy, orderKey{c.expr(item.Expr, sc), item.Desc})
	}
	b.grouped = q.GroupBy != nil || hasAggregate(q)
	if b.grouped {
		c.grouping(q, b, sc)
	}
	b.project = c.selection(q, sc)
	c.window(q, b)
	return b
}

func (c *compiler) grouping(q *Query, b *block, sc *scope) {
	switch {
	case q.Star:
		c.fail(q.StarSpan, "SC2041", "'SELECT *' is not allowed with GROUP BY.")
	case q.OrderBy != nil && q.GroupBy != nil:
		c.unsupported("ORDER BY together with GROUP BY")
	}
	b.orderBy = nil // an aggregate without GROUP BY makes one row
	g := &grouping{keys: map[string]int{}, block: b}
	for _, e := range q.GroupBy {
		k := groupKey{c.newSlot(), c.expr(e, sc)}
		b.groupBy = append(b.groupBy, k)
		g.keys[Print(e)] = k.slot
	}
	sc.group = g
}

// window resolves TOP, OFFSET and LIMIT.
func (c *compiler) window(q *Query, b *block) {
	if q.Offset != nil {
		b.skip = c.count(q.Offset, "SC2062", "The OFFSET count value exceeds the maximum allowed value.")
		b.limit = c.count(q.Limit, "SC2061", "The LIMIT count value exceeds the maximum allowed value.")
	}
	if q.Top != nil {
		b.limit = min(b.limit, c.count(q.Top, "SC2060", "The count value provided for a TOP clause must be an integer."))
	}
}

func (c *compiler) count(n *Count, code, message string) uint64 {
	if n.Param == "" {
		return uint64(n.N)
	}
	v := c.param(n.Span, n.Param)
	if v.kind != KindNumber || v.num < 0 || v.num > 1<<31-1 || v.num != float64(uint32(v.num)) {
		c.fail(n.Span, code, "%s", message)
	}
	return uint64(v.num)
}

func (c *compiler) param(s Span, name string) Value {
	v, ok := c.params[name]
	if !ok {
		c.fail(s, "SC2001", "Identifier '%s' could not be resolved.", name)
	}
	return v
}

// selection compiles what a row becomes.
func (c *compiler) selection(q *Query, sc *scope) evalFn {
	if q.Star {
		if len(sc.names) != 1 {
			c.fail(q.StarSpan, "SC2040", "'SELECT *' is only valid with a single input set.")
		}
		for _, slot := range sc.names {
			return func(f *frame) Value { return f.slots[slot] }
		}
	}
	if q.Value != nil {
		return c.expr(q.Value, sc)
	}
	names, evals, unnamed := make([]string, len(q.Items)), make([]evalFn, len(q.Items)), 0
	seen := map[string]bool{}
	for i, item := range q.Items {
		if names[i] = itemName(item); names[i] == "" {
			unnamed++
			names[i] = "$" + strconv.Itoa(unnamed)
		}
		if seen[names[i]] {
			panic(compileStop{newError(Diagnostic{
				Severity: "Error", Location: diagnose(c.text, item.Expr.Pos(), "", "").Location,
				Message: "The property name '" + names[i] + "' is specified more than once in the select list.",
			})})
		}
		seen[names[i]] = true
		evals[i] = c.expr(item.Expr, sc)
	}
	return objectOf(names, evals)
}

// itemName is the property a select item becomes; empty where the service numbers it.
func itemName(item SelectItem) string {
	if item.Alias != "" {
		return item.Alias
	}
	switch e := item.Expr.(type) {
	case *Ident:
		return e.Name
	case *Property:
		return e.Name
	case *Index:
		if l, ok := e.Key.(*Literal); ok {
			return l.Value.Str()
		}
	}
	return ""
}

// objectOf builds an object; undefined members vanish.
func objectOf(names []string, evals []evalFn) evalFn {
	return func(f *frame) Value {
		values := make([]Value, 0, len(evals))
		kept := names
		for i, e := range evals {
			v := e(f)
			if v.kind != KindUndefined {
				if len(values) < i { // one has vanished already
					kept = append(kept[:len(values):len(values)], names[i])
				}
				values = append(values, v)
			}
		}
		return Object(kept[:len(values)], values)
	}
}
