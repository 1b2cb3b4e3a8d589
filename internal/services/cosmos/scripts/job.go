package scripts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Kind is what a script is.
type Kind string

// The kinds.
const (
	Procedure   Kind = "sproc"
	PreTrigger  Kind = "pre"
	PostTrigger Kind = "post"
	Function    Kind = "udf"
)

// Limits of every script.
const (
	MaxBody   = 256 << 10 // bytes of source
	MaxResult = 4 << 20   // bytes of a response's body
	MaxTime   = 5 * time.Second
	// refuseAfter is from when on operations are not accepted any more, so that a script can end by itself.
	refuseAfter = MaxTime * 4 / 5
	callDepth   = 4000
)

// Job is one run of a stored procedure or trigger.
type Job struct {
	Kind      Kind            `json:"kind"`
	Name      string          `json:"name"` // of the script, for stack traces
	Body      string          `json:"body"`
	Args      json.RawMessage `json:"args,omitempty"`      // of a procedure: an array
	Operation string          `json:"operation,omitempty"` // what getOperationType tells
	Request   json.RawMessage `json:"request,omitempty"`   // the request's body
	Response  json.RawMessage `json:"response,omitempty"`  // a post-trigger's: what the operation answers
	SelfLink  string          `json:"self"`                // of the container
	AltLink   string          `json:"alt"`
	Quota     string          `json:"quota,omitempty"`
	Usage     string          `json:"usage,omitempty"`
	Logging   bool            `json:"logging,omitempty"`
	Now       time.Time       `json:"now"` // what the script takes for the time; it goes on from there
}

// Result is what a run left.
type Result struct {
	Body json.RawMessage `json:"body,omitempty"` // of the response; of a pre-trigger: of the request. Nothing: a post-trigger left it as it was
	Log  string          `json:"log,omitempty"`
}

// Host is a script's only way out. Call does one operation: its name and its texts; it answers a Reply as JSON. An error ends the run, which then answers
// the same error. Called from one goroutine at a time.
//
//	create link document "" index · upsert link document etag index · replace link document etag index · delete link etag · read link etag
//	list link size continuation · query link query size continuation
type Host interface {
	Call(ctx context.Context, op string, args []string) ([]byte, error)
}

// Reply is what a Host answers.
type Reply struct {
	Accepted bool            `json:"accepted"`
	Refused  *Problem        `json:"refused,omitempty"` // the call itself throws
	Error    *Problem        `json:"error,omitempty"`   // the callback gets it
	Body     json.RawMessage `json:"body,omitempty"`
	Options  *Options        `json:"options,omitempty"`
}

// Options is what a callback gets besides the body.
type Options struct {
	Continuation string `json:"continuation,omitempty"`
	ETag         string `json:"etag,omitempty"`
	NotModified  bool   `json:"notModified,omitempty"`
}

// Problem is an error as a script sees it.
type Problem struct {
	Number  int    `json:"number"`
	Message string `json:"message"`
}

// Runner compiles and runs scripts. Safe for concurrent use.
type Runner interface {
	// Check tells whether the body compiles to a function; if not, an *Error of reason Compile.
	Check(ctx context.Context, body string) error
	// Run runs a job. What the script is to blame for is an *Error.
	Run(ctx context.Context, j Job, h Host) (Result, error)
	// Functions makes user-defined functions ready, given by name. Close the Session.
	Functions(ctx context.Context, bodies map[string]string, now time.Time) (Session, error)
}

// Session calls user-defined functions. Not safe for concurrent use.
type Session interface {
	// Call calls one. Arguments and the result are JSON texts, "" for undefined. All calls of a session together have MaxTime.
	Call(ctx context.Context, name string, args []string) (string, error)
	Close()
}

// Reason is the kind of an Error.
type Reason string

// The reasons.
const (
	Compile Reason = "compile" // it is not JavaScript, or not a function
	Thrown  Reason = "thrown"  // an exception was not caught
	TooLong Reason = "time"    // MaxTime was over
	TooMuch Reason = "memory"  // heap or stack
	TooBig  Reason = "size"    // of the result
)

// Error is a script that failed by its own fault.
type Error struct {
	Reason  Reason `json:"reason"`
	Number  int    `json:"number,omitempty"` // the exception's number
	Message string `json:"message"`          // the exception as text
	Stack   string `json:"stack,omitempty"`  // lines of "   at f (name.js:1:2)"
	Log     string `json:"log,omitempty"`    // what was logged before
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("script: %s: %s", e.Reason, e.Message) }
