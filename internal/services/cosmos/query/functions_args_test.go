package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// argument is one that a function takes, and one of a type that it does not take (empty: it takes every type).
type argument struct{ right, wrong string }

// argumentCase is a call of a function that has an answer (… stands for the last digits). With undefined, with null, or with the wrong type in the place of one argument it has
// none, unless other says so: by the argument's number and what is in its place.
type argumentCase struct {
	name  string
	args  []argument
	want  string
	other map[string]string
}

var (
	num    = argument{`2`, `"2"`}
	txt    = argument{`"ab"`, `1`}
	list   = argument{`[1,2]`, `"x"`}
	day    = argument{`"2020-01-02"`, `20200102`}
	shape1 = argument{point("1,1"), `"here"`}
	area   = argument{square, `1`}
	flag   = argument{`true`, `"x"`}
)

// answers is what a function that answers for every argument says to what it is not asked for.
func answers(undefined, null string) map[string]string {
	return map[string]string{"1 undefined": undefined, "1 null": null}
}

// argumentCases has a row for each function. Optional arguments that are undefined are as good as not given.
var argumentCases = []argumentCase{
	{"IS_ARRAY", []argument{{right: `[1]`}}, `true`, answers(`false`, `false`)},
	{"IS_BOOL", []argument{{right: `true`}}, `true`, answers(`false`, `false`)},
	{"IS_DATETIME", []argument{{right: day.right}}, `true`, answers(`false`, `false`)},
	{"IS_DEFINED", []argument{{right: `1`}}, `true`, answers(`false`, `true`)},
	{"IS_FINITE_NUMBER", []argument{{right: `1`}}, `true`, answers(`false`, `false`)},
	{"IS_INTEGER", []argument{{right: `1`}}, `true`, answers(`false`, `false`)},
	{"IS_NULL", []argument{{right: `null`}}, `true`, answers(`false`, `true`)},
	{"IS_NUMBER", []argument{{right: `1`}}, `true`, answers(`false`, `false`)},
	{"IS_OBJECT", []argument{{right: `{}`}}, `true`, answers(`false`, `false`)},
	{"IS_PRIMITIVE", []argument{{right: `"x"`}}, `true`, answers(`false`, `true`)},
	{"IS_STRING", []argument{{right: `"x"`}}, `true`, answers(`false`, `false`)},
	{"IIF", []argument{{`true`, `1`}, {right: `"a"`}, {right: `"b"`}}, `"a"`, map[string]string{
		"1 undefined": `"b"`, "1 null": `"b"`, "1 wrong": `"b"`, "2 null": `null`, "3 undefined": `"a"`, "3 null": `"a"`,
	}},

	{"CONCAT", []argument{txt, txt, txt}, `"ababab"`, nil},
	{"CONTAINS", []argument{txt, {`"B"`, `1`}, flag}, `true`, map[string]string{"3 undefined": `false`}},
	{"ENDSWITH", []argument{txt, {`"B"`, `1`}, flag}, `true`, map[string]string{"3 undefined": `false`}},
	{"STARTSWITH", []argument{txt, {`"A"`, `1`}, flag}, `true`, map[string]string{"3 undefined": `false`}},
	{"StringEquals", []argument{txt, {`"AB"`, `1`}, flag}, `true`, map[string]string{"3 undefined": `false`}},
	{"INDEX_OF", []argument{{`"abab"`, `1`}, txt, {`1`, `"1"`}}, `2`, map[string]string{"3 undefined": `0`}},
	{"LastIndexOf", []argument{{`"abab"`, `1`}, txt}, `2`, nil},
	{"LEFT", []argument{{`"abc"`, `1`}, num}, `"ab"`, nil},
	{"RIGHT", []argument{{`"abc"`, `1`}, num}, `"bc"`, nil},
	{"LENGTH", []argument{txt}, `2`, nil},
	{"LOWER", []argument{{`"AB"`, `1`}}, `"ab"`, nil},
	{"UPPER", []argument{txt}, `"AB"`, nil},
	{"TRIM", []argument{{`"-ab-"`, `1`}, {`"-"`, `1`}}, `"ab"`, map[string]string{"2 undefined": `"-ab-"`}},
	{"LTRIM", []argument{{`"-ab-"`, `1`}, {`"-"`, `1`}}, `"ab-"`, map[string]string{"2 undefined": `"-ab-"`}},
	{"RTRIM", []argument{{`"-ab-"`, `1`}, {`"-"`, `1`}}, `"-ab"`, map[string]string{"2 undefined": `"-ab-"`}},
	{"REPLACE", []argument{txt, {`"b"`, `1`}, {`"c"`, `1`}}, `"ac"`, nil},
	{"REPLICATE", []argument{txt, num}, `"abab"`, nil},
	{"REVERSE", []argument{txt}, `"ba"`, nil},
	{"SUBSTRING", []argument{{`"abcd"`, `1`}, {`1`, `"1"`}, num}, `"bc"`, nil},
	{"StringJoin", []argument{{`["a","b"]`, `"ab"`}, {`"-"`, `1`}}, `"a-b"`, nil},
	{"StringSplit", []argument{{`"a-b"`, `1`}, {`"-"`, `1`}}, `["a","b"]`, nil},
	{"ToString", []argument{{right: `1`}}, `"1"`, map[string]string{"1 null": `"null"`}},
	{"ContainsAllCi", []argument{txt, {`"A"`, `1`}, {`"B"`, `1`}}, `true`, nil},
	{"ContainsAllCs", []argument{txt, {`"a"`, `1`}, {`"b"`, `1`}}, `true`, nil},
	{"ContainsAnyCi", []argument{txt, {`"A"`, `1`}, {`"x"`, `1`}}, `true`, map[string]string{"3 undefined": `true`, "3 null": `true`, "3 wrong": `true`}},
	{"ContainsAnyCs", []argument{txt, {`"a"`, `1`}, {`"x"`, `1`}}, `true`, map[string]string{"3 undefined": `true`, "3 null": `true`, "3 wrong": `true`}},
	{"SubstringBefore", []argument{{`"a-b-c"`, `1`}, {`"-"`, `1`}}, `"a"`, nil},
	{"SubstringAfter", []argument{{`"a-b-c"`, `1`}, {`"-"`, `1`}}, `"b-c"`, nil},
	{"LastSubstringBefore", []argument{{`"a-b-c"`, `1`}, {`"-"`, `1`}}, `"a-b"`, nil},
	{"LastSubstringAfter", []argument{{`"a-b-c"`, `1`}, {`"-"`, `1`}}, `"c"`, nil},
	{"StringToArray", []argument{{`"[1]"`, `[1]`}}, `[1]`, nil},
	{"StringToBoolean", []argument{{`"true"`, `true`}}, `true`, nil},
	{"StringToNull", []argument{{`"null"`, `1`}}, `null`, nil},
	{"StringToNumber", []argument{{`"1"`, `1`}}, `1`, nil},
	{"StringToObject", []argument{{`"{}"`, `{}`}}, `{}`, nil},
	{"RegexMatch", []argument{txt, {`"^AB"`, `1`}, {`"i"`, `true`}}, `true`, map[string]string{"3 undefined": `false`}},
	{"RegexExtract", []argument{txt, {`"A(.)"`, `1`}, {`"i"`, `true`}, {`1`, `"1"`}}, `"b"`, nil},
	{"RegexExtractAll", []argument{txt, {`"A(.)"`, `1`}, {`"i"`, `true`}, {`1`, `"1"`}}, `["b"]`, map[string]string{"3 undefined": `[]`}},

	{"ABS", []argument{num}, `2`, nil},
	{"ACOS", []argument{{`1`, `"1"`}}, `0`, nil},
	{"ASIN", []argument{{`0`, `"0"`}}, `0`, nil},
	{"ATAN", []argument{{`0`, `"0"`}}, `0`, nil},
	{"ATN2", []argument{{`0`, `"0"`}, {`1`, `"1"`}}, `0`, nil},
	{"CEILING", []argument{{`1.5`, `true`}}, `2`, nil},
	{"COS", []argument{{`0`, `"0"`}}, `1`, nil},
	{"COT", []argument{{`124.1332`, `[]`}}, `-0.040311998371148884`, nil},
	{"DEGREES", []argument{{`0`, `{}`}}, `0`, nil},
	{"EXP", []argument{{`0`, `"0"`}}, `1`, nil},
	{"FLOOR", []argument{{`1.5`, `false`}}, `1`, nil},
	{"LOG", []argument{{`8`, `"8"`}, num}, `3`, map[string]string{"2 undefined": `2.0794415416798357`}},
	{"LOG10", []argument{{`100`, `"100"`}}, `2`, nil},
	{"PI", nil, `3.141592653589793`, nil},
	{"POWER", []argument{num, {`3`, `"3"`}}, `8`, nil},
	{"RADIANS", []argument{{`0`, `"0"`}}, `0`, nil},
	{"RAND", nil, `0.25`, nil},
	{"ROUND", []argument{{`2.345`, `"2"`}, {`1`, `"1"`}}, `2.3`, map[string]string{"2 undefined": `2`}},
	{"SIGN", []argument{num}, `1`, nil},
	{"SIN", []argument{{`0`, `"0"`}}, `0`, nil},
	{"SQRT", []argument{{`4`, `"4"`}}, `2`, nil},
	{"SQUARE", []argument{num}, `4`, nil},
	{"TAN", []argument{{`0`, `"0"`}}, `0`, nil},
	{"TRUNC", []argument{{`1.5`, `[1]`}}, `1`, nil},
	{"NumberBin", []argument{{`37`, `"37"`}, {`10`, `"10"`}}, `30`, map[string]string{"2 undefined": `37`}},
	{"IntAdd", []argument{num, {`3`, `1.5`}}, `5`, nil},
	{"IntSub", []argument{num, {`3`, `1.5`}}, `-1`, nil},
	{"IntMul", []argument{num, {`3`, `1.5`}}, `6`, nil},
	{"IntDiv", []argument{{`6`, `"6"`}, {`3`, `0`}}, `2`, nil},
	{"IntMod", []argument{{`7`, `"7"`}, {`3`, `0`}}, `1`, nil},
	{"IntBitAnd", []argument{num, {`3`, `1.5`}}, `2`, nil},
	{"IntBitOr", []argument{num, {`1`, `1.5`}}, `3`, nil},
	{"IntBitXor", []argument{num, {`3`, `1.5`}}, `1`, nil},
	{"IntBitLeftShift", []argument{num, {`3`, `1.5`}}, `16`, nil},
	{"IntBitRightShift", []argument{{`16`, `"16"`}, {`3`, `1.5`}}, `2`, nil},
	{"IntBitNot", []argument{num}, `-3`, nil},

	{"ARRAY_AVG", []argument{list}, `1.5`, nil},
	{"ARRAY_MEDIAN", []argument{list}, `1.5`, nil},
	{"ARRAY_MAX", []argument{list}, `2`, nil},
	{"ARRAY_MIN", []argument{list}, `1`, nil},
	{"ARRAY_SUM", []argument{list}, `3`, nil},
	{"ARRAY_CONCAT", []argument{list, list, list}, `[1,2,1,2,1,2]`, nil},
	{"ARRAY_CONTAINS", []argument{{`[{"a":1,"b":2}]`, `{}`}, {right: `{"a":1}`}, {`true`, `1`}}, `true`, map[string]string{"2 null": `false`, "3 undefined": `false`}},
	{"ARRAY_CONTAINS_ALL", []argument{list, {right: `1`}, {right: `2`}}, `true`, map[string]string{"2 null": `false`, "3 null": `false`}},
	{"ARRAY_CONTAINS_ANY", []argument{list, {right: `1`}, {right: `9`}}, `true`, map[string]string{"3 undefined": `true`, "3 null": `true`, "2 null": `false`}},
	{"ARRAY_LENGTH", []argument{list}, `2`, nil},
	{"ARRAY_SLICE", []argument{list, {`0`, `"0"`}, {`1`, `"1"`}}, `[1]`, map[string]string{"3 undefined": `[1,2]`}},
	{"CHOOSE", []argument{{`1`, `"1"`}, {right: `"a"`}, {right: `"b"`}}, `"a"`, map[string]string{"2 null": `null`, "3 undefined": `"a"`, "3 null": `"a"`}},
	{"ObjectToArray", []argument{{`{"a":1}`, `[]`}, {`"n"`, `1`}, {`"x"`, `1`}}, `[{"n":"a","x":1}]`, map[string]string{
		"2 undefined": `[{"k":"a","x":1}]`, "3 undefined": `[{"n":"a","v":1}]`,
	}},
	{"SetDifference", []argument{list, {`[2]`, `2`}}, `[1]`, nil},
	{"SetIntersect", []argument{list, {`[2]`, `2`}}, `[2]`, nil},
	{"SetUnion", []argument{list, {`[3]`, `3`}}, `[1,2,3]`, nil},
	{"SetEqual", []argument{list, {`[2,1]`, `2`}}, `true`, nil},

	{"DateTimeAdd", []argument{{`"dd"`, `1`}, {`1`, `"1"`}, day}, `"2020-01-03T00:00:00.0000000Z"`, nil},
	{"DateTimeBin", []argument{day, {`"dd"`, `1`}, {`3`, `"3"`}, {`"2020-01-01"`, `1`}}, `"2020-01-01T00:00:00.0000000Z"`, map[string]string{
		"3 undefined": `"2020-01-02T00:00:00.0000000Z"`, "4 undefined": `"2019-12-31T00:00:00.0000000Z"`,
	}},
	{"DateTimeDiff", []argument{{`"dd"`, `1`}, {`"2020-01-01"`, `1`}, day}, `1`, nil},
	{"DateTimeFormat", []argument{day, {`"yyyy"`, `1`}}, `"2020"`, nil},
	{"DateTimeFromParts", []argument{{`2020`, `"2020"`}, {`1`, `"1"`}, {`2`, `"2"`}, {`3`, `"3"`}, {`4`, `"4"`}, {`5`, `"5"`}, {`6`, `"6"`}}, `"2020-01-02T03:04:05.0000006Z"`, nil},
	{"DateTimePart", []argument{{`"dd"`, `1`}, day}, `2`, nil},
	{"YEAR", []argument{day}, `2020`, nil},
	{"MONTH", []argument{day}, `1`, nil},
	{"DAY", []argument{day}, `2`, nil},
	{"DateTimeToTicks", []argument{{`"1970-01-01"`, `0`}}, `0`, nil},
	{"DateTimeToTimestamp", []argument{{`"1970-01-01"`, `0`}}, `0`, nil},
	{"TicksToDateTime", []argument{{`0`, `"0"`}}, `"1970-01-01T00:00:00.0000000Z"`, nil},
	{"TimestampToDateTime", []argument{{`0`, `"0"`}}, `"1970-01-01T00:00:00.0000000Z"`, nil},
	{"GetCurrentDateTime", nil, `"2020-01-02T03:04:05.0000000Z"`, nil},
	{"GetCurrentTicks", nil, `15779342450000000`, nil},
	{"GetCurrentTimestamp", nil, `1577934245000`, nil},
	{"GetCurrentDateTimeStatic", nil, `"2020-01-02T03:04:05.0000000Z"`, nil},
	{"GetCurrentTicksStatic", nil, `15779342450000000`, nil},
	{"GetCurrentTimestampStatic", nil, `1577934245000`, nil},

	{"ST_AREA", []argument{{square, `"here"`}}, `49231550…`, nil},
	{"ST_DISTANCE", []argument{shape1, shape1}, `0`, nil},
	{"ST_INTERSECTS", []argument{area, area}, `true`, nil},
	{"ST_WITHIN", []argument{shape1, area}, `true`, nil},
	{"ST_ISVALID", []argument{{point("1,1"), `"here"`}}, `true`, nil},
	{"ST_ISVALIDDETAILED", []argument{shape1}, `{"valid":true}`, nil},

	{"VectorDistance", []argument{{`[3,4]`, `"x"`}, {`[0,0]`, `1`}, flag, {`{"distanceFunction":"euclidean"}`, `1`}}, `5`, map[string]string{"3 undefined": `5`, "4 undefined": `0`}},
	{"FullTextContains", []argument{{`"a swim"`, `1`}, {`"swim"`, `1`}}, `true`, nil},
	{"FullTextContainsAll", []argument{{`"a swim"`, `1`}, {`"swim"`, `1`}, {`"swims"`, `1`}}, `true`, nil},
	{"FullTextContainsAny", []argument{{`"a swim"`, `1`}, {`"swim"`, `1`}, {`"run"`, `1`}}, `true`, nil},
	{"_FullTextScore", []argument{{`"blue"`, `1`}, {`["red"]`, `1`}, {`10`, `"10"`}, {`30`, `"30"`}, {`[2]`, `2`}}, `0`, nil},
	{"_FullTextWordCount", []argument{{`"one river"`, `1`}}, `2`, nil},
	{"DOCUMENTID", []argument{{`{"_rid":"36ZyAPW+uN8NAAAAAAAAAA=="}`, `5`}}, `13`, nil},
}

