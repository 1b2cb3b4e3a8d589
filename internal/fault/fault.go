// Package fault holds the one error type that crosses package walls.
//
// A service says what went wrong (Kind, Azure's own Code, a message for the person who has to act on it); the plane the
// request came in on decides how that looks on the wire (package wire, dialects). Whatever is not a *fault.Error
// becomes a 500 with a fixed text, its cause only in the log.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kind is the closed set of ways a request can fail. Each maps to one HTTP status.
type Kind uint8

// The kinds, named for what the caller should understand.
const (
	Internal         Kind = iota // ours to fix; 500
	Invalid                      // the request is malformed; 400
	Unauthenticated              // no, bad or expired credential; 401
	Forbidden                    // known caller, not allowed; 403
	NotFound                     // 404
	MethodNotAllowed             // 405
	NotAcceptable                // 406
	Timeout                      // the client was too slow or a bound ran out; 408
	Conflict                     // state does not allow it; 409
	Gone                         // 410
	Precondition                 // an etag did not match; 412
	TooLarge                     // 413
	UnsupportedMedia             // 415
	Locked                       // 423
	RetryWith                    // Cosmos DB's 449
	TooMany                      // throttled; 429
	NotImplemented               // Bulkhead lacks it, the message names it; 501
	BadGateway                   // something behind us answered badly; 502
	Unavailable                  // try again; 503
	Full                         // no room to write; 507
)

var statuses = [...]int{
	Internal: 500, Invalid: 400, Unauthenticated: 401, Forbidden: 403, NotFound: 404, MethodNotAllowed: 405,
	NotAcceptable: 406, Timeout: 408, Conflict: 409, Gone: 410, Precondition: 412, TooLarge: 413,
	UnsupportedMedia: 415, Locked: 423, RetryWith: 449, TooMany: 429, NotImplemented: 501, BadGateway: 502,
	Unavailable: 503, Full: 507,
}

// Status is the HTTP status of the kind.
func (k Kind) Status() int {
	if int(k) < len(statuses) {
		return statuses[k]
	}
	return http.StatusInternalServerError
}

// Error is a failure as the caller shall see it. Never put a secret into Message, Target or Cause.
type Error struct {
	Kind       Kind
	Code       string        // Azure's own string, such as "SecretNotFound"
	Message    string        // what was wrong, with which value, and what to do
	Target     string        // the field or resource concerned; may be empty
	Inner      string        // Key Vault's innererror code, such as "SecretDisabled"; Cosmos DB's additionalErrorInfo
	Substatus  int           // Cosmos DB's x-ms-substatus
	Details    []Error       // further causes
	RetryAfter time.Duration // > 0: the client may try again after this
	Header     http.Header   // further response headers, such as WWW-Authenticate
	Cause      error         // logged, never sent
}

// New makes an Error with a formatted message.
func New(k Kind, code, format string, args ...any) *Error {
	return &Error{Kind: k, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Code + ": " + e.Message
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// WithCause returns a copy that carries the error that led to it.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.Cause = err
	return &c
}

// As returns err as an *Error; anything else becomes an Internal one with a fixed text and err as its cause.
// As(nil) is nil.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Code: "InternalServerError", Message: "The server met an internal error.", Cause: err}
}

// Is tells whether err is a fault of kind k.
func Is(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}
