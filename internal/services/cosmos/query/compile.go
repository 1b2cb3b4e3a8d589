package query

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Program is a compiled query. It is immutable and safe for concurrent use.
type Program struct {
	main  *block
	slots int
	facts Facts
	udfs  []string
	env   Env

	policies bool // see ReadsPolicies

	filter, text *textual // WHERE and the whole query for the text of documents; nil: they have to be parsed
}

// Facts says what a query needs beyond looking at one document at a time.
type Facts struct {
	Filter, Join                          bool
	OrderBy, Aggregate, GroupBy, Distinct bool
	Top, OffsetLimit                      bool
	Nested                                bool // FROM a subquery whose rows are made of several documents
}

// CrossDocument names the first construct that needs state across documents, empty where there is none. A gateway
// refuses such a query across partitions.
func (f Facts) CrossDocument() string {
	for _, c := range [...]struct {
		is   bool
		name string
	}{{f.GroupBy, "GROUP BY"}, {f.Aggregate, "aggregate"}, {f.Distinct, "DISTINCT"}, {f.OrderBy, "ORDER BY"}, {f.OffsetLimit, "OFFSET LIMIT"}, {f.Top, "TOP"}, {f.Nested, "a subquery in FROM"}} {
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
	slots   []Value
	rows    int   // made so far, to look at ctx now and then
	steps   int   // of work for this document
	limit   int   // of steps
	docSize int   // bytes of this document
	err     error // stops the run
	ctx     context.Context
	env     *Env
	args    []Value       // of the calls that are being made
	tests   []*existence  // by EXISTS
	static  time.Time     // of the GetCurrent...Static functions; zero: not asked for yet
	matched time.Duration // spent in regular expressions for this document

	patternKey string // the last regular expression that is no constant
	patternOf  *regexp2.Regexp
	doc        string // key of the document, which decides where ORDER BY does not
}

// tick is called for each row made; it tells whether to go on.
func (f *frame) tick() bool {
	if f.rows++; f.rows&1023 == 0 && f.err == nil {
		f.err = f.context().Err()
	}
	return f.spend(1 + f.docSize>>12)
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
	udfs      []string     // named so far
	policies  bool         // some function goes by the container's policies
	tests     int          // EXISTS so far
	whole     bool         // the probe that is being compiled needs the whole document
}

type compileStop struct{ err error }

func (c *compiler) fail(s Span, code, format string, args ...any) {
	panic(compileStop{newError(diagnose(c.text, s, code, format, args...))})
}

func (c *compiler) unsupported(what string) { panic(compileStop{unsupported(what)}) }

// Compile resolves the names of a query and binds its parameters, whose names include the @. An error is an *Error, or a 501 fault
// that names what this engine lacks.
func Compile(q *Query, params map[string]json.RawMessage) (p *Program, err error) {
	c, err := newCompiler(q.Text, params)
	if err != nil {
		return nil, err
	}
	err = c.catch(func() { p = c.program(q) })
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newCompiler(text string, params map[string]json.RawMessage) (*compiler, error) {
	c := &compiler{text: text, params: make(map[string]Value, len(params)), slots: 1}
	var parser Parser
	for name, raw := range params {
		v, err := parser.Parse(raw)
		if err != nil {
			return nil, fault.New(fault.Invalid, "BadRequest", "The value of the query parameter %q is not valid JSON.", name)
		}
		c.params[name] = v.Detach()
	}
	return c, nil
}

// catch gives the problem that stopped f.
func (c *compiler) catch(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stop, ok := r.(compileStop)
			if !ok {
				panic(r)
			}
			err = stop.err
		}
	}()
	f()
	return nil
}

func (c *compiler) program(q *Query) *Program {
	main := c.block(q, nil)
	for _, item := range q.OrderBy {
		if !q.Rank {
			c.orderPath(item.Expr)
		}
	}
	if c.also != nil {
		panic(compileStop{newError(c.also...)})
	}
	_, plain := q.From.(*PathCollection)
	filter, text := c.textual(q)
	return &Program{main: main, filter: filter, text: text, slots: c.slots, udfs: c.udfs, policies: c.policies, facts: Facts{
		Filter: q.Where != nil, Join: q.From != nil && !plain,
		OrderBy: main.orderBy != nil || main.rank != nil, GroupBy: q.GroupBy != nil, Aggregate: len(main.aggregates) > 0, Distinct: q.Distinct,
		Top: q.Top != nil, OffsetLimit: q.Offset != nil, Nested: main.inner != nil,
	}}
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
		case *Call:
			if e := strings.ToUpper(x.Name); !x.UDF && (e == "VECTORDISTANCE" || e == "_FULLTEXTSCORE") {
				return
			}
		}
		panic(compileStop{newError(Diagnostic{
			Severity: "Error", Code: 2206,
			Message: "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.",
		})})
	}
}

