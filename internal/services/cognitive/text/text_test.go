package text_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text/texttest"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// server is the account's API without what stands before it. It gives the transactions charged in a header.
func server(tb testing.TB, e text.Engines) *wire.Mux {
	tb.Helper()
	a := text.New(e).Account()
	var routes []wire.Route
	for _, r := range a.Routes {
		routes = append(routes, wire.Route{
			Host: wire.HostCognitive, Method: r.Method, Pattern: r.Pattern, Operation: r.Operation, Versions: r.Versions, BodyLimit: api.DefaultBodyLimit, Auth: wire.Anonymous, Quiet: true,
			Handler: func(ctx context.Context, req *wire.Request) (any, error) {
				c := api.Call{Request: req}
				v, err := r.Handler(ctx, &c)
				if n := c.Units(); n > 0 {
					b, _ := json.Marshal(n)
					req.SetHeader("Units", string(b))
				}
				return v, err
			},
		})
	}
	m, err := wire.NewMux([]wire.Service{{Name: "text", Routes: routes}}, wire.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func post(m *wire.Mux, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://x"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	m.For(wire.HostCognitive).ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	m := server(t, texttest.Engines())
	const v3Errors = `"errors":[],"modelVersion":"2026-11-01"`
	for _, c := range []struct{ name, path, body, want string }{
		{
			"v2 language", "/text/analytics/v2.0/languages", `{"documents":[{"id":"1","text":"Bonjour"},{"id":"2","text":"12345"}]}`,
			`{"documents":[{"id":"1","detectedLanguages":[{"name":"French","iso6391Name":"fr","score":1.0}]},{"id":"2","detectedLanguages":[{"name":"(Unknown)","iso6391Name":"(Unknown)","score":"NaN"}]}],"errors":[]}`,
		},
		{
			"v2.0 knows no statistics", "/text/analytics/v2.0/languages?showStats=true", `{"documents":[{"id":"1","text":"La carretera"}]}`,
			`{"documents":[{"id":"1","detectedLanguages":[{"name":"Spanish","iso6391Name":"es","score":0.9375}]}],"errors":[]}`,
		},
		{
			"v2.1 statistics", "/text/analytics/v2.1/sentiment?showStats=true", `{"documents":[{"id":"a","language":"en","text":"good"},{"id":"b","language":"xx","text":"hm"}]}`,
			`{"statistics":{"documentsCount":2,"validDocumentsCount":1,"erroneousDocumentsCount":1,"transactionsCount":1},"documents":[{"id":"a","score":0.93,"statistics":{"charactersCount":4,"transactionsCount":1}}],` +
				`"errors":[{"id":"b","message":"Supplied language not supported. Pass in one of: de,en,pt,zh"}]}`,
		},
		{
			"v2 phrases", "/text/analytics/v2.1/keyPhrases", `{"documents":[{"id":"1","text":"wonderful staff"}]}`,
			`{"documents":[{"id":"1","keyPhrases":["wonderful","staff"]}],"errors":[]}`,
		},
		{
			"v3 language", "/text/analytics/v3.1/languages", `{"documents":[{"id":"1","text":"Hello"},{"id":"2","text":"!!"},{"id":"3","text":"impossible","countryHint":"fr"},{"id":"4","text":"impossible","countryHint":""},{"id":"5","text":"你好"}]}`,
			`{"documents":[{"id":"1","detectedLanguage":{"name":"English","iso6391Name":"en","confidenceScore":0.99},"warnings":[]},` +
				`{"id":"2","detectedLanguage":{"name":"(Unknown)","iso6391Name":"(Unknown)","confidenceScore":0.0},"warnings":[]},` +
				`{"id":"3","detectedLanguage":{"name":"French","iso6391Name":"fr","confidenceScore":1.0},"warnings":[]},` +
				`{"id":"4","detectedLanguage":{"name":"English","iso6391Name":"en","confidenceScore":0.99},"warnings":[]},` +
				`{"id":"5","detectedLanguage":{"name":"Chinese_Simplified","iso6391Name":"zh_chs","confidenceScore":1.0},"warnings":[]}],` + v3Errors + `}`,
		},
		{
			"v3 errors of documents", "/text/analytics/v3.0/languages", `{"documents":[{"id":"1","text":"  \n"},{"id":"2","text":"hello","countryHint":"invalidcountry"},{"id":3,"text":"Bonjour"}]}`,
			`{"documents":[{"id":"3","detectedLanguage":{"name":"French","iso6391Name":"fr","confidenceScore":1.0},"warnings":[]}],"errors":[` +
				`{"id":"1","error":{"code":"InvalidArgument","message":"Invalid document in request.","innererror":{"code":"InvalidDocument","message":"Document text is empty."}}},` +
				`{"id":"2","error":{"code":"InvalidArgument","message":"Invalid Country Hint.","innererror":{"code":"InvalidCountryHint","message":"Country hint is not valid. Please specify an ISO 3166-1 alpha-2 two letter country code."}}}` +
				`],"modelVersion":"2026-11-01"}`,
		},
		{
			"v3 sentiment in text elements", "/text/analytics/v3.1/sentiment", `{"documents":[{"id":"1","language":"en-US","text":"👩‍👩‍👧 good. Very bad!"}]}`,
			`{"documents":[{"id":"1","sentiment":"mixed","confidenceScores":{"positive":0.5,"neutral":0.02,"negative":0.48},"sentences":[` +
				`{"sentiment":"positive","confidenceScores":{"positive":0.98,"neutral":0.01,"negative":0.01},"offset":0,"length":7,"text":"👩‍👩‍👧 good."},` +
				`{"sentiment":"negative","confidenceScores":{"positive":0.01,"neutral":0.04,"negative":0.95},"offset":8,"length":9,"text":"Very bad!"}],"warnings":[]}],` + v3Errors + `}`,
		},
		{
			"v3 sentiment in UTF-16", "/text/analytics/v3.1/sentiment?stringIndexType=Utf16CodeUnit", `{"documents":[{"id":"1","language":"pt-BR","text":"👩‍👩‍👧 good. Very bad!"}]}`,
			`{"documents":[{"id":"1","sentiment":"mixed","confidenceScores":{"positive":0.5,"neutral":0.02,"negative":0.48},"sentences":[` +
				`{"sentiment":"positive","confidenceScores":{"positive":0.98,"neutral":0.01,"negative":0.01},"offset":0,"length":14,"text":"👩‍👩‍👧 good."},` +
				`{"sentiment":"negative","confidenceScores":{"positive":0.01,"neutral":0.04,"negative":0.95},"offset":15,"length":9,"text":"Very bad!"}],"warnings":[]}],` + v3Errors + `}`,
		},
		{
			"v3 unsupported language", "/text/analytics/v3.1/keyPhrases", `{"documents":[{"id":"1","language":"notalanguage","text":"hm"}]}`,
			`{"documents":[],"errors":[{"id":"1","error":{"code":"InvalidArgument","message":"Invalid Language Code.","innererror":{"code":"UnsupportedLanguageCode","message":"Invalid language code. Supported languages: de,en,es,ja"}}}],"modelVersion":"2026-11-01"}`,
		},
		{
			"members in any case", "/text/analytics/v3.1/keyPhrases?showStats=true&model-version=latest", `{"Documents":[{"ID":"é\"\\\u0001","Language":"en","TEXT":"é wonderful"}],"more":{}}`,
			`{"statistics":{"documentsCount":1,"validDocumentsCount":1,"erroneousDocumentsCount":0,"transactionsCount":1},"documents":[{"id":"é\"\\\u0001","keyPhrases":["wonderful"],"statistics":{"charactersCount":11,"transactionsCount":1},"warnings":[]}],` + v3Errors + `}`,
		},
		{
			":analyze-text", "/language/:analyze-text?api-version=2023-04-01&showStats=true", `{"kind":"LanguageDetection","analysisInput":{"documents":[{"id":"1","text":"Bonjour"}]},"parameters":{"modelVersion":"latest","loggingOptOut":true}}`,
			`{"kind":"LanguageDetectionResults","results":{"statistics":{"documentsCount":1,"validDocumentsCount":1,"erroneousDocumentsCount":0,"transactionsCount":1},` +
				`"documents":[{"id":"1","detectedLanguage":{"name":"French","iso6391Name":"fr","confidenceScore":1.0},"statistics":{"charactersCount":7,"transactionsCount":1},"warnings":[]}],` + v3Errors + `}}`,
		},
		{
			":analyze-text phrases", "/language/:analyze-text?api-version=2022-05-01", `{"kind":"KeyPhraseExtraction","analysisInput":{"documents":[{"id":"1","text":"wonderful"}]}}`,
			`{"kind":"KeyPhraseExtractionResults","results":{"documents":[{"id":"1","keyPhrases":["wonderful"],"warnings":[]}],` + v3Errors + `}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := post(m, c.path, c.body)
			if diff := cmp.Diff(c.want, w.Body.String()); w.Code != 200 || diff != "" {
				t.Errorf("%s: %d (-want +got)\n%s", c.body, w.Code, diff)
			}
			if ct := w.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
				t.Errorf("Content-Type %q", ct)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	m := server(t, texttest.Engines())
	many := func(n int) string {
		docs := make([]string, n)
		for i := range docs {
			docs[i] = `{"id":"` + strings.Repeat("x", i+1) + `","text":"hello"}`
		}
		return `{"documents":[` + strings.Join(docs, ",") + `]}`
	}
	v3 := func(outer, inner, message string) string {
		return `{"error":{"code":"InvalidRequest","message":"` + outer + `","innererror":{"code":"` + inner + `","message":"` + message + `"}}}`
	}
	v2 := func(inner, message string) string {
		return `{"code":"BadRequest","message":"Invalid request","innerError":{"code":"` + inner + `","message":"` + message + `"}}`
	}
	const format = "Request body format is wrong. Make sure the json request is serialized correctly and there are no null members."
	for _, c := range []struct {
		path, body string
		want       string
	}{
		{"/text/analytics/v3.1/languages", ``, v3("Invalid Request.", "EmptyRequest", "Request body must be present.")},
		{"/text/analytics/v3.1/languages", `{`, v3("Invalid Request.", "InvalidRequestBodyFormat", format)},
		{"/text/analytics/v3.1/languages", `[]`, v3("Invalid Request.", "InvalidRequestBodyFormat", format)},
		{"/text/analytics/v3.1/languages", `{"documents":[null]}`, v3("Invalid Request.", "InvalidRequestBodyFormat", format)},
		{"/text/analytics/v3.1/languages", `{"documents":{"id":"1"}}`, v3("Invalid Request.", "InvalidRequestBodyFormat", format)},
		{"/text/analytics/v3.1/languages", `{"documents":[]}`, v3("Invalid document in request.", "MissingInputRecords", "Missing input records.")},
		{"/text/analytics/v3.1/languages", `{}`, v3("Invalid document in request.", "MissingInputRecords", "Missing input records.")},
		{"/text/analytics/v3.1/languages", many(1001), v3("Invalid document in request.", "InvalidDocumentBatch", "Batch request contains too many records. Max 1000 records are permitted.")},
		{"/text/analytics/v3.1/sentiment", many(11), v3("Invalid document in request.", "InvalidDocumentBatch", "Batch request contains too many records. Max 10 records are permitted.")},
		{"/text/analytics/v2.1/sentiment", many(1001), v2("InvalidRequestContent", "Batch request contains too many records. Max 1000 records are permitted.")},
		{"/text/analytics/v3.0/languages", `{"documents":[{"id":"1","text":"a"},{"id":"1","text":"b"}]}`, v3("Invalid document in request.", "InvalidDocument", "Request contains duplicated Ids. Make sure each document has a unique Id.")},
		{"/text/analytics/v2.0/languages", `{"documents":[{"id":"1","text":"a"},{"id":"1","text":"b"}]}`, v2("InvalidRequestContent", "Request contains duplicated Ids. Make sure each document has a unique Id.")},
		{"/text/analytics/v3.1/languages", `{"documents":[{"text":"a"}]}`, v3("Invalid document in request.", "InvalidDocument", "Document Id is empty. Make sure each document has a unique Id.")},
		{"/text/analytics/v3.1/languages?model-version=1999-01-01", many(1), v3("Invalid Request.", "ModelVersionIncorrect", "Invalid model version. Possible values are: latest,2026-11-01")},
		{"/text/analytics/v3.1/sentiment?stringIndexType=Bytes", many(1), v3("Invalid Request.", "InvalidParameterValue", "The stringIndexType 'Bytes' is not one of TextElements_v8, UnicodeCodePoint and Utf16CodeUnit.")},
		{"/text/analytics/v3.1/sentiment?opinionMining=true", many(1), v3("Invalid Request.", "InvalidParameterValue", "Opinion mining (opinionMining=true) isn't supported here; leave it out to get the sentiment of documents and sentences.")},
		{"/text/analytics/v3.1/entities/recognition/general", many(1), v3("Invalid Request.", "UnsupportedOperation", "Entities, personal information, healthcare and asynchronous analysis are not implemented here; languages, sentiment and keyPhrases are.")},
		{"/text/analytics/v2.1/entities", many(1), v2("UnsupportedOperation", "Entities, personal information, healthcare and asynchronous analysis are not implemented here; languages, sentiment and keyPhrases are.")},
		{"/language/:analyze-text?api-version=2023-04-01", `{"kind":"EntityRecognition","analysisInput":{"documents":[]}}`, v3("Invalid Request.", "InvalidParameterValue", "The kind 'EntityRecognition' is not implemented here; it is one of LanguageDetection, SentimentAnalysis, KeyPhraseExtraction.")},
		{"/language/:analyze-text?api-version=2023-04-01", `{"kind":"SentimentAnalysis","parameters":{"opinionMining":true},"analysisInput":{"documents":[{"id":"1","text":"a"}]}}`, v3("Invalid Request.", "InvalidParameterValue", "Opinion mining (opinionMining=true) isn't supported here; leave it out to get the sentiment of documents and sentences.")},
		{"/language/:analyze-text?api-version=2023-04-01", `{"kind":"LanguageDetection"}`, v3("Invalid document in request.", "MissingInputRecords", "Missing input records.")},
	} {
		w := post(m, c.path, c.body)
		if diff := cmp.Diff(c.want, w.Body.String()); w.Code != 400 || diff != "" {
			t.Errorf("%s %.60s: %d (-want +got)\n%s", c.path, c.body, w.Code, diff)
		}
		if w.Header().Get("Units") != "" {
			t.Errorf("%s %.60s was charged", c.path, c.body)
		}
	}
}

// TestLimits: a document's size is counted in text elements, and so is what is charged.
func TestLimits(t *testing.T) {
	t.Parallel()
	m := server(t, texttest.Engines())
	const tooLarge = "A document within the request was too large to be processed. Limit document size to: 5120 text elements. For additional details on the data limitations see https://aka.ms/text-analytics-data-limits"
	const family = "👩‍👩‍👧‍👦"
	for _, c := range []struct {
		text  string
		units string // "": refused
	}{
		{strings.Repeat("a", 1000), "1"},
		{strings.Repeat("a", 1001), "2"},
		{strings.Repeat("a", 5120), "6"},
		{strings.Repeat("a", 5121), ""},
		{strings.Repeat(family, 1000), "1"},
		{strings.Repeat(family, 5120), "6"},
		{strings.Repeat(family, 5121), ""},
		{strings.Repeat("\r\n", 1000) + "a", "2"},
		{strings.Repeat("e\u0301", 1000), "1"},
	} {
		body, _ := json.Marshal(map[string]any{"documents": []any{map[string]string{"id": "1", "text": c.text}}})
		w := post(m, "/text/analytics/v3.1/languages", string(body))
		if got := w.Header().Get("Units"); w.Code != 200 || got != c.units {
			t.Errorf("%d runes of %.8q: %d, charged %q; want %q", utf8.RuneCountInString(c.text), c.text, w.Code, got, c.units)
		}
		if refused := strings.Contains(w.Body.String(), tooLarge); refused != (c.units == "") {
			t.Errorf("%d runes of %.8q: refused %t", utf8.RuneCountInString(c.text), c.text, refused)
		}
	}
	if w := post(m, "/text/analytics/v3.1/languages", strings.Repeat(" ", 1<<20+1)); w.Code != 413 {
		t.Errorf("a request over 1 MiB: %d", w.Code)
	}
}

// TestBatch: the answers of a large request are in the order of its documents, whoever did the work.
func TestBatch(t *testing.T) {
	t.Parallel()
	m := server(t, texttest.Engines())
	body := batch(1000)
	w := post(m, "/text/analytics/v3.1/languages", body)
	var got struct {
		Documents []struct {
			ID       string
			Language struct {
				Name string `json:"name"`
			} `json:"detectedLanguage"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Documents) != 1000 {
		t.Fatalf("%d documents: %v", len(got.Documents), err)
	}
	for i, d := range got.Documents {
		want := "English"
		if i%3 == 1 {
			want = "French"
		}
		if id, _ := json.Marshal(i); d.ID != string(id) || d.Language.Name != want {
			t.Fatalf("document %d: %+v; want %s", i, d, want)
		}
	}
	if w.Header().Get("Units") != "1000" {
		t.Errorf("charged %s", w.Header().Get("Units"))
	}
}

func batch(n int) string {
	docs := make([]map[string]string, n)
	for i := range docs {
		id, _ := json.Marshal(i)
		docs[i] = map[string]string{"id": string(id), "text": "This is the sentence that has about as many words as people write."}
		if i%3 == 1 {
			docs[i]["text"] = "Bonjour tout le monde"
		}
	}
	b, _ := json.Marshal(map[string]any{"documents": docs})
	return string(b)
}

// TestMissingEngine: what isn't built in is named, never made up.
func TestMissingEngine(t *testing.T) {
	t.Parallel()
	m := server(t, text.Engines{})
	w := post(m, "/text/analytics/v3.1/sentiment", `{"documents":[{"id":"1","text":"hello"}]}`)
	if w.Code != 501 || !strings.Contains(w.Body.String(), "Sentiment analysis isn't available here: its engine isn't built into this program.") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	a, ok := text.New(text.Engines{}).Container("keyphrase")
	if !ok || a.Open(t.Context()) == nil {
		t.Error("a container without its engine is ready")
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	m := server(t, texttest.Engines())
	for ct, want := range map[string]int{"": 200, "application/json; charset=utf-8": 200, "text/json": 200, "text/plain": 415, "application/xml": 415} {
		r := httptest.NewRequest("POST", "http://x/text/analytics/v3.1/languages", strings.NewReader(`{"documents":[{"id":"1","text":"hello"}]}`))
		if ct != "" {
			r.Header.Set("Content-Type", ct)
		}
		w := httptest.NewRecorder()
		m.For(wire.HostCognitive).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d %s, want %d", ct, w.Code, w.Body, want)
		}
	}
}

// FuzzRequest: whatever is sent is answered with JSON, and never charged for more than was sent.
func FuzzRequest(f *testing.F) {
	m := server(f, texttest.Engines())
	paths := []string{
		"/text/analytics/v2.1/languages?showStats=true", "/text/analytics/v3.1/languages?showStats=true", "/text/analytics/v3.1/sentiment?stringIndexType=UnicodeCodePoint",
		"/text/analytics/v3.0/keyPhrases", "/language/:analyze-text?api-version=2023-04-01",
	}
	for i := range paths {
		f.Add(byte(i), []byte(`{"documents":[{"id":"1","text":"good. bad!","language":"en","countryHint":"US"},{"id":"2","text":"\ud83d\ude00\u0000"}]}`))
		f.Add(byte(i), []byte(`{"kind":"SentimentAnalysis","analysisInput":{"documents":[{"id":"1","text":"good"}]},"parameters":{"stringIndexType":"Utf16CodeUnit"}}`))
		f.Add(byte(i), []byte("{\"documents\":[{\"id\":\"\xff\",\"text\":\"\xed\xa0\x80\"}]}"))
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		w := post(m, paths[int(which)%len(paths)], string(body))
		if w.Code != 200 && w.Code != 400 && w.Code != 413 {
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) || !utf8.Valid(w.Body.Bytes()) {
			t.Fatalf("%q: answered %q, which is no JSON", body, w.Body)
		}
		var units int
		_ = json.Unmarshal([]byte(w.Header().Get("Units")), &units)
		if units > len(body) {
			t.Fatalf("%q: charged %d", body, units)
		}
	})
}

// BenchmarkSingle is what a request with one document costs without its engine and its connection.
func BenchmarkSingle(b *testing.B) {
	h := server(b, texttest.Engines()).For(wire.HostCognitive)
	const body = `{"documents":[{"id":"1","text":"This is the sentence that has about as many words as people write.","countryHint":"us"}]}`
	bar := benchbar.Start(b)
	for range b.N {
		r := httptest.NewRequest("POST", "http://x/text/analytics/v3.1/languages", strings.NewReader(body))
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	bar.Allocs(60) // about thirty are the test's own request and recorder
}

// BenchmarkBatch is what a request with 1,000 documents costs.
func BenchmarkBatch(b *testing.B) {
	h := server(b, texttest.Engines()).For(wire.HostCognitive)
	body := batch(1000)
	bar := benchbar.Start(b)
	for range b.N {
		r := httptest.NewRequest("POST", "http://x/text/analytics/v3.1/languages", strings.NewReader(body))
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	bar.Allocs(1500)
}
