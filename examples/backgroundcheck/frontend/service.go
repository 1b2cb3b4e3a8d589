package main

import (
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// Service is the HTTP API.
type Service struct {
	Verifier *Verifier
	Chain    *Chain
	Log      *slog.Logger
}

// answer is what a handler has to say.
type answer struct {
	status int
	body   any // nil: none
}

type handler func(r *http.Request, caller *Caller) (*answer, error)

// Handler routes requests.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"service": "background checks", "status": "up"})
	})
	mux.Handle("PUT /checks/{id}", s.serve(s.put))
	mux.Handle("GET /checks/{id}", s.serve(s.get))
	mux.Handle("DELETE /checks/{id}", s.serve(s.remove))
	mux.Handle("GET /checks", s.serve(s.list))
	return mux
}

// serve does what all requests have in common: correlation, the caller, the answer and one line of log.
func (s *Service) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		r, correlation := correlated(r)
		w.Header().Set(correlationHeader, correlation)
		attrs := []any{"correlation_id", correlation, "method", r.Method, "path", r.URL.Path}

		caller, err := s.caller(r)
		var out *answer
		if err == nil {
			attrs = append(attrs, "customer", caller.Customer.Name, "client_id", caller.ClientID)
			out, err = h(r, caller)
		}
		if err != nil {
			f := faultOf(err)
			s.Log.Warn("refused", append(attrs, "status", f.status, "code", f.Code, "hop", f.Hop, "error", err, "ms", time.Since(began).Milliseconds())...)
			if f.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			writeJSON(w, f.status, map[string]*fault{"error": f})
			return
		}
		s.Log.Info("served", append(attrs, "status", out.status, "ms", time.Since(began).Milliseconds())...)
		if out.body == nil {
			w.WriteHeader(out.status)
			return
		}
		writeJSON(w, out.status, out.body)
	})
}

func (s *Service) caller(r *http.Request) (*Caller, error) {
	caller, err := s.Verifier.Verify(r)
	var hop *hopError
	switch {
	case err == nil, errors.As(err, &hop):
		return caller, err
	case errors.Is(err, errUnknownCustomer):
		return nil, &fault{status: http.StatusForbidden, Code: "UnknownCustomer", Message: err.Error()}
	case errors.Is(err, errUnknownCaller):
		return nil, &fault{status: http.StatusForbidden, Code: "UnknownCaller", Message: err.Error()}
	}
	return nil, &fault{status: http.StatusUnauthorized, Code: "Unauthorized", Message: err.Error()}
}
