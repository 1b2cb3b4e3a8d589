package text_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// TestBuilt: the engines that are in the program answer through the wire.
func TestBuilt(t *testing.T) {
	t.Parallel()
	m := server(t, text.Built())
	for _, c := range []struct{ path, body, piece string }{
		{"/text/analytics/v3.1/languages", `{"documents":[{"id":"1","text":"Bonjour tout le monde, comment allez-vous ?"}]}`, `"name":"French","iso6391Name":"fr"`},
		{"/text/analytics/v2.0/languages", `{"documents":[{"id":"1","text":"12345"}]}`, `"score":"NaN"`},
		{"/text/analytics/v3.1/sentiment", `{"documents":[{"id":"1","language":"en","text":"The food was wonderful, I loved it."}]}`, `"sentiment":"positive"`},
		{"/text/analytics/v3.1/keyPhrases", `{"documents":[{"id":"1","language":"en","text":"The food was delicious and there were wonderful staff."}]}`, `staff"`},
		{"/text/analytics/v3.1/sentiment", `{"documents":[{"id":"1","language":"zz","text":"hm"}]}`, `"UnsupportedLanguageCode"`},
	} {
		if w := post(m, c.path, c.body); w.Code != 200 || !strings.Contains(w.Body.String(), c.piece) {
			t.Errorf("%s %s: %d %s; want %s", c.path, c.body, w.Code, w.Body, c.piece)
		}
	}
}

// BenchmarkBuiltBatch is a request for the languages of 1,000 documents, model and all.
func BenchmarkBuiltBatch(b *testing.B) {
	h := server(b, text.Built()).For(wire.HostCognitive)
	body := batch(1000)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "http://x/text/analytics/v3.1/languages", strings.NewReader(body)))
	bar := benchbar.Start(b)
	for range b.N {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "http://x/text/analytics/v3.1/languages", strings.NewReader(body)))
	}
	bar.Allocs(2500)
}
