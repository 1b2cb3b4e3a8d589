package cosmos

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
)

// metricsOf reads the query metrics of an answer.
func metricsOf(t *testing.T, a answer) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for pair := range strings.SplitSeq(a.header.Get("x-ms-documentdb-query-metrics"), ";") {
		name, text, ok := strings.Cut(pair, "=")
		n, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil {
			t.Fatalf("%s: the metrics have %q", a.req, pair)
		}
		out[name] = n
	}
	return out
}

// TestQuery_Metrics: counts are those of the work that was done, and times have passed where something took them.
func TestQuery_Metrics(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, `{"indexingMode":"consistent","includedPaths":[{"path":"/n/?"}],"excludedPaths":[{"path":"/*"}]}`, 40)
	p.script("udfs", "twice", "function twice(x) { return 2 * x; }")
	ask := func(text string, headers ...string) (answer, map[string]float64) {
		t.Helper()
		a := p.want(p.query(text, append([]string{"x-ms-documentdb-partitionkey", `["a"]`, "x-ms-documentdb-populatequerymetrics", "True"}, headers...)...), 200)
		return a, metricsOf(t, a)
	}
	size := func(doc any) float64 {
		b, err := json.Marshal(doc)
		p.check(err)
		return float64(len(b))
	}
	a, all := ask("SELECT * FROM c")
	docs := a.json(t)["Documents"].([]any)
	want := 0.0
	for _, d := range docs {
		want += size(d)
	}
	if all["retrievedDocumentCount"] != 20 || all["outputDocumentCount"] != 20 || all["outputDocumentSize"] != want || all["retrievedDocumentSize"] != want || all["indexUtilizationRatio"] != 0 {
		t.Errorf("all: %v, want 20 documents of %v bytes", all, want)
	}
	_, m := ask("SELECT VALUE c.id FROM c WHERE c.mod = 4") // by no index
	if m["retrievedDocumentCount"] != 20 || m["retrievedDocumentSize"] != want || m["outputDocumentCount"] != 4 || m["outputDocumentSize"] != 3+3*4 || m["userFunctionExecuteTimeInMs"] != 0 {
		t.Errorf("scan: %v", m)
	}
	a, m = ask("SELECT * FROM c WHERE c.n = 8") // by the index
	if one := size(a.json(t)["Documents"].([]any)[0]); m["retrievedDocumentCount"] != 1 || m["retrievedDocumentSize"] != one || m["outputDocumentSize"] != one || m["indexUtilizationRatio"] != 1 {
		t.Errorf("index: %v, want one document of %v bytes", m, one)
	}
	_, m = ask("SELECT VALUE c.n FROM c WHERE udf.twice(c.n) < 10", "x-ms-max-item-count", "2")
	if m["userFunctionExecuteTimeInMs"] <= 0 || m["outputDocumentCount"] != 2 || m["totalExecutionTimeInMs"] < m["userFunctionExecuteTimeInMs"] {
		t.Errorf("function: %v", m)
	}
	if a := p.want(p.query("SELECT * FROM c", "x-ms-documentdb-partitionkey", `["a"]`), 200); a.header.Get("x-ms-documentdb-query-metrics") != "" || a.header.Get("x-ms-cosmos-index-utilization") != "" {
		t.Errorf("metrics that nobody asked for: %v", a.header)
	}
}

