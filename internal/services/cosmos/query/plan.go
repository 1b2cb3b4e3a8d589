package query

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Plan is what a client needs to run a query range by range and to merge the answers itself. Exactly one of Info and Hybrid is set.
type Plan struct {
	Info   *PlanInfo
	Hybrid *HybridPlan
	Keys   KeySet
}

// PlanInfo is how to merge one query, in the service's own form. An absent number is null.
type PlanInfo struct {
	DistinctType        string             `json:"distinctType"` // None, Ordered (equal rows are neighbours) or Unordered
	Top                 *uint64            `json:"top"`
	Offset              *uint64            `json:"offset"`
	Limit               *uint64            `json:"limit"`
	OrderBy             []string           `json:"orderBy"` // Ascending or Descending, for each of OrderByExpressions
	OrderByExpressions  []string           `json:"orderByExpressions"`
	GroupByExpressions  []string           `json:"groupByExpressions"`
	GroupByAliases      []string           `json:"groupByAliases"`
	Aggregates          []string           `json:"aggregates"`                  // of SELECT VALUE: at most one
	AggregateOfAlias    map[string]*string `json:"groupByAliasToAggregateType"` // null where the alias is no aggregate
	RewrittenQuery      string             `json:"rewrittenQuery"`              // what each range is asked; empty: the query itself
	HasSelectValue      bool               `json:"hasSelectValue"`
	DCount              *DCount            `json:"dCountInfo"`
	NonStreamingOrderBy bool               `json:"hasNonStreamingOrderBy"` // a range's rows cannot be merged by their order alone
}

// DCount says that the client counts the distinct rows.
type DCount struct {
	Alias string `json:"dCountAlias"` // empty: the count itself is the row
}

// PlanOptions are what a plan depends on besides the query.
type PlanOptions struct {
	Params   map[string]json.RawMessage
	KeyPaths [][]string // of the partition key, each as its segments
	Prefixes bool       // the key is hierarchical: its first values alone bound what is asked
	Env      Env        // of the container
	DCount   bool       // the client can count distinct rows
}

// The placeholder that a client replaces by a condition to resume at, or by true.
const orderFilter = "({documentdb-formattableorderbyquery-filter})"

// MakePlan makes the plan of a query that compiles. An error is a 400 fault: the query cannot be merged, though one range alone could answer it.
func MakePlan(q *Query, o PlanOptions) (*Plan, error) {
	c, err := newCompiler(q.Text, o.Params)
	if err != nil {
		return nil, err
	}
	p := &planner{q: q, o: o, c: c, out: *q}
	return p.plan()
}

// Keys works out which partition keys the documents have that a query's filter lets pass.
func Keys(q *Query, o PlanOptions) (KeySet, error) {
	c, err := newCompiler(q.Text, o.Params)
	if err != nil {
		return KeySet{}, err
	}
	p := &planner{q: q, o: o, c: c}
	return p.keySet(), nil
}

// planner makes one plan. out is the rewritten query; it shares the parsed one's nodes, which are never changed.
type planner struct {
	q         *Query
	o         PlanOptions
	c         *compiler
	out       Query
	rewritten bool
	info      PlanInfo
}

func (p *planner) plan() (*Plan, error) {
	p.info = PlanInfo{
		DistinctType: "None", OrderBy: []string{}, OrderByExpressions: []string{}, GroupByExpressions: []string{}, GroupByAliases: []string{}, Aggregates: []string{},
		AggregateOfAlias: map[string]*string{}, HasSelectValue: p.q.Value != nil,
	}
	plan := &Plan{Info: &p.info, Keys: p.keySet()}
	if p.q.From == nil {
		return plan, nil
	}
	skip, take, err := p.window()
	if err != nil {
		return nil, err
	}
	if p.q.Rank {
		plan.Info = nil
		plan.Hybrid, err = p.hybrid(skip, take)
		return plan, err
	}
	switch count, counted := countsDistinct(p.q); {
	case count != nil && p.o.DCount:
		p.info.DistinctType, p.info.DCount, p.info.RewrittenQuery = "Unordered", count, printPlan(counted)
		return plan, nil
	case count == nil && spans(&Query{From: p.q.From}): // the counts of clients that know no better are added up, as the service lets them
		return nil, notMergeable("A subquery in FROM that makes rows of several documents is not supported across partitions.")
	}
	items, aggregates, err := p.selected()
	if err != nil {
		return nil, err
	}
	grouped := aggregates > 0 || p.q.GroupBy != nil
	switch {
	case grouped:
		p.group(items)
	case p.q.OrderBy != nil:
		p.order()
	}
	p.distinct()
	p.cut(grouped, plan.Keys.single(len(p.o.KeyPaths)))
	if p.rewritten {
		p.info.RewrittenQuery = printPlan(&p.out)
	}
	return plan, nil
}

