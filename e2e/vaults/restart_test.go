package vaults

import (
	"crypto/sha256"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// Keys, a request that waits for its merge and a vault's history are there after a kill.
func TestRestart_AfterAKill(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	app := p.CreateApp(t, "", harness.Name("app-"))
	group := p.PutGroup(t)
	name := p.PutVault(t, group, "", harness.Policy{ObjectID: app.Principal, Keys: harness.All, Certificates: harness.All})
	now := func() vault {
		w := p.ProxyWay(t)
		return vault{p, w, group, name, w.Credential(t, app.TenantID, app.AppID, app.Secret.SecretText)}
	}
	ctx, before := t.Context(), now()
	made := ok(keysClient(t, before).CreateKey(ctx, "k", azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}, nil))(t, "create key")
	op := ok(certificatesClient(t, before).CreateCertificate(ctx, "c", wanted("Unknown"), nil))(t, "create certificate")
	p.Kill9(t)
	p.Restart(t)
	after := now()
	sum := sha256.Sum256([]byte("hello"))
	alg := to.Ptr(azkeys.SignatureAlgorithmES256)
	signed := ok(keysClient(t, after).Sign(ctx, "k", "", azkeys.SignParameters{Algorithm: alg, Value: sum[:]}, nil))(t, "sign")
	if signed.KID.Version() != made.Key.KID.Version() {
		t.Errorf("signed with %s, made %s", *signed.KID, *made.Key.KID)
	}
	still := ok(certificatesClient(t, after).GetCertificateOperation(ctx, "c", nil))(t, "operation")
	if *still.Status != "inProgress" || string(still.CSR) != string(op.CSR) {
		t.Errorf("operation after the restart: %s", *still.Status)
	}
	var h struct{ Records []struct{ Operation string } }
	decode(t, p.Output(t, "audit", "--vault", name, "--json"), &h)
	seen := map[string]bool{}
	for _, r := range h.Records {
		seen[r.Operation] = true
	}
	for _, want := range []string{"KeyCreate", "CertificateCreate", "KeySign", "Microsoft.KeyVault/vaults/write"} {
		if !seen[want] {
			t.Errorf("no %s in the history: %v", want, seen)
		}
	}
}
