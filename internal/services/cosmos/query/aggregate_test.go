package query

import "testing"

// mixed has each type of value twice over: in the field f, and by key.
var mixed = []string{
	`{"k":"number","f":3}`, `{"k":"number","f":1.5}`, `{"k":"string","f":"b"}`, `{"k":"string","f":"a"}`, `{"k":"bool","f":true}`, `{"k":"bool","f":false}`,
	`{"k":"null","f":null}`, `{"k":"null","f":null}`, `{"k":"object","f":{}}`, `{"k":"object","f":{"a":1}}`, `{"k":"array","f":[]}`, `{"k":"array","f":[]}`, `{"k":"undefined"}`, `{"k":"undefined"}`,
}

// TestAggregates: the service's own rules for each type, alone and mixed.
func TestAggregates(t *testing.T) {
	for _, c := range []struct{ aggregate, where, want string }{
		{"AVG", `c.k = "number"`, `2.25`},
		{"AVG", `c.k = "string"`, ``},
		{"AVG", `c.k = "undefined"`, ``},
		{"AVG", `true`, ``},
		{"AVG", `false`, ``},
		{"SUM", `c.k = "number"`, `4.5`},
		{"SUM", `c.k = "bool"`, ``},
		{"SUM", `c.k = "undefined"`, `0`},
		{"SUM", `c.k IN ("undefined", "number")`, `4.5`},
		{"SUM", `true`, ``},
		{"SUM", `false`, `0`},
		{"MIN", `c.k = "number"`, `1.5`},
		{"MIN", `c.k = "string"`, `"a"`},
		{"MIN", `c.k = "bool"`, `false`},
		{"MIN", `c.k = "null"`, `null`},
		{"MIN", `c.k = "object"`, ``},
		{"MIN", `c.k = "array"`, ``},
		{"MIN", `c.k = "undefined"`, ``},
		{"MIN", `c.k IN ("array", "number")`, ``},
		{"MIN", `IS_PRIMITIVE(c.f)`, `null`},
		{"MIN", `true`, ``},
		{"MAX", `c.k = "number"`, `3`},
		{"MAX", `IS_PRIMITIVE(c.f)`, `"b"`},
		{"MAX", `c.k IN ("object", "number")`, ``},
		{"MAX", `c.k = "null"`, `null`},
		{"MAX", `c.k IN ("undefined", "bool")`, `true`},
		{"COUNT", `true`, `12`},
		{"COUNT", `c.k = "undefined"`, `0`},
		{"COUNT", `c.k = "null"`, `2`},
		{"COUNT", `false`, `0`},
		{"COUNTIF", `true`, `1`},
		{"COUNTIF", `c.k = "number"`, `0`},
		{"COUNTIF", `c.k = "undefined"`, `0`},
		{"MAKELIST", `c.k = "number"`, `[3,1.5]`},
		{"MAKELIST", `c.k IN ("array", "undefined")`, `[[],[]]`},
		{"MAKELIST", `false`, `[]`},
		{"MAKESET", `c.k = "null"`, `[null]`},
		{"MAKESET", `c.k IN ("array", "object", "bool")`, `[true,false,{},{"a":1},[]]`},
		{"MAKESET", `c.k = "undefined"`, `[]`},
	} {
		sql := "SELECT VALUE " + c.aggregate + "(c.f) FROM c WHERE " + c.where
		if got := results(t, sql, nil, mixed...); got != c.want {
			t.Errorf("%s: got %s, want %s", sql, got, c.want)
		}
		if got := results(t, sql+" ORDER BY c.f", nil, mixed...); got != c.want {
			t.Errorf("%s ORDER BY c.f: got %s, want %s", sql, got, c.want)
		}
	}
}

