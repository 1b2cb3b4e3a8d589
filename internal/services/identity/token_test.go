package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	siteID  = "/subscriptions/5c1d7b5e-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Web/sites/web1"
	tenant  = "7e000000-0000-4000-8000-000000000001"
	oid     = "0b000000-0000-4000-8000-000000000001"
	client  = "c1000000-0000-4000-8000-000000000001"
	vaultAu = "https://vault.azure.net"
)

// platform is both the control plane and the directory of the tests.
type platform struct{ site *arm.Resource }

func (p *platform) Resource(_ context.Context, id string) (*arm.Resource, string, error) {
	if p.site == nil || !strings.EqualFold(id, p.site.ID) {
		return nil, "", nil
	}
	return p.site, tenant, nil
}

func (p *platform) IssueManagedIdentity(_ context.Context, tenantID, objectID, resource string) (authn.Token, error) {
	if resource != vaultAu {
		return authn.Token{}, fault.New(fault.NotFound, "AADSTS500011", "The resource principal named %s was not found.", resource)
	}
	return authn.Token{Raw: "token of " + objectID + " in " + tenantID, Expires: time.Unix(1586984735, 0)}, nil
}

func newPlatform() *platform {
	return &platform{site: &arm.Resource{ID: siteID, Name: "web1", Identity: &arm.Identity{Type: "SystemAssigned", PrincipalID: oid, ClientID: client}}}
}

