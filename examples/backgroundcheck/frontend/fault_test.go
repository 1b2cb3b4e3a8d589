package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// An answer's text stays inside: it may hold what callers and logs must not see.
func TestHopError(t *testing.T) {
	const inner = "the-text-of-an-answer"
	answer := func(status int, code string) error {
		body := fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, inner)
		return runtime.NewResponseError(&http.Response{
			StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(body))),
			Request: &http.Request{Method: "GET", URL: &url.URL{Scheme: "https", Host: "host"}},
		})
	}
	for _, tc := range []struct {
		hop    string
		err    error
		status int
		reason string
	}{
		{hopVault, answer(403, "Forbidden"), 502, "vault: answered 403 Forbidden"},
		{hopManagement, answer(403, "AuthorizationFailed"), 403, "management: answered 403 AuthorizationFailed"},
		{hopManagement, answer(500, "InternalServerError"), 502, "management: answered 500 InternalServerError"},
		{hopDocuments, errors.New("failed to retrieve account properties: GET https://a\n---\nRESPONSE 403: 403 Forbidden\n" + inner), 403, "documents: answered 403"},
		{hopDocuments, answer(401, "Unauthorized"), 502, "documents: answered 401 Unauthorized"},
		{hopVault, errors.New("dial tcp: connection refused\n" + inner), 502, "vault: dial tcp: connection refused"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			f := faultOf(&hopError{hop: tc.hop, err: tc.err})
			if f.status != tc.status || f.Hop != tc.hop || !strings.Contains(f.Message, tc.reason+".") || strings.Contains(f.Message, inner) {
				t.Errorf("got %d %s %q, want %d %s and %q", f.status, f.Hop, f.Message, tc.status, tc.hop, tc.reason)
			}
		})
	}
}

func TestFaultOf_Unknown(t *testing.T) {
	f := faultOf(errors.New("some secret"))
	if f.status != http.StatusInternalServerError || strings.Contains(f.Message, "secret") {
		t.Errorf("got %d %q, want 500 without the error's text", f.status, f.Message)
	}
}
