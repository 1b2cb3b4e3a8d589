package vision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/infer/ocr"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// form is one of the API's ways to ask and to answer.
type form struct {
	name   string
	bounds ocr.Bounds
	many   bool // documents of several pages; else one picture
	limit  int64
	answer func(record) any
	// inner tells that errors are {"error":{code,message,innererror}}, with Azure's code inside.
	inner bool
}

// The forms. Bounds are those of the documentation: 50 to 4,200 pixels a side for Recognize Text, to 10,000 for Read.
var (
	recognize = &form{name: "recognizeText", bounds: ocr.Bounds{Least: 50, Most: 4200, Pages: 1}, limit: bodyLimitText, answer: answerRecognize}
	read2     = &form{name: "read/2", bounds: ocr.Bounds{Least: 50, Most: 10000, Pages: 200}, many: true, limit: bodyLimit, answer: answerRead2}
	read3     = &form{name: "read/3", bounds: ocr.Bounds{Least: 50, Most: 10000, Pages: 2000}, many: true, limit: bodyLimit, answer: answerRead3, inner: true}
)

// job is a document to read.
type job struct {
	form     *form
	document *ocr.Document
	size     int64
	language string
	pages    []int // from 0
}

// job checks a request and opens its document.
func (s *Service) job(ctx context.Context, c *api.Call, f *form) (*job, error) {
	j := &job{form: f}
	if err := s.options(ctx, c, j); err != nil {
		return nil, err
	}
	data, err := s.document(ctx, c, f)
	if err != nil {
		return nil, err
	}
	j.size = int64(len(data))
	if j.document, err = ocr.Open(ctx, data, f.bounds); err != nil {
		return nil, f.fault(err)
	}
	if !f.many && (j.document.DPI != 0 || j.document.Pages > 1) {
		j.document.Close()
		return nil, f.invalid("InvalidImageFormat", "The input data is not one picture: Recognize Text reads JPEG, PNG and BMP.")
	}
	if j.pages, err = pageRange(c.Query("pages"), j.document.Pages); err != nil {
		j.document.Close()
		return nil, f.invalid("InvalidPageRange", err.Error())
	}
	return j, nil
}

// options checks the query.
func (s *Service) options(ctx context.Context, c *api.Call, j *job) error {
	f := j.form
	if f == recognize || f == read2 {
		switch mode, given := c.LookupQuery("mode"); {
		case strings.EqualFold(mode, "Printed") || !given && f == read2:
		case strings.EqualFold(mode, "Handwritten"):
			return api.Missing("Handwriting", "the engine reads print; ask with mode=Printed")
		default:
			return f.invalid("BadArgument", "The query parameter mode has to be Printed or Handwritten.")
		}
	}
	if f == read3 {
		j.language = c.Query("language")
		if order := c.Query("readingOrder"); order != "" && order != "basic" && order != "natural" {
			return f.invalid("InvalidReadingOrder", "The query parameter readingOrder has to be basic or natural.")
		}
		if v := c.Query("model-version"); v != "" && v != "latest" && v != modelVersion {
			return f.invalid("InvalidModel", "The model version "+v+" is not known; there is "+modelVersion+".")
		}
	}
	if err := s.o.Engine.Check(ctx, j.language); err != nil {
		return f.fault(err)
	}
	return nil
}

// document is what the request brings, or names by its address.
func (s *Service) document(ctx context.Context, c *api.Call, f *form) ([]byte, error) {
	kind, _, _ := mime.ParseMediaType(c.HTTP.Header.Get("Content-Type"))
	switch kind {
	case "application/json", "text/json":
		var named struct {
			URL string `json:"url"`
		}
		if err := json.Unmarshal(c.Body, &named); err != nil || named.URL == "" {
			return nil, f.invalid("InvalidImageUrl", "The body has to be JSON with a property url.")
		}
		if s.o.Fetch == nil {
			return nil, api.Missing("Reading a picture by its address", "this host has no way out; send the picture as application/octet-stream")
		}
		data, err := s.o.Fetch(ctx, named.URL, f.limit)
		if err != nil {
			return nil, f.invalid("InvalidImageUrl", "The image URL could not be read: "+err.Error())
		}
		return data, nil
	case "application/octet-stream", "image/jpeg", "image/png", "image/bmp", "image/gif", "image/tiff", "application/pdf":
		if len(c.Body) == 0 {
			return nil, f.invalid("InvalidImageSize", "The request has no body.")
		}
		return c.Body, nil
	}
	e := f.invalid("UnsupportedMediaType", "The Content-Type has to be application/json, application/octet-stream, or that of a picture.")
	e.Kind = fault.UnsupportedMedia
	return nil, e
}

