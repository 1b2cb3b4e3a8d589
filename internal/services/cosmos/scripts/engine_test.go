package scripts

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// memory is a Host that keeps documents by id, without a check.
type memory struct {
	docs  map[string]json.RawMessage
	calls []string
	fail  error
}

func newMemory() *memory { return &memory{docs: map[string]json.RawMessage{}} }

func (m *memory) Call(_ context.Context, op string, args []string) ([]byte, error) {
	m.calls = append(m.calls, op+" "+strings.Join(args, " "))
	if m.fail != nil {
		return nil, m.fail
	}
	reply := Reply{Accepted: true, Options: &Options{}}
	switch op {
	case "create":
		var d struct{ ID string }
		_ = json.Unmarshal([]byte(args[1]), &d)
		if m.docs[d.ID] != nil {
			reply.Error = &Problem{409, "Resource with specified id already exists"}
			break
		}
		m.docs[d.ID], reply.Body = json.RawMessage(args[1]), json.RawMessage(args[1])
	case "list":
		reply.Body = json.RawMessage(`[{"id":"1","n":3,"t":["a","b"]},{"id":"2","n":1,"t":["c"]},{"id":"3","n":2,"t":[]}]`)
	case "read":
		if reply.Body = m.docs[args[0]]; reply.Body == nil {
			reply.Error = &Problem{404, "Entity with the specified id does not exist in the system."}
		}
	default:
		reply.Refused = &Problem{400, "no such operation: " + op}
	}
	return json.Marshal(reply)
}

func runBody(t *testing.T, h Host, body string, args string) (Result, error) {
	t.Helper()
	e := NewEngine()
	e.limit = time.Minute // the race detector on a busy machine takes five seconds for a long string
	return e.Run(context.Background(), Job{
		Kind: Procedure, Name: "p", Body: body, Args: json.RawMessage(args), SelfLink: "dbs/A==/colls/B=/", AltLink: "dbs/db/colls/c", Logging: true,
		Operation: "ExecuteJavaScript", Now: time.Unix(1700000000, 0),
	}, h)
}

func TestRun(t *testing.T) {
	t.Parallel()
	set := func(s string) string { return "function () { __.response.setBody(" + s + ") }" }
	for body, want := range map[string]string{
		`function () { const x = 10; }`:                                                                                                       `""`,
		`function f(who) { getContext().getResponse().setBody("Hello, " + who) }`:                                                             `"Hello, you"`,
		`(who) => { getContext().getResponse().setBody({a: who}) };`:                                                                          `{"a":"you"}`,
		"// comment\nfunction f() { __.response.setBody(1.5) }\n// end":                                                                       `1.5`,
		`serverScript() { __.response.setBody(null) }`:                                                                                        `null`,
		`function main() { helper() } function helper() { __.response.setBody(7) }`:                                                           `7`,
		`var x = 2; function main() { __.response.setBody(x) }`:                                                                               `2`,
		`function () { for (var i = 0; i < 10; i++) getContext().getResponse().appendValue("Body", i) }`:                                      `"0123456789"`,
		`function () { for (var i = 0; i < 9; i++) { var r = getContext().getResponse(); r.setBody(i); if (r.getBody() !== i) throw "no" } }`: `8`,
		set(`getContext().getCollection().getSelfLink() + " " + __.getAltLink()`):                                                             `"dbs/A==/colls/B=/ dbs/db/colls/c"`,
		set(`getContext().getRequest().getOperationType()`):                                                                                   `"ExecuteJavaScript"`,
		set(`typeof require + typeof process + typeof setTimeout + typeof fetch + typeof native`):                                             `"undefinedundefinedundefinedundefinedundefined"`,
		set(`new Date().getTime() - 1700000000000 < 5000`):                                                                                    `true`,
		set(`[1, [2, [3]]].flat(Infinity)`):                                                                                                   `[1,2,3]`,
		set(`new Error(404, "gone").number`):                                                                                                  `404`,
		set(`new Error("gone").message + (new Error("x") instanceof Error) + (class X extends Error {}).name`):                                `"gonetrueX"`,
		set(`ErrorCodes.Conflict`):                                                                                                            `409`,
		`function () { __.readDocument("x", {}, function (e, d) { __.response.setBody([e.number, e.message, e.body, d === undefined]) }) }`:   `[404,"{\"Errors\":[\"Entity with the specified id does not exist in the system.\"]}","Entity with the specified id does not exist in the system.",true]`,
		`function () { var order = []; __.createDocument("l", {id: "1"}, function (e, d) { order.push("cb" + d.id); __.response.setBody(order) }); order.push("main") }`:                     `["main","cb1"]`,
		`function () { __.createDocument("l", {a: 1}, function (e, d) { __.response.setBody(d.id.length) }) }`:                                                                               `36`,
		`function () { __.createDocument("l", '{"a":1}', function (e, d) { __.response.setBody(d.id.length) }) }`:                                                                            `36`,
		`async function () { await new Promise(f => __.createDocument("l", {id: "1"}, f)); __.response.setBody("after") }`:                                                                   `"after"`,
		`async function () { throw new Error("swallowed, as the service does") }`:                                                                                                            `""`,
		`function () { __.filter(function (d) { return d.n > 1 }) }`:                                                                                                                         `"[{\"id\":\"1\",\"n\":3,\"t\":[\"a\",\"b\"]},{\"id\":\"3\",\"n\":2,\"t\":[]}]"`,
		`function () { var r = __.chain().filter(function (d) { return d.n > 1 }).pluck("id").value(function (e, rows, o) { __.response.setBody([rows, o]) }); if (!r.isAccepted) throw 1 }`: `[["1","3"],{}]`,
		`function () { __.chain().sortBy(function (d) { return d.n }).map(function (d) { return d.id }).value(function (e, rows) { __.response.setBody(rows) }) }`:                           `["2","3","1"]`,
		`function () { __.sortByDescending(function (d) { return d.n }, {pageSize: 2}, function (e, rows) { __.response.setBody(rows[0].id) }) }`:                                            `"1"`,
		`function () { __.chain().pluck("t").flatten().value(function (e, rows) { __.response.setBody(rows) }) }`:                                                                            `["a","b","c"]`,
		`function () { __.chain().unwind(function (d) { return d.t }, function (d, t) { return d.id + t }).value(function (e, rows) { __.response.setBody(rows) }) }`:                        `["1a","1b","2c"]`,
	} {
		got, err := runBody(t, newMemory(), body, `["you"]`)
		if err != nil || string(got.Body) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", body, got.Body, err, want)
		}
	}
}

