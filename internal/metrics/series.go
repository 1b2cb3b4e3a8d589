package metrics

import (
	"math"
	"slices"
	"strings"
	"time"
)

// How far a sample's time may lie from now, as for Azure's custom metrics.
const (
	Late  = 20 * time.Minute
	Early = 5 * time.Minute
)

// Retention is how long cells are kept.
const Retention = 93 * 24 * time.Hour

// Dimension is one name and value that tells series of the same metric apart.
type Dimension struct{ Name, Value string }

// Series names what is measured. The order of dimensions is of no account.
type Series struct {
	Resource   string // ARM id; compared in any case
	Namespace  string // "Microsoft.DBforMySQL/servers"; compared in any case
	Name       string // of the metric, "cpu_percent"; compared in any case
	Dimensions []Dimension
}

// Cell is what was measured in a minute (or, merged, in a longer span). One with Count 0 is empty: nothing was measured.
type Cell struct{ Sum, Min, Max, Count float64 }

// Of is the cell of a single measurement.
func Of(v float64) Cell { return Cell{Sum: v, Min: v, Max: v, Count: 1} }

// Empty tells whether nothing was measured.
func (c Cell) Empty() bool { return c.Count == 0 }

// Merge adds what o has measured.
func (c *Cell) Merge(o Cell) {
	switch {
	case o.Count == 0:
	case c.Count == 0:
		*c = o
	default:
		c.Sum += o.Sum
		c.Count += o.Count
		c.Min = min(c.Min, o.Min)
		c.Max = max(c.Max, o.Max)
	}
}

// Aggregation is one of Azure's ways to make a number of a cell.
type Aggregation uint8

// The aggregations.
const (
	None Aggregation = iota
	Average
	Total
	Minimum
	Maximum
	Count
)

var aggregationNames = [...]string{"None", "Average", "Total", "Minimum", "Maximum", "Count"}

// String is Azure's name.
func (a Aggregation) String() string {
	if int(a) < len(aggregationNames) {
		return aggregationNames[a]
	}
	return "None"
}

// ParseAggregation reads a name in any case; "sum" and "avg" and the like too.
func ParseAggregation(s string) (Aggregation, bool) {
	for i, n := range aggregationNames {
		if strings.EqualFold(n, s) {
			return Aggregation(i), true
		}
	}
	a, ok := map[string]Aggregation{"avg": Average, "sum": Total, "min": Minimum, "max": Maximum}[strings.ToLower(s)]
	return a, ok
}

// Of is the cell's number; ok is false for an empty cell.
func (a Aggregation) Of(c Cell) (v float64, ok bool) {
	if c.Count == 0 {
		return 0, false
	}
	switch a {
	case Total:
		return c.Sum, true
	case Minimum:
		return c.Min, true
	case Maximum:
		return c.Max, true
	case Count:
		return c.Count, true
	}
	return c.Sum / c.Count, true
}

// Sample is a series' cell in the minute that Time lies in; it is merged with what the minute has.
type Sample struct {
	Series
	Time time.Time
	Cell
}

// valid tells what is wrong with a cell, "" if nothing is.
func (c Cell) valid() string {
	for _, v := range [...]float64{c.Sum, c.Min, c.Max, c.Count} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "a value is no finite number"
		}
	}
	switch {
	case c.Count <= 0:
		return "its count is not above 0"
	case c.Min > c.Max:
		return "its min is above its max"
	}
	return ""
}

// DimensionFilter asks for series that have a dimension, of one of the values; "*" alone is any value, and one that ends in "*" stands for all that begin so.
type DimensionFilter struct {
	Name    string
	Values  []string
	Exclude bool // any value but these
}

func (f DimensionFilter) matches(dims []Dimension) bool {
	for _, d := range dims {
		if strings.EqualFold(d.Name, f.Name) {
			return f.Matches(d.Value)
		}
	}
	return false
}

// Matches tells whether the filter takes a value of its dimension.
func (f DimensionFilter) Matches(value string) bool {
	return slices.ContainsFunc(f.Values, func(v string) bool { return matchesValue(v, value) }) != f.Exclude
}

func matchesValue(pattern, value string) bool {
	if p, ok := strings.CutSuffix(pattern, "*"); ok {
		return len(value) >= len(p) && strings.EqualFold(value[:len(p)], p)
	}
	return strings.EqualFold(pattern, value)
}

// Selector asks for series. Namespace "" is any.
type Selector struct {
	Resource, Namespace, Name string
	Dimensions                []DimensionFilter // all must match; none: whatever dimensions the series has
}

// Ref is a series of the store, for as long as the process lives.
type Ref uint64

// Selected is one series that a Selector found.
type Selected struct {
	Ref
	Series // as its first sample had it, dimensions in order of their names
}

// Query asks for a chart.
type Query struct {
	Resource  string
	Namespace string   // "" is any
	Names     []string // of metrics; none: all that the resource has
	// Filter chooses and splits: there is one line for each combination of values of the dimensions it names. None: one line of everything.
	Filter   []DimensionFilter
	From, To time.Time     // whole minutes: From is rounded down, To up
	Grain    time.Duration // whole minutes; grains begin at From
	// Top limits how many lines a metric may have (0: no limit), best first by OrderBy over the whole span; falling unless Ascending.
	Top       int
	OrderBy   Aggregation
	Ascending bool
}

// Result is what a Query found of one metric.
type Result struct {
	Namespace, Name string
	Lines           []Line
}

// Line is one line of a chart: a cell for each grain of the span, empty where nothing was measured.
type Line struct {
	Dimensions []Dimension // those of the filter
	Start      time.Time
	Grain      time.Duration
	Cells      []Cell
}

// Definition tells of a metric that resources of a type have.
type Definition struct {
	Name        string // "cpu_percent"
	DisplayName string
	Description string
	Namespace   string // "Microsoft.DBforMySQL/servers"; "": the resource type
	Category    string
	Unit        string // Azure's: Count, Bytes, Seconds, CountPerSecond, BytesPerSecond, Percent, MilliSeconds, Unspecified...
	Primary     Aggregation
	// Aggregations that make sense, Primary among them; none: all.
	Aggregations []Aggregation
	Dimensions   []string
}

// Table has the definitions of resource types, by type ("Microsoft.KeyVault/vaults") in any case. Package app makes it of what the services tell. The zero value is empty. It
// must not change once it is used.
type Table struct{ byType map[string][]Definition }

// Define adds definitions of a type.
func (t *Table) Define(resourceType string, d ...Definition) {
	if t.byType == nil {
		t.byType = map[string][]Definition{}
	}
	k := strings.ToLower(resourceType)
	for _, one := range d {
		if one.Namespace == "" {
			one.Namespace = resourceType
		}
		t.byType[k] = append(t.byType[k], one)
	}
}

// Of gives the definitions of a type.
func (t *Table) Of(resourceType string) []Definition {
	if t == nil {
		return nil
	}
	return t.byType[strings.ToLower(resourceType)]
}
