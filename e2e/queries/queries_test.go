// Package queries asks with real clients what has to be merged out of several partition key ranges: they fetch the query plan, run what it says range by range
// and merge the answers themselves.
package queries

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

type item struct {
	ID string     `json:"id"`
	PK string     `json:"pk"`
	N  int        `json:"n"`
	S  string     `json:"s"`
	V  int        `json:"v"`
	X  float64    `json:"x,omitempty"`
	T  string     `json:"t"`
	E  [2]float64 `json:"e"`
}

type parameter struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

type question struct {
	Text   string      `json:"query"`
	Params []parameter `json:"parameters"`
	// Resumes: pages can be asked for by continuation tokens; @azure/cosmos gives none for what it has to see whole.
	Resumes bool   `json:"resumes"`
	want    string // rows as JSON; empty: count alone is looked at
	count   int
	sorted  bool   // the order of rows means nothing
	python  string // what azure-cosmos for Python says instead: it does not merge everything
}

const unsupported = "which the calling client does not support"

var questions = []question{
	{Text: "SELECT VALUE c.v FROM c WHERE c.v < 5 ORDER BY c.v DESC", want: `[4,3,2,1,0]`},
	{Text: "SELECT VALUE c.v FROM c WHERE c.v < 20 ORDER BY c.v DESC", want: `[19,18,17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1,0]`, Resumes: true},
	{
		// Resumed over several ranges, @azure/cosmos asks for c.s >= .. AND c.v >= .., and so loses rows.
		Text: "SELECT c.v FROM c WHERE c.v < 18 ORDER BY c.s, c.v",
		want: `[{"v":0},{"v":3},{"v":6},{"v":9},{"v":12},{"v":15},{"v":1},{"v":4},{"v":7},{"v":10},{"v":13},{"v":16},{"v":2},{"v":5},{"v":8},{"v":11},{"v":14},{"v":17}]`,
	},
	{Text: "SELECT * FROM c ORDER BY c.n", count: 60, Resumes: true},
	{Text: "SELECT * FROM c ORDER BY c.n DESC", count: 60, Resumes: true}, // the order of what is equal falls, too
	// Neither client merges an order of different types over several ranges.
	{Text: "SELECT * FROM c WHERE IS_DEFINED(c.x) ORDER BY c.x DESC", count: 15, Resumes: true},
	{Text: "SELECT * FROM c WHERE c.v > 1", count: 58, Resumes: true},
	{Text: "SELECT c.v FROM c WHERE c.v < @v ORDER BY c.v", Params: []parameter{{"@v", 3}}, want: `[{"v":0},{"v":1},{"v":2}]`},
	{Text: "SELECT TOP 5 VALUE c.v FROM c ORDER BY c.v DESC", want: `[59,58,57,56,55]`},
	{Text: "SELECT TOP @top VALUE c.v FROM c ORDER BY c.v", Params: []parameter{{"@top", 2}}, want: `[0,1]`},
	{Text: "SELECT VALUE c.v FROM c ORDER BY c.v OFFSET 10 LIMIT 3", want: `[10,11,12]`},
	{Text: "SELECT VALUE c.v FROM c WHERE c.v < 30 ORDER BY c.n, c.v OFFSET 4 LIMIT 3", want: `[28,1,8]`},
	{Text: "SELECT VALUE c.v FROM c WHERE c.x > 0 ORDER BY c.x DESC OFFSET 0 LIMIT 2", want: `[59,55]`},
	{Text: "SELECT * FROM c ORDER BY c.id", count: 60},
	{Text: "SELECT VALUE COUNT(1) FROM c", want: `[60]`},
	{Text: "SELECT VALUE SUM(c.v) FROM c", want: `[1770]`},
	{Text: "SELECT VALUE AVG(c.v) FROM c", want: `[29.5]`},
	{Text: "SELECT VALUE MIN(c.s) FROM c", want: `["a"]`},
	{Text: "SELECT VALUE MAX(c.v) FROM c WHERE c.s = 'b'", want: `[58]`},
	{Text: "SELECT VALUE COUNT(1) FROM c WHERE c.pk IN ('p1', 'p2')", want: `[10]`},
	{Text: "SELECT VALUE c.v FROM c WHERE c.pk IN ('p1', 'p2') ORDER BY c.v", want: `[1,2,14,15,27,28,40,41,53,54]`},
	{Text: "SELECT VALUE c.v FROM c WHERE c.pk = 'p1' ORDER BY c.v DESC OFFSET 1 LIMIT 2", want: `[40,27]`},
	{Text: "SELECT COUNT(1) AS many, MAX(c.v) AS most FROM c", want: `[{"many":60,"most":59}]`, python: unsupported},
	{
		Text: "SELECT c.s, COUNT(1) AS many, SUM(c.v) AS total, AVG(c.v) AS mean FROM c GROUP BY c.s", sorted: true, python: unsupported,
		want: `[{"s":"a","many":20,"total":570,"mean":28.5},{"s":"b","many":20,"total":590,"mean":29.5},{"s":"c","many":20,"total":610,"mean":30.5}]`,
	},
	{Text: "SELECT VALUE COUNT(1) FROM c GROUP BY c.s", want: `[20,20,20]`, python: unsupported},
	// @azure/cosmos loses a row that is 0 when it removes duplicates.
	{Text: "SELECT DISTINCT VALUE c.n FROM c WHERE c.n > 0", want: `[1,2,3,4,5,6]`, sorted: true},
	{Text: "SELECT DISTINCT VALUE c.n FROM c WHERE c.n > 0 ORDER BY c.n DESC", want: `[6,5,4,3,2,1]`},
	{Text: "SELECT DISTINCT c.s FROM c WHERE c.v > 57", want: `[{"s":"b"},{"s":"c"}]`, sorted: true},
	{Text: "SELECT c.v FROM c OFFSET 3 LIMIT 8", count: 8},
	{Text: "SELECT TOP 9 c.v FROM c", count: 9},
	{Text: "SELECT TOP 9 c.v FROM c WHERE c.v < 4", count: 4},
	{Text: "SELECT VALUE c.v FROM c WHERE c.v >= 50", want: `[50,51,52,53,54,55,56,57,58,59]`, sorted: true},
	{Text: "SELECT VALUE c.v FROM c WHERE 1 = 2 ORDER BY c.v", want: `[]`},
	{Text: "SELECT TOP 2 c.id FROM c ORDER BY VectorDistance(c.e, [1, 0])", want: `[{"id":"07"},{"id":"21"}]`},
	{Text: "SELECT TOP 3 c.id FROM c ORDER BY RANK FullTextScore(c.t, 'swim')", want: `[{"id":"07"},{"id":"21"},{"id":"33"}]`},
	{Text: "SELECT TOP 2 c.id FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'swim'), VectorDistance(c.e, @e))", Params: []parameter{{"@e", []int{1, 0}}}, want: `[{"id":"07"},{"id":"21"}]`},
	{Text: "SELECT TOP 3 c.id FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'swim'), VectorDistance(c.e, [1, 0]), [0.1, 5])", want: `[{"id":"07"},{"id":"21"},{"id":"45"}]`},
	{Text: "SELECT TOP 3 c.id FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'swim'), VectorDistance(c.e, [1, 0]), [5, 0.1])", want: `[{"id":"07"},{"id":"21"},{"id":"33"}]`},
	{Text: "SELECT TOP 2 c.id FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'swim'), FullTextScore(c.t, 'swim', 'then'), VectorDistance(c.e, [1, 0]), [1, 1, 3])", want: `[{"id":"07"},{"id":"21"}]`},
	{Text: "SELECT c.id FROM c WHERE FullTextContains(c.t, 'swim') ORDER BY RANK FullTextScore(c.t, 'swim') OFFSET 1 LIMIT 2", want: `[{"id":"21"},{"id":"33"}]`},
	{Text: "SELECT TOP 3 c.id, VectorDistance(c.e, [1, 0]) AS likeness FROM c WHERE c.v > 20 ORDER BY VectorDistance(c.e, [1, 0])", count: 3},
	{Text: "SELECT c.id FROM c ORDER BY VectorDistance(c.e, [1, 0]) OFFSET 1 LIMIT 2", want: `[{"id":"21"},{"id":"45"}]`},
	{Text: "SELECT VALUE COUNTIF(c.v < 10) FROM c", want: `[10]`},
	{Text: "SELECT c.s, c.n, COUNT(1) AS many FROM c WHERE c.n < 2 GROUP BY c.s, c.n", sorted: true, python: unsupported, count: 6},
	{Text: "SELECT c.n % 2 AS odd, MIN(c.v) AS least, MAX(c.v) AS most FROM c GROUP BY c.n % 2", sorted: true, python: unsupported, want: `[{"odd":0,"least":0,"most":58},{"odd":1,"least":1,"most":59}]`},
	{Text: "SELECT DISTINCT c.s, c.n FROM c WHERE c.n > 4", count: 6, sorted: true},
	{Text: "SELECT DISTINCT VALUE c.s FROM c ORDER BY c.s DESC OFFSET 1 LIMIT 1", want: `["b"]`},
	{Text: "SELECT VALUE {v: c.v, s: c.s} FROM c WHERE c.v BETWEEN 7 AND 9 ORDER BY c.v DESC", want: `[{"v":9,"s":"a"},{"v":8,"s":"c"},{"v":7,"s":"b"}]`},
}

