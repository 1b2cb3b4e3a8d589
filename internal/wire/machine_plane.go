package wire

import (
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// machinePlane is that of the endpoints on a machine: App Service's identity endpoint answers {"statusCode","message","correlationId"}, the instance
// metadata service (paths below /metadata) OAuth's error and description, and its instance part the error alone.
type machinePlane struct{ base }

type machineError struct {
	StatusCode    int    `json:"statusCode"`
	Message       string `json:"message"`
	CorrelationID string `json:"correlationId"`
}

type imdsError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func (machinePlane) failure(r *Request, f *fault.Error, _ time.Time) any {
	switch p := strings.ToLower(r.HTTP.URL.Path); {
	case strings.HasPrefix(p, "/metadata/instance"):
		return imdsError{Error: f.Message}
	case strings.HasPrefix(p, "/metadata/"):
		return imdsError{oauthCode(f), f.Message}
	}
	return machineError{f.Kind.Status(), f.Message, r.CorrelationID}
}
