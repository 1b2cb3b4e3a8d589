package sigma

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// CorrelationType says what is counted or compared.
type CorrelationType string

// The types of the specification.
const (
	EventCount      CorrelationType = "event_count"
	ValueCount      CorrelationType = "value_count"
	Temporal        CorrelationType = "temporal"
	TemporalOrdered CorrelationType = "temporal_ordered"
	ValueSum        CorrelationType = "value_sum"
	ValueAvg        CorrelationType = "value_avg"
	ValuePercentile CorrelationType = "value_percentile"
)

var correlationTypes = []CorrelationType{EventCount, ValueCount, Temporal, TemporalOrdered, ValueSum, ValueAvg, ValuePercentile}

// Correlation detects something in several matches of rules, or of other correlations.
type Correlation struct {
	Meta
	Type     CorrelationType
	Rules    []string // ids or names
	GroupBy  []string // fields or aliases; matches are taken together if they have the same values
	Timespan time.Duration
	Aliases  map[string]map[string]string // alias, rule, field
	Generate bool                         // whether the rules are reported themselves too

	// Of the condition.
	Fields     []string // whose values are counted or measured
	Percentile float64  // of value_percentile, 0 to 100
	bounds     []bound
}

// bound is one comparison of a condition; all must hold.
type bound struct {
	op     string
	number float64
}

func (c *Correlation) holds(n float64) bool {
	for _, b := range c.bounds {
		ok := false
		switch b.op {
		case "gt":
			ok = n > b.number
		case "gte":
			ok = n >= b.number
		case "lt":
			ok = n < b.number
		case "lte":
			ok = n <= b.number
		case "eq":
			ok = n == b.number
		case "neq":
			ok = n != b.number
		}
		if !ok {
			return false
		}
	}
	return true
}

// atOnce reports whether the condition, once it holds, goes on to hold however much follows, so that it need not wait for the end of the window.
func (c *Correlation) atOnce() bool {
	if c.Type == ValueAvg || c.Type == ValuePercentile {
		return false
	}
	return !slices.ContainsFunc(c.bounds, func(b bound) bool { return b.op != "gt" && b.op != "gte" })
}

// least is the smallest whole number for which a condition of gt and gte holds.
func (c *Correlation) least() int {
	n := 1
	for _, b := range c.bounds {
		at := int(math.Ceil(b.number))
		if b.op == "gt" {
			at = int(math.Floor(b.number)) + 1
		}
		n = max(n, at)
	}
	return n
}

// largestCount bounds what a group must remember.
const largestCount = 100_000

func parseCorrelation(n *yaml.Node, m Meta) (*Correlation, error) {
	c := &Correlation{Meta: m, Percentile: 50}
	parts, err := pairs(n, "correlation")
	if err != nil {
		return nil, err
	}
	var condition *yaml.Node
	for _, p := range parts {
		if p.key == "condition" {
			condition = p.value
			continue
		}
		if err := c.set(p); err != nil {
			return nil, err
		}
	}
	switch {
	case c.Type == "":
		return nil, errAt(n, "correlation has no type")
	case len(c.Rules) == 0:
		return nil, errAt(n, "correlation names no rules")
	case c.Timespan == 0:
		return nil, errAt(n, "correlation has no timespan")
	}
	if condition != nil {
		if err := c.condition(condition); err != nil {
			return nil, err
		}
	}
	return c, c.check(n)
}

func (c *Correlation) set(p pair) (err error) {
	switch p.key {
	case "type":
		name, err := text(p.value, "type")
		if err != nil {
			return err
		}
		if c.Type = CorrelationType(name); !slices.Contains(correlationTypes, c.Type) {
			return errAt(p.value, "there is no correlation type %q", name)
		}
	case "rules":
		c.Rules, err = texts(p.value, "rules")
	case "group-by":
		c.GroupBy, err = texts(p.value, "group-by")
	case "timespan":
		c.Timespan, err = parseTimespan(p.value)
	case "aliases":
		c.Aliases, err = parseAliases(p.value)
	case "generate":
		if c.Generate, err = strconv.ParseBool(strings.ToLower(p.value.Value)); err != nil {
			return errAt(p.value, "generate is %s; want true or false", kindOf(p.value))
		}
	default:
		return errAt(p.at, "a correlation has no %q", p.key)
	}
	return err
}

