package items

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Limits of documents.
const (
	MaxDocument = 2 << 20 // bytes of JSON text
	MaxID       = 1023    // bytes
	maxDepth    = 128     // levels of nesting
)

// Document is the JSON text of a document as a client sent it, checked, without system properties.
type Document struct {
	ID   string
	Text []byte // a JSON object; key order, number text and inner whitespace as sent
	// Properties is how many top-level properties it has (the charge of a write depends on it).
	Properties int
	TTL        int32 // seconds; 0: it says nothing, -1: it never ends
	badTTL     bool  // it says something else
}

// systemProperties are the service's own; what a client sends for them is dropped.
var systemProperties = [...]string{"_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"}

// Parse checks a document. Its text may share body's memory.
func Parse(body []byte) (Document, error) {
	s := scanner{b: body}
	members, err := s.document()
	if err != "" {
		return Document{}, fault.New(fault.Invalid, "BadRequest", "The document is not acceptable: %s (at byte %d).", err, s.i)
	}
	if len(body) > MaxDocument {
		return Document{}, fault.New(fault.TooLarge, "RequestEntityTooLarge", "Request size is too large: a document has at most %d bytes.", MaxDocument)
	}
	var d Document
	var idText, ttlText []byte
	system := 0
	for _, m := range members {
		name := body[m.nameStart:m.nameEnd]
		switch {
		case string(name) == `"id"` || m.escaped && unquote(name) == "id":
			idText = body[m.valueStart:m.valueEnd]
		case string(name) == `"ttl"` || m.escaped && unquote(name) == "ttl":
			ttlText = body[m.valueStart:m.valueEnd]
		case isSystem(name):
			system++
		}
	}
	d.Properties = len(members) - system
	d.TTL, d.badTTL = parseTTL(ttlText)
	switch {
	case idText == nil:
		return d, fault.New(fault.Invalid, "BadRequest", "The input content is invalid because the required properties - 'id; ' - are missing")
	case idText[0] != '"':
		return d, fault.New(fault.Invalid, "BadRequest", "The input content is invalid because the property 'id' is not a string")
	}
	d.ID = unquote(idText)
	if err := CheckID(d.ID); err != nil {
		return d, err
	}
	d.Text = body[s.start:s.end]
	if system > 0 {
		d.Text = withoutSystem(body, members)
	}
	return d, nil
}

// parseTTL reads the value of a document's property ttl. One that is not valid counts as none; a write refuses it.
func parseTTL(text []byte) (ttl int32, bad bool) {
	if text == nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || f > math.MaxInt32 || f < 1 && f != -1 {
		return 0, true
	}
	return int32(f), false
}

// CheckID tells whether id can be a document's.
func CheckID(id string) error {
	switch {
	case id == "":
		return fault.New(fault.Invalid, "BadRequest", "The input content is invalid because the required properties - 'id; ' - are missing")
	case len(id) > MaxID:
		return fault.New(fault.Invalid, "BadRequest", "The property 'id' is %d bytes long; at most %d are allowed.", len(id), MaxID)
	}
	return nil
}

func isSystem(quoted []byte) bool {
	if len(quoted) < 3 || quoted[1] != '_' {
		return false
	}
	for _, p := range systemProperties {
		if string(quoted[1:len(quoted)-1]) == p {
			return true
		}
	}
	return false
}

// withoutSystem rebuilds the object without system properties.
func withoutSystem(body []byte, members []member) []byte {
	out := make([]byte, 0, len(body))
	out = append(out, '{')
	for _, m := range members {
		if isSystem(body[m.nameStart:m.nameEnd]) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, body[m.nameStart:m.valueEnd]...)
	}
	return append(out, '}')
}

// unquote decodes a JSON string that the scanner accepted.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c == '\\' {
			var s string
			_ = json.Unmarshal(quoted, &s) // was checked by the scanner
			return s
		}
	}
	return string(inner)
}