// window reads TOP, OFFSET and LIMIT into the plan; skip and take are what they say together, take nil without a bound.
func (p *planner) window() (skip, take *uint64, err error) {
	number := func(n *Count, code, message string) *uint64 {
		if n == nil || err != nil {
			return nil
		}
		var v uint64
		err = p.c.catch(func() { v = p.c.count(n, code, message) })
		return &v
	}
	p.info.Top = number(p.q.Top, "SC2060", topMessage)
	p.info.Offset = number(p.q.Offset, "SC2062", offsetMessage)
	p.info.Limit = number(p.q.Limit, "SC2061", limitMessage)
	if p.info.Limit != nil {
		return p.info.Offset, p.info.Limit, err
	}
	return nil, p.info.Top, err
}

// cut decides where the window is applied: as far as it goes in each range (offset and limit together, from the first row), or by the client alone
// where a range's rows are not yet those of the result.
func (p *planner) cut(grouped, single bool) {
	merged := grouped || p.q.Distinct
	switch {
	case p.q.Top != nil && merged:
		p.out.Top, p.rewritten = nil, true
	case p.q.Top != nil && p.rewritten:
		p.out.Top = literalCount(*p.info.Top)
	}
	switch {
	case p.q.Offset == nil:
	case merged:
		p.out.Offset, p.out.Limit, p.rewritten = nil, nil, true
	case single && p.q.OrderBy == nil:
		// One logical partition answers the whole query.
		p.info.Offset, p.info.Limit = nil, nil
	default:
		p.out.Offset, p.out.Limit, p.rewritten = literalCount(0), literalCount(*p.info.Offset+*p.info.Limit), true
	}
}

// literalCount is a count of the rewritten query; the sum of two may be more than one may say.
func literalCount(n uint64) *Count { return &Count{N: n} }

// order rewrites ORDER BY: each row comes with what it is ordered by.
func (p *planner) order() {
	items := make([]Expr, len(p.q.OrderBy))
	for i, item := range p.q.OrderBy {
		items[i] = object("item", item.Expr)
		p.info.OrderByExpressions = append(p.info.OrderByExpressions, printPlanExpr(item.Expr))
		direction := "Ascending"
		if path, is := vectorPath(item.Expr); is {
			p.info.NonStreamingOrderBy = true
			item.Desc = item.Desc || !p.o.nearest(item.Expr, path)
		}
		if item.Desc {
			direction = "Descending"
		}
		p.info.OrderBy = append(p.info.OrderBy, direction)
	}
	p.enclose(items, p.payload())
	p.where(&Ident{Name: orderFilter})
	if p.q.Value != nil {
		p.where(function1("IS_DEFINED", p.q.Value))
	}
	p.out.Distinct = false
}

// enclose makes `alias._rid, [items] AS orderByItems, payload AS payload` the select list.
func (p *planner) enclose(items []Expr, payload Expr) {
	p.out.Star, p.out.Value, p.rewritten = false, nil, true
	p.out.Items = []SelectItem{
		{Expr: &Property{Base: &Ident{Name: firstName(p.q.From)}, Name: "_rid"}},
		{Expr: &ArrayLit{List: items}, Alias: "orderByItems"},
		{Expr: payload, Alias: "payload"},
	}
}

// where adds a condition to the rewritten query's filter.
func (p *planner) where(e Expr) {
	if p.out.Where != nil {
		e = &Binary{Op: "AND", X: p.out.Where, Y: e}
	}
	p.out.Where = e
}

// payload is a row of the query as one expression.
func (p *planner) payload() Expr {
	switch {
	case p.q.Star:
		return &Ident{Name: firstName(p.q.From)}
	case p.q.Value != nil:
		return p.q.Value
	}
	o := &ObjectLit{}
	for _, item := range namedItems(p.q) {
		o.Names, o.Values = append(o.Names, item.Alias), append(o.Values, item.Expr)
	}
	return o
}

// distinct tells how the client removes equal rows: those of an ordered query are neighbours if a row and its place in the order name each other.
func (p *planner) distinct() {
	if !p.q.Distinct {
		return
	}
	p.info.DistinctType = "Unordered"
	if p.q.OrderBy == nil || p.q.Star {
		return
	}
	ordered, selected := map[string]bool{}, map[string]bool{}
	for _, item := range p.q.OrderBy {
		ordered[Print(item.Expr)] = true
	}
	if p.q.Value != nil {
		selected[Print(p.q.Value)] = true
	}
	for _, item := range p.q.Items {
		selected[Print(item.Expr)] = true
	}
	if len(ordered) != len(selected) {
		return
	}
	for e := range ordered {
		if !selected[e] {
			return
		}
	}
	p.info.DistinctType = "Ordered"
}