func TestRun_Throws(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		reason  Reason
		number  int
		message string
	}{
		`function () { throw new Error("out") }`:                                          {Thrown, 0, "Error: out"},
		`function () { throw "body mismatch" }`:                                           {Thrown, 0, "body mismatch"},
		`function () { throw new Error(404, "gone") }`:                                    {Thrown, 404, "Error: gone"},
		`function () { throw undefined }`:                                                 {Thrown, 0, "undefined"},
		`function () { throw {toString() { throw 1 }} }`:                                  {Thrown, 0, "an exception without a text"},
		`function () { null.x }`:                                                          {Thrown, 0, "TypeError: "},
		`function () { __.readDocument("x") }`:                                            {Thrown, 404, `Error: {"Errors":["Entity with`},
		`function () { __.readDocument("x", {}, function (e) { throw e }) }`:              {Thrown, 404, `Error: {"Errors":["Entity with`},
		`function () { __.replaceDocument("x", {}) }`:                                     {Thrown, 400, `Error: {"Errors":["no such operation: replace"]}`},
		`function () { __.createDocument("x") }`:                                          {Thrown, 400, `Error: The function "createDocument" requires`},
		`function () { __.createDocument("x", 5) }`:                                       {Thrown, 400, `Error: The document body must be`},
		`function () { __.createDocument("x", {}, 5) }`:                                   {Thrown, 400, `Error: The "options" parameter`},
		`function () { __.createDocument("x", {}, {}, 5) }`:                               {Thrown, 400, `Error: The "callback" parameter`},
		`function () { __.response.setValue("OperationType", 1) }`:                        {Thrown, 403, "Error: Not a writable property"},
		`function () { __.response.setValue("x", 1) }`:                                    {Thrown, 400, "Error: Cannot set new values: x"},
		`function () { try { getContext().abort(new Error(7, "enough")) } catch (e) {} }`: {Thrown, 7, "Error: enough"},
		`function () { (function f() { f() })() }`:                                        {Thrown, 0, "Error: Out of stack space"},
		`function () { __.response.setBody("x".repeat(5000000)) }`:                        {TooBig, 413, "The response"},
		`function () { `:                     {Compile, 0, "SyntaxError: "},
		`1 + 1`:                              {Compile, 0, "SyntaxError: The body must be a function"},
		``:                                   {Compile, 0, "SyntaxError: "},
		`}); while (true) {} (function () {`: {Compile, 0, "SyntaxError: "},
	} {
		_, err := runBody(t, newMemory(), body, `[]`)
		var e *Error
		if !errors.As(err, &e) || e.Reason != want.reason || e.Number != want.number || !strings.HasPrefix(e.Message, want.message) {
			t.Errorf("%s: got %#v, want %v", body, err, want)
		}
	}
	_, err := runBody(t, newMemory(), "function outer() {\n\tfunction inner() { throw new Error('x') }\n\tinner()\n}", `[]`)
	if e := new(Error); !errors.As(err, &e) || e.Stack != "\n   at inner (p.js:2:27)\n   at outer (p.js:3:7)" {
		t.Errorf("stack: got %q", err.(*Error).Stack)
	}
}

