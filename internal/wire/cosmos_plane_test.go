package wire

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// TestCosmosInvalidURL: what the web server in front of the gateway refuses is answered with a page, in which nothing of the request is markup.
func TestCosmosInvalidURL(t *testing.T) {
	t.Parallel()
	r := &Request{HTTP: httptest.NewRequest("GET", "/", nil)}
	page, ok := cosmosPlane{}.failure(r, fault.New(fault.Invalid, CodeInvalidURL, "the path '%s'", "<b>"), time.Time{}).([]byte)
	if !ok || !strings.Contains(string(page), "Invalid URL") || !strings.Contains(string(page), "&lt;b&gt;") || strings.Contains(string(page), "<b>") {
		t.Errorf("got %s", page)
	}
	if _, ok := (cosmosPlane{}).failure(r, fault.New(fault.Invalid, "BadRequest", "x"), time.Time{}).(cosmosError); !ok {
		t.Error("other failures are not JSON")
	}
}
