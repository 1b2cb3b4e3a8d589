// Package goclients runs the Azure SDK for Go against the platform: through the proxy with Azure's own host names, and by names under the platform's suffix.
package goclients

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
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

// secretCredential signs in as an application made by the harness.
func secretCredential(t *testing.T, w harness.Way, a harness.App) *azidentity.ClientSecretCredential {
	t.Helper()
	return w.Credential(t, a.TenantID, a.AppID, a.Secret.SecretText)
}

// administrator signs in as the platform's first application.
func administrator(t *testing.T, p *harness.Platform, w harness.Way) *azidentity.ClientSecretCredential {
	t.Helper()
	env := p.Env(t, "")
	a := harness.App{TenantID: env["AZURE_TENANT_ID"], AppID: env["AZURE_CLIENT_ID"]}
	a.Secret.SecretText = env["AZURE_CLIENT_SECRET"]
	return secretCredential(t, w, a)
}

// wantStatus checks that err is the service's refusal with that status and code.
func wantStatus(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var re *azcore.ResponseError
	if !errors.As(err, &re) {
		t.Fatalf("%s: got %v, want an answer %d %s", what, err, status, code)
	}
	if re.StatusCode != status || re.ErrorCode != code {
		t.Fatalf("%s: got %d %s, want %d %s\n%v", what, re.StatusCode, re.ErrorCode, status, code, err)
	}
}

// must fails the test on err.
func must[T any](v T, err error) func(t *testing.T, what string) T {
	return func(t *testing.T, what string) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// eventually tries until ok, at most for limit.
func eventually(t *testing.T, limit time.Duration, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