func work(t *testing.T, name string) string {
	t.Helper()
	var items []item
	for i := range 60 {
		x := 0.0
		if i%4 == 3 {
			x = float64(i) + 0.5
		}
		it := item{ID: fmt.Sprintf("%02d", i), PK: fmt.Sprintf("p%d", i%13), N: i % 7, S: string(rune('a' + i%3)), V: i, X: x, T: "a run up the hill", E: [2]float64{0, 1}}
		switch i {
		case 7:
			it.T, it.E = "swim, swim and swim", [2]float64{1, 0}
		case 21:
			it.T, it.E = "swim, run, swim up the hill", [2]float64{2, 1}
		case 33:
			it.T = "run and run, then swim up the hill"
		case 45:
			it.E = [2]float64{1, 0.6}
		}
		items = append(items, it)
	}
	asked := slices.Clone(questions)
	for i := range asked {
		if asked[i].Params == nil {
			asked[i].Params = []parameter{}
		}
	}
	text, err := json.Marshal(map[string]any{
		"name": name, "items": items, "queries": asked,
		"container": map[string]any{
			"id": "c", "partitionKey": map[string]any{"paths": []string{"/pk"}, "version": 2}, "throughput": 25_000,
			"indexingPolicy": map[string]any{"indexingMode": "consistent", "includedPaths": []any{map[string]any{"path": "/*"}}, "compositeIndexes": []any{
				[]any{map[string]any{"path": "/n", "order": "ascending"}, map[string]any{"path": "/v", "order": "ascending"}},
				[]any{map[string]any{"path": "/s", "order": "ascending"}, map[string]any{"path": "/v", "order": "ascending"}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type answer struct {
	Rows    []json.RawMessage `json:"rows"`
	Resumed []json.RawMessage `json:"resumed"`
	Error   string            `json:"error"`
	Code    any               `json:"code"`
}

// check compares a client's answers with those that are wanted, and with those of a container that has the same items in one range.
func check(t *testing.T, out []byte, one [][]json.RawMessage, python bool) {
	t.Helper()
	var got struct {
		Ranges  int
		Answers []answer
		Metrics metrics
	}
	if err := json.Unmarshal(out, &got); err != nil || len(got.Answers) != len(questions) {
		t.Fatalf("printed %s: %v", out, err)
	}
	if !python && got.Ranges < 2 {
		t.Errorf("the container has %d partition key ranges: nothing is merged", got.Ranges)
	}
	got.Metrics.check(t)
	for i, q := range questions {
		a := got.Answers[i]
		if a.Error == "" && q.comparable() {
			free := !strings.Contains(q.Text, "ORDER BY")
			if d := cmp.Diff(canonical(one[i], free), canonical(a.Rows, free)); d != "" {
				t.Errorf("%s: -one range +merged\n%s", q.Text, d)
			}
		}
		switch {
		case python && q.python != "":
			if !strings.Contains(a.Error, q.python) {
				t.Errorf("%s: got %+v, want an error with %q", q.Text, a, q.python)
			}
		case a.Error != "":
			t.Errorf("%s: %v %s", q.Text, a.Code, a.Error)
		case q.Resumes && !python && !cmp.Equal(canonical(a.Rows, q.want == ""), canonical(a.Resumed, q.want == "")):
			t.Errorf("%s: by continuation tokens: -at once +resumed\n%s", q.Text, cmp.Diff(canonical(a.Rows, q.want == ""), canonical(a.Resumed, q.want == "")))
		case q.want == "":
			if len(a.Rows) != q.count {
				t.Errorf("%s: %d rows, want %d", q.Text, len(a.Rows), q.count)
			}
		default:
			var want []json.RawMessage
			if err := json.Unmarshal([]byte(q.want), &want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(canonical(want, q.sorted), canonical(a.Rows, q.sorted)); d != "" {
				t.Errorf("%s: -want +got\n%s", q.Text, d)
			}
		}
	}
}

// canonical are rows as texts with sorted members.
func canonical(rows []json.RawMessage, sorted bool) []string {
	out := []string{}
	for _, r := range rows {
		var v any
		_ = json.Unmarshal(r, &v) // it came out of a JSON text
		if m, ok := v.(map[string]any); ok {
			maps.DeleteFunc(m, func(name string, _ any) bool { return strings.HasPrefix(name, "_") }) // what each container has of its own
		}
		b, _ := json.Marshal(v)
		out = append(out, string(b))
	}
	if sorted {
		slices.Sort(out)
	}
	return out
}

// place is an account and what a program needs to reach it.
type place struct {
	name, key string
	env       []string
}

func account(t *testing.T, p *harness.Platform) place {
	t.Helper()
	group := p.PutGroup(t)
	name := p.PutAccount(t, group)
	key := p.Key(t, group, name, "primaryMasterKey")
	return place{name, key, []string{"ENDPOINT=https://" + name + ".documents.azure.com:443/", "KEY=" + key}}
}

func TestQueries_Python(t *testing.T) {
	p := shared.Platform(t)
	python := filepath.Join(harness.Installed(t, "venv"), "bin", "python")
	at, work := account(t, p), work(t, "python")
	env := append(at.env, "WORK="+work, "PYTHONUTF8=1")
	out := p.Exec(t, "", env, python, script(t, "python/queries.py"))
	check(t, out, at.ask(t, p.SuffixWay(t), work), true)
}

// @azure/cosmos knows no proxy: it is isolated.
func TestQueries_Node(t *testing.T) {
	p := shared.Platform(t)
	modules := harness.Installed(t, "node")
	at, work := account(t, p), work(t, "node")
	c := p.Command("exec", "--isolate", "--", "node", script(t, "node/queries.mjs"))
	c.Env = append(c.Env, append(at.env, "WORK="+work, "NODE_MODULES="+modules)...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		if strings.Contains(stderr.String(), "does not allow the namespaces") {
			t.Skip(stderr.String())
		}
		t.Fatal(errors.Join(err, errors.New(stderr.String())))
	}
	check(t, out, at.ask(t, p.SuffixWay(t), work), false)
}

func script(t *testing.T, name string) string { return filepath.Join(root(t), "e2e", name) }

func root(t *testing.T) string {
	t.Helper()
	dir, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