// TestQuery_ExecutionInfo: clients that resume an ordered query learn which way round documents come that are equal in its order; and so they do come.
func TestQuery_ExecutionInfo(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, `{"includedPaths":[{"path":"/*"}],"compositeIndexes":[[{"path":"/same"},{"path":"/mod","order":"descending"}]]}`, 0)
	for _, id := range []string{"1", "2", "3"} {
		p.want(p.item("POST", "", `["a"]`, `{"id":"`+id+`","pk":"a","same":1,"mod":2}`), 201)
	}
	for order, falls := range map[string]bool{
		"": false, "ORDER BY c.same": false, "ORDER BY c.same DESC": true, "ORDER BY c.same, c.mod DESC": false, "ORDER BY c.same DESC, c.mod": true,
	} {
		a := p.want(p.query("SELECT VALUE c.id FROM c "+order, "x-ms-documentdb-partitionkeyrangeid", "0"), 200)
		if got, want := a.header.Get("x-ms-cosmos-query-execution-info"), fmt.Sprintf(`{"reverseRidEnabled":false,"reverseIndexScan":%t}`, falls); got != want {
			t.Errorf("%s: got %s, want %s", order, got, want)
		}
		want := []any{"1", "2", "3"}
		if falls {
			want = []any{"3", "2", "1"}
		}
		if got := a.json(t)["Documents"]; !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", order, got, want)
		}
	}
}

// TestIndex_MetricsSecondForm: clients read it as it is, or after undoing percent encoding.
func TestIndex_MetricsSecondForm(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, `{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/skip/?"}],"compositeIndexes":[[{"path":"/n"},{"path":"/mod"}]]}`, 4)
	const odd = "50 % + é 😀"
	a := p.want(p.query(`SELECT * FROM c WHERE c["`+odd+`"] = 1 AND c.skip = 2`, "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-cosmos-populateindexmetrics-V2", "True"), 200)
	text := a.header.Get("x-ms-cosmos-index-utilization")
	unescaped, err := url.QueryUnescape(text)
	p.check(err)
	type specs struct {
		SingleIndexes    []struct{ IndexSpec string }
		CompositeIndexes []struct{ IndexSpecs []string }
	}
	for _, text := range []string{text, unescaped} {
		var got struct{ Utilized, Potential specs }
		p.check(json.Unmarshal([]byte(text), &got))
		if len(got.Utilized.SingleIndexes) != 1 || !strings.Contains(got.Utilized.SingleIndexes[0].IndexSpec, odd) {
			t.Errorf("used: %+v", got.Utilized)
		}
		if len(got.Potential.SingleIndexes) != 1 || got.Potential.SingleIndexes[0].IndexSpec != "/skip/?" {
			t.Errorf("missed: %+v", got.Potential)
		}
	}
	p.s.items.Tuning = index.Tuning{Small: 1}
	a = p.want(p.query(`SELECT * FROM c ORDER BY c.n, c.mod`, "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-cosmos-populateindexmetrics-V2", "True"), 200)
	if got := a.header.Get("x-ms-cosmos-index-utilization"); !strings.Contains(got, `"CompositeIndexes":[{"IndexSpecs":["/n ASC","/mod ASC"]}]`) {
		t.Errorf("composite: %s", got)
	}
}

// planClients are how the clients ask for plans. What a client says it can merge it gets a plan for; the rest is refused by the feature's name.
var planClients = []struct {
	name     string
	flag     string
	version  string
	features string
	lacks    map[string]string // query to the feature that the refusal names
}{
	{
		"@azure/cosmos 4", "true", "1.4", "NonValueAggregate,Aggregate,Distinct,MultipleOrderBy,OffsetAndLimit,OrderBy,Top,CompositeAggregate,GroupBy,MultipleAggregates,NonStreamingOrderBy," +
			"ListAndSetAggregate,CountIf,HybridSearch,WeightedRankFusion,HybridSearchSkipOrderByRewrite", nil,
	},
	{
		"azure-cosmos for Python", "True", "1.4",
		"Aggregate,CompositeAggregate,Distinct,MultipleOrderBy,OffsetAndLimit,OrderBy,Top,NonStreamingOrderBy,HybridSearch,CountIf,WeightedRankFusion",
		map[string]string{groupedPlan: "GroupBy", listPlan: "ListAndSetAggregate", nonValuePlan: "NonValueAggregate", twoPlan: "NonValueAggregate"},
	},
	{
		".NET 3", "True", "1.0", "Aggregate, CompositeAggregate, CountIf, DCount, Distinct, GroupBy, HybridSearch, ListAndSetAggregate, MultipleAggregates, MultipleOrderBy, " +
			"NonStreamingOrderBy, NonValueAggregate, OffsetAndLimit, OrderBy, Top, WeightedRankFusion", nil,
	},
	{
		"Java 4", "True", "1.0", "NonValueAggregate, OffsetAndLimit, Distinct, CompositeAggregate, MultipleOrderBy, OrderBy, Top, GroupBy, DCount, Aggregate, MultipleAggregates, NonStreamingOrderBy",
		map[string]string{listPlan: "ListAndSetAggregate", hybridPlan: "HybridSearch", weightedPlan: "HybridSearch", countIfPlan: "CountIf"},
	},
	{
		"azcosmos with an engine", "True", "", "OrderBy", map[string]string{
			groupedPlan: "GroupBy", listPlan: "ListAndSetAggregate", nonValuePlan: "NonValueAggregate", twoPlan: "NonValueAggregate", hybridPlan: "HybridSearch",
			weightedPlan: "HybridSearch", vectorPlan: "NonStreamingOrderBy", countIfPlan: "CountIf", distinctPlan: "Distinct", windowPlan: "OffsetAndLimit", topPlan: "Top",
			multiPlan: "MultipleOrderBy", valuePlan: "Aggregate",
		},
	},
}