// countsDistinct recognises SELECT [VALUE] COUNT(1) FROM (SELECT DISTINCT ...): the ranges answer the inner query.
func countsDistinct(q *Query) (*DCount, *Query) {
	from, ok := q.From.(*SubqueryCollection)
	if !ok || q.Where != nil || q.GroupBy != nil || q.OrderBy != nil || q.Distinct {
		return nil, nil
	}
	in := from.Query
	if !in.Distinct || in.From == nil || spans(&Query{From: in.From, Top: in.Top, Offset: in.Offset, OrderBy: in.OrderBy, GroupBy: in.GroupBy, Items: in.Items, Value: in.Value}) {
		return nil, nil
	}
	var e Expr
	d := &DCount{}
	switch {
	case q.Value != nil:
		e = q.Value
	case len(q.Items) == 1:
		item := namedItems(q)[0]
		e, d.Alias = item.Expr, item.Alias
	}
	call, name := planAggregate(e)
	if name != "Count" || len(call.Args) != 1 {
		return nil, nil
	}
	if _, constant := call.Args[0].(*Literal); !constant {
		return nil, nil
	}
	return d, in
}

// namedItems are the select list with the names the service gives.
func namedItems(q *Query) []SelectItem {
	out, unnamed := make([]SelectItem, len(q.Items)), 0
	for i, item := range q.Items {
		out[i] = SelectItem{Expr: item.Expr, Alias: itemName(item)}
		if out[i].Alias == "" {
			unnamed++
			out[i].Alias = "$" + strconv.Itoa(unnamed)
		}
	}
	return out
}

// firstName is the name of the first input set.
func firstName(from Collection) string {
	for {
		switch c := from.(type) {
		case *JoinCollection:
			from = c.Left
			continue
		case *IterateCollection:
			return c.Name
		case *SubqueryCollection:
			return c.Alias
		case *PathCollection:
			return pathName(c)
		}
		return ""
	}
}

func pathName(c *PathCollection) string {
	switch n := len(c.Path); {
	case c.Alias != "":
		return c.Alias
	case n == 0:
		return c.Root
	case !c.Path[n-1].IsIndex:
		return c.Path[n-1].Name
	}
	return ""
}

// vectorPath is the path whose vectors an expression compares, as segments after the name of the input set.
func vectorPath(e Expr) (path []string, is bool) {
	call, ok := e.(*Call)
	if !ok || call.UDF || !strings.EqualFold(call.Name, "VectorDistance") {
		return nil, false
	}
	for _, arg := range call.Args {
		if path := documentPath(arg); len(path) > 1 {
			return path[1:], true
		}
	}
	return nil, true
}

// nearest tells whether the vectors at a path are ordered by a distance, the smallest first, rather than by a likeness: the options of the call say, else
// the container's policy for the path.
func (o PlanOptions) nearest(e Expr, path []string) bool {
	metric := o.Env.Vectors["/"+strings.Join(path, "/")]
	if call, ok := e.(*Call); ok && len(call.Args) > 3 {
		if m := o.distanceFunction(call.Args[3]); m != "" {
			metric = m
		}
	}
	return strings.EqualFold(metric, "euclidean")
}

// distanceFunction reads the options of a VectorDistance.
func (o PlanOptions) distanceFunction(options Expr) string {
	switch x := options.(type) {
	case *Param:
		var v struct {
			Function string `json:"distanceFunction"`
		}
		if json.Unmarshal(o.Params[x.Name], &v) == nil {
			return v.Function
		}
	case *ObjectLit:
		for i, name := range x.Names {
			if l, ok := x.Values[i].(*Literal); ok && name == "distanceFunction" {
				return l.Value.Str()
			}
		}
	}
	return ""
}

// documentPath writes c.a["b"] as c, a, b; nil for anything else.
func documentPath(e Expr) []string {
	switch x := e.(type) {
	case *Ident:
		return []string{x.Name}
	case *Property:
		if base := documentPath(x.Base); base != nil {
			return append(base, x.Name)
		}
	case *Index:
		if l, ok := x.Key.(*Literal); ok && l.Value.kind == KindString {
			if base := documentPath(x.Base); base != nil {
				return append(base, l.Value.str)
			}
		}
	}
	return nil
}

func object(name string, value Expr) *ObjectLit {
	return &ObjectLit{Names: []string{name}, Values: []Expr{value}}
}

func function1(name string, arg Expr) *Call { return &Call{Name: name, Args: []Expr{arg}} }

func printPlan(q *Query) string {
	b := printer{plan: true}
	b.query(q)
	return b.String()
}

func printPlanExpr(e Expr) string {
	b := printer{plan: true}
	b.expr(e)
	return b.String()
}

func notMergeable(text string) error {
	raw, _ := json.Marshal(map[string][]string{"Errors": {text}}) // a plain string
	return fault.New(fault.Invalid, "BadRequest", "%s", raw)
}
