package text

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/valyala/fastjson"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// ModelVersion is what answers call the models by; "latest" is another name of it.
const ModelVersion = "2026-11-01"

// Kinds are the kinds of account whose keys are good for Text Analytics.
func Kinds() []string { return []string{"TextAnalytics", "CognitiveServices"} }

// Service is Text Analytics in all its forms. Safe for concurrent use.
type Service struct {
	language   engine[Detector]
	sentiment  engine[Analyzer]
	keyPhrases engine[Extractor]
	works      sync.Pool // of *work
}

// New makes the service.
func New(e Engines) *Service {
	return &Service{
		language:   newEngine("Language detection", e.Language),
		sentiment:  newEngine("Sentiment analysis", e.Sentiment),
		keyPhrases: newEngine("Key phrase extraction", e.KeyPhrases),
	}
}

// operation is one of the three things that are done with documents.
type operation struct {
	name   string // in paths, and what rate limits count by
	id     string // in operation names
	title  string // of its container
	single string // the container's name
	kind   string // in :analyze-text
	result string // the kind of its answer there
	few    bool   // ten documents a request since version 3
	run    func(s *Service, w *work) error
	open   func(s *Service) error
	room   func(r *result) int // about how many bytes a result takes, apart from its id
}

func operations() []*operation {
	return []*operation{
		{
			name: "languages", id: "DetectLanguage", title: "Language Detection", single: "language", kind: "LanguageDetection", result: "LanguageDetectionResults",
			run: (*Service).detect, room: func(*result) int { return 128 },
			open: func(s *Service) error { _, err := s.language.open(); return err },
		},
		{
			name: "sentiment", id: "Sentiment", title: "Sentiment Analysis", single: "sentiment", kind: "SentimentAnalysis", result: "SentimentAnalysisResults", few: true,
			run: (*Service).judge, room: func(r *result) int { return 192 + 384*len(r.opinion.Sentences) },
			open: func(s *Service) error { _, err := s.sentiment.open(); return err },
		},
		{
			name: "keyPhrases", id: "KeyPhrases", title: "Key Phrase Extraction", single: "keyphrase", kind: "KeyPhraseExtraction", result: "KeyPhraseExtractionResults", few: true,
			run: (*Service).extract, room: func(r *result) int { return 64 + 32*len(r.phrases) },
			open: func(s *Service) error { _, err := s.keyPhrases.open(); return err },
		},
	}
}

// most is how many documents a request may have.
func (o *operation) most(f *form) int {
	if o.few && !f.flat {
		return 10
	}
	return 1000
}

// form is one of the ways the service is spoken to.
type form struct {
	name string // "v3.1"; "language" for :analyze-text
	flat bool   // version 2's errors
	// stats: showStats is known; index: stringIndexType is.
	stats, index bool
	write        func(b []byte, o *operation, w *work, q options) []byte
}

func forms() []*form {
	return []*form{
		{name: "v2.0", flat: true, write: writeV2},
		{name: "v2.1", flat: true, stats: true, write: writeV2},
		{name: "v3.0", stats: true, write: writeV3},
		{name: "v3.1", stats: true, index: true, write: writeV3},
	}
}

func languageForm() *form {
	return &form{name: "language", stats: true, index: true, write: writeLanguage}
}

// options are what a request asks for beside its documents.
type options struct {
	stats bool
	unit  unit
}

// Container is the API of one operation's container: "language", "sentiment" or "keyphrase".
func (s *Service) Container(name string) (api.API, bool) {
	for _, o := range operations() {
		if o.single == name {
			a := s.base(o.single, o.title)
			a.Routes = s.routes([]*operation{o})
			a.Documents = documents([]*operation{o})
			a.Open = func(context.Context) error { return o.open(s) }
			return a, true
		}
	}
	return api.API{}, false
}

// Account is the API that an account serves: all operations. It is always ready; an operation whose engine can't be had says so itself.
func (s *Service) Account() api.API {
	a := s.base("text", "Text Analytics")
	a.Routes = append(s.routes(operations()), s.refusedRoutes()...)
	a.Documents = documents(operations())
	return a
}

func (s *Service) base(name, title string) api.API {
	return api.API{Name: name, Title: title, Kinds: Kinds(), Type: "textanalytics", Meter: "CognitiveServices.TextAnalytics.Container.BatchScoring"}
}

func (s *Service) routes(ops []*operation) []api.Route {
	var out []api.Route
	for _, f := range forms() {
		for _, o := range ops {
			out = append(out, api.Route{
				Method: http.MethodPost, Pattern: "/text/analytics/" + f.name + "/" + o.name, Operation: "TextAnalytics_" + o.id,
				Action: "TextAnalytics/" + o.name + "/action", Feature: o.name,
				Handler: func(_ context.Context, c *api.Call) (any, error) { return s.serve(c, f, o) },
			})
		}
	}
	return append(out, api.Route{
		Method: http.MethodPost, Pattern: "/language/:analyze-text", Operation: "Text_Analyze", Versions: wire.Versions{Required: true, First: "2022-05-01"},
		Action: "Language/analyze-text/action", Feature: "analyze-text",
		Handler: func(_ context.Context, c *api.Call) (any, error) { return s.analyzeText(c, ops) },
	})
}

// serve is an operation in the forms that have a path for each.
func (s *Service) serve(c *api.Call, f *form, o *operation) (any, error) {
	if err := checkType(c); err != nil {
		return nil, err
	}
	q, refused := f.options(c.Request, o)
	if refused != nil {
		return nil, refused
	}
	w := s.take()
	defer s.give(w)
	v, refused := f.parse(&w.parser, c.Body)
	if refused != nil {
		return nil, refused
	}
	out, refused, err := s.answer(c, f, o, w, v, q)
	if refused != nil {
		return nil, refused
	}
	return json.RawMessage(out), err
}