const (
	groupedPlan  = `SELECT c.n, COUNT(1) AS k FROM c GROUP BY c.n`
	listPlan     = `SELECT VALUE MAKELIST(c.n) FROM c`
	nonValuePlan = `SELECT COUNT(1) AS k FROM c`
	twoPlan      = `SELECT MIN(c.n) AS least, MAX(c.n) AS most FROM c`
	hybridPlan   = `SELECT TOP 2 * FROM c ORDER BY RANK RRF(FullTextScore(c.name, 'name'), VectorDistance(c.v, [1, 2]))`
	weightedPlan = `SELECT TOP 2 * FROM c ORDER BY RANK RRF(FullTextScore(c.name, 'name'), VectorDistance(c.v, [1, 2]), [2, 1])`
	vectorPlan   = `SELECT TOP 2 * FROM c ORDER BY VectorDistance(c.v, [1, 2])`
	countIfPlan  = `SELECT VALUE COUNTIF(c.n > 1) FROM c`
	distinctPlan = `SELECT DISTINCT c.n FROM c`
	windowPlan   = `SELECT * FROM c OFFSET 1 LIMIT 2`
	topPlan      = `SELECT TOP 3 * FROM c`
	multiPlan    = `SELECT * FROM c ORDER BY c.n, c.mod`
	valuePlan    = `SELECT VALUE SUM(c.n) FROM c`
	orderedPlan  = `SELECT * FROM c ORDER BY c.n`
	plainPlan    = `SELECT * FROM c WHERE c.n > 1`
)

func TestPlan_Clients(t *testing.T) {
	t.Parallel()
	p := withRanges(t)
	for _, c := range planClients {
		for _, text := range []string{
			groupedPlan, listPlan, nonValuePlan, twoPlan, hybridPlan, weightedPlan, vectorPlan, countIfPlan, distinctPlan, windowPlan, topPlan, multiPlan, valuePlan, orderedPlan, plainPlan,
		} {
			a := p.query(text, "x-ms-cosmos-is-query-plan-request", c.flag, "x-ms-cosmos-query-version", c.version, "x-ms-cosmos-supported-query-features", c.features,
				"x-ms-documentdb-query-enablecrosspartition", "True", "x-ms-documentdb-query-parallelizecrosspartitionquery", "True")
			if lack := c.lacks[text]; lack != "" {
				p.wantFault(a, 400, "BadRequest", "")
				if !strings.Contains(a.body, "Query contained "+lack+", which the calling client does not support.") {
					t.Errorf("%s: %s: %s", c.name, text, a.body)
				}
				continue
			}
			var plan struct {
				Info   *struct{ RewrittenQuery string }      `json:"queryInfo"`
				Hybrid *struct{ ComponentWeights []float64 } `json:"hybridSearchQueryInfo"`
				Ranges []struct{ Min, Max string }           `json:"queryRanges"`
			}
			p.check(json.Unmarshal([]byte(p.want(a, 200).body), &plan))
			hybrid := text == hybridPlan || text == weightedPlan
			if (plan.Hybrid != nil) != hybrid || (plan.Info != nil) == hybrid || len(plan.Ranges) != 1 || plan.Ranges[0].Max != "FF" {
				t.Errorf("%s: %s: %s", c.name, text, a.body)
			}
			if text == weightedPlan && !cmp.Equal(plan.Hybrid.ComponentWeights, []float64{2, 1}) {
				t.Errorf("%s: weights: %s", c.name, a.body)
			}
		}
	}
}

