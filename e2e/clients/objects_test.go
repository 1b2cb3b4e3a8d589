package clients

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestVaultObjects: Python's and Node's clients for keys, certificates and secrets go through the same steps and see the same.
func TestVaultObjects(t *testing.T) {
	w := newWorld(t)
	everything := []string{"all", "purge"} // "all" is without purge
	w.vault = w.p.PutVault(t, w.p.PutGroup(t), "",
		harness.Policy{ObjectID: w.app.Principal, Keys: everything, Secrets: everything, Certificates: everything})
	for _, c := range []client{python(t, "vaultobjects.py"), node(t, "vaultobjects.mjs")} {
		for _, way := range w.p.Ways(t) {
			t.Run(c.name+"/"+way.Name, func(t *testing.T) {
				prefix := harness.Name("o")
				c := c
				c.env = append([]string{"PREFIX=" + prefix}, c.env...)
				want := map[string]any{
					"rotated": true, "oldVerifies": true, "newVerifies": false, "decrypted": "hello", "unwrapped": "0123456789abcdef",
					"curve": []any{"P-384", true}, "disabled": 403., "keys": []any{prefix + "-ec", prefix + "-key"}, "versions": 2.,
					"deleted": true, "restored": true,
					"certificate":         []any{"Self", "CN=app.contoso.com", 6., 20., true},
					"secretOfCertificate": "application/x-pkcs12",
					"secret":              []any{"v2", "v1", "text/plain"}, "secretVersions": 2., "gone": 404., "recovered": "v2",
				}
				if d := cmp.Diff(want, w.seen(t, c, way)); d != "" {
					t.Errorf("-want +seen\n%s", d)
				}
			})
		}
	}
}

// seen runs a program that prints what it saw, signed in with the secret.
func (w world) seen(t *testing.T, c client, way harness.Way) map[string]any {
	t.Helper()
	got, said, err := w.run(t, c, way, "secret", w.app.Secret.SecretText)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var seen map[string]any
	if err := json.Unmarshal([]byte(got.Value), &seen); err != nil {
		t.Fatalf("%q: %v", got.Value, err)
	}
	return seen
}
