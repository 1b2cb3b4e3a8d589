package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

const sample = `{"id":"1","n":7,"f":1.50,"s":"Hello","e":"","t":true,"z":null,"o":{"a":1,"b":{"c":"deep"}},"o2":{"b":{"c":"deep"},"a":1.0},
"tags":["red","green",3],"kids":[{"name":"Ann","age":5},{"name":"Bob"},{"name":"Cy","age":9}],"u":"\u00e9😀x"}`

func docsOf(texts ...string) iter.Seq2[Doc, error] {
	return func(yield func(Doc, error) bool) {
		for i, t := range texts {
			if !yield(Doc{Key: fmt.Sprintf("%04d", i), JSON: []byte(t)}, nil) {
				return
			}
		}
	}
}

func mustCompile(t testing.TB, sql string, params map[string]json.RawMessage) *Program {
	t.Helper()
	q, err := Parse(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	p, err := Compile(q, params)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return p
}

// results runs a query over documents and joins its rows.
func results(t testing.TB, sql string, params map[string]json.RawMessage, docs ...string) string {
	t.Helper()
	page, err := Run(context.Background(), mustCompile(t, sql, params), docsOf(docs...), Limits{}, State{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if page.Next != nil {
		t.Fatalf("%s: an unbounded page is not complete", sql)
	}
	var rows []string
	for _, r := range page.Rows {
		rows = append(rows, string(r))
	}
	return strings.Join(rows, "\n")
}

const undef = "<undefined>"

// TestExpr evaluates expressions on the sample document; undefined makes no row.
func TestExpr(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		// literals and paths
		{`42`, `42`},
		{`-1.5e3`, `-1500`},
		{`1E21`, `1e+21`},
		{`'a"b'`, `"a\"b"`},
		{`"\u00e9\n"`, `"é\n"`},
		{`null`, `null`},
		{`undefined`, undef},
		{`c.n`, `7`},
		{`c.f`, `1.50`},
		{`c["n"]`, `7`},
		{`c.o.b.c`, `"deep"`},
		{`c.o["b"].c`, `"deep"`},
		{`c.tags[1]`, `"green"`},
		{`c.tags[1 + 1]`, `3`},
		{`c.tags[9]`, undef},
		{`c.tags[-1]`, undef},
		{`c.tags["0"]`, undef},
		{`c.o[0]`, undef},
		{`c.missing`, undef},
		{`c.missing.deeper`, undef},
		{`c.n.x`, undef},
		{`c.z.x`, undef},
		{`c.s[0]`, undef},
		{`c["o"]["a"]`, `1`},
		{`c[c.missing]`, undef},
		{`{"x": {"y": 2}}.x.y`, `2`},
		{`[1,2,3][1]`, `2`},
		{`c.kids[2].age`, `9`},
		{`c.N`, undef},
		// constructors
		{`[1, undefined, c.n]`, `[1,7]`},
		{`{"a": c.n, "b": c.missing, "c": {}}`, `{"a":7,"c":{}}`},
		{`{"a": undefined, "b": 1, "d": undefined, "e": 2}`, `{"b":1,"e":2}`},
		{`{"a": 1, "a": 2}`, `{"a":2}`},
		{`{a: 1, Order: 2, 'c': 3}`, `{"a":1,"Order":2,"c":3}`},
		// equality
		{`c.n = 7`, `true`},
		{`7.0 = c.n`, `true`},
		{`c.n = 8`, `false`},
		{`c.n = "7"`, `false`},
		{`c.n != "7"`, `true`},
		{`c.z = null`, `true`},
		{`c.s != null`, `true`},
		{`c.missing = 1`, undef},
		{`c.missing != 1`, undef},
		{`c.missing = undefined`, undef},
		{`undefined != null`, undef},
		{`c.o = c.o2`, `true`},
		{`c.o = {"b":{"c":"deep"},"a":1}`, `true`},
		{`c.o = {"a":1}`, `false`},
		{`c.tags = ["red","green",3]`, `true`},
		{`c.tags = ["green","red",3]`, `false`},
		{`c.s = 'hello'`, `false`},
		{`1 <> 2`, `true`},
		{`c.t = true`, `true`},
		{`c.t = 1`, `false`},
		// relations
		{`c.n > 6`, `true`},
		{`c.n >= 7`, `true`},
		{`c.n < 7`, `false`},
		{`c.n <= 7`, `true`},
		{`c.s < "Z"`, `true`},
		{`"a" < "B"`, `false`},
		{`false < true`, `true`},
		{`c.n > "6"`, undef},
		{`c.missing > 1`, undef},
		{`c.o > c.o2`, undef},
		{`[1] < [2]`, undef},
		{`null <= null`, `true`},
		{`null < 1`, undef},
		// logic
		{`true AND true`, `true`},
		{`true AND false`, `false`},
		{`true AND undefined`, undef},
		{`undefined AND true`, undef},
		{`false AND undefined`, `false`},
		{`undefined AND false`, `false`},
		{`1 AND true`, undef},
		{`1 AND false`, `false`},
		{`true OR undefined`, `true`},
		{`undefined OR true`, `true`},
		{`false OR undefined`, undef},
		{`false OR false`, `false`},
		{`null OR true`, `true`},
		{`null OR false`, undef},
		{`NOT true`, `false`},
		{`NOT undefined`, undef},
		{`NOT null`, undef},
		{`NOT 0`, undef},
		{`NOT (c.n = 8)`, `true`},
		{`true OR false AND false`, `true`},
		// arithmetic
		{`1 + 2 * 3`, `7`},
		{`7 / 2`, `3.5`},
		{`7 % 4`, `3`},
		{`c.n + "1"`, undef},
		{`c.n + null`, undef},
		{`c.n + c.missing`, undef},
		{`-c.n`, `-7`},
		{`+c.n`, `7`},
		{`-c.s`, undef},
		{`~5`, `-6`},
		{`6 & 3`, `2`},
		{`6 | 3`, `7`},
		{`6 ^ 3`, `5`},
		{`1 << 4`, `16`},
		{`-8 >> 1`, `-4`},
		{`-1 >>> 28`, `15`},
		{`2147483648 | 0`, `-2147483648`},
		{`0.1 + 0.2`, `0.30000000000000004`},
		{`1 -2`, `-1`},
		{`9007199254740993`, `9007199254740992`},
		{`"a" || "b"`, `"ab"`},
		{`"a" || 1`, undef},
		{`"a" || c.missing`, undef},
		// BETWEEN, IN, LIKE, ?:, ??
		{`c.n BETWEEN 1 AND 7`, `true`},
		{`c.n BETWEEN 8 AND 9`, `false`},
		{`c.n NOT BETWEEN 8 AND 9`, `true`},
		{`c.n BETWEEN "1" AND 9`, undef},
		{`c.n BETWEEN "1" AND 3`, `false`},
		{`c.missing BETWEEN 1 AND 2`, undef},
		{`c.n BETWEEN 1 AND 9 AND true`, `true`},
		{`c.n IN (1, 7)`, `true`},
		{`c.n IN (1, "7")`, `false`},
		{`c.n NOT IN (1, 2)`, `true`},
		{`c.missing IN (1)`, undef},
		{`c.z IN (null)`, `true`},
		{`c.o IN ({"a":1,"b":{"c":"deep"}})`, `true`},
		{`c.n IN (1,2,3,4,5,6,7,8,9,10)`, `true`},
		{`c.n IN (1,2,3,4,5,6,"7",8,9,10)`, `false`},
		{`c.n IN (c.missing)`, `false`},
		{`-0.0 IN (0,1,2,3,4,5,6,7,8,9)`, `true`},
		{`c.s LIKE "H%"`, `true`},
		{`c.s LIKE "h%"`, `false`},
		{`c.s LIKE "_ello"`, `true`},
		{`c.s LIKE "%l%o"`, `true`},
		{`c.s LIKE "H"`, `false`},
		{`c.s LIKE "[A-H]ello"`, `true`},
		{`c.s LIKE "[^A-H]ello"`, `false`},
		{`"a%" LIKE "a!%" ESCAPE "!"`, `true`},
		{`"ab" LIKE "a!%" ESCAPE "!"`, `false`},
		{`c.n LIKE "7"`, undef},
		{`c.s NOT LIKE "x"`, `true`},
		{`c.e LIKE "%"`, `true`},
		{`"a[" LIKE "a["`, `true`},
		{`c.s LIKE c.s`, `true`},
		{`c.n > 1 ? "y" : "n"`, `"y"`},
		{`c.missing ? 1 : 2`, `2`},
		{`1 ? 1 : 2`, `2`},
		{`false ? 1 : true ? 2 : 3`, `2`},
		{`c.missing ?? "d"`, `"d"`},
		{`c.z ?? "d"`, `null`},
		{`c.missing ?? c.alsomissing`, undef},
		// subqueries
		{`(SELECT VALUE 1)`, `1`},
		{`EXISTS(SELECT VALUE k FROM k IN c.kids WHERE k.age > 8)`, `true`},
		{`EXISTS(SELECT VALUE k FROM k IN c.kids WHERE k.age > 80)`, `false`},
		{`ARRAY(SELECT VALUE k.name FROM k IN c.kids WHERE IS_DEFINED(k.age))`, `["Ann","Cy"]`},
		{`ALL(SELECT VALUE k.age < 10 FROM k IN c.kids)`, `true`},
		{`FIRST(SELECT VALUE k.name FROM k IN c.kids)`, `"Ann"`},
		{`LAST(SELECT VALUE k.name FROM k IN c.kids)`, `"Cy"`},
		{`(SELECT VALUE k FROM k IN c.missing)`, undef},
		{`(SELECT VALUE COUNT(1) FROM k IN c.kids)`, `3`},
		{`(SELECT VALUE SUM(k.age) FROM k IN c.kids)`, `14`},
		{`ARRAY(SELECT VALUE k.name FROM k IN c.kids ORDER BY k.name DESC OFFSET 1 LIMIT 1)`, `["Bob"]`},
	} {
		got := results(t, "SELECT VALUE "+c.expr+" FROM c", nil, sample)
		if got == "" {
			got = undef
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.expr, got, c.want)
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`IS_DEFINED(c.missing)`, `false`},
		{`IS_DEFINED(c.z)`, `true`},
		{`IS_NULL(c.z)`, `true`},
		{`IS_NULL(c.missing)`, `false`},
		{`IS_NUMBER(c.n)`, `true`},
		{`IS_STRING(c.n)`, `false`},
		{`IS_BOOL(c.t)`, `true`},
		{`IS_ARRAY(c.tags)`, `true`},
		{`IS_OBJECT(c.o)`, `true`},
		{`IS_OBJECT(c.tags)`, `false`},
		{`IS_PRIMITIVE(c.s)`, `true`},
		{`IS_PRIMITIVE(c.o)`, `false`},
		{`IS_PRIMITIVE(c.missing)`, `false`},
		{`IS_INTEGER(c.n)`, `true`},
		{`IS_INTEGER(c.f)`, `false`},
		{`is_defined(c.n)`, `true`},
		{`IIF(c.t, 1, 2)`, `1`},
		{`IIF(1, 1, 2)`, `2`},
		{`CONTAINS(c.s, "ell")`, `true`},
		{`CONTAINS(c.s, "ELL")`, `false`},
		{`CONTAINS(c.s, "ELL", true)`, `true`},
		{`CONTAINS(c.n, "7")`, undef},
		{`CONTAINS(c.s, "x", 1)`, undef},
		{`STARTSWITH(c.s, "He")`, `true`},
		{`ENDSWITH(c.s, "LO", true)`, `true`},
		{`StringEquals(c.s, "hello", true)`, `true`},
		{`LOWER(c.s)`, `"hello"`},
		{`UPPER(c.s)`, `"HELLO"`},
		{`UPPER(c.n)`, undef},
		{`LENGTH(c.u)`, `3`},
		{`LENGTH(c.missing)`, undef},
		{`CONCAT("a", "b", "c")`, `"abc"`},
		{`CONCAT("a", c.n)`, undef},
		{`SUBSTRING(c.s, 1, 3)`, `"ell"`},
		{`SUBSTRING(c.s, 9, 3)`, `""`},
		{`SUBSTRING(c.u, 1, 1)`, `"😀"`},
		{`LEFT(c.s, 2)`, `"He"`},
		{`RIGHT(c.s, 2)`, `"lo"`},
		{`RIGHT(c.s, 99)`, `"Hello"`},
		{`INDEX_OF(c.s, "l")`, `2`},
		{`INDEX_OF(c.s, "l", 3)`, `3`},
		{`INDEX_OF(c.s, "x")`, `-1`},
		{`LastIndexOf(c.s, "l")`, `3`},
		{`TRIM("  a ")`, `"a"`},
		{`LTRIM("  a ")`, `"a "`},
		{`RTRIM("  a ")`, `"  a"`},
		{`TRIM("xax", "x")`, `"a"`},
		{`REPLACE(c.s, "l", "L")`, `"HeLLo"`},
		{`REPLICATE("ab", 2)`, `"abab"`},
		{`REPLICATE("ab", 1e9)`, undef},
		{`REVERSE(c.u)`, `"x😀é"`},
		{`StringSplit("a,b", ",")`, `["a","b"]`},
		{`StringJoin(["a","b"], "-")`, `"a-b"`},
		{`ToString(c.n)`, `"7"`},
		{`ToString(c.o)`, `"{\"a\":1,\"b\":{\"c\":\"deep\"}}"`},
		{`ToString(c.missing)`, undef},
		{`ABS(-3)`, `3`},
		{`ABS("x")`, undef},
		{`CEILING(1.2)`, `2`},
		{`FLOOR(-1.2)`, `-2`},
		{`ROUND(2.5)`, `3`},
		{`ROUND(2.345, 2)`, `2.35`},
		{`TRUNC(-1.7)`, `-1`},
		{`SIGN(-2)`, `-1`},
		{`SQRT(9)`, `3`},
		{`SQUARE(3)`, `9`},
		{`POWER(2, 10)`, `1024`},
		{`PI()`, `3.141592653589793`},
		{`LOG(8, 2)`, `3`},
		{`LOG10(100)`, `2`},
		{`IntDiv(7, 2)`, `3`},
		{`IntDiv(7, 0)`, undef},
		{`IntAdd(1.5, 1)`, undef},
		{`IntBitNot(0)`, `-1`},
		{`IntBitLeftShift(1, 3)`, `8`},
		{`ARRAY_CONTAINS(c.tags, "red")`, `true`},
		{`ARRAY_CONTAINS(c.tags, "x")`, `false`},
		{`ARRAY_CONTAINS(c.kids, {"name":"Ann"})`, `false`},
		{`ARRAY_CONTAINS(c.kids, {"name":"Ann"}, true)`, `true`},
		{`ARRAY_CONTAINS(c.n, 1)`, undef},
		{`ARRAY_LENGTH(c.tags)`, `3`},
		{`ARRAY_LENGTH(c.s)`, undef},
		{`ARRAY_SLICE(c.tags, 1)`, `["green",3]`},
		{`ARRAY_SLICE(c.tags, -2, 1)`, `["green"]`},
		{`ARRAY_SLICE(c.tags, 5)`, `[]`},
		{`ARRAY_CONCAT([1], [2, 3])`, `[1,2,3]`},
		{`ARRAY_CONTAINS_ANY(c.tags, "x", 3)`, `true`},
		{`ARRAY_CONTAINS_ALL(c.tags, "red", 3)`, `true`},
		{`ARRAY_CONTAINS_ALL(c.tags, "red", 4)`, `false`},
		{`ARRAY_SUM([1, 2])`, `3`},
		{`ARRAY_AVG([])`, undef},
		{`ARRAY_MAX([1, "a"])`, `"a"`},
		{`CHOOSE(2, "a", "b")`, `"b"`},
		{`CHOOSE(3, "a", "b")`, undef},
		{`SetUnion([1,2],[2,3])`, `[1,2,3]`},
		{`SetIntersect([1,2],[2,3])`, `[2]`},
		{`SetDifference([1,2],[2,3])`, `[1]`},
		{`SetEqual([1,2],[2,1,1])`, `true`},
	} {
		got := results(t, "SELECT VALUE "+c.expr+" FROM c", nil, sample)
		if got == "" {
			got = undef
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.expr, got, c.want)
		}
	}
}

