package query

import (
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Span is a half-open range of byte offsets in the query text.
type Span struct{ Start, End int }

// Diagnostic is one complaint about a query, in the service's own form. Offsets in Location count UTF-16 units.
type Diagnostic struct {
	Severity string    `json:"severity"`
	Location *Location `json:"location,omitempty"`
	Code     any       `json:"code,omitempty"` // "SC1001", or a number such as 2206
	Message  string    `json:"message"`
}

// Location is where in the query text a Diagnostic points.
type Location struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Error is a query the service refuses. It unwraps to the *fault.Error that the gateway answers.
type Error struct {
	Diagnostics []Diagnostic
	fault       *fault.Error
}

// Error implements error; it is the first diagnostic.
func (e *Error) Error() string {
	return fmt.Sprintf("query: %v: %s", e.Diagnostics[0].Code, e.Diagnostics[0].Message)
}

// Unwrap gives the 400 fault, whose message is `{"errors":[...]}`.
func (e *Error) Unwrap() error { return e.fault }

func newError(ds ...Diagnostic) *Error {
	text, _ := json.Marshal(struct {
		Errors []Diagnostic `json:"errors"`
	}{ds}) // plain strings and integers always marshal
	return &Error{Diagnostics: ds, fault: fault.New(fault.Invalid, "BadRequest", "%s", text)}
}

// diagnose makes a Diagnostic at a span of text.
func diagnose(text string, s Span, code, format string, args ...any) Diagnostic {
	return Diagnostic{
		Severity: "Error", Code: code, Message: fmt.Sprintf(format, args...),
		Location: &Location{Start: units(text[:s.Start]), End: units(text[:s.End])},
	}
}

// units is the length of s in UTF-16 units, in which clients count.
func units(s string) (n int) {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		n += max(utf16.RuneLen(r), 1)
		i += size
	}
	return n
}

// unsupported is the 501 fault for a construct of the language that this engine lacks.
func unsupported(what string) error {
	return fault.New(fault.NotImplemented, "NotImplemented", "%s is not implemented in queries yet.", what)
}