// TestQuery_OptimisticDirect: a client that knows that one range has all the answer sends the query there as it is, without a plan.
func TestQuery_OptimisticDirect(t *testing.T) {
	t.Parallel()
	p := withRanges(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","n":3}`), 201)
	p.want(p.item("POST", "", `["a"]`, `{"id":"2","pk":"a","n":5}`), 201)
	where := ""
	for _, r := range p.ranges() {
		if a := p.want(p.query("SELECT * FROM c", "x-ms-documentdb-partitionkeyrangeid", r.ID), 200); len(a.json(t)["Documents"].([]any)) == 2 {
			where = r.ID
		}
	}
	direct := []string{"x-ms-documentdb-partitionkeyrangeid", where, "x-ms-cosmos-query-optimisticdirectexecute", "True", "x-ms-documentdb-query-enablecrosspartition", "True", "x-ms-max-item-count", "1"}
	for text, want := range map[string][]any{
		"SELECT VALUE c.n FROM c ORDER BY c.n DESC": {5.0, 3.0}, "SELECT VALUE COUNT(1) FROM c": {2.0}, "SELECT DISTINCT VALUE c.pk FROM c": {"a"}, "SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 1 LIMIT 1": {5.0},
		"SELECT VALUE SUM(c.n) FROM c GROUP BY c.pk": {8.0}, "SELECT VALUE AVG(c.n) FROM c": {4.0},
	} {
		var got []any
		for next := ""; ; {
			a := p.want(p.query(text, append([]string{"x-ms-continuation", next}, direct...)...), 200)
			got = append(got, a.json(t)["Documents"].([]any)...)
			if next = a.header.Get("x-ms-continuation"); next == "" {
				break
			}
		}
		if !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

// TestNumbers_Inexpressible: JSON has no NaN, in documents and parameters neither, though some clients write it; a query that makes one part of a row ends with the
// service's own sub-status.
func TestNumbers_Inexpressible(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, indexAll, 4)
	pk := []string{"x-ms-documentdb-partitionkey", `["a"]`}
	for _, number := range []string{"NaN", "Infinity", "-Infinity"} {
		p.wantFault(p.item("POST", "", `["a"]`, `{"id":"x","pk":"a","n":`+number+`}`), 400, "BadRequest", "")
		p.wantFault(p.do("POST", "/dbs/db/colls/c/docs", `{"query":"SELECT * FROM c WHERE c.n = @n","parameters":[{"name":"@n","value":`+number+`}]}`,
			append([]string{"x-ms-documentdb-isquery", "true", "content-type", "application/query+json"}, pk...)...), 400, "BadRequest", "")
	}
	a := p.wantFault(p.query("SELECT LOG(c.n) AS x FROM c WHERE c.n = 0", pk...), 400, "BadRequest", "4001")
	if !strings.Contains(a.body, "cannot be represented in JSON (e.g. Infinity and NaN)") {
		t.Errorf("%s", a.body)
	}
	a = p.want(p.query("SELECT VALUE c.n FROM c WHERE 1 / c.n = Infinity AND c.n < 1 / 0 AND LOG(c.n) < -1e308", pk...), 200)
	if got := a.json(t)["Documents"]; !cmp.Equal(got, []any{0.0}) {
		t.Errorf("filtered: %v", got)
	}
}
