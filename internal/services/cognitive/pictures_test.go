package cognitive

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	inferface "github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/infer/ocr"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/face"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/fetch"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/vision"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// oneFace is an engine that sees the same face in every picture, and one that reads the same word on every page.
type (
	oneFace struct{}
	oneWord struct{}
)

func (oneFace) Detect(img *inferface.Image) ([]inferface.Face, error) {
	return []inferface.Face{{Rectangle: inferface.Rectangle{Left: 1, Top: 2, Width: 30, Height: img.H - 4}}}, nil
}

func (oneFace) Describe(*inferface.Face) (inferface.Person, error) { return inferface.Person{}, nil }

func (oneFace) Emotion(*inferface.Face) (inferface.Emotion, error) { return inferface.Emotion{}, nil }

func (oneFace) Embed(*inferface.Image, *inferface.Face) (inferface.Embedding, error) {
	return make(inferface.Embedding, inferface.EmbeddingSize), nil
}

func (oneWord) Check(context.Context, string) error { return nil }

func (oneWord) Read(_ context.Context, page *image.Gray, _ string) (ocr.Page, error) {
	word := ocr.Word{Text: "quay", Confidence: 0.9}
	return ocr.Page{Width: page.Rect.Dx(), Height: page.Rect.Dy(), Lines: []ocr.Line{{Text: "quay", Words: []ocr.Word{word}}}}, nil
}

