package clients

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// What Python's client does with the public part on its own side fits what the vault does with the private one.
func TestLocalCryptography(t *testing.T) {
	w := newWorld(t)
	w.vault = w.p.PutVault(t, w.p.PutGroup(t), "", harness.Policy{ObjectID: w.app.Principal, Keys: harness.All})
	c := python(t, "localcrypto.py")
	for _, way := range w.p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			got, said, err := w.run(t, c, way, "secret", w.app.Secret.SecretText)
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			if want := "made here 0123456789abcdef RS256 PS256 ES256"; got.Value != want || len(got.Version) != 32 {
				t.Errorf("got %q of version %q, want %q", got.Value, got.Version, want)
			}
		})
	}
}