// get sends a request through the mux as a process would and returns status and body.
func get(t *testing.T, s *Service, target string, header ...string) (int, map[string]string) {
	t.Helper()
	mux, err := wire.NewMux([]wire.Service{s.Service()}, wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("GET", "http://127.0.0.1:4141"+target, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.For(wire.HostMachine).ServeHTTP(w, req)
	raw := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &raw); err != nil {
		t.Fatalf("%s: status %d, body %q: %v", target, w.Code, w.Body, err)
	}
	body := map[string]string{}
	for k, v := range raw {
		body[k], _ = v.(string)
	}
	return w.Code, body
}

func TestToken(t *testing.T) {
	t.Parallel()
	const q19, q17 = "?api-version=2019-08-01&resource=" + vaultAu, "?api-version=2017-09-01&resource=" + vaultAu
	for _, c := range []struct {
		name, target string
		header       string // "" the version's own; "-" none
		secret       string // "" the right one
		change       func(*platform)
		status       int
		message      string
	}{
		{name: "2019", target: "/msi/token" + q19, status: 200},
		{name: "any case and final slash", target: "/MSI/token/" + q19, status: 200},
		{name: "own client id", target: "/msi/token" + q19 + "&client_id=" + strings.ToUpper(client), status: 200},
		{name: "own principal", target: "/msi/token" + q19 + "&principal_id=" + oid, status: 200},
		{name: "own resource id", target: "/msi/token" + q19 + "&mi_res_id=" + siteID, status: 200},
		{name: "2017", target: "/msi/token" + q17, header: "Secret", status: 200},
		{name: "2017 own client id", target: "/msi/token" + q17 + "&clientid=" + client, header: "Secret", status: 200},
		{name: "another client id", target: "/msi/token" + q19 + "&client_id=" + oid, status: 400, message: "client_id"},
		{name: "another object id", target: "/msi/token" + q19 + "&object_id=" + client, status: 400, message: "object_id"},
		{name: "another resource id", target: "/msi/token" + q19 + "&mi_res_id=/x", status: 400, message: "mi_res_id"},
		{name: "2017 another client id", target: "/msi/token" + q17 + "&clientid=" + oid, header: "Secret", status: 400, message: "clientid"},
		{name: "no header", target: "/msi/token" + q19, header: "-", status: 401, message: "missing"},
		{name: "wrong secret", target: "/msi/token" + q19, secret: strings.Repeat("0", 64), status: 401, message: "does not hold"},
		{name: "header of the other version", target: "/msi/token" + q19, header: "Secret", status: 401, message: "missing"},
		{name: "header of the other version, 2017", target: "/msi/token" + q17, status: 401, message: "missing"},
		{name: "no resource", target: "/msi/token?api-version=2019-08-01", status: 400, message: "resource"},
		{name: "unknown resource", target: "/msi/token?api-version=2019-08-01&resource=https://nowhere", status: 400, message: "was not found"},
		{name: "unknown version", target: "/msi/token?api-version=2020-01-01&resource=x", status: 400, message: "2019-08-01"},
		{name: "no version", target: "/msi/token?resource=x", status: 400, message: "api-version"},
		{name: "site gone", target: "/msi/token" + q19, status: 400, change: func(p *platform) { p.site = nil }, message: "does not exist"},
		{name: "identity gone", target: "/msi/token" + q19, status: 400, change: func(p *platform) { p.site.Identity = nil }, message: "no system-assigned"},
		{name: "two selectors", target: "/msi/token" + q19 + "&client_id=" + client + "&object_id=" + oid, status: 400, message: "can't be used together"},
		{name: "identity none", target: "/msi/token" + q19, status: 400, change: func(p *platform) { p.site.Identity.Type = "None" }, message: "no system-assigned"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			s := New(Deps{Resources: p, Tokens: p})
			_, secret, release := s.Register(siteID)
			defer release()
			if c.change != nil {
				c.change(p)
			}
			header := []string{c.header, secret}
			if c.header == "" {
				header[0] = "X-IDENTITY-HEADER"
			}
			if c.header == "-" {
				header = nil
			}
			if c.secret != "" {
				header[1] = c.secret
			}
			status, body := get(t, s, c.target, header...)
			if status != c.status {
				t.Fatalf("status %d, want %d: %v", status, c.status, body)
			}
			if status != 200 {
				if !strings.Contains(body["message"], c.message) {
					t.Errorf("message %q lacks %q", body["message"], c.message)
				}
				return
			}
			want := map[string]string{
				"access_token": "token of " + oid + " in " + tenant, "expires_on": "1586984735", "resource": vaultAu, "token_type": "Bearer",
			}
			if strings.Contains(c.target, "2019") {
				want["client_id"] = client
			}
			if d := cmp.Diff(want, body); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestToken_DateExpires(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	s := New(Deps{Resources: p, Tokens: p, DateExpires: true})
	_, secret, release := s.Register(siteID)
	defer release()
	for version, want := range map[string]string{"2017-09-01": "04/15/2020 21:05:35 +00:00", "2019-08-01": "1586984735"} {
		_, body := get(t, s, "/msi/token?resource="+vaultAu+"&api-version="+version, map[string]string{"2017-09-01": "Secret", "2019-08-01": "X-Identity-Header"}[version], secret)
		if body["expires_on"] != want {
			t.Errorf("%s: expires_on %q, want %q", version, body["expires_on"], want)
		}
	}
}

func TestRegister_ReleaseEndsTheSecret(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	s := New(Deps{Resources: p, Tokens: p})
	_, first, release := s.Register(siteID)
	_, second, releaseSecond := s.Register(siteID)
	defer releaseSecond()
	if first == second {
		t.Fatal("two processes share a secret")
	}
	release()
	release()
	const target = "/msi/token?api-version=2019-08-01&resource=" + vaultAu
	if status, _ := get(t, s, target, "X-Identity-Header", first); status != 401 {
		t.Errorf("released secret: status %d, want 401", status)
	}
	if status, _ := get(t, s, target, "X-Identity-Header", second); status != 200 {
		t.Errorf("the other process: status %d, want 200", status)
	}
}

func TestRefused_KeepsTroubles(t *testing.T) {
	t.Parallel()
	if err := refused(fault.New(fault.Unavailable, "X", "x")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	plain := errors.New("disk")
	if err := refused(plain); !errors.Is(err, plain) {
		t.Errorf("got %v", err)
	}
}

// A process of a resource that is moved goes on getting tokens until it is replaced; one of another resource is not touched.
func TestMoved(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	s := New(Deps{Resources: p, Tokens: p})
	_, secret, release := s.Register(siteID)
	_, other, releaseOther := s.Register(siteID + "2")
	defer releaseOther()
	to := strings.Replace(siteID, "/rg/", "/elsewhere/", 1)
	p.site = &arm.Resource{ID: to, Name: "web1", Identity: p.site.Identity}
	ask := func(secret string) int {
		status, _ := get(t, s, "/msi/token?api-version=2019-08-01&resource="+vaultAu, "X-Identity-Header", secret)
		return status
	}
	if got := ask(secret); got != 400 {
		t.Errorf("under the old id: %d, want 400", got)
	}
	for range 2 {
		s.Moved(strings.ToUpper(siteID), to)
	}
	if got := ask(secret); got != 200 {
		t.Errorf("after the move: %d, want 200", got)
	}
	if got := ask(other); got != 400 {
		t.Errorf("another resource: %d, want 400", got)
	}
	release()
	if got := ask(secret); got != 401 {
		t.Errorf("the process has ended: %d, want 401", got)
	}
}
