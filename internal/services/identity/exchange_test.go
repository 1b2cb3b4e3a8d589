package identity

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		c := newControl(t)
		return wiretest.Target{Handler: c, Vars: map[string]string{"sub": c.sub, "tenant": tenant, "reader": readerID}}
	})
}

// do sends a request to the control plane as owner.
func (c *control) do(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, "https://management.azure.com/subscriptions/"+c.sub+"/resourceGroups/rg"+path+"?api-version=2023-01-31", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer owner")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	out, _ := io.ReadAll(w.Body)
	return w.Code, string(out)
}

func (c *control) ok(t *testing.T, method, path, body string) {
	t.Helper()
	if status, out := c.do(t, method, path, body); status/100 != 2 {
		t.Fatalf("%s %s = %d %s", method, path, status, out)
	}
}

const identities = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities"

func federated(issuer, subject string) string {
	return fmt.Sprintf(`{"properties":{"issuer":%q,"subject":%q,"audiences":["api://AzureADTokenExchange"]}}`, issuer, subject)
}

// What the token service reads follows every change, and ends with the identity.
func TestFederated_LimitAndLife(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.ok(t, "PUT", "", `{"location":"westeurope"}`)
	c.ok(t, "PUT", identities+"/uai-1", `{"location":"westeurope"}`)
	id := "/subscriptions/" + c.sub + "/resourceGroups/RG" + identities + "/UAI-1"
	list := func() []FederatedCredential {
		t.Helper()
		out, err := c.service.FederatedCredentials(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for i := range maxFederated {
		c.ok(t, "PUT", fmt.Sprintf("%s/uai-1/federatedIdentityCredentials/fic-%d", identities, i), federated("https://issuer.example", fmt.Sprint("subject", i)))
	}
	if got := len(list()); got != maxFederated {
		t.Fatalf("%d credentials, want %d", got, maxFederated)
	}
	one := identities + "/uai-1/federatedIdentityCredentials/fic-"
	if status, out := c.do(t, "PUT", one+"more", federated("https://issuer.example", "more")); status != 400 || !strings.Contains(out, "at most 20") {
		t.Errorf("one more: %d %s", status, out)
	}
	// Those that are there can be changed, to themselves and to what is free, also when there is no room.
	c.ok(t, "PUT", one+"3", federated("https://issuer.example", "subject3"))
	c.ok(t, "PUT", one+"3", federated("https://other.example", "subject4"))
	if status, out := c.do(t, "PUT", one+"4", federated("https://other.example", "subject4")); status != 409 || !strings.Contains(out, "must be unique") {
		t.Errorf("issuer and subject of another: %d %s", status, out)
	}
	// The same pair is free on another identity.
	c.ok(t, "PUT", identities+"/uai-2", `{"location":"westeurope"}`)
	c.ok(t, "PUT", identities+"/uai-2/federatedIdentityCredentials/fic-1", federated("https://other.example", "subject4"))
	c.ok(t, "DELETE", one+"3", "")
	c.ok(t, "PUT", one+"more", federated("https://other.example", "subject4"))
	var found *FederatedCredential
	for _, f := range list() {
		if f.Issuer == "https://other.example" {
			found = &f
		}
	}
	if found == nil || found.Name != "fic-more" || found.Subject != "subject4" || len(found.Audiences) != 1 || found.Audiences[0] != "api://AzureADTokenExchange" {
		t.Errorf("got %+v", found)
	}
	c.ok(t, "DELETE", identities+"/uai-1", "")
	if got := list(); len(got) != 0 {
		t.Errorf("of a deleted identity: %v", got)
	}
	c.ok(t, "PUT", identities+"/uai-1", `{"location":"westeurope"}`)
	if got := list(); len(got) != 0 {
		t.Errorf("of one made anew: %v", got)
	}
	if other, err := c.service.FederatedCredentials(t.Context(), "/subscriptions/"+c.sub+"/resourceGroups/rg"); err != nil || other != nil {
		t.Errorf("of a group: %v, %v", other, err)
	}
}

// A group takes its identities, their credentials and their service principals with it.
func TestUserAssigned_DeletedWithItsGroup(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.ok(t, "PUT", "", `{"location":"westeurope"}`)
	c.ok(t, "PUT", identities+"/uai-1", `{"location":"westeurope"}`)
	c.ok(t, "PUT", identities+"/uai-1/federatedIdentityCredentials/fic-1", federated("https://issuer.example", "s"))
	if len(c.people.have) != 1 {
		t.Fatalf("the directory has %v", c.people.have)
	}
	for _, id := range c.people.have {
		if id.Name != "uai-1" || id.TenantID != tenant || !strings.HasSuffix(id.ResourceID, identities+"/uai-1") {
			t.Errorf("the directory was told %+v", id)
		}
	}
	c.ok(t, "DELETE", "", "")
	if len(c.people.have) != 0 {
		t.Errorf("the directory still has %v", c.people.have)
	}
}
