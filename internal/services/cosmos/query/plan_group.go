package query

import "strings"

// planAggregates are the aggregate functions as plans name them.
var planAggregates = map[string]string{
	"COUNT": "Count", "SUM": "Sum", "MIN": "Min", "MAX": "Max", "AVG": "Average", "COUNTIF": "CountIf", "MAKELIST": "MakeList", "MAKESET": "MakeSet",
}

// planAggregate is the aggregate that an expression calls, nil if it is anything else.
func planAggregate(e Expr) (call *Call, name string) {
	if c, ok := e.(*Call); ok && !c.UDF {
		if name = planAggregates[strings.ToUpper(c.Name)]; name != "" {
			return c, name
		}
	}
	return nil, ""
}

// selected checks the select list: what is merged is an aggregate, or has none in it. It counts the aggregates.
func (p *planner) selected() (items []SelectItem, aggregates int, err error) {
	items = namedItems(p.q)
	list := items
	if p.q.Value != nil {
		list = []SelectItem{{Expr: p.q.Value}}
	}
	for _, item := range list {
		if call, _ := planAggregate(item.Expr); call != nil {
			aggregates++
			continue
		}
		inspect(item.Expr, func(e Expr) bool {
			if call, _ := planAggregate(e); call != nil {
				err = notMergeable("Compositions of aggregates and other expressions are not allowed.")
			}
			return err == nil
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return items, aggregates, nil
}

// group rewrites aggregates and GROUP BY: each range answers its groups, and partial results from which the client computes the aggregates.
func (p *planner) group(items []SelectItem) {
	out := &p.out
	out.Value, out.Items, out.Distinct, p.rewritten = nil, nil, false, true
	var payload Expr
	switch {
	case p.q.Value == nil:
		o := &ObjectLit{}
		for _, item := range items {
			call, name := planAggregate(item.Expr)
			value := item.Expr
			var kind *string
			if call != nil {
				value, kind = partial(call, name), &name
			}
			o.Names, o.Values = append(o.Names, item.Alias), append(o.Values, value)
			p.info.GroupByAliases = append(p.info.GroupByAliases, item.Alias)
			p.info.AggregateOfAlias[item.Alias] = kind
		}
		payload = o
	default:
		payload = p.q.Value
		if call, name := planAggregate(p.q.Value); call != nil {
			payload = &ArrayLit{List: []Expr{partial(call, name)}}
			p.info.Aggregates = append(p.info.Aggregates, name)
		}
	}
	keys := &ArrayLit{}
	for _, e := range p.q.GroupBy {
		keys.List = append(keys.List, object("item", e))
		p.info.GroupByExpressions = append(p.info.GroupByExpressions, printPlanExpr(e))
	}
	switch {
	case p.q.GroupBy != nil:
		out.Items = []SelectItem{{Expr: keys, Alias: "groupByItems"}, {Expr: payload, Alias: "payload"}}
	case p.q.Value != nil:
		out.Value = payload
	default:
		out.Items = []SelectItem{{Expr: payload, Alias: "payload"}}
	}
}

// partial is what a range says of an aggregate: an average as its sum and count; an extreme with the count, so that one of nothing is known as such.
func partial(call *Call, name string) Expr {
	if len(call.Args) != 1 {
		return object("item", call)
	}
	arg := call.Args[0]
	counted := func(name, function string) Expr {
		return &ObjectLit{Names: []string{name, "count"}, Values: []Expr{function1(function, arg), function1("COUNT", arg)}}
	}
	switch name {
	case "Average":
		return object("item", counted("sum", "SUM"))
	case "Min":
		return &ObjectLit{Names: []string{"item", "item2"}, Values: []Expr{call, counted("min", "MIN")}}
	case "Max":
		return &ObjectLit{Names: []string{"item", "item2"}, Values: []Expr{call, counted("max", "MAX")}}
	}
	return object("item", call)
}
