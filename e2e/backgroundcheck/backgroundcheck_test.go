package backgroundcheck

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/google/go-cmp/cmp"
)

// TestBackgroundCheck is one story; its parts build on each other and the last one ends the service.
func TestBackgroundCheck(t *testing.T) {
	s := newStage(t)
	for _, part := range []struct {
		name string
		run  func(*stage, *testing.T)
	}{
		{"Trace", (*stage).testTrace},
		{"Served", (*stage).testServed},
		{"Callers", (*stage).testCallers},
		{"Compartments", (*stage).testCompartments},
		{"VaultClosed", (*stage).testVaultClosed},
		{"RoleRemoved", (*stage).testRoleRemoved},
		{"Firewall", (*stage).testFirewall},
		{"KeysRegenerated", (*stage).testKeysRegenerated},
		{"SecretRotated", (*stage).testSecretRotated},
		{"CertificateRotated", (*stage).testCertificateRotated},
		{"SetUpAgain", (*stage).testSetUpAgain},
		{"Restarted", (*stage).testRestarted},
		{"NothingInClear", (*stage).testNothingInClear},
		{"SiteDeleted", (*stage).testSiteDeleted},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(s, t) })
	}
}

// testServed: what the API promises, for a customer with a secret and one with a certificate.
func (s *stage) testServed(t *testing.T) {
	for _, c := range []party{s.contoso, s.fabrikam} {
		t.Run(c.Name, func(t *testing.T) {
			put := s.as(t, c, "PUT", "/checks/served-1", object{"candidate": "Grace Hopper", "status": "running"}, http.StatusCreated)
			if put["updatedBy"] != c.Callers[0] {
				t.Errorf("updatedBy = %v, want the caller %s", put["updatedBy"], c.Callers[0])
			}
			got := s.as(t, c, "GET", "/checks/served-1", nil, http.StatusOK)
			if diff := cmp.Diff(put, got); diff != "" {
				t.Errorf("GET differs from PUT (-put +get):\n%s", diff)
			}
			s.as(t, c, "PUT", "/checks/served-1", object{"candidate": "Grace Hopper", "status": "flagged"}, http.StatusOK)
			s.as(t, c, "PUT", "/checks/served-2", object{"candidate": "Alan Turing", "status": "clear"}, http.StatusCreated)
			if got, want := s.ids(t, c, "?status=flagged"), []string{"served-1"}; !slices.Equal(got, want) {
				t.Errorf("flagged checks = %v, want %v", got, want)
			}
			s.as(t, c, "DELETE", "/checks/served-1", nil, http.StatusNoContent)
			s.as(t, c, "GET", "/checks/served-1", nil, http.StatusNotFound)
			if got := s.ids(t, c, "?status=flagged"); len(got) != 0 {
				t.Errorf("flagged checks after the deletion = %v, want none", got)
			}
			s.as(t, c, "PUT", "/checks/served-3", object{"candidate": ""}, http.StatusBadRequest)
		})
	}
}

// ids lists a customer's checks, sorted.
func (s *stage) ids(t *testing.T, c party, query string) []string {
	t.Helper()
	list, _ := s.as(t, c, "GET", "/checks"+query, nil, http.StatusOK)["value"].([]any)
	ids := []string{}
	for _, v := range list {
		ids = append(ids, v.(object)["id"].(string))
	}
	slices.Sort(ids)
	return ids
}

// testCallers: who may call at all.
func (s *stage) testCallers(t *testing.T) {
	good := s.token(t, s.contoso.Callers[0], s.service.APIURI)
	at := strings.LastIndexByte(good, '.') + 10
	flip := byte('A')
	if good[at] == flip {
		flip = 'B'
	}
	for _, tc := range []struct {
		name, token string
		status      int
		code        string
	}{
		{"NoToken", "", http.StatusUnauthorized, "Unauthorized"},
		{"Garbage", "garbage", http.StatusUnauthorized, "Unauthorized"},
		{"Tampered", good[:at] + string(flip) + good[at+1:], http.StatusUnauthorized, "Unauthorized"},
		{"OtherAudience", s.token(t, s.contoso.Callers[0], "https://management.azure.com"), http.StatusUnauthorized, "Unauthorized"},
		{"OtherApplicationOfTheCustomer", s.token(t, s.contoso.ClientID, s.service.APIURI), http.StatusForbidden, "UnknownCaller"},
		{"NoCustomer", s.token(t, s.publisher.ClientID, s.service.APIURI), http.StatusForbidden, "UnknownCustomer"},
		{"Good", good, http.StatusOK, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := s.do(t, tc.token, "", "GET", "/checks/demo-1", nil)
			code, _ := errorOf(a.JSON())["code"].(string)
			if a.Status != tc.status || code != tc.code {
				t.Errorf("got %d %s, want %d %q", a.Status, a.Body, tc.status, tc.code)
			}
		})
	}
}

func errorOf(body object) object {
	e, _ := body["error"].(object)
	return e
}

// testCompartments: one customer's caller never sees another's documents, and one customer's daemon does not open another's account.
func (s *stage) testCompartments(t *testing.T) {
	s.as(t, s.contoso, "PUT", "/checks/same", object{"candidate": "of Contoso"}, http.StatusCreated)
	s.as(t, s.fabrikam, "PUT", "/checks/same", object{"candidate": "of Fabrikam"}, http.StatusCreated)
	s.as(t, s.fabrikam, "PUT", "/checks/fabrikam-only", object{"candidate": "of Fabrikam"}, http.StatusCreated)
	for _, c := range []party{s.contoso, s.fabrikam} {
		if got, want := s.as(t, c, "GET", "/checks/same", nil, http.StatusOK)["candidate"], "of "+c.Name; got != want {
			t.Errorf("%s reads %v, want %v", c.Name, got, want)
		}
	}
	s.as(t, s.contoso, "GET", "/checks/fabrikam-only", nil, http.StatusNotFound)
	if got := s.ids(t, s.contoso, ""); slices.Contains(got, "fabrikam-only") || !slices.Contains(got, "same") {
		t.Errorf("Contoso's checks = %v, want its own", got)
	}

	secret, _ := s.stored(t, s.contoso.Credential, "")
	daemon := s.clientSecret(t, s.publisher.TenantID, s.contoso.DaemonClientID, secret)
	for _, c := range []party{s.contoso, s.fabrikam} {
		client, err := armcosmos.NewDatabaseAccountsClient(c.SubscriptionID, daemon, s.way.ARMOptions())
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.ListKeys(t.Context(), c.group(), c.account(), nil)
		if c.Name == s.contoso.Name {
			if err != nil {
				t.Errorf("Contoso's daemon lists the keys of Contoso's account: %v, want success", err)
			}
			continue
		}
		wantAnswer(t, err, http.StatusForbidden, "AuthorizationFailed")
	}
}

// wantAnswer wants an SDK's error to be that answer.
func wantAnswer(t *testing.T, err error, status int, code string) {
	t.Helper()
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) || answer.StatusCode != status || answer.ErrorCode != code {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
}