// rankFunctions are written in ORDER BY RANK only; TestRank and TestRank_Arguments have them.
var rankFunctions = []string{"FullTextScore", "RRF"}

func (c *argumentCase) call(change int, by string) string {
	args := make([]string, len(c.args))
	for i, a := range c.args {
		if args[i] = a.right; i == change {
			args[i] = by
		}
	}
	return c.name + "(" + strings.Join(args, ", ") + ")"
}

// TestFunctions_Arguments: every function has a row that says what it answers, for each of its arguments, to undefined, to null and to the wrong type; and
// with one argument less than it takes, or one more, the query is refused.
func TestFunctions_Arguments(t *testing.T) {
	rows := map[string]*argumentCase{}
	for i := range argumentCases {
		c := &argumentCases[i]
		if rows[c.name] != nil {
			t.Errorf("%s has two rows", c.name)
		}
		rows[c.name] = c
	}
	for _, f := range allFunctions() {
		c := rows[f.name]
		switch {
		case slices.Contains(rankFunctions, f.name):
			continue
		case c == nil:
			t.Errorf("%s has no row", f.name)
			continue
		case len(c.args) < min(f.max, f.min+1) || f.max < unbounded && len(c.args) != f.max:
			t.Errorf("%s: the row has %d arguments, want all %d to %d", f.name, len(c.args), f.min, f.max)
		}
		delete(rows, f.name)
		if got := evaluate(t, c.call(-1, ""), functionEnv); got == undef || got != c.want && !(strings.HasSuffix(c.want, "…") && strings.HasPrefix(got, strings.TrimSuffix(c.want, "…"))) {
			t.Errorf("%s: got %s, want %s", c.call(-1, ""), got, c.want)
		}
		c.misuse(t)
		for _, n := range []int{f.min - 1, f.max + 1} {
			if n >= 0 && n < unbounded {
				wantArity(t, f.name, "SELECT VALUE "+f.name+"("+strings.TrimSuffix(strings.Repeat("1, ", n), ", ")+") FROM c")
			}
		}
	}
	for name := range rows {
		t.Errorf("%s has a row, but is no function", name)
	}
}