func TestQuery(t *testing.T) {
	docs := []string{
		`{"id":"a","k":"x","n":3,"kids":[{"name":"Ann"},{"name":"Bob"}]}`, `{"id":"b","k":"y","n":1}`, `{"id":"c","k":"x","n":2,"kids":[]}`,
		`{"id":"d","k":"y","n":"two","kids":"none"}`, `{"id":"e","k":"x"}`, `{"id":"f", "k":"z", "n":1, "extra":1.0}`,
	}
	params := map[string]json.RawMessage{"@k": json.RawMessage(`"x"`), "@n": json.RawMessage(`2`)}
	for _, c := range []struct{ sql, want string }{
		{`SELECT * FROM c WHERE c.id = "f"`, docs[5]},
		{`SELECT VALUE r FROM root r WHERE r.id = "f"`, docs[5]},
		{`SELECT c FROM c WHERE c.id = "e"`, `{"c":{"id":"e","k":"x"}}`},
		{`SELECT c.id, c.n AS num, c["k"], c.n + 1, 5 FROM c WHERE c.k = @k`, `{"id":"a","num":3,"k":"x","$1":4,"$2":5}` + "\n" + `{"id":"c","num":2,"k":"x","$1":3,"$2":5}` + "\n" + `{"id":"e","k":"x","$2":5}`},
		{`SELECT c.nope FROM c WHERE c.id = "a"`, `{}`},
		{`SELECT VALUE c.n FROM c`, "3\n1\n2\n\"two\"\n1"},
		{`SELECT VALUE c.id FROM c WHERE c.n != 1`, "\"a\"\n\"c\"\n\"d\""},
		{`SELECT VALUE c.id FROM c WHERE NOT (c.n = 1)`, "\"a\"\n\"c\"\n\"d\""},
		{`SELECT VALUE c.id FROM c WHERE c.n`, ``},
		{`SELECT VALUE c.id FROM c WHERE c.k = @k AND c.n >= @n`, "\"a\"\n\"c\""},
		{`SELECT TOP 2 VALUE c.id FROM c`, "\"a\"\n\"b\""},
		{`SELECT TOP @n VALUE c.id FROM c`, "\"a\"\n\"b\""},
		{`SELECT TOP 0 VALUE c.id FROM c`, ``},
		{`SELECT VALUE c.id FROM c OFFSET 1 LIMIT 2`, "\"b\"\n\"c\""},
		{`SELECT VALUE c.id FROM c WHERE c.k = "x" OFFSET 1 LIMIT 10`, "\"c\"\n\"e\""},
		{`SELECT DISTINCT VALUE c.k FROM c`, "\"x\"\n\"y\"\n\"z\""},
		{`SELECT DISTINCT c.n FROM c`, "{\"n\":3}\n{\"n\":1}\n{\"n\":2}\n{\"n\":\"two\"}\n{}"},
		{`SELECT VALUE c.id FROM c ORDER BY c.n`, "\"e\"\n\"b\"\n\"f\"\n\"c\"\n\"a\"\n\"d\""},
		{`SELECT VALUE c.id FROM c ORDER BY c.n DESC`, "\"d\"\n\"a\"\n\"c\"\n\"f\"\n\"b\"\n\"e\""},
		{`SELECT TOP 2 VALUE c.id FROM c ORDER BY c.k DESC, c.id ASC`, "\"f\"\n\"b\""},
		{`SELECT * FROM c WHERE c.id = "f" ORDER BY c.n`, docs[5]},
		{`SELECT VALUE k.name FROM c JOIN k IN c.kids`, "\"Ann\"\n\"Bob\""},
		{`SELECT VALUE k.name FROM k IN c.kids`, "\"Ann\"\n\"Bob\""},
		{`SELECT * FROM k IN c.kids`, `{"name":"Ann"}` + "\n" + `{"name":"Bob"}`},
		{`SELECT c.id, a.name, b.name AS other FROM c JOIN a IN c.kids JOIN b IN c.kids WHERE a.name < b.name`, `{"id":"a","name":"Ann","other":"Bob"}`},
		{`SELECT VALUE kids FROM c.kids WHERE IS_STRING(kids)`, `"none"`},
		{`SELECT VALUE s FROM c JOIN (SELECT VALUE k.name FROM k IN c.kids WHERE k.name > "B") AS s`, `"Bob"`},
		{`SELECT VALUE s FROM c JOIN s IN (SELECT VALUE c.kids)`, `{"name":"Ann"}` + "\n" + `{"name":"Bob"}`},
		{`SELECT VALUE COUNT(1) FROM c`, `6`},
		{`SELECT VALUE COUNT(c.n) FROM c`, `5`},
		{`SELECT COUNT(1) FROM c WHERE false`, `{"$1":0}`},
		{`SELECT VALUE SUM(c.n) FROM c WHERE IS_NUMBER(c.n)`, `7`},
		{`SELECT VALUE SUM(c.n) FROM c`, ``},
		{`SELECT VALUE AVG(c.n) FROM c WHERE c.k = "x"`, `2.5`},
		{`SELECT MIN(c.n) AS lo, MAX(c.n) AS hi FROM c`, `{"lo":1,"hi":"two"}`},
		{`SELECT VALUE MAX(c.n) FROM c WHERE false`, ``},
		{`SELECT VALUE COUNT(1) + 1 FROM c`, `7`},
		{`SELECT c.k, COUNT(1) AS n, SUM(c.n) AS s FROM c GROUP BY c.k`, `{"k":"x","n":3,"s":5}` + "\n" + `{"k":"y","n":2}` + "\n" + `{"k":"z","n":1,"s":1}`},
		{`SELECT COUNT(1) AS n, c.n AS v FROM c GROUP BY c.n`, `{"n":1,"v":3}` + "\n" + `{"n":2,"v":1}` + "\n" + `{"n":1,"v":2}` + "\n" + `{"n":1,"v":"two"}` + "\n" + `{"n":1}`},
		{`SELECT VALUE UPPER(c.k) FROM c GROUP BY UPPER(c.k)`, "\"X\"\n\"Y\"\n\"Z\""},
		{`SELECT 5`, `{"$1":5}`},
		{`SELECT VALUE @n`, `2`},
	} {
		if got := results(t, c.sql, params, docs...); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.sql, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{`SELEC * FROM c`, `{"errors":[{"severity":"Error","location":{"start":0,"end":5},"code":"SC1001","message":"Syntax error, incorrect syntax near 'SELEC'."}]}`},
		{`SELECT * FROM c WHERE`, `{"errors":[{"severity":"Error","location":{"start":21,"end":21},"code":"SC1001","message":"Syntax error, unexpected end of query."}]}`},
		{`SELECT "😀", FROM c`, `{"errors":[{"severity":"Error","location":{"start":13,"end":17},"code":"SC1001","message":"Syntax error, incorrect syntax near 'FROM'."}]}`},
		{`SELECT # FROM c`, `{"errors":[{"severity":"Error","location":{"start":7,"end":8},"code":"SC1010","message":"Syntax error, invalid token '#'."}]}`},
		{`SELECT * FROM c WHERE x.a = 1`, `{"errors":[{"severity":"Error","location":{"start":22,"end":23},"code":"SC2001","message":"Identifier 'x' could not be resolved."}]}`},
		{`SELECT c.a FROM c JOIN d`, `{"errors":[{"severity":"Error","location":{"start":23,"end":24},"code":"SC2001","message":"Identifier 'd' could not be resolved."}]}`},
		{`SELECT * FROM c WHERE c.a = @p`, `{"errors":[{"severity":"Error","location":{"start":28,"end":30},"code":"SC2001","message":"Identifier '@p' could not be resolved."}]}`},
		{`SELECT NOPE(c.a) FROM c`, `{"errors":[{"severity":"Error","location":{"start":7,"end":11},"code":"SC2005","message":"'NOPE' is not a recognized built-in function name."}]}`},
		{`SELECT ABS() FROM c`, `{"errors":[{"severity":"Error","location":{"start":7,"end":12},"code":"SC2050","message":"The ABS function requires 1 argument(s)."}]}`},
		{`SELECT * FROM c JOIN d IN c.x`, `{"errors":[{"severity":"Error","location":{"start":7,"end":8},"code":"SC2040","message":"'SELECT *' is only valid with a single input set."}]}`},
		{`SELECT c.k, COUNT(1) AS n FROM c GROUP BY c.k ORDER BY c.k`, `{"errors":[{"severity":"Error","message":"'ORDER BY' is not supported with 'GROUP BY'."}]}`},
		{`SELECT VALUE c.a FROM c ORDER BY c.a + 1`, `{"errors":[{"severity":"Error","code":2206,"message":"Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path."}]}`},
	} {
		q, err := Parse(c.sql)
		if err == nil {
			_, err = Compile(q, nil)
		}
		var e *Error
		if !errors.As(err, &e) || !fault.Is(err, fault.Invalid) || fault.As(err).Message != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.sql, err, c.want)
		}
	}
	for sql, name := range map[string]string{
		`SELECT HASH(1)`: "HASH",
		`SELECT * FROM c ORDER BY RANK FullTextScore(c.a, "a"), FullTextScore(c.b, "b")`: "ORDER BY RANK",
	} {
		q, err := Parse(sql)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Compile(q, nil); !fault.Is(err, fault.NotImplemented) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want a 501 fault that names %s", sql, err, name)
		}
	}
	page, err := Run(context.Background(), mustCompile(t, `SELECT VALUE (SELECT VALUE k FROM k IN c.kids) FROM c`, nil), docsOf(sample), Limits{}, State{})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("a scalar subquery of three rows: got %v, %v; want a 400 fault", page, err)
	}
}

