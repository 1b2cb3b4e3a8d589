// Package vaults runs the Azure SDK for Go against a vault's keys, certificates and control plane, and checks with Go's own cryptography what comes back.
package vaults

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// vault is a new vault and who may do everything in it.
type vault struct {
	p     *harness.Platform
	way   harness.Way
	group string
	name  string
	cred  azcore.TokenCredential
}

// eachWay runs test with a vault of its own by every way in.
func eachWay(t *testing.T, test func(t *testing.T, v vault)) {
	t.Helper()
	p := shared.Platform(t)
	for _, w := range p.Ways(t) {
		t.Run(w.Name, func(t *testing.T) {
			app := p.CreateApp(t, "", harness.Name("app-"))
			all := append([]string{"purge"}, harness.All...)
			group := p.PutGroup(t)
			name := p.PutVault(t, group, "", harness.Policy{ObjectID: app.Principal, Keys: all, Secrets: all, Certificates: all})
			test(t, vault{p, w, group, name, w.Credential(t, app.TenantID, app.AppID, app.Secret.SecretText)})
		})
	}
}

// wantCode checks that err is the service's refusal with that status and code.
func wantCode(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var re *azcore.ResponseError
	if !errors.As(err, &re) || re.StatusCode != status || re.ErrorCode != code {
		t.Errorf("%s: got %v, want an answer %d %s", what, err, status, code)
	}
}

// ok is v unless err.
func ok[T any](v T, err error) func(t *testing.T, what string) T {
	return func(t *testing.T, what string) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

func decode(t *testing.T, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
