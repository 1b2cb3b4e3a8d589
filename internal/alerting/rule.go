package alerting

import (
	"hash/fnv"
	"math"
	"strings"
)

// Cell is what was measured in a span of time: a minute, or several merged. Count 0 means that nothing was.
type Cell struct{ Sum, Count, Min, Max float64 }

// Merge adds what another cell holds.
func (c *Cell) Merge(o Cell) {
	switch {
	case o.Count == 0:
	case c.Count == 0:
		*c = o
	default:
		c.Sum += o.Sum
		c.Count += o.Count
		c.Min, c.Max = min(c.Min, o.Min), max(c.Max, o.Max)
	}
}

// Aggregation is what of a cell a criterion looks at.
type Aggregation uint8

// The aggregations.
const (
	Average Aggregation = iota
	Count
	Minimum
	Maximum
	Total
)

var aggregations = [...]string{"Average", "Count", "Minimum", "Maximum", "Total"}

// String is the name on the wire.
func (a Aggregation) String() string { return aggregations[a] }

// ParseAggregation reads a name in any case.
func ParseAggregation(s string) (Aggregation, bool) {
	i := index(aggregations[:], s)
	return Aggregation(max(i, 0)), i >= 0
}

// Of gives the value of a cell; ok is false if it holds none, or one that is no number.
func (a Aggregation) Of(c Cell) (v float64, ok bool) {
	if c.Count == 0 {
		return 0, false
	}
	switch a {
	case Count:
		v = c.Count
	case Minimum:
		v = c.Min
	case Maximum:
		v = c.Max
	case Total:
		v = c.Sum
	default:
		v = c.Sum / c.Count
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// Operator compares a value with a threshold, or with a band.
type Operator uint8

// The operators. GreaterOrLessThan is for dynamic criteria alone, which take it, GreaterThan and LessThan.
const (
	GreaterThan Operator = iota
	GreaterThanOrEqual
	LessThan
	LessThanOrEqual
	Equals
	NotEquals
	GreaterOrLessThan
)

var operators = [...]string{"GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual", "Equals", "NotEquals", "GreaterOrLessThan"}

// String is the name on the wire.
func (o Operator) String() string { return operators[o] }

// ParseOperator reads a name in any case.
func ParseOperator(s string) (Operator, bool) {
	i := index(operators[:], s)
	return Operator(max(i, 0)), i >= 0
}

// Holds tells whether "value operator threshold" is true.
func (o Operator) Holds(value, threshold float64) bool {
	switch o {
	case GreaterThan:
		return value > threshold
	case GreaterThanOrEqual:
		return value >= threshold
	case LessThan:
		return value < threshold
	case LessThanOrEqual:
		return value <= threshold
	case Equals:
		return value == threshold
	case NotEquals:
		return value != threshold
	}
	return false
}

func index(names []string, s string) int {
	for i, n := range names {
		if strings.EqualFold(n, s) {
			return i
		}
	}
	return -1
}

// Dimension limits a criterion to series by one of their dimensions, and makes each of its values an instance. The value "*" stands for any.
type Dimension struct {
	Name    string
	Exclude bool
	Values  []string
}

// Keeps tells whether a series with that value is looked at.
func (d *Dimension) Keeps(value string) bool {
	for _, v := range d.Values {
		if v == "*" || strings.EqualFold(v, value) {
			return !d.Exclude
		}
	}
	return d.Exclude
}

// Value is one dimension of a series.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Criterion is one condition of a rule.
type Criterion struct {
	Name        string
	Namespace   string
	Metric      string
	Dimensions  []Dimension
	Aggregation Aggregation
	Operator    Operator
	Threshold   float64
	Dynamic     *Dynamic // nil: the threshold is Threshold
}

// Rule is an alert rule as it is evaluated. It is not changed any more once it was compiled.
type Rule struct {
	ID           string // decides with the frequency at which minutes the rule is due
	Frequency    int64  // minutes, at least 1
	Window       int64  // minutes, at least 1
	AutoMitigate bool
	Resources    []string // ARM ids
	Criteria     []Criterion

	queries [][]Query // by resource and criterion
}

// Compile prepares the rule's queries; call it once, after the fields are set.
func (r *Rule) Compile() {
	r.queries = make([][]Query, len(r.Resources))
	for i, id := range r.Resources {
		id = strings.ToLower(id)
		r.queries[i] = make([]Query, len(r.Criteria))
		for j := range r.Criteria {
			c := &r.Criteria[j]
			r.queries[i][j] = Query{Resource: id, Namespace: c.Namespace, Metric: c.Metric, Dimensions: c.Dimensions}
		}
	}
}

// Share lets fn replace the texts of a compiled rule's queries by equal ones, so that rules that look at the same resources hold them once. The resources of
// the queries are those of the rule where the case is the same.
func (r *Rule) Share(fn func(*string)) {
	for i := range r.queries {
		for j := range r.queries[i] {
			q, c := &r.queries[i][j], &r.Criteria[j]
			fn(&q.Resource)
			q.Namespace, q.Metric = c.Namespace, c.Metric
		}
	}
}

// Due tells whether the rule is evaluated at a minute. Rules of the same frequency are spread over its minutes by a hash of their id.
func (r *Rule) Due(minute int64) bool {
	if r.Frequency <= 1 {
		return true
	}
	return minute%r.Frequency == int64(Slot(r.ID, uint64(r.Frequency)))
}

// Slot spreads ids evenly over n slots, always in the same way.
func Slot(id string, n uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.ToLower(id))) // never fails
	v := h.Sum64()
	v ^= v >> 32 // the low bits of ids that differ in their last letters alone are alike otherwise
	return v % n
}
