package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// correlationHeader is what Azure Resource Manager and the services behind it know a chain of requests by.
const correlationHeader = "X-Ms-Correlation-Request-Id"

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func isGUID(s string) bool { return guid.MatchString(s) }

type correlationKey struct{}

// correlated gives a request the id its caller sent, or a new one.
func correlated(r *http.Request) (*http.Request, string) {
	id := r.Header.Get(correlationHeader)
	if !isGUID(id) {
		id = newGUID()
	}
	return r.WithContext(context.WithValue(r.Context(), correlationKey{}, id)), id
}

func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// correlate is a pipeline policy that puts the id of the request being served on every call it causes, of whichever client.
type correlate struct{}

// Do implements policy.Policy.
func (correlate) Do(req *policy.Request) (*http.Response, error) {
	if id, ok := req.Raw().Context().Value(correlationKey{}).(string); ok {
		req.Raw().Header.Set(correlationHeader, id)
	}
	return req.Next()
}