func (c *argumentCase) misuse(t *testing.T) {
	used := 0
	for i, a := range c.args {
		for _, kind := range []struct{ name, by string }{{"undefined", "c.missing"}, {"undefined", "undefined"}, {"null", "null"}, {"wrong", a.wrong}} {
			if kind.by == "" {
				continue
			}
			want, other := c.other[fmt.Sprint(i+1, " ", kind.name)]
			if !other {
				want = undef
			} else if kind.by != "undefined" {
				used++
			}
			if got := evaluate(t, c.call(i, kind.by), functionEnv); got != want {
				t.Errorf("%s: got %s, want %s", c.call(i, kind.by), got, want)
			}
		}
	}
	if used != len(c.other) {
		t.Errorf("%s: of %d other answers %d are about its arguments", c.name, len(c.other), used)
	}
}

func wantArity(t *testing.T, name, sql string) {
	t.Helper()
	q, err := Parse(sql)
	if err == nil {
		_, err = Compile(q, nil)
	}
	var e *Error
	if !errors.As(err, &e) || e.Diagnostics[0].Code != "SC2050" || !strings.Contains(e.Error(), name) {
		t.Errorf("%s: got %v, want SC2050", sql, err)
	}
}

// TestRank_Arguments: scores of what is undefined, null or no text come last, whatever else is asked of a rank is refused.
func TestRank_Arguments(t *testing.T) {
	docs := []string{`{"id":"none"}`, `{"id":"null","text":null}`, `{"id":"number","text":5}`, `{"id":"found","text":"a swim","v":[1,0]}`}
	for _, by := range []string{`FullTextScore(c.text, "swim")`, `RRF(FullTextScore(c.text, "swim"), VectorDistance(c.v, [1,0]))`} {
		if got, _, _ := strings.Cut(results(t, "SELECT VALUE c.id FROM c ORDER BY RANK "+by, nil, docs...), "\n"); got != `"found"` {
			t.Errorf("%s: first is %s", by, got)
		}
	}
	for _, by := range []string{`FullTextScore(c.text, undefined)`, `FullTextScore(c.text, null)`, `FullTextScore(c.text, 5)`, `RRF(FullTextScore(c.text, "a"), undefined)`, `RRF(FullTextScore(c.text, "a"), null)`, `RRF(1, 2)`} {
		q, err := Parse("SELECT VALUE c.id FROM c ORDER BY RANK " + by)
		if err == nil {
			_, err = Compile(q, nil)
		}
		if err == nil {
			t.Errorf("%s is accepted", by)
		}
	}
	wantArity(t, "FullTextScore", `SELECT * FROM c ORDER BY RANK FullTextScore(c.text)`)
	wantArity(t, "RRF", `SELECT * FROM c ORDER BY RANK RRF(FullTextScore(c.text, "a"))`)
}

