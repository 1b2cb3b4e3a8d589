package query

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// conditions makes random filters over the keys /pk and /o/sub and a field.
type conditions struct{ *rand.Rand }

func (r conditions) pick(list ...string) string { return list[r.IntN(len(list))] }

func (r conditions) value() string {
	return r.pick("1", "2", "-1", "'a'", "'b'", "''", "null", "true", "false", "undefined", "{}", "[1]", "@p", "@q", "1 + 1", "LOWER('A')", "@missing[0]", "(SELECT VALUE 1)")
}

func (r conditions) path() string {
	return r.pick("c.pk", "c['pk']", "c.o.sub", "c.o['sub']", "c.x", "c.list[0]", "c", "k", "k.pk", "ABS(c.pk)", "c.none")
}

func (r conditions) make(depth int) string {
	if depth > 0 {
		switch r.IntN(9) {
		case 0, 1:
			return "(" + r.make(depth-1) + " AND " + r.make(depth-1) + ")"
		case 2, 3:
			return "(" + r.make(depth-1) + " OR " + r.make(depth-1) + ")"
		case 4:
			return "(NOT " + r.make(depth-1) + ")"
		case 5:
			return "EXISTS(SELECT VALUE " + r.pick("k", "c", "1") + " FROM " + r.pick("k IN c.list", "c", "c.o AS k", "c IN c.list", "k IN c.kids JOIN c IN c.list") + " WHERE " + r.make(depth-1) + ")"
		case 6:
			return "(" + r.value() + " " + r.pick("=", "!=", "<") + " (SELECT VALUE " + r.pick("1", "COUNT(1)") + " FROM " + r.pick("c", "c.o") + " WHERE " + r.make(depth-1) + "))"
		case 7:
			return "(" + r.make(depth-1) + r.pick(" = ", " != ", " ?? ") + r.make(depth-1) + ")"
		}
		return "(" + r.make(depth-1) + " ? " + r.make(depth-1) + " : " + r.make(depth-1) + ")"
	}
	return "(" + r.leaf() + ")"
}

func (r conditions) leaf() string {
	switch r.IntN(10) {
	case 0:
		return r.path() + r.pick(" IN (", " NOT IN (") + r.value() + ", " + r.value() + ", " + r.pick(r.value(), r.path()) + ")"
	case 1:
		return r.value() + r.pick(" = ", " != ", " > ") + r.path()
	case 2:
		return r.path() + r.pick(" BETWEEN ", " NOT BETWEEN ") + r.value() + " AND " + r.value()
	case 3:
		return r.path() + r.pick(" LIKE ", " NOT LIKE ") + r.pick("'a'", "'a%'", "'!%' ESCAPE '!'", "'b'", "''", "@q")
	case 4:
		return r.pick("IS_NULL", "IS_BOOL", "IS_DEFINED", "IS_STRING", "NOT IS_NULL", "NOT IS_BOOL") + "(" + r.path() + ")"
	case 5:
		return r.pick("", "NOT ") + "ARRAY_CONTAINS(" + r.pick("@list", "[1, 'a', null]", "[]", "c.list") + ", " + r.path() + r.pick("", ", true") + ")"
	case 6:
		return r.pick("true", "false", "undefined", "null", "1 = 1", "1 = 2", "@t")
	case 7:
		return r.path()
	}
	return r.path() + r.pick(" = ", " = ", " = ", " != ", " <= ") + r.value()
}