// similarity is the metric of an order by VectorDistance that names no direction: the most similar come first.
func (c *compiler) similarity(item OrderItem) func(*Env) string {
	call, ok := item.Expr.(*Call)
	if !ok || item.Explicit || call.UDF || !strings.EqualFold(call.Name, "VectorDistance") {
		return nil
	}
	return c.metric(call)
}

func (c *compiler) newSlot() int { c.slots++; return c.slots - 1 }

// scope maps the names that are visible to slots.
type scope struct {
	parent *scope
	names  map[string]int
	group  *grouping // set while the select list of a grouped query is compiled
	probe  *textual  // set while what uses the scope is compiled for the text of documents
}

// knows tells whether something in the query has the name.
func (s *scope) knows(name string) bool {
	for ; s != nil; s = s.parent {
		if _, ok := s.names[name]; ok {
			return true
		}
	}
	return false
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
	inner      *block // rows of all documents that the FROM of the whole query begins with; nil: each document by itself
	innerSlot  int
	from       source // nil: one row
	where      evalFn // nil: all
	grouped    bool
	groupBy    []groupKey
	aggregates []aggregate
	orderBy    []orderKey
	rank       *ranking // nil: none
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
	eval   evalFn
	desc   bool
	metric func(*Env) string // of a VectorDistance without a direction
}

func (c *compiler) block(q *Query, parent *scope) *block {
	b := &block{distinct: q.Distinct, limit: noLimit}
	sc := &scope{parent: parent, names: map[string]int{}}
	from := q.From
	if parent == nil {
		from = c.spanning(b, from, sc)
	}
	if from != nil {
		b.from = c.from(from, sc)
	}
	c.clauses(q, b, sc)
	return b
}

// clauses compiles all that comes after FROM.
func (c *compiler) clauses(q *Query, b *block, sc *scope) {
	if q.Where != nil {
		b.where = c.expr(q.Where, sc)
	}
	b.grouped = q.GroupBy != nil || hasAggregate(q)
	if q.Rank && b.grouped {
		c.unsupported("ORDER BY RANK together with an aggregate or GROUP BY")
	}
	if q.Rank {
		b.rank = c.ranking(q, sc)
	} else {
		for _, item := range q.OrderBy {
			b.orderBy = append(b.orderBy, orderKey{c.expr(item.Expr, sc), item.Desc, c.similarity(item)})
		}
	}
	if b.grouped {
		c.grouping(q, b, sc)
	}
	b.project = c.selection(q, sc)
	c.window(q, b)
}

func (c *compiler) grouping(q *Query, b *block, sc *scope) {
	switch {
	case q.Star:
		c.fail(q.StarSpan, "SC2041", "'SELECT *' is not allowed with GROUP BY.")
	case q.OrderBy != nil && q.GroupBy != nil:
		panic(compileStop{newError(Diagnostic{Severity: "Error", Message: "'ORDER BY' is not supported with 'GROUP BY'."})})
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
		b.skip = c.count(q.Offset, "SC2062", offsetMessage)
		b.limit = c.count(q.Limit, "SC2061", limitMessage)
	}
	if q.Top != nil {
		b.limit = min(b.limit, c.count(q.Top, "SC2060", topMessage))
	}
}

func (c *compiler) count(n *Count, code, message string) uint64 {
	if n.Param == "" {
		return n.N
	}
	v := c.param(n.Span, n.Param)
	if v.kind != KindNumber || v.num < 0 || v.num > 1<<32-1 || v.num != float64(uint32(v.num)) {
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
		if sc.probe != nil && q.Distinct {
			c.whole = true
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
		return f.made(Object(kept[:len(values)], values))
	}
}