// TestAggregates_Arguments: each aggregate over undefined, null and the wrong type alone, and with too few and too many arguments.
func TestAggregates_Arguments(t *testing.T) {
	for _, c := range []struct{ name, undefined, null, wrong, right string }{
		{"COUNT", `0`, `1`, `1`, `1`},
		{"COUNTIF", `0`, `0`, `0`, `0`},
		{"SUM", `0`, undef, undef, `7`},
		{"AVG", undef, undef, undef, `7`},
		{"MIN", undef, `null`, undef, `7`},
		{"MAX", undef, `null`, undef, `7`},
		{"MAKELIST", `[]`, `[null]`, `[{}]`, `[7]`},
		{"MAKESET", `[]`, `[null]`, `[{}]`, `[7]`},
	} {
		for _, x := range []struct{ arg, want string }{{"c.missing", c.undefined}, {"undefined", c.undefined}, {"null", c.null}, {"{}", c.wrong}, {"7", c.right}} {
			got := evaluate(t, c.name+"("+x.arg+")", functionEnv)
			if got != x.want {
				t.Errorf("%s(%s): got %s, want %s", c.name, x.arg, got, x.want)
			}
		}
		wantArity(t, c.name, "SELECT VALUE "+c.name+"() FROM c")
		wantArity(t, c.name, "SELECT VALUE "+c.name+"(1, 2) FROM c")
	}
}

