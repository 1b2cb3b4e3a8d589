package posture

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// rule compares one value of an event.
type rule struct {
	Path     string `json:"propertyJPath"`
	Type     string `json:"propertyType"`
	Expected string `json:"expectedValue"`
	Operator string `json:"operator"`
}

var (
	operators = []string{"Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqualTo", "LesserThan", "LesserThanOrEqualTo", "Contains", "StartsWith", "EndsWith"}
	ordered   = operators[2:6]
	textual   = operators[6:]
	types     = []string{"String", "Integer", "Number", "Boolean"}
)

func spelling(list []string, s string) string {
	if i := slices.IndexFunc(list, func(have string) bool { return strings.EqualFold(have, s) }); i >= 0 {
		return list[i]
	}
	return ""
}

// check makes sure that a rule can be evaluated, and spells it as Azure does.
func (r *rule) check() error {
	op, typ := spelling(operators, r.Operator), spelling(types, r.Type)
	switch {
	case op == "":
		return bad("The operator '%.60s' is none of %s.", r.Operator, strings.Join(operators, ", "))
	case typ == "":
		return bad("The propertyType '%.60s' is none of %s.", r.Type, strings.Join(types, ", "))
	case r.Path == "" || strings.ContainsAny(r.Path, "[]?*@()"):
		return bad("The propertyJPath '%.100s' is not supported: names joined by dots are.", r.Path)
	case slices.Contains(textual, op) && typ != "String", slices.Contains(ordered, op) && typ == "Boolean":
		return bad("The operator %s does not go with the propertyType %s.", op, typ)
	}
	var err error
	switch typ {
	case "Integer", "Number":
		_, err = strconv.ParseFloat(r.Expected, 64)
	case "Boolean":
		_, err = strconv.ParseBool(r.Expected)
	}
	if err != nil {
		return bad("The expectedValue '%.60s' is no %s.", r.Expected, typ)
	}
	r.Operator, r.Type = op, typ
	return nil
}

// holds evaluates the rule on an event's body: a resource, of which the properties may be named directly. Names match in any case. A list holds what one of it holds.
func (r *rule) holds(event arm.Object) bool {
	path := strings.Split(strings.TrimPrefix(r.Path, "$."), ".")
	v, ok := find(event, path)
	if !ok {
		v, ok = find(event, append([]string{"properties"}, path...))
	}
	if !ok {
		return r.Operator == "NotEquals"
	}
	var list []json.RawMessage
	if json.Unmarshal(v, &list) != nil || list == nil {
		return r.compare(v)
	}
	if r.Operator == "NotEquals" {
		return !slices.ContainsFunc(list, func(v json.RawMessage) bool { return !r.compare(v) })
	}
	return slices.ContainsFunc(list, r.compare)
}

func find(o arm.Object, path []string) (json.RawMessage, bool) {
	for i, name := range path {
		v := o.Get(name)
		if v == nil {
			return nil, false
		}
		if i == len(path)-1 {
			return v, true
		}
		var next arm.Object
		if json.Unmarshal(v, &next) != nil {
			return nil, false
		}
		o = next
	}
	return nil, false
}

func (r *rule) compare(v json.RawMessage) bool {
	var have any
	if json.Unmarshal(v, &have) != nil {
		return false
	}
	if r.Type == "Integer" || r.Type == "Number" {
		a, err1 := strconv.ParseFloat(fmt.Sprint(have), 64)
		b, err2 := strconv.ParseFloat(r.Expected, 64)
		return err1 == nil && err2 == nil && compareNumbers(r.Operator, a, b)
	}
	a, b := strings.ToLower(fmt.Sprint(have)), strings.ToLower(r.Expected)
	if r.Type == "Boolean" { // 1 and t are true, too
		want, _ := strconv.ParseBool(b)
		b = strconv.FormatBool(want)
	}
	switch r.Operator {
	case "Contains":
		return strings.Contains(a, b)
	case "StartsWith":
		return strings.HasPrefix(a, b)
	case "EndsWith":
		return strings.HasSuffix(a, b)
	}
	return compareOrder(r.Operator, strings.Compare(a, b))
}

func compareNumbers(op string, a, b float64) bool {
	switch {
	case a < b:
		return compareOrder(op, -1)
	case a > b:
		return compareOrder(op, 1)
	}
	return compareOrder(op, 0)
}

func compareOrder(op string, c int) bool {
	switch op {
	case "Equals":
		return c == 0
	case "NotEquals":
		return c != 0
	case "GreaterThan":
		return c > 0
	case "GreaterThanOrEqualTo":
		return c >= 0
	case "LesserThan":
		return c < 0
	case "LesserThanOrEqualTo":
		return c <= 0
	}
	return false
}

// wants tells whether an automation is to be told of an event: in one of its scopes, from one of its sources, all rules of one rule set hold (no set: always).
func (a *automation) wants(e *Event) bool {
	if !slices.ContainsFunc(a.Scopes, func(s scope) bool { return within(e.Resource, s.Path) }) {
		return false
	}
	var event arm.Object
	if json.Unmarshal(e.Body, &event) != nil {
		return false
	}
	return slices.ContainsFunc(a.Sources, func(src source) bool {
		return src.Event == e.Source && (len(src.RuleSets) == 0 || slices.ContainsFunc(src.RuleSets, func(set ruleSet) bool {
			return !slices.ContainsFunc(set.Rules, func(r rule) bool { return !r.holds(event) })
		}))
	})
}