// TestKeys_Sound: a document that passes the filter has one of the keys the plan names; a plan that named too few would lose it.
func TestKeys_Sound(t *testing.T) {
	t.Parallel()
	params := map[string]json.RawMessage{"@p": json.RawMessage("1"), "@q": json.RawMessage(`"a"`), "@t": json.RawMessage("true"), "@list": json.RawMessage(`[2,"b",true,[1]]`), "@missing": json.RawMessage("[]")}
	r := conditions{rand.New(rand.NewPCG(11, 11))}
	values := []string{"1", "2", "-1", `"a"`, `"b"`, `""`, `"%"`, "null", "true", "false", ""}
	var docs []Doc
	var keys []Key
	for range 120 {
		pk, sub, x := r.pick(values...), r.pick(values...), r.pick(append(values, "[1]", "{}")...)
		members := []string{`"id":"1"`}
		key := Key{Undefined, Undefined}
		add := func(name, v string, at int) {
			if v == "" {
				return
			}
			if at >= 0 {
				key[at], _ = new(Parser).Parse([]byte(v))
			}
			if name == "sub" {
				name, v = "o", fmt.Sprintf(`{"sub":%s,"pk":%s}`, v, r.pick("1", `"a"`))
			}
			members = append(members, fmt.Sprintf("%q:%s", name, v))
		}
		add("pk", pk, 0)
		add("sub", sub, 1)
		add("x", x, -1)
		add("list", fmt.Sprintf(`[%s,{"pk":%s}]`, r.pick("1", `"a"`, "null"), r.pick("1", `"b"`)), -1)
		add("kids", `[{"list":[{"pk":2}]}]`, -1)
		docs, keys = append(docs, Doc{JSON: []byte("{" + strings.Join(members, ",") + "}")}), append(keys, key)
	}
	bounded, matched := 0, 0
	for range 6000 {
		sql := "SELECT VALUE 1 FROM c " + r.pick("", "", "JOIN k IN c.list ") + "WHERE " + r.make(r.IntN(4))
		if !strings.Contains(sql, "JOIN k IN c.list WHERE") && strings.Contains(sql, "k") {
			sql = strings.Replace(sql, "FROM c ", "FROM c JOIN k IN c.list ", 1)
		}
		q, err := Parse(sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		p, err := Compile(q, params)
		if err != nil {
			continue // a name used twice
		}
		for _, o := range []PlanOptions{
			{Params: params, KeyPaths: [][]string{{"pk"}}},
			{Params: params, KeyPaths: [][]string{{"pk"}, {"o", "sub"}}, Prefixes: true},
		} {
			set, err := Keys(q, o)
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			if set.All {
				continue
			}
			bounded++
			e := p.NewEvaluator()
			for i, d := range docs {
				ok, err := e.Match(d.JSON)
				if err != nil || !ok {
					continue // a scalar subquery of several rows
				}
				matched++
				if !set.has(keys[i]) {
					t.Fatalf("%s\nlets pass %s\nbut names only %s", sql, d.JSON, shownKeys(set))
				}
			}
		}
	}
	t.Logf("%d bounded plans, %d matches", bounded, matched)
	if bounded < 1000 || matched < 1000 {
		t.Errorf("%d bounded plans with %d matches: too few to mean anything", bounded, matched)
	}
}

// TestKeys_Bounds: a filter as long as a query may be costs little.
func TestKeys_Bounds(t *testing.T) {
	or := func(n int, path string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf("c.%s=%d", path, i)
		}
		return "(" + strings.Join(parts, " OR ") + ")"
	}
	for name, where := range map[string]string{
		"or":           or(30_000, "pk"),
		"or and or":    or(3000, "pk") + " AND " + or(3000, "pk"),
		"or, many and": or(2000, "pk") + strings.Repeat(" AND c.o=1", 30_000),
		"in, many and": "c.pk IN (" + strings.Repeat("1,", 5000) + strings.Join(strings.Fields(strings.Repeat("2 ", 3000)), ",") + ")" + strings.Repeat(" AND c.pk IN (1,2)", 20_000),
		"not":          strings.Repeat("NOT ", 300) + "c.pk=1",
		"constant":     "1" + strings.Repeat("+1", 50_000) + "=c.pk",
	} {
		q, err := Parse("SELECT * FROM c WHERE " + where)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		begin := time.Now()
		if _, err := Keys(q, PlanOptions{KeyPaths: [][]string{{"pk"}, {"o"}}, Prefixes: true}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

// has tells whether a whole key is among those that are named.
func (s KeySet) has(k Key) bool {
	for _, named := range s.Keys {
		same := true
		for i, v := range named {
			same = same && string(appendKey(nil, v)) == string(appendKey(nil, k[i]))
		}
		if same {
			return true
		}
	}
	return false
}

// FuzzPlan: a query that compiles is planned, or refused for a reason; what the ranges are asked instead compiles too.
func FuzzPlan(f *testing.F) {
	for _, s := range []string{
		"SELECT * FROM c ORDER BY c.a", "SELECT DISTINCT TOP 3 c.a AS b, c['x y'] FROM c JOIN d IN c.x WHERE NOT c.a[0] ORDER BY c.a DESC OFFSET 1 LIMIT 2",
		"SELECT VALUE AVG(c.a) FROM c GROUP BY c.b", "SELECT c.a, COUNT(1) FROM c.list GROUP BY c.a", "SELECT COUNT(1) FROM (SELECT DISTINCT VALUE c.a FROM c)",
		"SELECT TOP 2 * FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'a'), VectorDistance(c.v, [1]), [1, 2])", "SELECT VALUE x FROM x IN c.list WHERE x.pk = 1 ORDER BY x.n",
		"SELECT c[0], c['\\u0000'] FROM c WHERE c.pk IN (1, @p) ORDER BY c['a\"b']",
	} {
		f.Add(s)
	}
	params := map[string]json.RawMessage{"@p": json.RawMessage("1")}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s)
		if err != nil {
			return
		}
		if _, err := Compile(q, params); err != nil {
			return
		}
		p, err := MakePlan(q, PlanOptions{Params: params, KeyPaths: [][]string{{"pk"}}, DCount: true})
		if err != nil {
			return
		}
		var texts []string
		if p.Hybrid != nil {
			texts = append(texts, p.Hybrid.GlobalStatisticsQuery)
			for _, c := range p.Hybrid.Components {
				texts = append(texts, c.RewrittenQuery)
			}
		} else {
			texts = append(texts, p.Info.RewrittenQuery)
		}
		for _, text := range texts {
			if text == "" || len(text) > MaxText {
				continue
			}
			text = strings.ReplaceAll(text, orderFilter, "(true)")
			for name, v := range map[string]string{totalDocuments: "3", totalWords: "4", hitCounts: "[1]"} {
				for n := range 9 {
					text = strings.ReplaceAll(text, fmt.Sprintf("%s%d}", name, n), v)
				}
				text = strings.ReplaceAll(text, name, v)
			}
			again, err := Parse(text)
			if err == nil {
				_, err = Compile(again, params)
			}
			if err != nil {
				t.Fatalf("%q is rewritten as %q: %v", s, text, err)
			}
		}
	})
}