// factsFunctions are the names of the functions that the facts about the language list, in its own spelling.
const factsFunctions = `ABS ACOS ASIN ATAN ATN2 CEILING COS COT DEGREES EXP FLOOR LOG LOG10 PI POWER RADIANS RAND ROUND SIGN SIN SQRT SQUARE TAN TRUNC NumberBin
	IntAdd IntSub IntMul IntDiv IntMod IntBitAnd IntBitwiseAnd IntBitOr IntBitwiseOr IntBitXor IntBitwiseXor IntBitNot IntBitwiseNot IntBitLeftShift IntBitwiseLeftShift
	IntBitRightShift IntBitwiseRightShift
	IS_ARRAY IS_BOOL IS_DEFINED IS_FINITE_NUMBER IS_INTEGER IS_NULL IS_NUMBER IS_OBJECT IS_PRIMITIVE IS_STRING IS_DATETIME
	CONCAT CONTAINS ENDSWITH INDEX_OF LastIndexOf LEFT LENGTH LOWER LTRIM REPLACE REPLICATE REVERSE RIGHT RTRIM STARTSWITH StringEquals StringJoin StringSplit StringToArray
	StringToBoolean StringToNull StringToNumber StringToObject SUBSTRING SubstringAfter SubstringBefore LastSubstringAfter LastSubstringBefore ToString TRIM UPPER RegexMatch
	RegexExtract RegexExtractAll ContainsAllCi ContainsAllCs ContainsAnyCi ContainsAnyCs
	ARRAY_AVG ARRAY_CONCAT ARRAY_CONTAINS ARRAY_CONTAINS_ALL ARRAY_CONTAINS_ANY ARRAY_LENGTH ARRAY_MAX ARRAY_MEDIAN ARRAY_MIN ARRAY_SLICE ARRAY_SUM CHOOSE ObjectToArray
	SetDifference SetEqual SetIntersect SetUnion
	DateTimeAdd DateTimeBin DateTimeDiff DateTimeFormat DateTimeFromParts DateTimePart DateTimeToTicks DateTimeToTimestamp GetCurrentDateTime GetCurrentTicks GetCurrentTimestamp
	GetCurrentDateTimeStatic GetCurrentTicksStatic GetCurrentTimestampStatic TicksToDateTime TimestampToDateTime YEAR MONTH DAY
	ST_AREA ST_DISTANCE ST_INTERSECTS ST_ISVALID ST_ISVALIDDETAILED ST_WITHIN FullTextContains FullTextContainsAll FullTextContainsAny FullTextScore RRF VectorDistance IIF DOCUMENTID
	COUNT SUM MIN MAX AVG COUNTIF MAKELIST MAKESET`

// TestFunctions_Known: every function of the language is known in any case of letters; those whose definition is not public say that they are not implemented.
func TestFunctions_Known(t *testing.T) {
	for _, name := range strings.Fields(factsFunctions) {
		for _, name := range []string{name, strings.ToUpper(name), strings.ToLower(name)} {
			if _, ok := findFunction(name); !ok && aggregateName(name) == "" {
				t.Errorf("%s is not known", name)
			}
		}
	}
	for _, name := range []string{"HASH", "hash", "_TRY_ARRAY_CONTAINS"} {
		q, err := Parse("SELECT VALUE " + name + "(c.id, 1) FROM c")
		if err == nil {
			_, err = Compile(q, nil)
		}
		if err == nil || !strings.Contains(err.Error(), "The function "+name) {
			t.Errorf("%s: got %v, want an error that names it", name, err)
		}
	}
}
