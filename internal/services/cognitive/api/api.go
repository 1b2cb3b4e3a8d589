// Package api is how an API of Cognitive Services hangs into its two hosts: the container (package container), which serves one API on its own, and the account
// (package cognitive), which serves all of them behind keys, tokens and rate limits.
//
// An API is a value: its name, its routes, the swagger documents that describe them, and what makes it ready. A handler returns a value or an error, as any of
// package wire; what it did for the caller it tells by Call.Charge, which both hosts turn into usage. It neither knows nor asks which host it runs in.
package api

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// API is one kind of Cognitive Services API. Read only once made.
type API struct {
	// Name is the container's: "language", "face", "recognize-text".
	Name string
	// Title is for people: "Language Detection".
	Title string
	// Kinds are the kinds of account whose keys are good for it: "TextAnalytics", "CognitiveServices".
	Kinds []string
	// Type and Meter are how usage is reported: "textanalytics", "CognitiveServices.TextAnalytics.Container.BatchScoring".
	Type, Meter string
	Routes      []Route
	// Documents describe the routes; the first is what the container's swagger page opens with.
	Documents []Document
	// Open makes the API ready to answer (loads its models), once; later calls return what the first did. nil: it always is. An error says what is missing and
	// how to get it.
	Open func(ctx context.Context) error
	// Forget drops all that is kept of an account, which is gone for good; it may be called again. nil: nothing is kept.
	Forget func(ctx context.Context, account string) error
}

// Document is one swagger document (OpenAPI 2.0, JSON), served at /swagger/{Name}/swagger.json.
type Document struct {
	Name  string // "text-analytics-v3.1"
	Title string
	JSON  []byte
}

// Route is one operation.
type Route struct {
	Method    string
	Pattern   string // see package wire: "/text/analytics/v3.1/languages"
	Operation string // "TextAnalytics_DetectLanguage"
	// Action is the data action a token's owner needs, below Microsoft.CognitiveServices/accounts/: "TextAnalytics/languages/action".
	Action string
	// Feature is what an account's rate limit counts by: "languages".
	Feature   string
	Versions  wire.Versions
	BodyLimit int64 // bytes; 0 = 1 MiB, the limit of a request of Text Analytics
	Handler   func(ctx context.Context, c *Call) (any, error)
}

// DefaultBodyLimit is that of a Route without one.
const DefaultBodyLimit = 1 << 20

// Call is one request to an API.
type Call struct {
	*wire.Request
	// Account is the immutable id of the account the request is for; "" in a container, which serves one owner.
	Account string

	units int64
}

// Charge counts n transactions, as the service bills them.
func (c *Call) Charge(n int) { c.units += int64(n) }

// Units is what was charged.
func (c *Call) Units() int64 { return c.units }

// Invalid is the error of a request that an API refuses: its code and message, and the inner error's, which say more.
func Invalid(code, message, innerCode, innerMessage string) *fault.Error {
	f := fault.New(fault.Invalid, code, "%s", message)
	f.Details = []fault.Error{{Kind: fault.Invalid, Code: innerCode, Message: innerMessage}}
	return f
}

// Missing is the error of what this program can't do, naming it and why.
func Missing(what, why string) *fault.Error {
	f := fault.New(fault.NotImplemented, "NotImplemented", "%s isn't available here: %s", what, why)
	f.Details = []fault.Error{{Kind: fault.NotImplemented, Code: "NotImplemented", Message: f.Message}}
	return f
}
