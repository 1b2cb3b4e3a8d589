package wire

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// loginPlane is the token service's: OAuth 2.0 errors (RFC 6749, section 5.2) with Entra ID's additions. fault.Code is the AADSTS code,
// fault.Inner the OAuth error.
type loginPlane struct{ base }

type oauthError struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri,omitempty"`
}

func (loginPlane) headers(h http.Header, r *Request) {
	secure(h, r, "no-store, no-cache")
	h["Pragma"] = r.one("no-cache")
	h["X-Ms-Request-Id"] = r.one(r.RequestID)
	h["X-Ms-Correlation-Request-Id"] = r.one(r.CorrelationID)
	if id := r.HTTP.Header.Get("Client-Request-Id"); id != "" && asked(r, "Return-Client-Request-Id") {
		h["Client-Request-Id"] = r.one(r.ClientRequestID)
	}
}

func (loginPlane) failure(r *Request, f *fault.Error, now time.Time) any {
	stamp := now.UTC().Format("2006-01-02 15:04:05Z")
	e := oauthError{
		Error:     oauthCode(f),
		Codes:     []int{},
		Timestamp: stamp, TraceID: r.RequestID, CorrelationID: r.CorrelationID,
		Description: f.Code + ": " + f.Message + "\r\nTrace ID: " + r.RequestID + "\r\nCorrelation ID: " + r.CorrelationID + "\r\nTimestamp: " + stamp,
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(f.Code, "AADSTS")); err == nil {
		e.Codes = append(e.Codes, n)
		e.URI = "https://" + r.Host.Text + "/error?code=" + strconv.Itoa(n)
	}
	return e
}

// oauthCode is the OAuth error of a fault that doesn't name one.
func oauthCode(f *fault.Error) string {
	switch {
	case f.Inner != "":
		return f.Inner
	case f.Kind == fault.Unauthenticated:
		return "invalid_client"
	case f.Kind == fault.Forbidden:
		return "access_denied"
	case f.Kind == fault.Unavailable || f.Kind == fault.TooMany || f.Kind == fault.Full:
		return "temporarily_unavailable"
	case f.Kind == fault.Internal:
		return "server_error"
	}
	return "invalid_request"
}

func (l loginPlane) problem(r *Request, p problem, detail string) *fault.Error {
	switch p {
	case wrongMethod:
		return fault.New(fault.MethodNotAllowed, "AADSTS900561", "The endpoint only accepts %s requests. Received a %s request.", detail, r.HTTP.Method)
	case badBody:
		return fault.New(fault.Invalid, "AADSTS90014", "The request body is not acceptable: %s.", detail)
	}
	return l.base.problem(r, p, detail)
}
