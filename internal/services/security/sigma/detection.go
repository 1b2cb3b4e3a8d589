package sigma

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// search is one search identifier of a detection.
type search struct {
	name string
	body *expr
}

// parseDetection reads a detection, or the filter part of a filter document, which differs by its key "rules".
func parseDetection(n *yaml.Node, what string, o Options) (*expr, error) {
	parts, err := pairs(n, what)
	if err != nil {
		return nil, err
	}
	var searches []search
	var conditions *yaml.Node
	left := maxValues
	for _, p := range parts {
		switch {
		case p.key == "condition":
			conditions = p.value
		case p.key == "timeframe":
			return nil, errAt(p.at, "timeframe belongs to aggregations of Sigma 1, which are not supported; write a correlation with a timespan")
		case p.key == "rules" && what == "filter":
		default:
			body, err := parseSearch(p, o, &left)
			if err != nil {
				return nil, err
			}
			searches = append(searches, search{p.key, body})
		}
	}
	if conditions == nil {
		return nil, errAt(n, "%s has no condition", what)
	}
	list := []*yaml.Node{conditions}
	if conditions.Kind == yaml.SequenceNode {
		list = conditions.Content
	}
	var any []*expr
	for _, c := range list {
		if c.Kind != yaml.ScalarNode || isNull(c) {
			return nil, errAt(c, "a condition is %s; want a text", kindOf(c))
		}
		e, err := parseCondition(c.Value, searches)
		if err != nil {
			return nil, errAt(c, "condition: %v", err)
		}
		any = append(any, e)
	}
	if len(any) == 0 {
		return nil, errAt(conditions, "%s has no condition", what)
	}
	all := join(opOr, any)
	if all.size() > maxNodes {
		return nil, errAt(n, "%s has more than %d conditions", what, maxNodes)
	}
	return all, nil
}

// parseSearch reads a map (all of its fields), a list of maps (any), or a list of keywords.
func parseSearch(p pair, o Options, left *int) (*expr, error) {
	switch n := p.value; n.Kind {
	case yaml.MappingNode:
		return parseFields(n, p.key, o, left)
	case yaml.SequenceNode:
		if len(n.Content) == 0 {
			return nil, errAt(p.at, "%s is an empty list", p.key)
		}
		var kids []*expr
		words := &yaml.Node{Kind: yaml.SequenceNode, Line: n.Line, Column: n.Column}
		for _, c := range n.Content {
			if c.Kind == yaml.ScalarNode {
				words.Content = append(words.Content, c)
				continue
			}
			if c.Kind != yaml.MappingNode {
				return nil, errAt(c, "an entry of %s is %s; want a map or a text", p.key, kindOf(c))
			}
			e, err := parseFields(c, "an entry of "+p.key, o, left)
			if err != nil {
				return nil, err
			}
			kids = append(kids, e)
		}
		if len(words.Content) > 0 {
			e, err := parseField("", words, words, o, left)
			if err != nil {
				return nil, err
			}
			kids = append(kids, e)
		}
		return join(opOr, kids), nil
	case yaml.ScalarNode:
		if isNull(n) {
			return nil, errAt(p.at, "%s is empty", p.key)
		}
		return parseField("", n, n, o, left)
	}
	return nil, errAt(p.value, "%s is %s; want a map or a list", p.key, kindOf(p.value))
}

func parseFields(n *yaml.Node, what string, o Options, left *int) (*expr, error) {
	fields, err := pairs(n, what)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, errAt(n, "%s is an empty map", what)
	}
	var kids []*expr
	for _, f := range fields {
		if f.key == "" {
			return nil, errAt(f.at, "a field without a name")
		}
		e, err := parseField(f.key, f.at, f.value, o, left)
		if err != nil {
			return nil, err
		}
		kids = append(kids, e)
	}
	return join(opAnd, kids), nil
}

// parseField reads "Field|modifier|modifier: values".
func parseField(key string, at, n *yaml.Node, o Options, left *int) (*expr, error) {
	names := strings.Split(key, "|")
	v := &values{field: names[0], at: at, list: n.Kind == yaml.SequenceNode}
	list := []*yaml.Node{n}
	if v.list {
		list = n.Content
	}
	if *left -= len(list); *left < 0 {
		return nil, errAt(at, "the rule has more than %d values", maxValues)
	}
	for _, c := range list {
		if c.Kind != yaml.ScalarNode {
			return nil, errAt(c, "a value of %s is %s; want a text or a number", fieldName(v.field), kindOf(c))
		}
		if len(c.Value) > maxText {
			return nil, errAt(c, "a value of %s is longer than %d bytes", fieldName(v.field), maxText)
		}
		it := item{at: c, null: isNull(c), raw: scalarText(c)}
		if it.null && v.field == "" {
			return nil, errAt(c, "a keyword is null")
		}
		it.pattern = parsePattern(it.raw)
		v.items = append(v.items, it)
	}
	for _, m := range names[1:] {
		if err := v.apply(m, o); err != nil {
			return nil, err
		}
	}
	if *left -= max(0, len(v.items)-len(list)); *left < 0 {
		return nil, errAt(at, "the rule has more than %d values", maxValues)
	}
	return v.expr()
}

func fieldName(f string) string {
	if f == "" {
		return "the keywords"
	}
	return f
}
