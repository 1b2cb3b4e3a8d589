package backgroundcheck

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// record is one hop as `bulkhead trace --json` tells it.
type record struct {
	CorrelationID, Service, Host, Method, Operation, Resource, Code, AllowedBy string
	Status                                                                     int
	Kind, TenantID, ObjectID, AppID, IdentityOf                                string
}

func newGUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// testTrace: one request's story, hop by hop. The site is restarted first, so that its process has no token yet.
func (s *stage) testTrace(t *testing.T) {
	s.arm(t, s.publisher, "POST", s.service.Site+"/restart?api-version=2022-03-01", nil, http.StatusOK)
	id := newGUID()
	a := s.do(t, s.token(t, s.fabrikam.Callers[0], s.service.APIURI), id, "PUT", "/checks/traced", object{"candidate": "Traced"})
	if a.Status != http.StatusCreated || a.Header.Get("X-Ms-Correlation-Request-Id") != id {
		t.Fatalf("PUT: %d %s, correlation id %q; want 201 and %s", a.Status, a.Body, a.Header.Get("X-Ms-Correlation-Request-Id"), id)
	}
	site := s.siteIdentity(t)
	daemon := s.principalOf(t, s.fabrikam.DaemonClientID)
	certificate := s.graph(t, s.publisher, "GET", "/applications/"+s.fabrikam.DaemonObjectID, nil).JSON()["keyCredentials"].([]any)[0].(object)["customKeyIdentifier"].(string)

	// hop is what each line of the story is held to; text that it must contain stands for ids that the test does not choose.
	type hop struct {
		Service, Who, On, AllowedBy string
		Status                      int
	}
	want := []hop{
		{"sites", "", s.service.Site, "", 201},
		{"vault", "", "", "", 401}, // the vault's challenge, which tells whom to ask for a token
		{"identity", site, s.service.Site, "identity header of a process of bgcheck", 200},
		{"vault", site, s.service.VaultURL + "secrets/fabrikam-daemon", "access policy of " + site + ": secrets get", 200},
		{"login", daemon, "https://management.core.windows.net/", "certificate " + certificate, 200},
		{"management", daemon, s.fabrikam.Account, "role DocumentDB Account Contributor, assignment " + s.fabrikam.Account + "/providers/Microsoft.Authorization/roleAssignments/", 200},
		{"documents", "", s.fabrikam.Account, "primary key", 200}, // the SDK reads the account
		{"documents", "", s.fabrikam.Account + "/dbs/backgroundcheck/colls/checks", "primary key", 201},
	}
	var got []hop
	for i, r := range s.trace(t, id, len(want)) {
		h := hop{r.Service, r.ObjectID, r.Resource, r.AllowedBy, r.Status}
		if i < len(want) { // where the expected text is a part, show the part
			if want[i].On != "" && strings.Contains(strings.ToLower(h.On), strings.ToLower(want[i].On)) || want[i].On == "" {
				h.On = want[i].On
			}
			if want[i].AllowedBy != "" && strings.Contains(h.AllowedBy, want[i].AllowedBy) {
				h.AllowedBy = want[i].AllowedBy
			}
		}
		if r.CorrelationID != id {
			t.Errorf("hop %s has the correlation id %s, want %s", r.Service, r.CorrelationID, id)
		}
		got = append(got, h)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the story differs (-want +got):\n%s", diff)
	}

	text := string(s.p.Output(t, "trace", id))
	for _, part := range []string{"ManagedIdentity bgcheck", "ServicePrincipal bgcheck daemon for Fabrikam", "allowed by", "role DocumentDB Account Contributor", "AKV10000"} {
		if !strings.Contains(text, part) {
			t.Errorf("the story as text lacks %q:\n%s", part, text)
		}
	}
}

// trace asks for a story until it has that many hops: reads are recorded within 100 ms.
func (s *stage) trace(t *testing.T, id string, hops int) []record {
	t.Helper()
	var got []record
	for range 40 {
		got = nil
		if err := json.Unmarshal(s.p.Output(t, "trace", "--json", id), &got); err != nil {
			t.Fatal(err)
		}
		if len(got) >= hops {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return got
}

// principalOf finds the object id of an application's service principal in the publisher's directory.
func (s *stage) principalOf(t *testing.T, clientID string) string {
	t.Helper()
	list, _ := s.graph(t, s.publisher, "GET", "/servicePrincipals?$filter=appId%20eq%20'"+clientID+"'", nil).JSON()["value"].([]any)
	if len(list) != 1 {
		t.Fatalf("%d service principals of %s, want 1", len(list), clientID)
	}
	return list[0].(object)["id"].(string)
}

// testSetUpAgain: the setup runs a second time and changes nothing for the customers.
func (s *stage) testSetUpAgain(t *testing.T) {
	before := s.ids(t, s.fabrikam, "")
	secret, version := s.stored(t, s.contoso.Credential, "")
	s.setUp(t)
	if got := s.ids(t, s.fabrikam, ""); !slices.Equal(got, before) {
		t.Errorf("Fabrikam's checks = %v, want %v as before", got, before)
	}
	if again, v := s.stored(t, s.contoso.Credential, ""); again != secret || v != version {
		t.Error("the setup replaced a credential that was good")
	}
}

// testRestarted: the platform stops and starts; the service is up again and its data there.
func (s *stage) testRestarted(t *testing.T) {
	before := s.ids(t, s.contoso, "")
	s.p.Stop(t)
	s.p.Restart(t)
	s.way = s.p.ProxyWay(t) // the proxy's credentials are new
	s.tokens = map[string]string{}
	if got := s.ids(t, s.contoso, ""); !slices.Equal(got, before) || len(got) == 0 {
		t.Errorf("Contoso's checks = %v, want %v as before", got, before)
	}
}
