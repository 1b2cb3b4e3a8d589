package reach

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// echoHandler tells what it saw, and by which way it came. Paths that begin with /brief are brief.
type echoHandler struct {
	brief bool

	mu   sync.Mutex
	seen []string
	lane atomic.Int64
	hold chan struct{} // what /brief/hold waits for
	held chan struct{}
}

func (e *echoHandler) Brief(r *http.Request) bool {
	return e.brief && strings.HasPrefix(r.URL.Path, "/brief")
}

func (e *echoHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	e.seen = append(e.seen, fmt.Sprintf("%s %s %s %q %v", r.Method, r.Host, r.RequestURI, body, err))
	e.mu.Unlock()
	if _, ok := w.(*laneWriter); ok {
		e.lane.Add(1)
	}
	switch r.URL.Path {
	case "/brief/hold", "/hold":
		e.held <- struct{}{}
		<-e.hold
	case "/brief/none":
		w.WriteHeader(http.StatusNoContent)
		return
	case "/brief/same":
		w.Header().Set("Etag", `"1"`)
		w.WriteHeader(http.StatusNotModified)
		_, err := w.Write([]byte("x"))
		if !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(err)
		}
		return
	case "/brief/large":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(bytes.Repeat([]byte("0123456789abcdef"), 20_000))
		return
	case "/brief/abort":
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Odd", "a\r\nb")
	w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
	fmt.Fprintf(w, "%s %s %s %q tls:%t from:%t ua:%q", r.Method, r.Host, r.RequestURI, body, r.TLS != nil, strings.HasPrefix(r.RemoteAddr, "127.0.0.1:"), r.Header["User-Agent"])
}

// door serves a handler without certificates: what comes is what TLS would have carried.
func door(t testing.TB, h *echoHandler) (addr string, f *FrontDoor) {
	t.Helper()
	f = NewFrontDoor(h, &tls.Config{}, slog.New(slog.DiscardHandler)) //nolint:gosec // it never shakes hands
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.server.Serve(laneListener{l, f}) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = f.Shutdown(ctx)
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String(), f
}

type laneListener struct {
	net.Listener
	f *FrontDoor
}

func (l laneListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.f.newLaneConn(c, c, tls.ConnectionState{Version: tls.VersionTLS13}), nil
}

// talk sends all of a conversation, ends it, and returns the answers as "status body" with the headers that matter.
func talk(t testing.TB, addr string, pieces ...string) []string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		for i, p := range pieces {
			if i > 0 {
				time.Sleep(time.Millisecond) // so that they mostly arrive apart
			}
			_, _ = io.WriteString(c, p)
		}
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	var out []string
	for r := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) { // no end of a conversation
				out = append(out, err.Error())
			}
			return out
		}
		body, err := io.ReadAll(res.Body)
		text := fmt.Sprint(res.StatusCode, " ", string(body))
		if err != nil && !errors.Is(err, syscall.ECONNRESET) { // as when the server closes without having read all
			return append(out, text+" "+err.Error())
		}
		for _, name := range []string{"X-Odd", "Set-Cookie", "Content-Type", "Etag"} {
			if v := res.Header.Values(name); v != nil {
				text += fmt.Sprintf(" %s=%q", name, v)
			}
		}
		if res.Header.Get("Date") == "" && res.StatusCode < 400 {
			text += " no date"
		}
		out = append(out, text)
	}
}

const getBrief = "GET /brief HTTP/1.1\r\nHost: a\r\n\r\n"