var timespan = regexp.MustCompile(`^([1-9][0-9]{0,8})([smhdw])$`)

var timeUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

const longestTimespan = 366 * 24 * time.Hour

func parseTimespan(n *yaml.Node) (time.Duration, error) {
	m := timespan.FindStringSubmatch(n.Value)
	if m == nil {
		return 0, errAt(n, "timespan is %s; want a number and s, m, h, d or w, as in 15m", kindOf(n))
	}
	count, _ := strconv.Atoi(m[1])
	if count > int(longestTimespan/timeUnits[m[2]]) {
		return 0, errAt(n, "timespan %s is longer than a year", n.Value)
	}
	return time.Duration(count) * timeUnits[m[2]], nil
}

func parseAliases(n *yaml.Node) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	aliases, err := pairs(n, "aliases")
	if err != nil {
		return nil, err
	}
	for _, a := range aliases {
		fields, err := pairs(a.value, "alias "+a.key)
		if err != nil {
			return nil, err
		}
		out[a.key] = map[string]string{}
		for _, f := range fields {
			if out[a.key][f.key], err = text(f.value, "alias "+a.key); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (c *Correlation) condition(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return errAt(n, "conditions in words (%q) are not supported; list the rules", n.Value)
	}
	parts, err := pairs(n, "condition")
	if err != nil {
		return err
	}
	for _, p := range parts {
		switch p.key {
		case "field":
			if c.Fields, err = texts(p.value, "field"); err != nil {
				return err
			}
		case "percentile":
			c.Percentile, err = strconv.ParseFloat(p.value.Value, 64)
			if err != nil || !(c.Percentile >= 0 && c.Percentile <= 100) {
				return errAt(p.value, "percentile is %s; want 0 to 100", kindOf(p.value))
			}
		case "gt", "gte", "lt", "lte", "eq", "neq":
			v, err := strconv.ParseFloat(p.value.Value, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return errAt(p.value, "%s is %s; want a number", p.key, kindOf(p.value))
			}
			c.bounds = append(c.bounds, bound{p.key, v})
		default:
			return errAt(p.at, "a condition has no %q; want gt, gte, lt, lte, eq or neq", p.key)
		}
	}
	return nil
}

// check refuses what makes no sense together.
func (c *Correlation) check(n *yaml.Node) error {
	temporal := c.Type == Temporal || c.Type == TemporalOrdered
	measures := c.Type != EventCount && !temporal
	switch {
	case temporal && len(c.bounds) == 0:
		c.bounds = []bound{{"gte", float64(len(c.Rules))}}
	case len(c.bounds) == 0:
		return errAt(n, "%s needs a condition", c.Type)
	}
	if measures && len(c.Fields) == 0 {
		return errAt(n, "%s needs a field in its condition", c.Type)
	}
	if !measures && len(c.Fields) > 0 || c.Type != ValueCount && len(c.Fields) > 1 {
		return errAt(n, "%s takes no such field in its condition", c.Type)
	}
	for i, r := range c.Rules {
		if slices.Contains(c.Rules[:i], r) {
			return errAt(n, "correlation names the rule %s twice", r)
		}
	}
	if temporal && !c.atOnce() {
		return errAt(n, "%s takes gt or gte in its condition", c.Type)
	}
	if c.Type == TemporalOrdered && c.least() != len(c.Rules) || temporal && c.least() > len(c.Rules) {
		return errAt(n, "%s of %d rules can't want %d of them", c.Type, len(c.Rules), c.least())
	}
	if c.Type != ValueSum && c.atOnce() && c.least() > largestCount {
		return errAt(n, "a count of more than %d", largestCount)
	}
	return nil
}