// pageRange takes "1,3-5" apart, within so many pages. An empty one means all.
func pageRange(text string, pages int) ([]int, error) {
	in := make([]bool, pages)
	if text == "" {
		text = "1-" + strconv.Itoa(pages)
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(from)
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(to)
		}
		if err != nil || a < 1 || b < a {
			return nil, fmt.Errorf("the pages %q are no list such as 1,3-5", text)
		}
		for n := a; n <= min(b, pages); n++ {
			in[n-1] = true
		}
	}
	var out []int
	for n, yes := range in {
		if yes {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("none of the pages %q is among the document's %d", text, pages)
	}
	return out, nil
}

// invalid is the error of a request that can't be served, as the form words it.
func (f *form) invalid(code, message string) *fault.Error {
	if f.inner {
		return api.Invalid("InvalidRequest", message, code, message)
	}
	return fault.New(fault.Invalid, code, "%s", message)
}

// fault words what a document or an engine answered.
func (f *form) fault(err error) *fault.Error {
	var own *fault.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, ocr.ErrMissing):
		return api.Missing("Text recognition", err.Error())
	case errors.Is(err, ocr.ErrSize):
		code := "InvalidImageSize"
		if f.inner {
			code = "InvalidImageDimension"
		}
		return f.invalid(code, "The input is out of bounds: "+err.Error()+".")
	case errors.Is(err, ocr.ErrLanguage):
		return f.invalid("NotSupportedLanguage", "The language is not supported: "+err.Error()+".")
	case errors.Is(err, ocr.ErrFormat):
		return f.invalid("InvalidImageFormat", "The input data is not a valid image or document.")
	}
	e := fault.New(fault.Internal, "FailedToProcess", "The document could not be read.")
	e.Cause = err
	return e
}

// accepted is the answer to a document that will be read.
func accepted(c *api.Call, path string) wire.Reply {
	scheme := "http://"
	if c.HTTP.TLS != nil {
		scheme = "https://"
	}
	return wire.Reply{Status: http.StatusAccepted, Header: http.Header{"Operation-Location": {scheme + c.HTTP.Host + path}}}
}

// result answers how an operation stands.
func (s *Service) result(f *form) func(context.Context, *api.Call) (any, error) {
	return func(ctx context.Context, c *api.Call) (any, error) {
		id := c.Param("operationId")
		if !ids.IsGUID(id) {
			return nil, f.invalid("BadArgument", "The operation id is no GUID.")
		}
		r, err := s.load(ctx, c.Account, strings.ToLower(id))
		if err != nil {
			return nil, err
		}
		if r.Form != f.name {
			return nil, fault.New(fault.NotFound, "NotFound", "The operation %s is one of %s.", id, r.Form)
		}
		return f.answer(r), nil
	}
}

// modelVersion is what answers of Read 3.2 call the engine by.
const modelVersion = "2026-11-01"

type word2 struct {
	Box        []float64 `json:"boundingBox"`
	Text       string    `json:"text"`
	Confidence string    `json:"confidence,omitempty"` // only "Low" is told
}

type line2 struct {
	Box   []float64 `json:"boundingBox"`
	Text  string    `json:"text"`
	Words []word2   `json:"words"`
}

type lines2 struct {
	Lines []line2 `json:"lines"`
}

type recognized struct {
	Status string  `json:"status"`
	Result *lines2 `json:"recognitionResult,omitempty"`
}

// capital is a status as version 2 writes it.
func capital(s status) string { return strings.ToUpper(string(s[:1])) + string(s[1:]) }

// low is the confidence below which version 2 says so.
const low = 0.6

