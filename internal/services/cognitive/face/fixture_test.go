package face

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/fetch"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// stripes is an engine for pictures of coloured stripes, each 100 pixels wide: a stripe that isn't black is a face, its colour the person.
type stripes struct{}

func (stripes) Detect(img *face.Image) ([]face.Face, error) {
	var out []face.Face
	for x := 0; x+100 <= img.W; x += 100 {
		if p := img.Pix[3*(50*img.W+x+50):]; p[0]|p[1]|p[2] != 0 {
			out = append(out, face.Face{
				Rectangle: face.Rectangle{Left: x, Top: 0, Width: 100, Height: 100}, Score: 1, Pose: face.Pose{Pitch: -0.0001, Roll: 1.23456, Yaw: -20},
				Quality: face.Quality{Blur: 0.1, Exposure: 0.8, Noise: 0.5}, Landmarks: face.Landmarks{NoseTip: face.Point{X: float64(x) + 50.25, Y: 50}},
			})
		}
	}
	return out, nil
}

func (stripes) Describe(*face.Face) (face.Person, error) {
	return face.Person{Age: 31.5, Male: 0.9}, nil
}

func (stripes) Emotion(*face.Face) (face.Emotion, error) {
	return face.Emotion{Happiness: 0.75, Neutral: 0.25}, nil
}

func (stripes) Embed(img *face.Image, f *face.Face) (face.Embedding, error) {
	e := make(face.Embedding, face.EmbeddingSize)
	p := img.Pix[3*((f.Rectangle.Top+50)*img.W+f.Rectangle.Left+50):]
	for i := range 3 {
		e[i] = float32(p[i]) / 255
	}
	return e, nil
}

// picture is one of stripes: "ff0000-00ff00" are two, "none" is one black one.
func picture(t testing.TB, colours string) []byte {
	t.Helper()
	parts := strings.Split(colours, "-")
	img := image.NewRGBA(image.Rect(0, 0, 100*len(parts), 100))
	for i, p := range parts {
		v, _ := strconv.ParseUint(p, 16, 32) // none is black
		for at := range 100 * 100 {
			img.Set(100*i+at%100, at/100, color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ticking is a clock that a test sets.
type ticking struct {
	mu  sync.Mutex
	now time.Time
}

func (c *ticking) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *ticking) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type fixture struct {
	service *Service
	clock   *ticking
	mux     http.Handler
	routes  []wire.Route
	charged int64
	mu      sync.Mutex
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	sealer, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{clock: &ticking{now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}}
	f.service = New(Deps{Store: st, Sealer: sealer, Clock: f.clock, Fetch: &fetch.Fetcher{Private: true}, Models: func() (Engine, error) { return stripes{}, nil }})
	a := f.service.API()
	for _, r := range a.Routes {
		f.routes = append(f.routes, wire.Route{
			Host: wire.HostCognitive, Method: r.Method, Pattern: r.Pattern, Operation: r.Operation, BodyLimit: r.BodyLimit, Auth: wire.Anonymous, Quiet: true,
			Handler: func(ctx context.Context, req *wire.Request) (any, error) {
				c := api.Call{Request: req, Account: req.HTTP.Header.Get("Account")}
				v, err := r.Handler(ctx, &c)
				f.mu.Lock()
				f.charged += c.Units()
				f.mu.Unlock()
				return v, err
			},
		})
	}
	mux, err := wire.NewMux([]wire.Service{{Name: "face", Routes: f.routes}}, wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.mux = mux.For(wire.HostCognitive)
	return f
}

// pictures serves pictures of stripes by their colours.
func pictures(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(picture(t, strings.Trim(r.URL.Path, "/")))
	}))
	t.Cleanup(s.Close)
	return s.URL
}