// conversations are what a client may send, with how many of the requests the lane is to answer.
var conversations = []struct {
	name, text string
	lane       int64
}{
	{"one", getBrief, 1},
	{"three at once", getBrief + getBrief + getBrief, 3},
	{"a body", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + getBrief, 2},
	{"line ends after a body", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\r\n" + getBrief, 2},
	{"no body", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 1},
	{"keep-alive", "GET /brief HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" + getBrief, 2},
	{"no content", "GET /brief/none HTTP/1.1\r\nHost: a\r\n\r\n" + getBrief, 2},
	{"not modified", "GET /brief/same HTTP/1.1\r\nHost: a\r\n\r\n" + getBrief, 2},
	{"large", "GET /brief/large HTTP/1.1\r\nHost: a\r\n\r\n" + getBrief, 2},
	{"another route", "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", 0},
	{"another route with a body", "PUT /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 0},
	{"close", "GET /brief HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + getBrief, 0},
	{"HTTP/1.0", "GET /brief HTTP/1.0\r\nHost: a\r\n\r\n", 0},
	{"HEAD", "HEAD /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 0},
	{"no host", "GET /brief HTTP/1.1\r\n\r\n", 0},
	{"two hosts", "GET /brief HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 0},
	{"a bad host", "GET /brief HTTP/1.1\r\nHost: a b\r\n\r\n", 0},
	{"a whole URL", "GET http://b/brief HTTP/1.1\r\nHost: a\r\n\r\n", 0},
	{"chunks", "POST /brief HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0},
	{"chunks and a length", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0},
	{"two lengths", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + getBrief, 0},
	{"a length twice", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 1},
	{"a signed length", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 0},
	{"bare line feeds", "GET /brief HTTP/1.1\nHost: a\n\n" + getBrief, 0},
	{"a folded header", "GET /brief HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", -1},
	{"a space before the colon", "GET /brief HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", 0},
	{"a control character", "GET /brief HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n", 0},
	{"not HTTP", "hello\r\n\r\n", 0},
	{"a cut head", "GET /brief HTTP/1.1\r\nHos", 0},
	{"a cut body", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello", 0},
	{"continue", "POST /slow HTTP/1.1\r\nHost: a\r\nExpect: something\r\nContent-Length: 5\r\n\r\nhello", 0},
	{"a long head", "GET /brief HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", laneMost) + "\r\n\r\n" + getBrief, 0},
	{"too long a head", "GET /brief HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", maxHeader+8<<10) + "\r\n\r\n", 0},
	{"a long body", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), 0},
	{"a body that fills the room", "POST /brief HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000) + getBrief, 2},
}

// TestLane_SameAnswers holds every conversation with the lane and without it, in one piece and in pieces.
func TestLane_SameAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			with, without := &echoHandler{brief: true}, &echoHandler{}
			fast, _ := door(t, with)
			slow, _ := door(t, without)
			want := talk(t, slow, c.text)
			if diff := cmp.Diff(want, talk(t, fast, c.text)); diff != "" {
				t.Errorf("answers, without the lane and with it (-want +got):\n%s", diff)
			}
			if got := with.lane.Load(); c.lane >= 0 && got != c.lane {
				t.Errorf("the lane answered %d requests, want %d", got, c.lane)
			}
			if without.lane.Load() != 0 {
				t.Error("the lane answered what no route calls brief")
			}
			if diff := cmp.Diff(without.seen, with.seen); diff != "" {
				t.Errorf("requests that the handler saw (-want +got):\n%s", diff)
			}
			for _, at := range []int{1, 3, len(c.text) / 2, len(c.text) - 1} {
				if diff := cmp.Diff(want, talk(t, fast, c.text[:at], c.text[at:])); diff != "" {
					t.Errorf("cut at %d (-want +got):\n%s", at, diff)
				}
			}
		})
	}
}

// TestLane_Turns goes between the lane and net/http on one connection, each request after the last one's answer.
func TestLane_Turns(t *testing.T) {
	t.Parallel()
	h := &echoHandler{brief: true}
	addr, _ := door(t, h)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	ask := func(method, path, body string) string {
		t.Helper()
		fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		b, _ := io.ReadAll(res.Body)
		text, _, _ := strings.Cut(string(b), " tls:true from:true")
		return text
	}
	for i, step := range []struct {
		path string
		lane int64
	}{{"/brief/1", 1}, {"/slow/1", 1}, {"/brief/2", 2}, {"/brief/3", 3}, {"/slow/2", 3}, {"/slow/3", 3}, {"/brief/4", 4}} {
		body := strings.Repeat("b", i)
		if got, want := ask("POST", step.path, body), fmt.Sprintf("POST a %s %q", step.path, body); got != want {
			t.Errorf("step %d: %q, want %q", i, got, want)
		}
		if got := h.lane.Load(); got != step.lane {
			t.Errorf("step %d: the lane has answered %d, want %d", i, got, step.lane)
		}
	}
}

// TestLane_Abort: a handler that gives up ends the connection without an answer.
func TestLane_Abort(t *testing.T) {
	t.Parallel()
	h := &echoHandler{brief: true}
	addr, _ := door(t, h)
	if got := talk(t, addr, "GET /brief/abort HTTP/1.1\r\nHost: a\r\n\r\n"+getBrief); got != nil {
		t.Errorf("answers: %q, want none", got)
	}
	if got := talk(t, addr, getBrief); len(got) != 1 {
		t.Errorf("answers on another connection: %q, want one", got)
	}
}

// TestLane_Shutdown: an answer under way is sent, its connection and one without a request are closed.
func TestLane_Shutdown(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/brief/hold", "/hold"} {
		h := &echoHandler{brief: true, hold: make(chan struct{}), held: make(chan struct{})}
		addr, f := door(t, h)
		idle, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		fmt.Fprint(idle, getBrief)
		if _, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil {
			t.Fatal(err)
		}
		answers := make(chan []string, 1)
		go func() { answers <- talk(t, addr, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"+getBrief) }()
		<-h.held
		down := make(chan error, 1)
		go func() { down <- f.Shutdown(context.Background()) }()
		if _, err := io.Copy(io.Discard, idle); err != nil { // until it is closed
			t.Errorf("the connection without a request: %v", err)
		}
		select {
		case err := <-down:
			t.Errorf("%s: Shutdown ends before the answer: %v", path, err)
		default:
		}
		close(h.hold)
		if got := <-answers; len(got) != 1 || !strings.HasPrefix(got[0], "200 GET a "+path) {
			t.Errorf("%s: answers: %q, want one", path, got)
		}
		if err := <-down; err != nil {
			t.Errorf("%s: Shutdown: %v", path, err)
		}
		if left := f.lane.all(); len(left) > 0 && path == "/brief/hold" {
			for end := time.Now().Add(30 * time.Second); len(f.lane.all()) > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d connections are left", len(f.lane.all()))
				}
			}
		}
	}
}