// withPictures is a platform whose accounts serve the real APIs of faces and text; models opens the faces' engine.
func withPictures(t *testing.T, models func() (face.Engine, error)) *platform {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.New(bytes.Repeat([]byte{9}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	faces := face.New(face.Deps{Store: st, Sealer: sealer, Clock: clock.System{}, Fetch: &fetch.Fetcher{}, Models: models})
	reader := vision.New(vision.Options{Store: func() (store.Store, error) { return st, nil }, Engine: oneWord{}})
	t.Cleanup(reader.Close)
	return openPlatform(t, t.TempDir(), "", faces.API(), reader.API())
}

func aPicture(t *testing.T, side int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// post sends bytes to a data plane.
func (p *platform) post(f from) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "https://"+f.host+f.path, strings.NewReader(f.body))
	r.Header.Set("Content-Type", "application/octet-stream")
	if f.key != "" {
		r.Header.Set("Ocp-Apim-Subscription-Key", f.key)
	}
	if f.token != "" {
		r.Header.Set("Authorization", "Bearer "+f.token)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

const (
	detect     = "/face/v1.0/detect"
	recognize  = "/vision/v2.0/recognizeTextDirect?mode=Printed"
	syncRead   = "/vision/v3.2/read/syncAnalyze"
	keyRefused = "Access denied due to invalid subscription key or wrong API endpoint."
)

// TestPictures_Accounts: whose key is good for faces and whose for text, at the account's name and at its region; and how large a body may be.
func TestPictures_Accounts(t *testing.T) {
	t.Parallel()
	p := withPictures(t, func() (face.Engine, error) { return oneFace{}, nil })
	faces := p.account("faces", "Face", "S0", `"customSubDomainName":"my-faces"`)
	eyes := p.account("eyes", "ComputerVision", "S1", `"customSubDomainName":"my-eyes"`)
	texts := p.account("texts", "TextAnalytics", "S", "")
	all := p.account("all", "CognitiveServices", "S0", "")
	const atFaces, atEyes = "my-faces.cognitiveservices.azure.com", "my-eyes.cognitiveservices.azure.com"
	picture := aPicture(t, 60)
	for _, c := range []struct {
		what   string
		f      from
		status int
		piece  string
	}{
		{"faces by name", from{host: atFaces, path: detect, key: faces}, 200, `"faceRectangle":{"top":2,"left":1,"width":30,"height":56}`},
		{"faces by region", from{host: regionHost, path: detect, key: faces}, 200, `"faceId"`},
		{"faces by a key of all kinds", from{host: regionHost, path: detect, key: all}, 200, `"faceId"`},
		{"faces without a key", from{host: atFaces, path: detect}, 401, "missing subscription key"},
		{"faces by a guessed key", from{host: atFaces, path: detect, key: strings.Repeat("A", randomLength) + faces[randomLength:]}, 401, keyRefused},
		{"faces by a key for text", from{host: regionHost, path: detect, key: texts}, 401, keyRefused},
		{"faces by a key for pictures", from{host: regionHost, path: detect, key: eyes}, 401, keyRefused},
		{"text by name", from{host: atEyes, path: recognize, key: eyes}, 200, `"text":"quay"`},
		{"text by region", from{host: regionHost, path: syncRead, key: eyes}, 200, `"text":"quay"`},
		{"text by a key of all kinds", from{host: regionHost, path: recognize, key: all}, 200, `"text":"quay"`},
		{"text without a key", from{host: atEyes, path: recognize}, 401, "missing subscription key"},
		{"text by a key for faces", from{host: regionHost, path: recognize, key: faces}, 401, keyRefused},
		{"text by a key for faces, by name", from{host: atEyes, path: syncRead, key: faces}, 401, keyRefused},
		{"a face in more than 6 MB", from{host: atFaces, path: detect, key: faces, body: strings.Repeat("x", 6<<20+1)}, 413, ""},
		{"text in more than 4 MB", from{host: atEyes, path: recognize, key: eyes, body: strings.Repeat("x", 4<<20+1)}, 413, ""},
		{"no picture for faces", from{host: atFaces, path: detect, key: faces, body: "x"}, 400, `"code":"InvalidImage"`},
		{"no picture for text", from{host: atEyes, path: recognize, key: eyes, body: "x"}, 400, `"code":"InvalidImageFormat"`},
	} {
		if c.f.body == "" {
			c.f.body = picture
		}
		expect(t, c.what, p.post(c.f), c.status, c.piece)
	}
	// A stranger's large body isn't read.
	expect(t, "6 MB of a stranger", p.post(from{host: atFaces, path: detect, body: strings.Repeat("x", 6<<20+1)}), 401, "missing subscription key")
	if u := p.usages("faces"); u["Face.Transactions"] != 2 { // what was refused is free
		t.Errorf("usage of faces: %v", u)
	}
}

// TestPictures_Tokens: faces and text by a token need the role on the account.
func TestPictures_Tokens(t *testing.T) {
	t.Parallel()
	p := withPictures(t, func() (face.Engine, error) { return oneFace{}, nil })
	for name, c := range map[string]struct{ kind, path string }{"faces": {"Face", detect}, "eyes": {"ComputerVision", recognize}} {
		p.account(name, c.kind, map[string]string{"Face": "S0", "ComputerVision": "S1"}[c.kind], `"customSubDomainName":"`+name+`"`)
		f := from{host: name + ".cognitiveservices.azure.com", path: c.path, token: "user", body: aPicture(t, 60)}
		expect(t, name+" without a role", p.post(f), 401, "Principal does not have access to API/Operation.")
		p.do("PUT", accountsPath+name+"/providers/Microsoft.Authorization/roleAssignments/"+ids.New(), "2022-04-01",
			`{"properties":{"roleDefinitionId":"/subscriptions/`+p.sub+`/providers/Microsoft.Authorization/roleDefinitions/`+userRole+`","principalId":"`+userID+`","principalType":"ServicePrincipal"}}`)
		expect(t, name+" with the role", p.post(f), 200, "")
	}
}

// TestPictures_Rates: an account of the free tier has twenty calls a minute of each feature.
func TestPictures_Rates(t *testing.T) {
	t.Parallel()
	p := withPictures(t, func() (face.Engine, error) { return oneFace{}, nil })
	key := p.account("faces", "Face", "F0", "")
	f := from{host: regionHost, path: detect, key: key, body: aPicture(t, 60)}
	for i := range 20 {
		if i == 10 {
			expect(t, "the eleventh in a second", p.post(f), http.StatusTooManyRequests, "")
			p.clock.Advance(10 * time.Second)
		}
		expect(t, "within the rate", p.post(f), 200, "faceId")
	}
	p.clock.Advance(10 * time.Second)
	w := p.post(f)
	expect(t, "the twenty-first in a minute", w, http.StatusTooManyRequests, "429")
	if w.Header().Get("Retry-After") == "" {
		t.Error("it isn't told when to try again")
	}
	group := from{host: regionHost, path: "/face/v1.0/group", key: key, body: `{"faceIds":[]}`}
	if w := p.post(group); w.Code == http.StatusTooManyRequests {
		t.Error("another feature is bounded by the first one's calls")
	}
}

// TestPictures_Missing: without weights an account answers how to get them, to those who may ask.
func TestPictures_Missing(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	p := withPictures(t, func() (face.Engine, error) { return inferface.Open(none) })
	key := p.account("faces", "Face", "S0", "")
	w := p.post(from{host: regionHost, path: detect, key: key, body: aPicture(t, 60)})
	expect(t, "without weights", w, 501, "scripts/face-models")
	if !strings.Contains(w.Body.String(), "facemesh.bin") {
		t.Errorf("what is missing isn't named: %s", w.Body)
	}
	expect(t, "without a key", p.post(from{host: regionHost, path: detect, body: aPicture(t, 60)}), 401, "missing subscription key")
}
