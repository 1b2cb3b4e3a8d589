package text

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unsafe"

	"github.com/valyala/fastjson"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
)

const (
	// maxElements is how many text elements a document may have.
	maxElements = 5120
	// perTransaction is how many of them are one transaction.
	perTransaction = 1000
	// defaultHint is the country a text is taken to be from.
	defaultHint = "US"
	// defaultLanguage is that of a document without one.
	defaultLanguage = "en"
)

// docError is what is wrong with one document.
type docError struct {
	code, message, inner, innerMessage string
	flat                               string // version 2's one text
}

// result is what became of one document.
type result struct {
	fail     *docError
	elements int // counted where statistics or bills need it, else 0
	units    int // transactions
	language Language
	opinion  Opinion
	phrases  []string
}

// work is what one request needs, kept for the next.
type work struct {
	parser  fastjson.Parser
	docs    []document
	results []result
	seen    map[string]struct{}
}

func (w *work) reset() {
	clear(w.docs)
	clear(w.results)
	clear(w.seen)
	w.docs, w.results = w.docs[:0], w.results[:0]
}

// keep bounds what is kept: a work that held a big request goes to the collector.
const keep = 2048

// bytesAsString is b as a string without a copy; b isn't changed while the string is in use.
func bytesAsString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// batch is from how many documents on a request's work is divided among the processors.
const batch = 64

// each runs fn for every document that has no error yet. fn is called by several goroutines.
func (w *work) each(fn func(d *document, r *result) error) error {
	n := len(w.docs)
	w.results = append(w.results, make([]result, max(0, n-len(w.results)))...)
	if n < batch || runtime.GOMAXPROCS(0) == 1 {
		for i := range w.docs {
			if err := w.one(i, fn); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n/(batch/2))
	errs := make([]error, workers)
	for k := range workers {
		wg.Go(func() {
			const step = batch / 4
			for errs[k] == nil {
				from := int(next.Add(step)) - step
				if from >= n {
					return
				}
				for i := from; i < min(from+step, n) && errs[k] == nil; i++ {
					errs[k] = w.one(i, fn)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// one checks a document and does its work.
func (w *work) one(i int, fn func(d *document, r *result) error) error {
	d, r := &w.docs[i], &w.results[i]
	if strings.TrimLeftFunc(d.text, unicode.IsSpace) == "" {
		r.fail = badDocument("Document text is empty.")
		return nil
	}
	r.units = 1
	if len(d.text) > perTransaction {
		r.elements = elements(d.text)
		if r.elements > maxElements {
			r.fail = badDocument("A document within the request was too large to be processed. Limit document size to: 5120 text elements. " +
				"For additional details on the data limitations see https://aka.ms/text-analytics-data-limits")
			return nil
		}
		r.units = (r.elements + perTransaction - 1) / perTransaction
	}
	return fn(d, r)
}

func badDocument(message string) *docError {
	return &docError{codeInvalidArgument, "Invalid document in request.", innerDocument, message, message}
}

// detect finds the languages.
func (s *Service) detect(w *work) error {
	engine, err := s.language.open()
	if err != nil {
		return err
	}
	return w.each(func(d *document, r *result) error {
		hint := defaultHint
		if d.hinted {
			hint = d.hint
		}
		switch {
		case hint == "" || strings.EqualFold(hint, "none"):
			hint = ""
		case len(hint) != 2 || !isLetter(hint[0]) || !isLetter(hint[1]):
			const text = "Country hint is not valid. Please specify an ISO 3166-1 alpha-2 two letter country code."
			r.fail = &docError{codeInvalidArgument, "Invalid Country Hint.", innerHint, text, text}
			return nil
		default:
			hint = strings.ToUpper(hint)
		}
		r.language = engine.Detect(d.text, hint)
		return nil
	})
}

func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

// judge finds the sentiments.
func (s *Service) judge(w *work) error {
	engine, err := s.sentiment.open()
	if err != nil {
		return err
	}
	return w.eachKnown(engine.Languages(), func(d *document, lang string, r *result) (err error) {
		r.opinion, err = engine.Analyze(d.text, lang)
		return err
	})
}

// eachKnown is each for documents in the languages that are known, told by the engine's own names; others are refused.
func (w *work) eachKnown(known []string, do func(d *document, lang string, r *result) error) error {
	return w.each(func(d *document, r *result) error {
		lang, ok := choose(known, d.language)
		if !ok {
			r.fail = badLanguage(known)
			return nil
		}
		return do(d, lang, r)
	})
}

// extract finds the key phrases.
func (s *Service) extract(w *work) error {
	engine, err := s.keyPhrases.open()
	if err != nil {
		return err
	}
	return w.eachKnown(engine.Languages(), func(d *document, lang string, r *result) (err error) {
		r.phrases, err = engine.Phrases(d.text, lang)
		return err
	})
}

// choose finds the engine's own name of the language asked for: the very one, or the one without a region or script ("pt-BR" is "pt", "zh-hans" "zh").
func choose(known []string, asked string) (string, bool) {
	if asked == "" {
		asked = defaultLanguage
	}
	plain, _, _ := strings.Cut(asked, "-")
	plain, _, _ = strings.Cut(plain, "_")
	found := ""
	for _, k := range known {
		if strings.EqualFold(k, asked) {
			return k, true
		}
		if strings.EqualFold(k, plain) {
			found = k
		}
	}
	return found, found != ""
}

func badLanguage(known []string) *docError {
	list := strings.Join(known, ",")
	return &docError{codeInvalidArgument, "Invalid Language Code.", innerLanguage, "Invalid language code. Supported languages: " + list, "Supplied language not supported. Pass in one of: " + list}
}

// take gives a work for one request.
func (s *Service) take() *work {
	if w, ok := s.works.Get().(*work); ok {
		return w
	}
	return new(work)
}

func (s *Service) give(w *work) {
	if cap(w.docs) > keep {
		return
	}
	w.reset()
	s.works.Put(w)
}

// answer takes one request through its steps. v is the parsed body's part that has the documents.
func (s *Service) answer(c *api.Call, f *form, o *operation, w *work, v *fastjson.Value, q options) ([]byte, *fault.Error, error) {
	if refused := f.documents(w, v, o.most(f)); refused != nil {
		return nil, refused, nil
	}
	if err := o.run(s, w); err != nil {
		return nil, nil, err
	}
	w.results = w.results[:len(w.docs)]
	units := 0
	for i := range w.results {
		r := &w.results[i]
		if r.fail != nil {
			continue
		}
		units += r.units
		if q.stats && r.elements == 0 {
			r.elements = elements(w.docs[i].text)
		}
	}
	c.Charge(units)
	size := 256
	for i := range w.docs {
		size += len(w.docs[i].id) + o.room(&w.results[i])
	}
	return f.write(make([]byte, 0, size), o, w, q), nil, nil
}