func TestGroups(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{`SELECT c.no AS f, COUNT(1) AS n FROM c GROUP BY c.no`, `{"n":14}`},
		{`SELECT VALUE c.no FROM c GROUP BY c.no`, ``},
		{`SELECT c.k, SUM(c.f) AS s, AVG(c.f) AS a, MIN(c.f) AS lo, COUNTIF(c.f) AS t FROM c GROUP BY c.k`, `{"k":"number","s":4.5,"a":2.25,"lo":1.5,"t":0}` + "\n" + `{"k":"string","lo":"a","t":0}` + "\n" +
			`{"k":"bool","lo":false,"t":1}` + "\n" + `{"k":"null","lo":null,"t":0}` + "\n" + `{"k":"object","t":0}` + "\n" + `{"k":"array","t":0}` + "\n" + `{"k":"undefined","s":0,"t":0}`},
		{`SELECT VALUE COUNT(1) FROM c GROUP BY c.f`, "1\n1\n1\n1\n1\n1\n2\n1\n1\n2\n2"},
		{`SELECT VALUE MAKESET(g.f) FROM c JOIN (SELECT c.f) AS g WHERE c.k = "bool" GROUP BY IS_BOOL(g.f)`, `[true,false]`},
		{`SELECT DISTINCT VALUE c.f FROM c`, "3\n1.5\n\"b\"\n\"a\"\ntrue\nfalse\nnull\n{}\n{\"a\":1}\n[]"},
		{`SELECT VALUE c.k FROM c WHERE c.k != "object" ORDER BY c.f`, "\"undefined\"\n\"undefined\"\n\"null\"\n\"null\"\n\"bool\"\n\"bool\"\n\"number\"\n\"number\"\n\"string\"\n\"string\"\n\"array\"\n\"array\""},
		{`SELECT VALUE c.f FROM c ORDER BY c.k DESC, c.f ASC`, "\"a\"\n\"b\"\n{}\n{\"a\":1}\n1.5\n3\nnull\nnull\nfalse\ntrue\n[]\n[]"},
	} {
		if got := results(t, c.sql, nil, mixed...); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.sql, got, c.want)
		}
	}
}

// TestLike covers the wildcards, classes and escapes.
func TestLike(t *testing.T) {
	for _, c := range []struct {
		text, pattern, escape string
		want                  bool
	}{
		{"fruit", "fruit%", "", true},
		{"fruit", "%uit", "", true},
		{"fruit", "f%t", "", true},
		{"fruit", "_ruit", "", true},
		{"fruit", "_fruit", "", false},
		{"fruit", "%", "", true},
		{"", "%", "", true},
		{"", "_", "", false},
		{"20-30%", "%20-30!%", "!", true},
		{"20-300", "%20-30!%", "!", false},
		{"a_b", "a!_b", "!", true},
		{"axb", "a!_b", "!", false},
		{"a!b", "a!!b", "!", true},
		{"a%b", "a[%]b", "", true},
		{"axb", "a[%]b", "", false},
		{"cat", "[bc]at", "", true},
		{"bat", "[a-c]at", "", true},
		{"rat", "[^a-c]at", "", true},
		{"cat", "[^a-c]at", "", false},
		{"-at", "[a-]at", "", true},
		{"]at", "[]]at", "", true},
		{"CAT", "cat", "", false},
		{"caat", "c%%t", "", true},
		{"é😀", "__", "", true},
		{"abcabd", "%abd", "", true},
	} {
		sql := `SELECT VALUE c.t LIKE "` + c.pattern + `"`
		if c.escape != "" {
			sql += ` ESCAPE "` + c.escape + `"`
		}
		for _, s := range []string{sql + " FROM c", "SELECT VALUE NOT (" + sql[len("SELECT VALUE "):] + ") FROM c"} {
			want := map[bool]string{true: "true", false: "false"}[c.want == (s == sql+" FROM c")]
			if got := results(t, s, nil, string(Object([]string{"t"}, []Value{String(c.text)}).AppendJSON(nil))); got != want {
				t.Errorf("%s on %q: got %s, want %s", s, c.text, got, want)
			}
		}
	}
}

// TestEquality: = is false and != true across types, as the service answers and its own client expects; only undefined makes them undefined.
func TestEquality(t *testing.T) {
	kinds := []string{`null`, `true`, `1`, `"1"`, `[]`, `{}`}
	for i, a := range kinds {
		for j, b := range kinds {
			want := map[bool]string{true: "[true,false,true,false]", false: "[false,true,false,true]"}[i == j]
			sql := `SELECT VALUE [` + a + ` = ` + b + `, ` + a + ` != ` + b + `, ` + a + ` IN (` + b + `), NOT (` + a + ` = ` + b + `)]`
			if got := results(t, sql, nil); got != want {
				t.Errorf("%s: got %s, want %s", sql, got, want)
			}
			sql = `SELECT VALUE [` + a + ` < ` + b + `, ` + a + ` >= ` + b + `]`
			want = map[bool]string{true: "[false,true]", false: "[]"}[i == j && i < 4]
			if got := results(t, sql, nil); got != want {
				t.Errorf("%s: got %s, want %s", sql, got, want)
			}
		}
		sql := `SELECT VALUE [` + a + ` = undefined, undefined != ` + a + `, undefined = undefined, undefined IN (` + a + `)]`
		if got := results(t, sql, nil); got != "[]" {
			t.Errorf("%s: got %s, want []", sql, got)
		}
	}
}
