package wire

import (
	"net/http"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// vaultPlane is Key Vault's data plane: {"error":{"code","message","innererror":{"code"}}}.
type vaultPlane struct{ base }

type vaultError struct {
	Error vaultBody `json:"error"`
}

type vaultBody struct {
	Code    string      `json:"code"`
	Message string      `json:"message"`
	Inner   *vaultInner `json:"innererror,omitempty"`
}

type vaultInner struct {
	Code string `json:"code"`
}

func (vaultPlane) headers(h http.Header, r *Request) {
	secure(h, r, "no-cache")
	h["Pragma"] = r.one("no-cache")
	h["X-Ms-Request-Id"] = r.one(r.RequestID)
	h["X-Ms-Correlation-Request-Id"] = r.one(r.CorrelationID)
	if r.ClientRequestID != "" {
		h["X-Ms-Client-Request-Id"] = r.one(r.ClientRequestID)
	}
}

func (vaultPlane) failure(_ *Request, f *fault.Error, _ time.Time) any {
	b := vaultBody{Code: f.Code, Message: f.Message}
	if f.Inner != "" {
		b.Inner = &vaultInner{f.Inner}
	}
	return vaultError{b}
}

// vaultNewest is named to callers whose api-version cannot be read.
const vaultNewest = "2025-07-01"

func (v vaultPlane) problem(r *Request, p problem, detail string) *fault.Error {
	switch p {
	case badPath:
		return fault.New(fault.Invalid, "BadParameter", "The request URI contains an invalid %s.", detail)
	case missingVersion:
		return fault.New(fault.Invalid, "BadParameter", "api-version must be specified")
	case badVersion, oldVersion:
		return fault.New(fault.Invalid, "BadParameter", "The specified version (%s) is not recognized. Consider using the latest supported version (%s).", detail, vaultNewest)
	case badBody:
		return fault.New(fault.Invalid, "BadParameter", "The request body is not acceptable: %s.", detail)
	}
	return v.base.problem(r, p, detail)
}
