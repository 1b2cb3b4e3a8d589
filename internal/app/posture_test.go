package app

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture"
)

// TestPosture_RecordsWhichIdentitiesAreUsed: whatever grant a managed identity gets a token by, it counts as used; others are not recorded.
func TestPosture_RecordsWhichIdentitiesAreUsed(t *testing.T) {
	t.Parallel()
	p, err := openWith(t, t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, p)
	const identity, app = "00000000-0000-4000-8000-0000000000f1", "00000000-0000-4000-8000-0000000000f2"
	for id, kind := range map[string]authn.Kind{identity: authn.ManagedIdentity, app: authn.ServicePrincipal} {
		_, err := p.tokens.Issue(t.Context(), authn.Claims{Audience: vaultAudience, Principal: authn.Principal{Kind: kind, TenantID: p.install.TenantID, ObjectID: id}})
		if err != nil {
			t.Fatal(err)
		}
	}
	used, err := posture.NewUsage(p.store, p.clock, p.log).Last(t.Context(), []string{identity, app})
	if err != nil || len(used) != 1 || used[identity].IsZero() {
		t.Errorf("recorded are %v, %v; want the identity alone", used, err)
	}
}