// checkType refuses bodies that aren't JSON by their own word.
func checkType(c *api.Call) error {
	t := c.HTTP.Header.Get("Content-Type")
	if t == "" || t == "application/json" {
		return nil
	}
	kind, _, _ := strings.Cut(t, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind == "application/json" || kind == "text/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json") {
		return nil
	}
	return fault.New(fault.UnsupportedMedia, "UnsupportedMediaType", "The content type '%s' is not supported; send application/json or text/json.", clip(kind))
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

// options reads the query.
func (f *form) options(r *wire.Request, o *operation) (options, *fault.Error) {
	q := options{unit: elements}
	if r.HTTP.URL.RawQuery == "" {
		return q, nil
	}
	q.stats = f.stats && strings.EqualFold(r.Query("showStats"), "true")
	if f.flat {
		return q, nil
	}
	if refused := f.model(r.Query("model-version")); refused != nil {
		return q, refused
	}
	if f.index {
		return q, f.further(&q, r.Query("stringIndexType"), strings.EqualFold(r.Query("opinionMining"), "true"), o)
	}
	return q, nil
}

// further judges what version 3.1 added.
func (f *form) further(q *options, index string, opinions bool, o *operation) *fault.Error {
	var ok bool
	if q.unit, ok = unitOf(index); !ok {
		return f.refuse(innerParameter, "The stringIndexType '"+clip(index)+"' is not one of TextElements_v8, UnicodeCodePoint and Utf16CodeUnit.")
	}
	if opinions && o.single == "sentiment" {
		return f.refuse(innerParameter, "Opinion mining (opinionMining=true) isn't supported here; leave it out to get the sentiment of documents and sentences.")
	}
	return nil
}

func (f *form) model(version string) *fault.Error {
	if version == "" || strings.EqualFold(version, "latest") || version == ModelVersion {
		return nil
	}
	return f.refuse(innerModel, "Invalid model version. Possible values are: latest,"+ModelVersion)
}

// refusedRoutes are operations Azure has and this service lacks: they say so.
func (s *Service) refusedRoutes() []api.Route {
	var out []api.Route
	for _, o := range []struct{ method, path string }{
		{"POST", "{version}/entities"},
		{"POST", "{version}/entities/{rest*}"},
		{"POST", "{version}/analyze"},
		{"GET", "{version}/analyze/jobs/{job}"},
	} {
		out = append(out, api.Route{
			Method: o.method, Pattern: "/text/analytics/" + o.path, Operation: "TextAnalytics_NotImplemented", Action: "TextAnalytics/entities/action", Feature: "entities",
			Handler: func(_ context.Context, c *api.Call) (any, error) {
				f := &form{flat: strings.HasPrefix(c.Param("version"), "v2.")}
				return nil, f.refuse("UnsupportedOperation", "Entities, personal information, healthcare and asynchronous analysis are not implemented here; "+
					"languages, sentiment and keyPhrases are.")
			},
		})
	}
	return out
}

// analyzeText is the Language service's one operation; it says in its body what to do.
func (s *Service) analyzeText(c *api.Call, ops []*operation) (any, error) {
	if err := checkType(c); err != nil {
		return nil, err
	}
	f := languageForm()
	w := s.take()
	defer s.give(w)
	v, refused := f.parse(&w.parser, c.Body)
	if refused != nil {
		return nil, refused
	}
	o, refused := f.chosen(v, ops)
	if refused != nil {
		return nil, refused
	}
	q := options{stats: strings.EqualFold(c.Query("showStats"), "true"), unit: elements}
	if refused = f.parameters(&q, member(v, "parameters"), o); refused != nil {
		return nil, refused
	}
	out, refused, err := s.answer(c, f, o, w, member(v, "analysisInput"), q)
	if refused != nil {
		return nil, refused
	}
	return json.RawMessage(out), err
}

// chosen finds the operation of :analyze-text's kind.
func (f *form) chosen(v *fastjson.Value, ops []*operation) (*operation, *fault.Error) {
	kind := ""
	if m := member(v, "kind"); m != nil && m.Type() == fastjson.TypeString {
		kind, _ = textOf(m, true)
	}
	var known []string
	for _, o := range ops {
		if strings.EqualFold(o.kind, kind) {
			return o, nil
		}
		known = append(known, o.kind)
	}
	if kind == "" {
		return nil, f.refuse(innerParameter, "The kind is missing; it is one of "+strings.Join(known, ", ")+".")
	}
	return nil, f.refuse(innerParameter, "The kind '"+clip(kind)+"' is not implemented here; it is one of "+strings.Join(known, ", ")+".")
}

// parameters reads :analyze-text's parameters.
func (f *form) parameters(q *options, v *fastjson.Value, o *operation) *fault.Error {
	if v == nil || v.Type() == fastjson.TypeNull {
		return nil
	}
	if v.Type() != fastjson.TypeObject {
		return f.refuse(innerFormat, formatText)
	}
	var model, index string
	ok := true
	for name, into := range map[string]*string{"modelVersion": &model, "stringIndexType": &index} {
		if m := member(v, name); m != nil && ok {
			*into, ok = textOf(m, ok)
		}
	}
	if !ok {
		return f.refuse(innerFormat, formatText)
	}
	if refused := f.model(model); refused != nil {
		return refused
	}
	opinions := member(v, "opinionMining")
	return f.further(q, index, opinions != nil && opinions.Type() == fastjson.TypeTrue, o)
}
