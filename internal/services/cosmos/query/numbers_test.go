package query

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// TestNumbers_Inexpressible: what JSON has no text for is a number like others until it is to be part of a row.
func TestNumbers_Inexpressible(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`[ToString(NaN), ToString(Infinity), ToString(-Infinity), ToString(1 / 0), ToString(0 / 0)]`, `["NaN","Infinity","-Infinity","Infinity","NaN"]`},
		{`[IS_FINITE_NUMBER(8.9 / 0.0), IS_FINITE_NUMBER(SQRT(-1.0)), IS_FINITE_NUMBER(1)]`, `[false,false,true]`},
		{`[IS_NUMBER(NaN), IS_DEFINED(1 / 0), IS_NUMBER(LOG(0)), IS_INTEGER(1 / 0), IS_PRIMITIVE(NaN), IS_NULL(NaN)]`, `[true,true,true,false,true,false]`},
		{`[1 / 0 > 5, -1 / 0 < 5, 1 / 0 = Infinity, 1 / 0 = -1 / 0, LOG(0) = -Infinity, EXP(1000) = Infinity]`, `[true,true,true,false,true,true]`},
		{`[NaN = NaN, NaN != NaN, NaN < 1, NaN >= 1, NaN BETWEEN 0 AND 2, 1 BETWEEN NaN AND 2, NaN IN (NaN, 1)]`, `[false,true,false,false,false,false,false]`},
		{`[NaN | 5, Infinity & 7, ~NaN, 1 << Infinity, SIGN(-1 / 0), FLOOR(3 / Infinity)]`, `[5,0,-1,1,-1,0]`},
		{`[ACOS(2) > 0, LOG(-1) = LOG(-1), POWER(10, 400) = Infinity, 7 % 0 = 0]`, `[false,false,true,false]`},
		{`[LEFT("abc", Infinity), RIGHT("abc", Infinity), SUBSTRING("abc", 1, Infinity), SUBSTRING("abc", -Infinity, 2), ARRAY_SLICE([1, 2], 0, Infinity)]`, `["abc","abc","bc","",[1,2]]`},
		{`[LEFT("abc", NaN), REPLICATE("a", NaN), REPLICATE("", Infinity), CHOOSE(NaN, 1), CHOOSE(Infinity, 1), IntAdd(NaN, 1), IntAdd(Infinity, 1), TicksToDateTime(NaN), TimestampToDateTime(Infinity), DateTimeAdd("dd", NaN, "2020-01-01"), DateTimeBin("2021-01-08", "dd", Infinity), [1, 2][NaN], NumberBin(1, 0)]`, `[]`},
		{`[DateTimeFromParts(NaN, 1, 1), DateTimeFromParts(2020, Infinity, 1), INDEX_OF("a", "a", NaN), ROUND(NaN, 1) = 0]`, `[false]`},
		{`[(SELECT VALUE COUNT(x) FROM x IN (SELECT VALUE [NaN, 1, NaN])), ARRAY_LENGTH([NaN]), ARRAY_MAX([1, 1 / 0]) = Infinity]`, `[3,1,true]`},
		{`(SELECT VALUE AVG(x.y) FROM x IN c.vec)`, undef},
		{`(NaN ?? 1) = 1`, `false`},
		{`c.big = 0x20000000000001`, `true`},
		{`[0x1F, -0x10, 0XfF, 0x1 + 1]`, `[31,-16,255,2]`},
		{`IntAdd(0x7FFFFFFFFFFFFFFE, 1)`, `9223372036854775807`},
	} {
		if got := evaluate(t, c.expr, functionEnv); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.expr, got, c.want)
		}
	}
	for _, sql := range []string{
		`SELECT VALUE 1 / 0 FROM c`, `SELECT VALUE NaN FROM c`, `SELECT VALUE -Infinity FROM c`, `SELECT LOG(c.zero) AS x FROM c`, `SELECT VALUE [[c.one / c.zero]] FROM c`,
		`SELECT VALUE SQRT(-c.one) FROM c ORDER BY c.one`, `SELECT DISTINCT VALUE c.one / c.zero FROM c`, `SELECT VALUE MAX(c.one / c.zero) FROM c`, `SELECT SUM(LOG(c.zero)) AS s FROM c GROUP BY c.one`,
		`SELECT c.huge * 1 AS x FROM c`, `SELECT VALUE @huge * 1 FROM c`,
	} {
		p := mustCompile(t, sql, map[string]json.RawMessage{"@huge": json.RawMessage(`2e700`)})
		_, err := Run(context.Background(), p, docsOf(`{"zero":0,"one":1,"huge":2e700}`), Limits{}, State{})
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Substatus != subNoJSON || !strings.Contains(f.Message, "cannot be represented in JSON") {
			t.Errorf("%s: got %v, want a 400 with sub-status %d", sql, err, subNoJSON)
		}
	}
	// Filters may use them, names of the query's own come first, and a document's number keeps its text.
	for sql, want := range map[string]string{
		`SELECT VALUE c.one FROM c WHERE c.one / c.zero > 5`:                  `1`,
		`SELECT VALUE c.one FROM c WHERE LOG(c.zero) < 0 AND NOT (NaN > 1)`:   `1`,
		`SELECT VALUE NaN.one FROM NaN`:                                       `1`,
		`SELECT VALUE Infinity FROM c JOIN Infinity IN c.list`:                `7`,
		`SELECT c.huge FROM c`:                                                `{"huge":2e700}`,
		`SELECT VALUE c.huge = Infinity FROM c`:                               `true`,
		`SELECT VALUE c.one FROM c GROUP BY c.one, c.one / c.zero`:            `1`,
		`SELECT VALUE COUNT(1) FROM c WHERE IS_FINITE_NUMBER(c.one / c.zero)`: `0`,
	} {
		if got := results(t, sql, nil, `{"zero":0,"one":1,"huge":2e700,"list":[7]}`); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
	if q, err := Parse(`SELECT VALUE [0x1F, -Infinity, 9223372036854775807, -9223372036854775808, NaN] FROM c`); err != nil || !strings.Contains(q.String(), `[31, -Infinity, 9223372036854775807, -9223372036854775808, NaN]`) {
		t.Errorf("prints %v, %v", q, err)
	}
}
