// Package armwide runs the management clients of the Azure SDK for Go against the wider control plane: custom roles, management groups, tags, registration,
// locks, moves and any type by its id.
package armwide

import (
	"errors"
	"os"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// eachWay runs test by every way in.
func eachWay(t *testing.T, test func(t *testing.T, p *harness.Platform, w harness.Way)) {
	t.Helper()
	p := shared.Platform(t)
	for _, w := range p.Ways(t) {
		t.Run(w.Name, func(t *testing.T) { test(t, p, w) })
	}
}

// operator signs in as the platform's first application.
func operator(t *testing.T, p *harness.Platform, w harness.Way) azcore.TokenCredential {
	t.Helper()
	env := p.Env(t, "")
	return w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"])
}

func refused(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var re *azcore.ResponseError
	if !errors.As(err, &re) || re.StatusCode != status || re.ErrorCode != code {
		t.Fatalf("%s: got %v, want %d %s", what, err, status, code)
	}
}

func check(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// finish waits for a long-running operation.
func finish[T any](t *testing.T, what string, p *runtime.Poller[T], err error) T {
	t.Helper()
	check(t, what, err)
	out, err := p.PollUntilDone(t.Context(), nil)
	check(t, what, err)
	return out
}

// pages collects what a pager gives.
func pages[P, T any](t *testing.T, p *runtime.Pager[P], items func(P) []T) []T {
	t.Helper()
	var out []T
	for p.More() {
		page, err := p.NextPage(t.Context())
		check(t, "list", err)
		out = append(out, items(page)...)
	}
	return out
}
