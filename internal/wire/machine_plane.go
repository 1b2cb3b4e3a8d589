package wire

import (
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// machinePlane is that of the endpoints on a machine: App Service's identity endpoint answers {"statusCode","message"}, the instance
// metadata service (paths below /metadata) OAuth's error and description.
type machinePlane struct{ base }

type machineError struct {
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message"`
}

type imdsError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (machinePlane) failure(r *Request, f *fault.Error, _ time.Time) any {
	if p := r.HTTP.URL.Path; len(p) >= 10 && strings.EqualFold(p[:10], "/metadata/") {
		return imdsError{oauthCode(f), f.Message}
	}
	return machineError{f.Kind.Status(), f.Message}
}
