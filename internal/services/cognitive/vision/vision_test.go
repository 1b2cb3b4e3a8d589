package vision

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/infer/ocr"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// engine reads the same of each page: what a test is about is how it is asked for and told.
type engine struct {
	mu   sync.Mutex
	hold chan struct{} // if set, Read waits for it
	err  error
	read int
}

func (e *engine) Check(_ context.Context, language string) error {
	switch language {
	case "", "en":
		return nil
	case "gone":
		return ocr.ErrMissing
	}
	return ocr.ErrLanguage
}

func (e *engine) Read(ctx context.Context, page *image.Gray, _ string) (ocr.Page, error) {
	e.mu.Lock()
	hold, err := e.hold, e.err
	e.read++
	e.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ocr.Page{}, ctx.Err()
		}
	}
	b := ocr.Quad{10, 20.4, 60, 20, 60, 40, 10, 40}
	words := []ocr.Word{{Box: b, Text: "Hello", Confidence: 0.9567}, {Box: b, Text: "wor1d", Confidence: 0.31}}
	return ocr.Page{Width: page.Rect.Dx(), Height: page.Rect.Dy(), Angle: -90, Lines: []ocr.Line{{Box: b, Text: "Hello wor1d", Words: words}}}, err
}

type stand struct {
	t      *testing.T
	mux    *wire.Mux
	s      *Service
	engine *engine
	clk    *clock.Fake
	units  int64
}

func newStand(t *testing.T, st store.Store, clk *clock.Fake, fetch func(context.Context, string, int64) ([]byte, error)) *stand {
	t.Helper()
	x := &stand{t: t, engine: &engine{}, clk: clk}
	x.s = New(Options{Store: func() (store.Store, error) { return st, nil }, Engine: x.engine, Clock: clk, Fetch: fetch})
	t.Cleanup(x.s.Close)
	var routes []wire.Route
	a := x.s.API()
	for _, r := range a.Routes {
		routes = append(routes, wire.Route{
			Host: wire.HostCognitive, Method: r.Method, Pattern: r.Pattern, Operation: r.Operation, BodyLimit: r.BodyLimit, Auth: wire.Anonymous,
			Handler: func(ctx context.Context, req *wire.Request) (any, error) {
				c := api.Call{Request: req, Account: "acc"}
				v, err := r.Handler(ctx, &c)
				x.units += c.Units()
				return v, err
			},
		})
	}
	var err error
	if x.mux, err = wire.NewMux([]wire.Service{{Name: "vision", Routes: routes}}, wire.Options{Clock: clk}); err != nil {
		t.Fatal(err)
	}
	return x
}

func newStore(t *testing.T) store.Store {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func fresh(t *testing.T) *stand {
	t.Helper()
	return newStand(t, newStore(t), clock.NewFake(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)), nil)
}

func (x *stand) ask(method, path, contentType string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://eye.cognitiveservices.azure.com"+path, bytes.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	x.mux.ServeHTTP(w, r)
	return w
}

// operation is the path that an accepted request tells.
func (x *stand) operation(w *httptest.ResponseRecorder) string {
	x.t.Helper()
	at, ok := strings.CutPrefix(w.Header().Get("Operation-Location"), "https://eye.cognitiveservices.azure.com")
	if w.Code != 202 || !ok || w.Body.Len() != 0 {
		x.t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
	}
	return at
}

// until asks until the status is another than running.
func (x *stand) until(path string) map[string]any {
	x.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		w := x.ask("GET", path, "", nil)
		var out map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
			x.t.Fatalf("%d %s", w.Code, w.Body)
		}
		if s, _ := out["status"].(string); !strings.EqualFold(s, "running") {
			return out
		}
	}
	x.t.Fatal("it runs on")
	return nil
}

func picture(w, h int) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)))
	return b.Bytes()
}

