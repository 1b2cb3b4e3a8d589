package query

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hybrid answers ORDER BY RANK as an SDK does: statistics first, then a query for each score, then the ranks.
func (c *client) hybrid(sql string, env Env) []Value {
	q, err := Parse(sql)
	if err != nil {
		c.t.Fatal(err)
	}
	plan, err := MakePlan(q, PlanOptions{Params: c.params, KeyPaths: [][]string{{"pk"}}, Env: env})
	if err != nil || plan.Hybrid == nil || plan.Info != nil {
		c.t.Fatalf("%s: %+v, %v", sql, plan, err)
	}
	h := plan.Hybrid
	replace := []string{"{documentdb-formattableorderbyquery-filter}", "true"}
	if h.NeedsStatistics {
		var documents float64
		var words []float64
		var hits [][]float64
		for _, docs := range c.ranges {
			v := c.ask(h.GlobalStatisticsQuery, docs)[0]
			documents += v.Field("documentCount").Float()
			texts := v.Field("fullTextStatistics")
			for i := range texts.Len() {
				if len(words) <= i {
					words, hits = append(words, 0), append(hits, make([]float64, texts.At(i).Field("hitCounts").Len()))
				}
				words[i] += texts.At(i).Field("totalWordCount").Float()
				for j := range hits[i] {
					hits[i][j] += texts.At(i).Field("hitCounts").At(j).Float()
				}
			}
		}
		replace = append(replace, totalDocuments, fmt.Sprint(documents))
		for i := range words {
			n, _ := json.Marshal(hits[i])
			replace = append(replace, fmt.Sprintf("%s%d}", totalWords, i), fmt.Sprint(words[i]), fmt.Sprintf("%s%d}", hitCounts, i), string(n))
		}
	}
	seen := map[string]bool{}
	var rows []Value
	for _, component := range h.Components {
		if !component.NonStreamingOrderBy {
			c.t.Errorf("%s: a component streams", sql)
		}
		var found []Value
		for _, docs := range c.ranges {
			found = append(found, c.askIn(strings.NewReplacer(replace...).Replace(component.RewrittenQuery), docs, env)...)
		}
		for _, r := range found {
			if id := r.Field("_rid").Str(); !seen[id] {
				seen[id], rows = true, append(rows, r)
			}
		}
	}
	rows = c.ranked(h, rows)
	if h.Skip != nil {
		rows = rows[min(uint64(len(rows)), *h.Skip):]
	}
	rows = rows[:min(uint64(len(rows)), *h.Take)]
	for i, r := range rows {
		rows[i] = r.Field("payload").Field("payload")
	}
	return rows
}

// ranked sorts rows by the sum of what their places in each component's order are worth; by the only score where there is one.
func (c *client) ranked(h *HybridPlan, rows []Value) []Value {
	slices.SortFunc(rows, func(a, b Value) int { return strings.Compare(a.Field("_rid").Str(), b.Field("_rid").Str()) })
	worth := map[string]float64{}
	for i, component := range h.Components {
		score := func(v Value) Value { return v.Field("payload").Field("componentScores").At(i) }
		sorted := slices.Clone(rows)
		slices.SortStableFunc(sorted, func(a, b Value) int {
			if component.OrderBy[0] == "Descending" {
				a, b = b, a
			}
			return Order(score(a), score(b))
		})
		weight, rank := 1.0, 1
		if len(h.Weights) > 0 {
			weight = h.Weights[i]
		}
		for j, r := range sorted {
			if j > 0 && score(r).Float() != score(sorted[j-1]).Float() {
				rank++
			}
			worth[r.Field("_rid").Str()] += weight / float64(60+rank)
		}
	}
	slices.SortStableFunc(rows, func(a, b Value) int {
		switch x, y := worth[a.Field("_rid").Str()], worth[b.Field("_rid").Str()]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return rows
}

// TestPlan_Hybrid: what an SDK makes of ORDER BY RANK over several ranges is what one range with all documents answers.
func TestPlan_Hybrid(t *testing.T) {
	t.Parallel()
	words := []string{"swim", "run", "cycle", "water", "hill", "race", "long", "short"}
	random := rand.New(rand.NewPCG(3, 3))
	env := Env{Vectors: map[string]string{"/near": "euclidean", "/alike": "cosine"}}
	params := map[string]json.RawMessage{"@words": json.RawMessage(`["swim","hill"]`), "@v": json.RawMessage(`[1,0.5]`)}
	for round := range 10 {
		c := &client{t: t, ranges: make([][]Doc, 1+random.IntN(3)), params: params}
		var all []Doc
		for i := range 25 {
			text := make([]string, 1+random.IntN(12))
			for j := range text {
				text[j] = words[random.IntN(len(words))]
			}
			doc := fmt.Sprintf(`{"id":"%02d","_rid":"r%02d","pk":"%d","n":%d,"text":%q,"near":[%.2f,%.2f],"alike":[%.2f,%.2f]}`,
				i, i, i%5, i%4, strings.Join(text, " "), random.Float64(), random.Float64(), random.Float64()+0.1, random.Float64())
			if random.IntN(8) == 0 {
				doc = fmt.Sprintf(`{"id":"%02d","_rid":"r%02d","n":1}`, i, i)
			}
			all = append(all, Doc{Key: fmt.Sprint(i), JSON: []byte(doc)})
			r := i * len(c.ranges) / 25
			c.ranges[r] = append(c.ranges[r], all[i])
		}
		for _, sql := range []string{
			"SELECT TOP 10 c.id FROM c ORDER BY RANK FullTextScore(c.text, 'swim')",
			"SELECT TOP 5 c.id FROM c WHERE c.n > 0 ORDER BY RANK FullTextScore(c.text, 'swim', 'run')",
			"SELECT c.id FROM c ORDER BY RANK FullTextScore(c.text, @words) OFFSET 2 LIMIT 6",
			"SELECT TOP 12 c.id FROM c ORDER BY RANK RRF(FullTextScore(c.text, ['swim', 'race']), VectorDistance(c.near, @v))",
			"SELECT TOP 12 c.id FROM c ORDER BY RANK RRF(VectorDistance(c.alike, [0.3, 0.7]), FullTextScore(c.text, 'hill'), FullTextScore(c.text, 'long'), [1, 2, 0.5])",
		} {
			got, want := c.hybrid(sql, env), c.askIn(sql, all, env)
			if d := cmp.Diff(texts(want, sql), texts(got, sql)); d != "" {
				t.Fatalf("round %d, %d ranges, %s: -one range +merged\n%s", round, len(c.ranges), sql, d)
			}
		}
	}
}

func TestPlan_HybridRefused(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		"SELECT TOP 1 * FROM c ORDER BY RANK ABS(c.n)", "SELECT TOP 1 * FROM c ORDER BY RANK RRF()", "SELECT TOP 1 * FROM c ORDER BY RANK RRF(FullTextScore(c.a, 'x'), [1, 2])",
		"SELECT TOP 1 * FROM c ORDER BY RANK RRF(FullTextScore(c.a, 'x'), ['one'])", "SELECT TOP 1 * FROM c ORDER BY RANK FullTextScore(c.a, 'x'), FullTextScore(c.b, 'x')",
	} {
		q, err := Parse(sql)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := MakePlan(q, PlanOptions{}); err == nil {
			t.Errorf("%s: planned as %+v", sql, p.Hybrid)
		}
	}
}
