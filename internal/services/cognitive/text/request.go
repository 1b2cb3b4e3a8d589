package text

import (
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
)

// document is one of a request, as sent. Its strings are the parser's: valid until the next request it reads.
type document struct {
	id, text       string
	language, hint string
	hinted         bool // the country hint was given, be it empty
}

// Inner codes of requests that are refused.
const (
	codeInvalidRequest  = "InvalidRequest"
	codeInvalidArgument = "InvalidArgument"

	innerEmpty     = "EmptyRequest"
	innerFormat    = "InvalidRequestBodyFormat"
	innerMissing   = "MissingInputRecords"
	innerBatch     = "InvalidDocumentBatch"
	innerDocument  = "InvalidDocument"
	innerLanguage  = "UnsupportedLanguageCode"
	innerHint      = "InvalidCountryHint"
	innerModel     = "ModelVersionIncorrect"
	innerParameter = "InvalidParameterValue"
)

const formatText = "Request body format is wrong. Make sure the json request is serialized correctly and there are no null members."

// refuse words what is wrong with a request as a whole.
func (f *form) refuse(inner, message string) *fault.Error {
	if f.flat {
		if inner == innerBatch || inner == innerDocument {
			inner = "InvalidRequestContent"
		}
		return api.Invalid("BadRequest", "Invalid request", inner, message)
	}
	outer := "Invalid Request."
	if inner == innerBatch || inner == innerDocument || inner == innerMissing {
		outer = "Invalid document in request."
	}
	return api.Invalid(codeInvalidRequest, outer, inner, message)
}

// parse reads a body whose root is an object. The value is the parser's.
func (f *form) parse(p *fastjson.Parser, body []byte) (*fastjson.Value, *fault.Error) {
	if len(body) == 0 {
		return nil, f.refuse(innerEmpty, "Request body must be present.")
	}
	v, err := p.ParseBytes(body)
	if err != nil || v.Type() != fastjson.TypeObject {
		return nil, f.refuse(innerFormat, formatText)
	}
	return v, nil
}

// member looks a key up in any case.
func member(v *fastjson.Value, name string) *fastjson.Value {
	if v == nil || v.Type() != fastjson.TypeObject {
		return nil
	}
	if m := v.Get(name); m != nil {
		return m
	}
	o, _ := v.Object()
	var found *fastjson.Value
	o.Visit(func(key []byte, m *fastjson.Value) {
		if found == nil && strings.EqualFold(string(key), name) {
			found = m
		}
	})
	return found
}

// documents reads the documents below v into w, at most most of them.
func (f *form) documents(w *work, v *fastjson.Value, most int) *fault.Error {
	list := member(v, "documents")
	if list == nil || list.Type() == fastjson.TypeNull {
		return f.refuse(innerMissing, "Missing input records.")
	}
	if list.Type() != fastjson.TypeArray {
		return f.refuse(innerFormat, formatText)
	}
	all, _ := list.Array()
	switch {
	case len(all) == 0:
		return f.refuse(innerMissing, "Missing input records.")
	case len(all) > most:
		return f.refuse(innerBatch, "Batch request contains too many records. Max "+strconv.Itoa(most)+" records are permitted.")
	}
	for _, one := range all {
		d, ok := parseDocument(one)
		if !ok {
			return f.refuse(innerFormat, formatText)
		}
		w.docs = append(w.docs, d)
	}
	return f.checkIDs(w)
}

// parseDocument reads one document; ok is false if it is none. Fields nobody knows are passed over.
func parseDocument(v *fastjson.Value) (d document, ok bool) {
	o, err := v.Object()
	if err != nil {
		return d, false
	}
	ok = true
	o.Visit(func(key []byte, m *fastjson.Value) {
		switch {
		case keyIs(key, "id"):
			if m.Type() == fastjson.TypeNumber {
				d.id = m.String()
				return
			}
			d.id, ok = textOf(m, ok)
		case keyIs(key, "text"):
			d.text, ok = textOf(m, ok)
		case keyIs(key, "language"):
			d.language, ok = textOf(m, ok)
		case keyIs(key, "countryHint"):
			d.hint, ok = textOf(m, ok)
			d.hinted = m.Type() != fastjson.TypeNull
		}
	})
	return d, ok
}

func keyIs(key []byte, name string) bool {
	return len(key) == len(name) && (string(key) == name || strings.EqualFold(string(key), name))
}

// textOf is a string member's value, valid UTF-8 whatever was sent; null counts as empty.
func textOf(v *fastjson.Value, before bool) (string, bool) {
	switch v.Type() {
	case fastjson.TypeString:
		b, _ := v.StringBytes()
		return strings.ToValidUTF8(bytesAsString(b), "\ufffd"), before
	case fastjson.TypeNull:
		return "", before
	}
	return "", false
}

// checkIDs demands that every document has an id of its own.
func (f *form) checkIDs(w *work) *fault.Error {
	const small = 8 // below it comparing all is cheaper than a map
	if len(w.docs) > small {
		if w.seen == nil {
			w.seen = make(map[string]struct{}, len(w.docs))
		}
		clear(w.seen)
	}
	for i := range w.docs {
		id := w.docs[i].id
		if id == "" {
			return f.refuse(innerDocument, "Document Id is empty. Make sure each document has a unique Id.")
		}
		if w.isDuplicate(i, small) {
			return f.refuse(innerDocument, "Request contains duplicated Ids. Make sure each document has a unique Id.")
		}
	}
	return nil
}

func (w *work) isDuplicate(i, small int) bool {
	id := w.docs[i].id
	if len(w.docs) > small {
		_, there := w.seen[id]
		w.seen[id] = struct{}{}
		return there
	}
	for j := range i {
		if w.docs[j].id == id {
			return true
		}
	}
	return false
}