const octets = "application/octet-stream"

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestForms: what each form answers, word for word, at once and after it was begun.
func TestForms(t *testing.T) {
	t.Parallel()
	const (
		box2 = `[10,20,60,20,60,40,10,40]`
		line = `{"boundingBox":` + box2 + `,"text":"Hello wor1d","words":[{"boundingBox":` + box2 + `,"text":"Hello"},{"boundingBox":` + box2 + `,"confidence":"Low","text":"wor1d"}]}`
	)
	for _, c := range []struct{ begin, direct, result, want string }{
		{"/vision/v2.0/recognizeText?mode=Printed", "/vision/v2.0/recognizeTextDirect?mode=printed", "/vision/v2.0/textOperations/", `{"recognitionResult":{"lines":[` + line + `]},"status":"Succeeded"}`},
		{"/vision/v2.0/read/core/asyncBatchAnalyze", "/vision/v2.0/read/core/Analyze", "/vision/v2.0/read/operations/", `{"recognitionResults":[{"clockwiseOrientation":270,"height":80,"lines":[` + line + `],"page":1,"unit":"pixel","width":100}],"status":"Succeeded"}`},
		{"/vision/v2.1/read/core/asyncBatchAnalyze?mode=Printed", "/vision/v2.1/read/core/Analyze", "/vision/v2.1/read/operations/", `{"recognitionResults":[{"clockwiseOrientation":270,"height":80,"lines":[` + line + `],"page":1,"unit":"pixel","width":100}],"status":"Succeeded"}`},
		{
			"/vision/v3.2/read/analyze?language=en&pages=1&readingOrder=natural&model-version=latest", "/vision/v3.2/read/syncAnalyze", "/vision/v3.2/read/analyzeResults/",
			`{"analyzeResult":{"modelVersion":"2026-11-01","readResults":[{"angle":-90,"height":80,"lines":[{"boundingBox":` + box2 + `,"text":"Hello wor1d","words":[{"boundingBox":` + box2 +
				`,"confidence":0.957,"text":"Hello"},{"boundingBox":` + box2 + `,"confidence":0.31,"text":"wor1d"}]}],"page":1,"unit":"pixel","width":100}],"version":"3.2.0"},"createdDateTime":"2026-11-01T12:00:00Z","lastUpdatedDateTime":"2026-11-01T12:00:00Z","status":"succeeded"}`,
		},
	} {
		x := fresh(t)
		at := x.operation(x.ask("POST", c.begin, octets, picture(100, 80)))
		if !strings.HasPrefix(at, c.result) {
			t.Errorf("%s: the result is at %s", c.begin, at)
		}
		if got := text(t, x.until(at)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.begin, got, c.want)
		}
		w := x.ask("POST", c.direct, "image/png", picture(100, 80))
		var direct any
		if err := json.Unmarshal(w.Body.Bytes(), &direct); err != nil || w.Code != 200 || text(t, direct) != c.want {
			t.Errorf("%s: %d %s", c.direct, w.Code, w.Body)
		}
		if x.units != 2 {
			t.Errorf("%s: %d transactions, want 2", c.begin, x.units)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	x := fresh(t)
	ok := picture(100, 80)
	for _, c := range []struct {
		path, contentType string
		body              []byte
		status            int
		want              string
	}{
		{"/vision/v2.0/recognizeText?mode=Handwritten", octets, ok, 501, "Handwriting"},
		{"/vision/v2.0/recognizeText", octets, ok, 400, `"code":"BadArgument"`},
		{"/vision/v2.0/recognizeText?mode=x", octets, ok, 400, `"code":"BadArgument"`},
		{"/vision/v2.0/recognizeText?mode=Printed", octets, nil, 400, `"code":"InvalidImageSize"`},
		{"/vision/v2.0/recognizeText?mode=Printed", octets, []byte("no picture"), 400, `"code":"InvalidImageFormat"`},
		{"/vision/v2.0/recognizeText?mode=Printed", octets, picture(49, 80), 400, `"code":"InvalidImageSize"`},
		{"/vision/v2.0/recognizeText?mode=Printed", octets, picture(4201, 50), 400, `"code":"InvalidImageSize"`},
		{"/vision/v2.0/recognizeText?mode=Printed", octets, make([]byte, bodyLimitText+1), 413, ""},
		{"/vision/v2.0/recognizeText?mode=Printed", "text/plain", ok, 415, "UnsupportedMediaType"},
		{"/vision/v2.0/recognizeText?mode=Printed", "multipart/form-data; boundary=x", ok, 415, `"code":"UnsupportedMediaType"`},
		{"/vision/v3.2/read/analyze", "multipart/form-data; boundary=x", ok, 415, "octet-stream"},
		{"/vision/v2.0/recognizeText?mode=Printed", "application/json", []byte(`{"url":"http://x/"}`), 501, "address"},
		{"/vision/v2.0/recognizeText?mode=Printed", "application/json", []byte(`{"url":5}`), 400, `"code":"InvalidImageUrl"`},
		{"/vision/v3.2/read/analyze?language=tlh", octets, ok, 400, `"innererror":{"code":"NotSupportedLanguage"`},
		{"/vision/v3.2/read/analyze?language=gone", octets, ok, 501, "not installed"},
		{"/vision/v3.2/read/analyze?pages=2", octets, ok, 400, `"innererror":{"code":"InvalidPageRange"`},
		{"/vision/v3.2/read/analyze?pages=1-x", octets, ok, 400, `"innererror":{"code":"InvalidPageRange"`},
		{"/vision/v3.2/read/analyze?readingOrder=down", octets, ok, 400, `"innererror":{"code":"InvalidReadingOrder"`},
		{"/vision/v3.2/read/analyze?model-version=2020-01-01", octets, ok, 400, `"innererror":{"code":"InvalidModel"`},
		{"/vision/v3.2/read/analyze", octets, picture(10001, 50), 400, `"innererror":{"code":"InvalidImageDimension"`},
		{"/vision/v3.2/read/syncAnalyze", octets, []byte("GIF89a"), 400, `"innererror":{"code":"InvalidImageFormat"`},
	} {
		w := x.ask("POST", c.path, c.contentType, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.path, c.contentType, w.Code, w.Body, c.status, c.want)
		}
	}
	for path, status := range map[string]int{"/vision/v3.2/read/analyzeResults/x": 400, "/vision/v3.2/read/analyzeResults/00000000-0000-0000-0000-000000000001": 404, "/vision/v2.0/textOperations/00000000-0000-0000-0000-000000000001": 404} {
		if w := x.ask("GET", path, "", nil); w.Code != status {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, status)
		}
	}
	if x.engine.read != 0 || x.units != 0 {
		t.Errorf("%d pages were read, %d transactions counted", x.engine.read, x.units)
	}
}

