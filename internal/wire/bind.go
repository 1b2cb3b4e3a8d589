package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bind decodes the body, one JSON value and nothing behind it, into v. Fields v doesn't have are ignored, as Azure does, since newer clients
// send them. A body that is empty, malformed or of another type is a fault in the plane's words; it never repeats the body's content.
func Bind(r *Request, v any) error {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return planeFor(r).problem(r, badBody, "it is empty; a JSON document is expected")
	}
	dec := json.NewDecoder(bytes.NewReader(r.Body))
	if err := dec.Decode(v); err != nil {
		return planeFor(r).problem(r, badBody, explain(err)).WithCause(errors.New("decode body: " + explain(err)))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return planeFor(r).problem(r, badBody, "text follows the JSON document")
	}
	return nil
}

// planeFor also serves Requests that a test made by hand.
func planeFor(r *Request) plane {
	if r.plane != nil {
		return r.plane
	}
	return planeOf(r.Host.Kind)
}

// explain says what is wrong with a JSON text without its content and without Go's type names.
func explain(err error) string {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("malformed JSON at offset %d", syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the JSON document ends early"
	case errors.As(err, &typ):
		found, _, _ := strings.Cut(typ.Value, " ")
		if typ.Field == "" {
			return "the JSON document is of the wrong type: " + found
		}
		return fmt.Sprintf("the property '%s' is of the wrong type: %s", typ.Field, found)
	}
	return "the JSON document has a value that is not acceptable"
}

// Handle adapts a handler with a typed result, so that a nil pointer it returns beside an error never becomes a "null" body.
func Handle[T any](fn func(ctx context.Context, r *Request) (T, error)) Handler {
	return func(ctx context.Context, r *Request) (any, error) {
		v, err := fn(ctx, r)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
}

// HandleBody adapts a handler that takes the body, decoded by Bind.
func HandleBody[In, Out any](fn func(ctx context.Context, r *Request, in *In) (Out, error)) Handler {
	return func(ctx context.Context, r *Request) (any, error) {
		in := new(In)
		if err := Bind(r, in); err != nil {
			return nil, err
		}
		v, err := fn(ctx, r, in)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
}