// v2 are lines as version 2 writes them.
func (p page3) v2() []line2 {
	out := make([]line2, len(p.Lines))
	for i, l := range p.Lines {
		words := make([]word2, len(l.Words))
		for k, w := range l.Words {
			words[k] = word2{Box: w.Box, Text: w.Text}
			if w.Confidence < low {
				words[k].Confidence = "Low"
			}
		}
		out[i] = line2{l.Box, l.Text, words}
	}
	return out
}

func answerRecognize(r record) any {
	a := recognized{Status: capital(r.Status)}
	if r.Status == succeeded && len(r.Pages) > 0 {
		a.Result = &lines2{r.Pages[0].v3().v2()}
	}
	return a
}

// The unit of a page's measures.
const (
	pixel = "pixel"
	inch  = "inch"
)

type word3 struct {
	Box        []float64 `json:"boundingBox"`
	Text       string    `json:"text"`
	Confidence float64   `json:"confidence"`
}

type line3 struct {
	Box   []float64 `json:"boundingBox"`
	Text  string    `json:"text"`
	Words []word3   `json:"words"`
}

type page3 struct {
	Page   int     `json:"page"`
	Angle  float64 `json:"angle"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	Unit   string  `json:"unit"`
	Lines  []line3 `json:"lines"`
}

type analyzed struct {
	Version      string  `json:"version"`
	ModelVersion string  `json:"modelVersion"`
	Pages        []page3 `json:"readResults"`
}

type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type operation3 struct {
	Status  status    `json:"status"`
	Created time.Time `json:"createdDateTime"`
	Updated time.Time `json:"lastUpdatedDateTime"`
	Result  *analyzed `json:"analyzeResult,omitempty"`
	Error   *problem  `json:"error,omitempty"`
}

func answerRead3(r record) any {
	a := operation3{Status: r.Status, Created: r.Created.UTC().Truncate(time.Second), Updated: r.Updated.UTC().Truncate(time.Second)}
	switch r.Status {
	case failed:
		a.Error = &problem{"FailedToProcess", r.Failure}
	case succeeded:
		a.Result = &analyzed{Version: "3.2.0", ModelVersion: modelVersion, Pages: make([]page3, len(r.Pages))}
		for i, p := range r.Pages {
			a.Result.Pages[i] = p.v3()
		}
	}
	return a
}

// measure gives lengths of the page in its unit: pixels of pictures, inches of PDF pages.
func (p *page) measure() (unit string, of func(pixels float64) float64) {
	if p.DPI == 0 {
		return pixel, math.Round
	}
	return inch, func(v float64) float64 { return math.Round(v/p.DPI*1e4) / 1e4 }
}

func (p *page) v3() page3 {
	unit, of := p.measure()
	box := func(q ocr.Quad) []float64 {
		out := make([]float64, len(q))
		for i, v := range q {
			out[i] = of(v)
		}
		return out
	}
	angle := math.Round(p.Angle*1e4) / 1e4
	if angle == 180 { // the specification's range is [-180, 180)
		angle = -180
	}
	out := page3{Page: p.Number, Angle: angle, Width: of(float64(p.Width)), Height: of(float64(p.Height)), Unit: unit, Lines: make([]line3, len(p.Lines))}
	for i, l := range p.Lines {
		words := make([]word3, len(l.Words))
		for k, w := range l.Words {
			words[k] = word3{box(w.Box), w.Text, math.Round(w.Confidence*1e3) / 1e3}
		}
		out.Lines[i] = line3{box(l.Box), l.Text, words}
	}
	return out
}

type page2 struct {
	Page   int     `json:"page"`
	Angle  float64 `json:"clockwiseOrientation"` // 0 to 360
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	Unit   string  `json:"unit"`
	Lines  []line2 `json:"lines"`
}

type batchRead struct {
	Status  string  `json:"status"`
	Results []page2 `json:"recognitionResults,omitempty"`
}

func answerRead2(r record) any {
	a := batchRead{Status: capital(r.Status)}
	for _, p := range r.Pages {
		three := p.v3()
		two := page2{Page: three.Page, Angle: math.Mod(three.Angle+360, 360), Width: three.Width, Height: three.Height, Unit: three.Unit, Lines: three.v2()}
		a.Results = append(a.Results, two)
	}
	return a
}
