package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/container"
)

// mostAllocations is what a single-document request may allocate inside the container, apart from net/http.
const mostAllocations = 20

// counted are allocations.
type counted struct {
	single float64 // of a request with one document
	each   float64 // of a document in a request with a thousand
}

// judge fails on more than there shall be.
func (c counted) judge() error {
	if c.single > mostAllocations {
		return fmt.Errorf("a single-document request allocates %.0f times, more than %d", c.single, mostAllocations)
	}
	return nil
}

// sink is a response that goes nowhere.
type sink struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (s *sink) Header() http.Header { return s.header }

// Write implements io.Writer.
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (s *sink) WriteHeader(status int) { s.status = status }

// allocations counts, inside this process, what requests to the language container allocate.
func allocations(ctx context.Context, billing string) (c counted, err error) {
	config, err := container.Parse([]string{"eula=accept", "apikey=" + benchKey, "billing=" + billing, "Logging:Console:LogLevel:Default=Error"}, nil)
	if err != nil {
		return c, err
	}
	api := app.Containers()[0]
	h, err := container.New(container.Options{API: api, Config: config, Listen: "127.0.0.1:0", Version: "bench", Console: io.Discard})
	if err != nil {
		return c, err
	}
	if err := h.Open(ctx); err != nil {
		return c, err
	}
	post := func(body []byte) (float64, error) {
		var failed error
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, nil)
		if err != nil {
			return 0, err
		}
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = "127.0.0.1:1"
		from := bytes.NewReader(body)
		w := &sink{header: http.Header{}}
		n := testing.AllocsPerRun(200, func() {
			from.Reset(body)
			r.Body, r.ContentLength = io.NopCloser(from), int64(len(body))
			clear(w.header)
			h.ServeHTTP(w, r)
			if w.status != 0 && w.status != http.StatusOK {
				failed = errors.New("a request inside the process was refused")
			}
		})
		return n, failed
	}
	if c.single, err = post(body(1, 0)); err != nil {
		return c, err
	}
	c.each, err = post(body(many, 0))
	c.each /= many
	return c, err
}
