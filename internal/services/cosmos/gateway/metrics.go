package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// setMetrics tells what the query cost, to a client that asks, and how documents that are equal in its order follow each other, which clients need that
// resume an ordered query.
func (c *call) setMetrics(q *parsedQuery, page query.Page, took time.Duration) {
	c.SetHeader("X-Ms-Cosmos-Query-Execution-Info", q.executionInfo())
	if c.isTrue("X-Ms-Documentdb-Populatequerymetrics") {
		c.SetHeader("X-Ms-Documentdb-Query-Metrics", q.metrics(page, took))
	}
	switch {
	case c.isTrue("X-Ms-Cosmos-Populateindexmetrics"):
		c.SetHeader("X-Ms-Cosmos-Index-Utilization", base64.StdEncoding.EncodeToString(q.indexMetrics(false)))
	case c.isTrue("X-Ms-Cosmos-Populateindexmetrics-V2"):
		c.SetHeader("X-Ms-Cosmos-Index-Utilization", headerJSON(q.indexMetrics(true)))
	}
}

// executionInfo is the order of documents that are equal in the query's: of their creation, the other way round where its first property falls.
func (q *parsedQuery) executionInfo() string {
	falls := len(q.query.OrderBy) > 0 && q.query.OrderBy[0].Desc
	return fmt.Sprintf(`{"reverseRidEnabled":false,"reverseIndexScan":%t}`, falls)
}

// metrics are those of one page. What this engine does not do apart (physical plans, writing the output) takes no time.
func (q *parsedQuery) metrics(page query.Page, took time.Duration) string {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	var lookup time.Duration
	ratio := 0.0
	for _, f := range q.finders {
		lookup += f.Lookup
	}
	if q.plan.Kind != 0 {
		ratio = 1
		if page.Scanned > 0 {
			ratio = min(1, float64(len(page.Rows))/float64(page.Scanned))
		}
	}
	return fmt.Sprintf("totalExecutionTimeInMs=%.2f;queryCompileTimeInMs=%.2f;queryLogicalPlanBuildTimeInMs=0.00;queryPhysicalPlanBuildTimeInMs=0.00;queryOptimizationTimeInMs=0.00;"+
		"VMExecutionTimeInMs=%.2f;indexLookupTimeInMs=%.2f;instructionCount=%d;documentLoadTimeInMs=%.2f;systemFunctionExecuteTimeInMs=0.00;userFunctionExecuteTimeInMs=%.2f;"+
		"retrievedDocumentCount=%d;retrievedDocumentSize=%d;outputDocumentCount=%d;outputDocumentSize=%d;writeOutputTimeInMs=0.00;indexUtilizationRatio=%.2f",
		ms(took+q.compile), ms(q.compile), ms(took), ms(lookup), page.Scanned, ms(max(0, took-lookup-q.calls)), ms(q.calls),
		page.Scanned, q.loaded, len(page.Rows), page.Bytes, ratio)
}

// headerJSON is a JSON text that may stand in a header as it is, and that a client which undoes percent encoding first reads the same.
func headerJSON(text []byte) string {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r == '%' || r == '+' || r >= utf8.RuneSelf && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Index metrics, in the first and the second form of the service.
type (
	singleIndex struct {
		Filter  *string `json:"FilterExpression,omitempty"`
		Spec    string  `json:"IndexSpec"`
		Precise *bool   `json:"FilterPreciseSet,omitempty"`
		Set     *bool   `json:"IndexPreciseSet,omitempty"`
		Impact  string  `json:"IndexImpactScore,omitempty"`
	}
	compositeIndex struct {
		Specs  []string `json:"IndexSpecs"`
		Set    *bool    `json:"IndexPreciseSet,omitempty"`
		Impact string   `json:"IndexImpactScore,omitempty"`
	}
	indexMetrics1 struct {
		Utilized           []singleIndex    `json:"UtilizedSingleIndexes"`
		Potential          []singleIndex    `json:"PotentialSingleIndexes"`
		UtilizedComposite  []compositeIndex `json:"UtilizedCompositeIndexes"`
		PotentialComposite []compositeIndex `json:"PotentialCompositeIndexes"`
	}
	indexSet struct {
		Single    []singleIndex    `json:"SingleIndexes"`
		Composite []compositeIndex `json:"CompositeIndexes"`
	}
	indexMetrics2 struct {
		Utilized  indexSet `json:"Utilized"`
		Potential indexSet `json:"Potential"`
	}
)

// indexMetrics says which paths of the index the query used, and which it would have used if the policy had them.
func (q *parsedQuery) indexMetrics(second bool) []byte {
	single := func(out []singleIndex, specs []string, precise bool) []singleIndex {
		specs = slices.Clone(specs)
		slices.Sort(specs)
		for _, s := range slices.Compact(specs) {
			x := singleIndex{Spec: s}
			if !second {
				none := ""
				x = singleIndex{Filter: &none, Spec: s, Precise: &precise, Set: &precise, Impact: "High"}
			}
			out = append(out, x)
		}
		return out
	}
	// Of a path whose terms are all looked at, the entries that are read are not just those of the answer.
	used := single(single([]singleIndex{}, q.plan.Used, true), q.plan.Walked, false)
	missed := single([]singleIndex{}, q.plan.Missed, true)
	composite := []compositeIndex{}
	if q.plan.Composite != nil {
		x := compositeIndex{Specs: q.plan.Composite}
		if !second {
			no := false
			x.Set, x.Impact = &no, "High"
		}
		composite = append(composite, x)
	}
	var v any = indexMetrics1{used, missed, composite, []compositeIndex{}}
	if second {
		v = indexMetrics2{indexSet{used, composite}, indexSet{missed, []compositeIndex{}}}
	}
	b, _ := json.Marshal(v) // strings and booleans only
	return b
}
