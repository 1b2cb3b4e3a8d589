package scripts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == WorkerArg {
		os.Exit(Serve(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func newPool(t testing.TB) *Pool {
	t.Helper()
	p := NewPool()
	t.Cleanup(p.Close)
	return p
}

func runIn(p Runner, h Host, body, args string) (Result, error) {
	return p.Run(context.Background(), Job{Kind: Procedure, Name: "p", Body: body, Args: json.RawMessage(args), SelfLink: "dbs/A==/colls/B=/"}, h)
}

// TestPool_PostTrigger: a post-trigger that leaves the answer as it is gives no body, one that changes it gives the new one, through a worker too.
func TestPool_PostTrigger(t *testing.T) {
	t.Parallel()
	for _, runner := range []Runner{newPool(t), NewEngine()} {
		for body, want := range map[string]string{
			`function () { if (getContext().getResponse().getBody().id !== "a") throw "wrong" }`: "",
			`function () { getContext().getResponse().setBody({id: "b"}) }`:                      `{"id":"b"}`,
		} {
			got, err := runner.Run(t.Context(), Job{
				Kind: PostTrigger, Name: "t", Body: body, Request: json.RawMessage(`{"id":"a"}`), Response: json.RawMessage(`{"id":"a"}`), SelfLink: "dbs/A==/colls/B=/",
			}, newMemory())
			if err != nil || string(got.Body) != want {
				t.Errorf("%T: %s gave %q, %v, want %q", runner, body, got.Body, err, want)
			}
		}
	}
}

// TestPool runs the same script in both runners.
func TestPool(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	const body = `function (n) { var made = []; for (var i = 0; i < n; i++) __.createDocument("l", {id: "d" + i}, function (e, d) { if (e) throw e; made.push(d.id); __.response.setBody(made.length) }) }`
	for range 3 {
		h := newMemory()
		got, err := runIn(p, h, body, `[50]`)
		if err != nil || string(got.Body) != "50" || len(h.docs) != 50 {
			t.Errorf("got %s with %d documents, %v", got.Body, len(h.docs), err)
		}
	}
	if len(p.idle) != 1 || len(p.all) != 1 {
		t.Errorf("one run at a time needed %d workers, %d are idle", len(p.all), len(p.idle))
	}
	var e *Error
	if err := p.Check(context.Background(), `function () {`); !errors.As(err, &e) || e.Reason != Compile {
		t.Errorf("check: got %v", err)
	}
	if err := p.Check(context.Background(), `x => x`); err != nil {
		t.Errorf("check: got %v", err)
	}
	h := newMemory()
	h.fail = errors.New("the disk is gone")
	if _, err := runIn(p, h, `function () { __.readDocument("x") }`, `[]`); !errors.Is(err, h.fail) {
		t.Errorf("the host's error: got %v", err)
	}
	if _, err := runIn(p, newMemory(), `function () { throw new Error(404, "gone") }`, `[]`); !errors.As(err, &e) || e.Number != 404 || e.Message != "Error: gone" {
		t.Errorf("thrown: got %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Run(ctx, Job{Kind: Procedure, Name: "p", Body: `function () { while (true) {} }`}, newMemory()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller that gave up: got %v", err)
	}
}

// TestPool_Hostile: whatever a script does, it is stopped, and the next one runs.
func TestPool_Hostile(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	p.limit = time.Second
	bodies := map[string]Reason{
		`while (true) {}`:                     TooLong,
		`new Array(1e9).join("x")`:            TooMuch,
		`var s = "x"; while (true) s += s`:    TooMuch,
		`"x".repeat(2e9)`:                     TooMuch,
		`"x".padEnd(2e9)`:                     TooMuch,
		`new Array(1e9).fill(1)`:              TooMuch,
		`var a = []; while (true) a.push({})`: TooMuch,
		`new ArrayBuffer(2e9)`:                "any",
		`new Uint8Array(1e9)`:                 "any",
		`var a = []; for (;;) a = [a]`:        TooMuch,
		`var a = []; for (var i = 0; i < 5e5; i++) a = [a]; String(a); JSON.stringify(a)`: "any",
		`var a = []; for (var i = 0; i < 40; i++) a = [a, a]; String(a)`:                  "any",
		`var a = []; for (var i = 0; i < 40; i++) a = [a, a]; JSON.stringify(a)`:          "any",
		`Array.prototype.indexOf.call({length: 9e15}, 1)`:                                 TooLong,
		`/(a+)+$/.test("a".repeat(40) + "b")`:                                             "any",
		`/^(?=(a+)+$)(?!b)\1*$/.test("a".repeat(40) + "b")`:                               "any",
		`(function f() { f() })()`:                                                        Thrown,
		`(function f() { try { f() } finally { f() } })()`:                                "any",
		`(function f() { [1].map(f) })()`:                                                 "any",
		`var o = {get x() { return this.x }}; o.x`:                                        "any",
		`var p = new Proxy({}, {get: (t, k, r) => r[k]}); p.x`:                            "any",
		`eval("(".repeat(1e5))`:                                                           "any",
		`new Function("!".repeat(2e5) + "1")`:                                             "any",
		`JSON.parse("[".repeat(2e6))`:                                                     "any",
		`2n ** 10000000n`:                                                                 "any",
		`"a".repeat(1e6).replace(/a/g, "$&".repeat(1e4))`:                                 TooMuch,
		`Object.prototype.toString = Array.prototype.push = JSON.parse = null; Promise = 1; globalThis.Error = 0; throw {}`: Thrown,
		`Object.defineProperty(Array.prototype, "0", {set() { while (true) {} }}); [].push(1)`:                              "any",
		`var e = new Error("x"); Object.defineProperty(e, "stack", {get() { while (true) {} }}); throw e`:                   TooLong,
		`__.response.setBody({toJSON() { while (true) {} }})`:                                                               TooLong,
		`for (;;) __.createDocument("l", {id: String(Math.random())})`:                                                      TooLong,
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for body, want := range bodies {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			begin := time.Now()
			_, err := runIn(p, newMemory(), `function () { `+body+` }`, `[]`)
			var own *Error
			switch {
			case want == "any" && (err == nil || errors.As(err, &own)):
			case !errors.As(err, &own) || own.Reason != want && !(want == TooMuch && own.Reason == TooLong):
				t.Errorf("%s: got %v, want %q", body, err, want)
			}
			if took := time.Since(begin); took > MaxTime+deadline+20*time.Second {
				t.Errorf("%s: took %v", body, took)
			}
		})
	}
	wg.Wait()
	deep := strings.Repeat("(", 100_000)
	var own *Error
	if err := p.Check(context.Background(), "function () { return "+deep); !errors.As(err, &own) {
		t.Errorf("a deep text: got %v", err)
	}
	if got, err := runIn(p, newMemory(), `function () { __.response.setBody("still here") }`, `[]`); err != nil || string(got.Body) != `"still here"` {
		t.Errorf("afterwards: got %s, %v", got.Body, err)
	}
}

func TestPool_Functions(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	ctx := context.Background()
	s, err := p.Functions(ctx, map[string]string{"f": `x => x + 1`, "none": `() => undefined`, "die": `() => new Array(1e9).join("x")`}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if got, err := s.Call(ctx, "f", []string{fmt.Sprint(i)}); err != nil || got != fmt.Sprint(i+1) {
			t.Fatalf("f(%d): got %q, %v", i, got, err)
		}
	}
	if got, err := s.Call(ctx, "none", nil); err != nil || got != "" {
		t.Errorf("undefined: got %q, %v", got, err)
	}
	var own *Error
	for range 2 {
		if _, err := s.Call(ctx, "die", nil); !errors.As(err, &own) {
			t.Errorf("a hostile function: got %v", err)
		}
	}
	s.Close()
	if _, err := p.Functions(ctx, map[string]string{"f": `function (`}, time.Now()); !errors.As(err, &own) || own.Reason != Compile {
		t.Errorf("a body that does not compile: got %v", err)
	}
	if n := len(p.sessions); n != 0 {
		t.Errorf("%d sessions are open", n)
	}
}

// TestPool_WorkerDied: a worker that ended while idle is replaced without the caller's knowing.
func TestPool_WorkerDied(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	if _, err := runIn(p, newMemory(), `function () {}`, `[]`); err != nil {
		t.Fatal(err)
	}
	if err := p.idle[0].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	if _, err := runIn(p, newMemory(), `function () {}`, `[]`); err != nil {
		t.Errorf("got %v", err)
	}
	p.Close()
	if _, err := runIn(p, newMemory(), `function () {}`, `[]`); !errors.Is(err, ErrClosed) || len(p.all) != 0 {
		t.Errorf("closed: got %v with %d workers", err, len(p.all))
	}
}

// FuzzFrame reads what a worker might send.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0c{\"t\":\"done\"}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		w := &worker{in: newReader(in), engine: NewEngine()}
		if got, err := readFrame(w.in); err == nil && got == nil {
			t.Error("neither a frame nor an error")
		}
	})
}

func BenchmarkPool(b *testing.B) {
	p := newPool(b)
	h := newMemory()
	for b.Loop() {
		if _, err := runIn(p, h, `function (a) { __.response.setBody(a) }`, `[1]`); err != nil {
			b.Fatal(err)
		}
	}
	runtime.KeepAlive(h)
}

func BenchmarkPoolFunction(b *testing.B) {
	p := newPool(b)
	s, err := p.Functions(context.Background(), map[string]string{"f": `x => x + 1`}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if _, err := s.Call(context.Background(), "f", []string{"1"}); err != nil {
			b.Fatal(err)
		}
	}
}
