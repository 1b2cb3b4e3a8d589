// Package security runs Azure's own clients for Security Center against the platform, with alerts of what really came in.
package security

import (
	"errors"
	"os"
	"path"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/security/armsecurity"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// eachWay runs a test as the administrator, by every way in.
func eachWay(t *testing.T, test func(t *testing.T, f *armsecurity.ClientFactory)) {
	t.Helper()
	p := shared.Platform(t)
	for _, w := range p.Ways(t) {
		t.Run(w.Name, func(t *testing.T) {
			env := p.Env(t, "")
			f, err := armsecurity.NewClientFactory(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
			if err != nil {
				t.Fatal(err)
			}
			test(t, f)
		})
	}
}

// all reads every page.
func all[T, V any](t *testing.T, p *runtime.Pager[T], values func(T) []V) (out []V) {
	t.Helper()
	for p.More() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, values(page)...)
	}
	return out
}

// fails wants an answer with that status and code.
func fails(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var re *azcore.ResponseError
	if !errors.As(err, &re) || re.StatusCode != status || re.ErrorCode != code {
		t.Errorf("%s: got %v, want %d %s", what, err, status, code)
	}
}

var intrudedGroup string

// intruded is the name of a resource group with a machine that was broken into; all tests share it.
func intruded(t *testing.T) string {
	t.Helper()
	if intrudedGroup == "" {
		witnessed(t, shared.Platform(t))
		group, _ := shared.Platform(t).Intrude(t)
		intrudedGroup = path.Base(group)
	}
	return intrudedGroup
}
