package gateway

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

var (
	oneKey = &catalog.Container{PartitionKey: &pkey.Definition{Paths: []string{"/pk"}, Kind: "Hash", Version: 2}}
	twoKey = &catalog.Container{PartitionKey: &pkey.Definition{Paths: []string{"/a/b", "/c"}, Kind: "MultiHash", Version: 2}}
)

func parsedFor(t *testing.T, text string) *parsedQuery {
	t.Helper()
	q := &parsedQuery{text: text, params: map[string]json.RawMessage{"@p": json.RawMessage(`"param"`), "@list": json.RawMessage(`["a","b"]`)}}
	var err error
	if q.query, err = query.Parse(text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if q.program, err = query.Compile(q.query, q.params); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// TestPlanKeys: which partition keys a filter allows. One whole key also lets the gateway answer by itself.
func TestPlanKeys(t *testing.T) {
	t.Parallel()
	const all, none = "all", ""
	for _, tt := range []struct {
		where string
		con   *catalog.Container
		want  string // keys, sorted
	}{
		{"FROM c WHERE c.pk = 'x'", oneKey, `["x"]`},
		{"FROM c WHERE 'x' = c.pk AND c.y > 1", oneKey, `["x"]`},
		{"FROM r WHERE r['pk'] = 7", oneKey, `[7]`},
		{"FROM root AS r WHERE r.pk = @p", oneKey, `["param"]`},
		{"FROM c WHERE c.pk = null", oneKey, `[null]`},
		{"FROM c WHERE c.pk = CONCAT('a', 'b')", oneKey, `["ab"]`},
		{"FROM c WHERE c.pk IN ('b', 'a', 'b')", oneKey, `["a"] ["b"]`},
		{"FROM c WHERE c.pk IN ('b', c.y)", oneKey, all},
		{"FROM c WHERE NOT (c.pk NOT IN (1, 2))", oneKey, `[1] [2]`},
		{"FROM c WHERE ARRAY_CONTAINS(@list, c.pk)", oneKey, `["a"] ["b"]`},
		{"FROM c WHERE (c.pk = 'x' OR c.pk = 'y') AND c.pk != 'z'", oneKey, `["x"] ["y"]`},
		{"FROM c WHERE (c.pk = 'x' OR c.pk = 'y') AND c.pk IN ('y', 'z')", oneKey, `["y"]`},
		{"FROM c WHERE c.pk = 'x' AND c.pk = 'y'", oneKey, none},
		{"FROM c WHERE c.pk = 'x' OR false", oneKey, `["x"]`},
		{"FROM c WHERE c.pk = 'x' AND true", oneKey, `["x"]`},
		{"FROM c WHERE 1 = 2", oneKey, none},
		{"FROM c WHERE NOT (c.pk != 'x' OR c.y = 1)", oneKey, `["x"]`},
		{"FROM c WHERE c.pk LIKE 'a!%' ESCAPE '!'", oneKey, `["a%"]`},
		{"FROM c WHERE c.pk LIKE 'a%'", oneKey, all},
		{"FROM c WHERE NOT c.pk LIKE 'a'", oneKey, all},
		{"FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE c.pk = 'x' AND t = 1)", oneKey, `["x"]`},
		{"FROM c WHERE NOT EXISTS(SELECT VALUE t FROM t IN c.tags WHERE c.pk = 'x')", oneKey, all},
		{"FROM c WHERE EXISTS(SELECT VALUE c FROM c IN c.tags WHERE c.pk = 'x')", oneKey, all},
		{"FROM c JOIN t IN c.tags WHERE c.pk = t OR c.pk = 'x'", oneKey, all},
		{"FROM c JOIN t IN c.tags WHERE c.pk = 'x'", oneKey, `["x"]`},
		{"FROM c WHERE c.pk ? false : c.pk = 'x'", oneKey, all},
		{"FROM c WHERE c.a.b = 1 AND (c.z AND c.c = true)", twoKey, `[1,true]`},
		{"FROM c WHERE c.a.b IN (1, 2) AND c.c IN ('x', 'y')", twoKey, `[1,"x"] [1,"y"] [2,"x"] [2,"y"]`},
		{"FROM c WHERE c.a.b = 1", twoKey, `[1]`},
		{"FROM c WHERE c.c = 1", twoKey, all},
		{"FROM c.a WHERE a.b = 1 AND a.c = 2", twoKey, `[1]`},
		{"FROM c", oneKey, all},
		{"FROM c WHERE c.pk = 'x' OR c.y = 1", oneKey, all},
		{"FROM c WHERE NOT c.pk = 'x'", oneKey, all},
		{"FROM c WHERE c.pk != 'x'", oneKey, all},
		{"FROM c WHERE c.pk = c.other", oneKey, all},
		{"FROM c WHERE c.pk > 'x'", oneKey, all},
		{"FROM c WHERE c.pk = {'x':1}", oneKey, `[{}]`},
		{"FROM c WHERE c.pk = undefined", oneKey, none},
		{"FROM c WHERE c.x.pk = 'x'", oneKey, all},
		{"FROM c JOIN t IN c.tags WHERE t.pk = 'x'", oneKey, all},
		{"FROM t IN c.tags WHERE t.pk = 'x'", oneKey, all},
		{"FROM c.sub WHERE sub.pk = 'x'", oneKey, all},
	} {
		q := parsedFor(t, "SELECT VALUE 1 "+tt.where)
		keys, err := query.Keys(q.query, planOptions(q, tt.con))
		if err != nil {
			t.Fatalf("%s: %v", tt.where, err)
		}
		var list []string
		for _, k := range keys.Keys {
			list = append(list, keyOf(k).String())
		}
		slices.Sort(list)
		got := strings.Join(list, " ")
		if keys.All {
			got = all
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.where, got, tt.want)
		}
		epk, pinned := pinnedKey(q, tt.con)
		if want := len(list) == 1 && strings.Count(list[0], ",")+1 == len(tt.con.PartitionKey.Paths); pinned != want || pinned && epk != keyOf(keys.Keys[0]).EPK(*tt.con.PartitionKey) {
			t.Errorf("%s: pinned to %q, %v, want %v", tt.where, epk, pinned, want)
		}
	}
}

// TestEPKRanges: in order, apart from each other, a prefix before the keys under it.
func TestEPKRanges(t *testing.T) {
	t.Parallel()
	ranges := func(con *catalog.Container, where string) []epkRange {
		q := parsedFor(t, "SELECT * FROM c WHERE "+where)
		p, err := query.MakePlan(q.query, planOptions(q, con))
		if err != nil {
			t.Fatal(err)
		}
		return planBody(p, con).Ranges
	}
	point := func(con *catalog.Container, k ...pkey.Value) string { return pkey.Key(k).EPK(*con.PartitionKey) }
	a, b := point(oneKey, pkey.StringValue("a")), point(oneKey, pkey.NumberValue(1))
	points := []epkRange{{a, a, true, true}, {b, b, true, true}}
	if b < a {
		slices.Reverse(points)
	}
	prefix := point(twoKey, pkey.NumberValue(1))
	for _, tt := range []struct {
		con   *catalog.Container
		where string
		want  []epkRange
	}{
		{oneKey, "c.x = 1", []epkRange{{"", "FF", true, false}}},
		{oneKey, "false", []epkRange{{"", "", true, true}}},
		{oneKey, "c.pk IN ('a', 1)", points},
		{oneKey, "c.pk IN (1, 'a')", points},
		{twoKey, "c.a.b = 1", []epkRange{{prefix, prefix + "FF", true, false}}},
		{twoKey, "c.a.b = 1 AND c.c = 2 OR c.a.b = 1 OR c.a.b = 1 AND c.c = 3", []epkRange{{prefix, prefix + "FF", true, false}}},
	} {
		if d := cmp.Diff(tt.want, ranges(tt.con, tt.where)); d != "" {
			t.Errorf("%s: %s", tt.where, d)
		}
	}
}

// TestFeatures: a plan needs of the client what is named, and no less.
func TestFeatures(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT * FROM c":                                         "",
		"SELECT * FROM c ORDER BY c.x":                            "OrderBy",
		"SELECT TOP 3 * FROM c ORDER BY c.x, c.y":                 "MultipleOrderBy Top",
		"SELECT DISTINCT c.x FROM c OFFSET 1 LIMIT 2":             "Distinct OffsetAndLimit",
		"SELECT VALUE COUNT(1) FROM c":                            "Aggregate",
		"SELECT COUNT(1) FROM c":                                  "Aggregate NonValueAggregate",
		"SELECT COUNT(1), MAX(c.x) FROM c":                        "CompositeAggregate NonValueAggregate",
		"SELECT c.x FROM c GROUP BY c.x":                          "GroupBy",
		"SELECT c.x, COUNT(1), MAX(c.x) FROM c GROUP BY c.x":      "GroupBy MultipleAggregates",
		"SELECT * FROM c WHERE c.pk = 1 OFFSET 1 LIMIT 2":         "",
		"SELECT TOP 3 * FROM c WHERE c.pk = 1":                    "Top",
		"SELECT DISTINCT VALUE c.x FROM c ORDER BY c.x DESC":      "Distinct OrderBy",
		"SELECT VALUE SUM(c.x) FROM c WHERE c.pk = 1":             "Aggregate",
		"SELECT VALUE COUNT(1) FROM (SELECT DISTINCT c.x FROM c)": "Aggregate",
	} {
		q := parsedFor(t, text)
		p, err := query.MakePlan(q.query, planOptions(q, oneKey))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		lacking := featureSet("").lack(p)
		slices.Sort(lacking)
		if got := strings.Join(lacking, " "); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		if still := featureSet(strings.Join(lacking, ", ")).lack(p); len(still) > 0 {
			t.Errorf("%s: a client that has all of them still lacks %v", text, still)
		}
	}
	if got := unsupportedFeatures([]string{"OrderBy", "Top"}).Error(); !strings.Contains(got, "Query contained OrderBy, which the calling client does not support.\r\nQuery contained Top,") {
		t.Errorf("text: %q", got)
	}
}

// TestNotServed: what cannot be merged is refused for that.
func TestNotServed(t *testing.T) {
	t.Parallel()
	q := parsedFor(t, "SELECT MIN(c.x) / 2 FROM c")
	if err := notServed(q, oneKey); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "Compositions of aggregates") {
		t.Errorf("an aggregate in an expression: %v", err)
	}
}
