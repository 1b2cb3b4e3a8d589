package wire

import (
	"context"
	"net/http"
)

// A Route is data: everything the platform knows about one operation on the wire. Routing, 404 and 405 answers, api-version errors, body limits,
// authentication, audit records and the test "every route has an exchange" all derive from it.
type Route struct {
	Host      HostKind
	Method    string // an HTTP method, or "*" for any (then Raw is set)
	Pattern   string // "/secrets/{name}/{version?}"; see Mux for the pattern language
	Operation string // the service's name for it, as in Azure's own logs: "SecretGet", "Microsoft.KeyVault/vaults/write"
	Versions  Versions
	BodyLimit int64 // bytes; 0 = DefaultBodyLimit, < 0 = the body is not read (Raw handlers)
	// Encodings are the Content-Encodings, in lower case, that the handler undoes itself; the limit is for the body as it came. Others are refused.
	Encodings []string

	// The stages, in the fixed order network, (api-version), authentication, authorization. Auth is required:
	// a route open to anyone says so with Anonymous. Each may read the request but never its body.
	Network   func(ctx context.Context, r *Request) error
	Auth      Authenticator
	Authorize func(ctx context.Context, r *Request) error

	Handler Handler                                       // returns the answer's value
	Raw     func(w http.ResponseWriter, r *Request) error // instead of Handler, for streams and reverse proxies

	// Brief, if set, tells by method and headers which requests the Handler answers at once: in about a millisecond, without waiting for anybody but the store. See
	// Mux.Brief.
	Brief func(r *http.Request) bool

	Quiet bool // no audit record for a successful call (discovery documents, health); still in the request log
}

// DefaultBodyLimit bounds a request's body where the route does not: 4 MiB, as ARM does.
const DefaultBodyLimit = 4 << 20

// Handler parses, loads, decides, stores and returns. The value becomes the JSON body with status 200, unless it is a Reply. It never writes the
// response, maps a status or logs. nil with a nil error is 204 No Content.
type Handler func(ctx context.Context, r *Request) (any, error)

// Authenticator is a way to prove who calls. Check sets r.Principal or returns a fault; Name is for docs and tests.
type Authenticator struct {
	Name  string
	Check func(ctx context.Context, r *Request) error
}

// Anonymous is the Authenticator of routes that anyone may call (discovery, token endpoints).
var Anonymous = Authenticator{Name: "anonymous", Check: func(context.Context, *Request) error { return nil }}

// Versions says how a plane treats the api-version query parameter. The zero value ignores it.
type Versions struct {
	Required bool   // missing is 400
	First    string // a date before it is 400 (ARM: the type's first); "" accepts any well-formed date
	Known    string // the versions, as the error for an earlier one names them; "" = First and later
	Header   string // read from this header instead of the query (Cosmos DB's x-ms-version), never required
}

// Reply is a handler's answer that needs more than 200 with a JSON body.
type Reply struct {
	Status int
	Header http.Header
	Body   any // nil: none; []byte: as it is with Header's Content-Type; anything else: JSON
}

// Created is a 201 Reply.
func Created(v any) Reply { return Reply{Status: http.StatusCreated, Body: v} }

// Service is what one service contributes to the platform. internal/app has the one list of them.
type Service struct {
	Name   string
	Routes []Route
	// Preflight answers browsers that ask by OPTIONS whether a page of another origin may send a request. It comes before any other stage: such a question
	// carries no credentials, and the network rules are for the request itself.
	Preflight map[HostKind]Handler
	// Run does background work until ctx ends; nil if there is none.
	Run func(ctx context.Context) error
}