func TestRun_Log(t *testing.T) {
	t.Parallel()
	got, err := runBody(t, newMemory(), `function () { console.log("The value of %s is %s.", "x", 1); console.log({}) ; console.log("100%%") }`, `[]`)
	if want := "The value of x is 1.[object Object]100%%"; err != nil || got.Log != want {
		t.Errorf("got %q, %v, want %q", got.Log, err, want)
	}
}

func TestRun_HostError(t *testing.T) {
	t.Parallel()
	h := newMemory()
	h.fail = errors.New("the disk is gone")
	_, err := runBody(t, h, `function () { try { __.readDocument("x") } catch (e) { } __.readDocument("y"); while (true) {} }`, `[]`)
	if !errors.Is(err, h.fail) || len(h.calls) != 1 {
		t.Errorf("got %v after %d calls, want the host's own error after one", err, len(h.calls))
	}
}

// TestRun_Time: an endless loop is stopped; before that, operations are not accepted any more.
func TestRun_Time(t *testing.T) {
	t.Parallel()
	e := NewEngine()
	e.limit = 200 * time.Millisecond
	h := newMemory()
	for body, want := range map[string]Reason{
		`function () { while (true) {} }`:                                               TooLong,
		`function () { while (true) { try { while (true) {} } finally { continue } } }`: TooLong,
		`function () { (function next() { __.createDocument("l", {}, next) })(); }`:     "",
		`function () { for (;;) [1].forEach(function () {}) }`:                          TooLong,
		`async function () { while (true) await 1 }`:                                    TooLong,
	} {
		begin := time.Now()
		_, err := e.Run(context.Background(), Job{Kind: Procedure, Name: "p", Body: body}, h)
		var own *Error
		if errors.As(err, &own) != (want != "") || own != nil && own.Reason != want || time.Since(begin) > 20*time.Second {
			t.Errorf("%s: got %v after %v, want %q", body, err, time.Since(begin), want)
		}
	}
	if len(h.calls) < 10 {
		t.Errorf("%d operations were accepted within the time", len(h.calls))
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	s, err := NewEngine().Functions(context.Background(), map[string]string{
		"tax":  `function tax(income) { if (income === undefined) throw new Error("no input"); return income * 0.1 }`,
		"echo": `function (...all) { return all }`, "none": `function () {}`, "count": `function () { globalThis.n = (globalThis.n || 0) + 1; return n }`,
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range [][3]string{{"tax", "100", "10"}, {"none", "1", ""}, {"echo", `{"a":[1,null]}`, `[{"a":[1,null]}]`}, {"echo", "", "[null]"}, {"count", "", "1"}, {"count", "", "2"}} {
		got, err := s.Call(context.Background(), c[0], []string{c[1]})
		if err != nil || got != c[2] {
			t.Errorf("%s(%s): got %q, %v, want %q", c[0], c[1], got, err, c[2])
		}
	}
	var e *Error
	if _, err := s.Call(context.Background(), "tax", []string{""}); !errors.As(err, &e) || e.Message != "Error: no input" {
		t.Errorf("an exception: got %v", err)
	}
}

// FuzzScript runs all kinds of texts: whatever they are, there is an answer in time and no panic.
func FuzzScript(f *testing.F) {
	for _, s := range []string{`function () {}`, `x => __.createDocument("", x)`, `a(b) { return`, `({get a() {}})`, `function () { throw /(a+)+$/ }`, `async () => { for await (const x of []) ; }`} {
		f.Add(s, `[1]`)
	}
	e := NewEngine()
	e.limit = 100 * time.Millisecond
	f.Fuzz(func(t *testing.T, body, args string) {
		if !json.Valid([]byte(args)) || len(body) > 4096 || args == "" || args[0] != '[' {
			return
		}
		// What a single instruction can take is for the worker's bounds.
		for _, s := range []string{"repeat", "pad", "Array", "join", "fill", "Buffer", "eval", "Function", "constructor", "["} {
			if strings.Contains(body, s) {
				return
			}
		}
		got, err := e.Run(context.Background(), Job{Kind: Procedure, Name: "p", Body: body, Args: json.RawMessage(args)}, newMemory())
		if err == nil && !json.Valid(got.Body) {
			t.Errorf("%q: the body %q is not JSON", body, got.Body)
		}
		var own *Error
		if err != nil && !errors.As(err, &own) {
			t.Errorf("%q: %v", body, err)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	e := NewEngine()
	h := newMemory()
	for b.Loop() {
		if _, err := e.Run(context.Background(), Job{Kind: Procedure, Name: "p", Body: `function (a) { __.response.setBody(a) }`, Args: json.RawMessage(`[1]`)}, h); err != nil {
			b.Fatal(err)
		}
	}
}

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