// TestPrint_Deep: what parses also parses once printed, with a bracket for each operator.
func TestPrint_Deep(t *testing.T) {
	for _, sql := range []string{
		"1" + strings.Repeat(" OR c.x=1", 20_000), "c.a" + strings.Repeat("+1", 60_000), strings.Repeat("NOT ", 190) + "c.x", strings.Repeat("1 ? 1 : ", 390) + "0",
		strings.Repeat("[", 390) + strings.Repeat("]", 390), strings.Repeat("-(", 190) + "c.x" + strings.Repeat(")", 190), strings.Repeat("((", 30_000) + "c.x" + strings.Repeat(").a + 1)", 30_000),
	} {
		q, err := Parse("SELECT VALUE " + sql + " FROM c")
		if err != nil {
			t.Errorf("%.40s...: %v", sql, err)
			continue
		}
		printed := q.String()
		if len(printed) > MaxText {
			continue
		}
		again, err := Parse(printed)
		if err != nil || again.String() != printed {
			t.Errorf("%.40s... once printed: %v", sql, err)
		}
	}
}

// TestParse_Bounds: hostile depth and length end in an error, or work, but never overflow the stack.
func TestParse_Bounds(t *testing.T) {
	for _, unit := range []string{"(", "[", "NOT ", "-", "- ", `{"a":`, "EXISTS(SELECT VALUE ", "1 ? 1 : ", "1 ? "} {
		sql := "SELECT VALUE " + strings.Repeat(unit, MaxText/2/len(unit))
		if _, err := Parse(sql); err == nil {
			t.Errorf("%s...: accepted", unit)
		}
	}
	for _, sql := range []string{
		"SELECT VALUE 1" + strings.Repeat(" OR c.x=1", 50_000) + " FROM c", "SELECT VALUE 1" + strings.Repeat("+1", 60_000) + " FROM c", "SELECT VALUE c" + strings.Repeat(".a", 60_000) + " FROM c",
	} {
		if got := results(t, sql, nil, `{"x":2}`); len(got) > 10 {
			t.Errorf("%.30s...: got %s", sql, got)
		}
	}
	if _, err := Parse("SELECT VALUE 1" + strings.Repeat("+1", 100_000)); err == nil {
		t.Error("a chain of 100,000 operators is accepted")
	}
	if _, err := Parse(strings.Repeat(" ", MaxText+1)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a text past the limit: got %v, want a 400 fault", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"SELECT * FROM c", "SELECT TOP 1 c.a AS b, 'x\\u00e9' FROM c JOIN d IN c.x WHERE NOT c.a[0] BETWEEN 1 AND 2 ?? {\"a\":[1]} ORDER BY c.a DESC OFFSET 1 LIMIT 2",
		"SELECT VALUE COUNT(1) FROM c GROUP BY c.a", "SELECT EXISTS(SELECT VALUE 1)", "SELECT 'a", "SELECT \xff", "SELECT '\x87'", "SELECT @p LIKE '%' ESCAPE '!'",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s)
		if err != nil {
			var e *Error
			if errors.As(err, &e) {
				if l := e.Diagnostics[0].Location; l == nil || l.Start < 0 || l.Start > l.End || l.End > 3*len(s) {
					t.Fatalf("%q: location %+v out of range", s, l)
				}
			}
			return
		}
		for _, plan := range []bool{false, true} {
			b := printer{plan: plan}
			b.query(q)
			if b.Len() > MaxText {
				continue
			}
			again, err := Parse(b.String())
			if err != nil {
				t.Fatalf("%q prints as %q, which reads as %v", s, b.String(), err)
			}
			if d := cmp.Diff(q, again, sameTree); d != "" {
				t.Fatalf("%q prints as %q, which is another tree: %s", s, b.String(), d)
			}
		}
		p, err := Compile(q, map[string]json.RawMessage{"@p": json.RawMessage("1")})
		if err == nil {
			_, _ = Run(context.Background(), p, docsOf(sample), Limits{Items: 10, Memory: 1 << 20}, State{})
		}
	})
}