func TestFetched(t *testing.T) {
	t.Parallel()
	var asked string
	x := newStand(t, newStore(t), clock.NewFake(time.Now()), func(_ context.Context, url string, most int64) ([]byte, error) {
		asked = url
		if strings.HasSuffix(url, "none") {
			return nil, errors.New("the address answered 404")
		}
		if most != bodyLimit {
			t.Errorf("at most %d bytes", most)
		}
		return picture(60, 60), nil
	})
	if w := x.ask("POST", "/vision/v3.2/read/syncAnalyze", "application/json; charset=utf-8", []byte(`{"url":"https://example.com/a.png"}`)); w.Code != 200 || asked != "https://example.com/a.png" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := x.ask("POST", "/vision/v3.2/read/analyze", "application/json", []byte(`{"url":"https://example.com/none"}`)); w.Code != 400 || !strings.Contains(w.Body.String(), "answered 404") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestOperations: one that is read is running, one that failed says why, one that a stop cut off has failed after a restart, and all go after 48 hours.
func TestOperations(t *testing.T) {
	t.Parallel()
	st, clk := newStore(t), clock.NewFake(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	x := newStand(t, st, clk, nil)
	begin := func() string {
		return x.operation(x.ask("POST", "/vision/v3.2/read/analyze", octets, picture(60, 60)))
	}
	x.engine.err = ocr.ErrFormat
	failing := begin()
	if got := text(t, x.until(failing)); !strings.Contains(got, `"status":"failed"`) || !strings.Contains(got, "not a valid image") || strings.Contains(got, "analyzeResult") {
		t.Errorf("failed: %s", got)
	}
	x.engine.mu.Lock()
	x.engine.err, x.engine.hold = nil, make(chan struct{})
	x.engine.mu.Unlock()
	cut := begin()
	if w := x.ask("GET", cut, "", nil); !strings.Contains(w.Body.String(), `"status":"running"`) {
		t.Errorf("while it is read: %s", w.Body)
	}
	if w := x.ask("GET", strings.Replace(cut, "analyzeResults", "operations", 1), "", nil); w.Code != 200 {
		t.Errorf("the containers' path: %d %s", w.Code, w.Body)
	}
	if w := x.ask("GET", "/vision/v2.0/textOperations/"+cut[strings.LastIndex(cut, "/")+1:], "", nil); w.Code != 404 {
		t.Errorf("by another form: %d %s", w.Code, w.Body)
	}
	x.s.Close()
	if w := x.ask("POST", "/vision/v3.2/read/analyze", octets, picture(60, 60)); w.Code != 503 {
		t.Errorf("closed: %d %s", w.Code, w.Body)
	}
	x = newStand(t, st, clk, nil)
	if got := text(t, x.until(cut)); !strings.Contains(got, `"status":"failed"`) || !strings.Contains(got, "send it again") {
		t.Errorf("after a restart: %s", got)
	}
	done := begin()
	x.until(done)
	clk.Advance(48*time.Hour + time.Second)
	if w := x.ask("GET", done, "", nil); w.Code != 404 {
		t.Errorf("after 48 hours: %d %s", w.Code, w.Body)
	}
	x.until(begin())
	var left int
	if err := st.View(t.Context(), shard("acc"), func(s store.Snapshot) error {
		return s.Scan(store.Range{}, func(k, _ []byte) bool { left++; return true })
	}); err != nil || left != 2 {
		t.Errorf("%d rows are left, want the last operation's 2; %v", left, err)
	}
}

// TestPending: documents that wait are bounded by their bytes.
func TestPending(t *testing.T) {
	t.Parallel()
	x := fresh(t)
	x.engine.hold = make(chan struct{})
	release, err := x.s.reserve(pendingMost - 10)
	if err != nil {
		t.Fatal(err)
	}
	if w := x.ask("POST", "/vision/v3.2/read/analyze", octets, picture(60, 60)); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	release()
	close(x.engine.hold)
	if w := x.ask("POST", "/vision/v3.2/read/syncAnalyze", octets, picture(60, 60)); w.Code != 200 || x.s.pending != 0 {
		t.Errorf("%d %s; %d bytes pending", w.Code, w.Body, x.s.pending)
	}
}

// TestRoom: a page waits while those that are read take the memory there is for pages, and gives up with its caller.
func TestRoom(t *testing.T) {
	t.Parallel()
	x := fresh(t)
	if !x.s.room.TryAcquire(roomMost - 1) {
		t.Fatal("the room is taken")
	}
	at := x.operation(x.ask("POST", "/vision/v3.2/read/analyze", octets, picture(60, 60)))
	if w := x.ask("GET", at, "", nil); !strings.Contains(w.Body.String(), `"status":"running"`) || x.engine.read != 0 {
		t.Errorf("without room: %s", w.Body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, err := ocr.Open(t.Context(), picture(60, 60), recognize.bounds)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.s.read(ctx, &job{form: recognize, document: d, pages: []int{0}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
	x.s.room.Release(roomMost - 1)
	if got := text(t, x.until(at)); !strings.Contains(got, `"status":"succeeded"`) {
		t.Errorf("with room: %s", got)
	}
	if !x.s.room.TryAcquire(roomMost) {
		t.Error("the room isn't given back")
	}
}

func TestPageRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "[0 1 2]", "1": "[0]", "3,1": "[0 2]", "2-9": "[1 2]", " 1 , 2 ": "[0 1]", "1-2,2-3": "[0 1 2]", "4": "", "0": "", "3-1": "", "-1": "", "1-": "", "x": "", ",": "", "1-99999999999999999999": ""} {
		got, err := pageRange(text, 3)
		if s := fmt.Sprint(got); (err != nil) != (want == "") || err == nil && s != want {
			t.Errorf("%q: got %s, %v, want %s", text, s, err, want)
		}
	}
}

func FuzzPageRange(f *testing.F) {
	f.Add("1,3-5", 7)
	f.Fuzz(func(t *testing.T, text string, pages int) {
		if pages < 1 || pages > 2000 {
			return
		}
		got, err := pageRange(text, pages)
		if (err == nil) != (len(got) > 0) {
			t.Errorf("%v, %v", got, err)
		}
		for _, n := range got {
			if n < 0 || n >= pages {
				t.Errorf("page %d of %d", n, pages)
			}
		}
	})
}