// TestLane_CutOff: Shutdown waits no longer than it may.
func TestLane_CutOff(t *testing.T) {
	t.Parallel()
	h := &echoHandler{brief: true, hold: make(chan struct{}), held: make(chan struct{})}
	addr, f := door(t, h)
	answers := make(chan []string, 1)
	go func() { answers <- talk(t, addr, "GET /brief/hold HTTP/1.1\r\nHost: a\r\n\r\n") }()
	<-h.held
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = f.Shutdown(ctx)
	if got := <-answers; len(got) > 0 {
		t.Errorf("answers: %q, want none", got)
	}
	close(h.hold)
}

// TestFrontDoor_Protocols reaches a door over TLS by HTTP/1.1 and HTTP/2, and by plain HTTP, which it refuses in words.
func TestFrontDoor_Protocols(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	h := &echoHandler{brief: true}
	f := NewFrontDoor(h, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Serve(l) }()
	for _, major := range []int{1, 2} {
		var protos http.Protocols
		protos.SetHTTP1(major == 1)
		protos.SetHTTP2(major == 2)
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, Protocols: &protos}
		client := &http.Client{Transport: tr, Timeout: 30 * time.Second}
		for range 2 {
			res, err := client.Get("https://" + l.Addr().String() + "/brief")
			if err != nil {
				t.Fatalf("%v: %v", &protos, err)
			}
			b, _ := io.ReadAll(res.Body)
			if !strings.Contains(string(b), "tls:true from:true") || res.ProtoMajor != major {
				t.Errorf("%v: %s by HTTP/%d", &protos, b, res.ProtoMajor)
			}
		}
		tr.CloseIdleConnections()
	}
	if got := h.lane.Load(); got != 2 {
		t.Errorf("the lane answered %d requests, want the 2 of HTTP/1.1", got)
	}
	if got := talk(t, l.Addr().String(), getBrief); len(got) != 1 || !strings.HasPrefix(got[0], "400 Client sent an HTTP request to an HTTPS server.") {
		t.Errorf("plain HTTP: %q", got)
	}
	silent, err := net.Dial("tcp", l.Addr().String()) // never shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := f.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// certificate is one for 127.0.0.1, and who vouches for it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s.TLS.Certificates[0], pool
}

// TestLane_Process: requests by way of the proxy are those of the process behind it.
func TestLane_Process(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	f := NewFrontDoor(&echoHandler{}, &tls.Config{}, slog.New(slog.DiscardHandler)) //nolint:gosec // it never shakes hands
	raw := &tunnelConn{Conn: near, identity: "site-1"}
	if got := wire.ProcessFrom(f.newLaneConn(tls.Server(raw, f.conf), raw, tls.ConnectionState{}).ctx); got != "site-1" {
		t.Errorf("process %q, want site-1", got)
	}
}

// served leaves out net/http's word on what is no request: whether it says it to less than four bytes depends on what came before.
func served(answers []string) []string {
	if n := len(answers); n > 0 && strings.HasPrefix(answers[n-1], "400 ") {
		return answers[:n-1]
	}
	return answers
}

// FuzzLane: whatever comes, the handler sees the same requests with the lane as without it.
func FuzzLane(f *testing.F) {
	for _, c := range conversations {
		if len(c.text) < 4096 {
			f.Add(c.text, len(c.text)/2)
		}
	}
	with, without := &echoHandler{brief: true}, &echoHandler{}
	fast, _ := door(f, with)
	slow, _ := door(f, without)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		if len(text) > 64<<10 || strings.Contains(text, "/hold") || strings.Contains(text, "HEAD") {
			t.Skip() // an answer to HEAD can't be told apart without its request
		}
		pieces := []string{text}
		if cut > 0 && cut < len(text) {
			pieces = []string{text[:cut], text[cut:]}
		}
		with.seen, without.seen = nil, nil
		want, got := served(talk(t, slow, pieces...)), served(talk(t, fast, pieces...))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("answers (-without +with):\n%s", diff)
		}
		with.mu.Lock()
		without.mu.Lock()
		defer with.mu.Unlock()
		defer without.mu.Unlock()
		if diff := cmp.Diff(without.seen, with.seen); diff != "" {
			t.Errorf("requests (-without +with):\n%s", diff)
		}
	})
}
