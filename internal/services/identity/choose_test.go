package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// machine is a resource with identities, and the platform it lives on.
type machine struct {
	resources map[string]*arm.Resource // by id, lower case
	away      bool                     // the token service is
}

func (m *machine) Resource(_ context.Context, id string) (*arm.Resource, string, error) {
	return m.resources[strings.ToLower(id)], tenant, nil
}

func (m *machine) IssueManagedIdentity(_ context.Context, _, objectID, _ string) (authn.Token, error) {
	if m.away {
		f := fault.New(fault.Unavailable, "Unavailable", "not now")
		f.RetryAfter = time.Second
		return authn.Token{}, f
	}
	return authn.Token{Raw: objectID, Expires: time.Unix(1586984735, 0)}, nil
}

// user is the n-th user-assigned identity: its resource id and ids.
func user(n int) (id string, u arm.UserAssigned) {
	return fmt.Sprintf("/subscriptions/5c1d7b5e-0000-4000-8000-000000000001/resourceGroups/rg/providers/%s/uai-%d", arm.TypeUserIdentity, n),
		arm.UserAssigned{PrincipalID: fmt.Sprintf("0b000000-0000-4000-8000-0000000000b%d", n), ClientID: fmt.Sprintf("c1000000-0000-4000-8000-0000000000b%d", n)}
}

// newMachine has a site with its own identity or without, and the first users of the user-assigned ones.
func newMachine(system bool, users int) *machine {
	m := &machine{resources: map[string]*arm.Resource{}}
	site := &arm.Resource{ID: siteID, Name: "web1", Type: "Microsoft.Web/sites"}
	if system || users > 0 {
		site.Identity = &arm.Identity{Type: "UserAssigned", UserAssigned: map[string]arm.UserAssigned{}}
	}
	if system {
		site.Identity.Type, site.Identity.PrincipalID, site.Identity.ClientID = "SystemAssigned", oid, client
	}
	for n := 1; n <= 2; n++ {
		id, u := user(n)
		props, _ := json.Marshal(u)
		m.resources[strings.ToLower(id)] = &arm.Resource{ID: id, Name: fmt.Sprintf("uai-%d", n), Type: arm.TypeUserIdentity, Properties: props}
		if n <= users {
			site.Identity.UserAssigned[id] = u
		}
	}
	m.resources[strings.ToLower(siteID)] = site
	return m
}

// drop deletes the n-th identity; again makes another of that name.
func (m *machine) drop(n int, again bool) {
	id, _ := user(n)
	r := *m.resources[strings.ToLower(id)]
	delete(m.resources, strings.ToLower(id))
	if again {
		r.Properties = []byte(`{"principalId":"0b000000-0000-4000-8000-0000000000ff","clientId":"c1000000-0000-4000-8000-0000000000ff"}`)
		m.resources[strings.ToLower(id)] = &r
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	id1, user1 := user(1)
	id2, user2 := user(2)
	const site, site2017, vm = "/msi/token?api-version=2019-08-01", "/msi/token?api-version=2017-09-01", "/metadata/identity/oauth2/token?api-version=2018-02-01"
	const unable, unknown, several = "Unable to load the proper Managed Identity", "No MSI found for specified ClientId/ResourceId", "Multiple user assigned identities exist"
	for _, c := range []struct {
		name   string
		system bool
		users  int
		target string
		change func(*machine)
		as     string // "" the site
		want   string // object id, or part of the error
	}{
		{name: "site: its own, unasked", system: true, users: 2, target: site, want: oid},
		{name: "site: never a user-assigned one unasked", users: 1, target: site, want: unable},
		{name: "site: none at all", target: site, want: unable},
		{name: "site: client", system: true, users: 2, target: site + "&client_id=" + user2.ClientID, want: user2.PrincipalID},
		{name: "site: object", users: 2, target: site + "&object_id=" + strings.ToUpper(user1.PrincipalID), want: user1.PrincipalID},
		{name: "site: principal", users: 2, target: site + "&principal_id=" + user1.PrincipalID, want: user1.PrincipalID},
		{name: "site: resource", users: 2, target: site + "&mi_res_id=" + strings.ToUpper(id2), want: user2.PrincipalID},
		{name: "site: 2017", users: 2, target: site2017 + "&clientid=" + user2.ClientID, want: user2.PrincipalID},
		{name: "site: 2017 unasked", users: 2, target: site2017, want: unable},
		{name: "site: not assigned", system: true, users: 1, target: site + "&client_id=" + user2.ClientID, want: unknown},
		{name: "site: resource not assigned", system: true, users: 1, target: site + "&mi_res_id=" + id2, want: unknown},
		{name: "site: deleted", system: true, users: 2, target: site + "&client_id=" + user1.ClientID, change: func(m *machine) { m.drop(1, false) }, want: unknown},
		{name: "site: made anew", users: 2, target: site + "&mi_res_id=" + id1, change: func(m *machine) { m.drop(1, true) }, want: unknown},
		{name: "site: object id as client id", users: 2, target: site + "&client_id=" + user1.PrincipalID, want: unknown},
		{name: "site: named twice", users: 2, target: site + "&client_id=" + user1.ClientID + "&mi_res_id=" + id1, want: "can't be used together"},
		{name: "vm: its own, unasked", system: true, users: 2, target: vm, want: oid},
		{name: "vm: the only one, unasked", users: 1, target: vm, want: user1.PrincipalID},
		{name: "vm: one of two", users: 2, target: vm, want: several},
		{name: "vm: none", target: vm, want: "Identity not found"},
		{name: "vm: the only one, deleted", users: 1, target: vm, change: func(m *machine) { m.drop(1, false) }, want: "Identity not found"},
		{name: "vm: client", users: 2, target: vm + "&client_id=" + user1.ClientID, want: user1.PrincipalID},
		{name: "vm: object", users: 2, target: vm + "&object_id=" + user2.PrincipalID, want: user2.PrincipalID},
		{name: "vm: resource", system: true, users: 2, target: vm + "&msi_res_id=" + id2, want: user2.PrincipalID},
		{name: "vm: resource by the other name", users: 2, target: vm + "&mi_res_id=" + id2, want: user2.PrincipalID},
		{name: "vm: not assigned", users: 1, target: vm + "&msi_res_id=" + id2, want: "Identity not found"},
		{name: "vm: gone", system: true, target: vm, change: func(m *machine) { clear(m.resources) }, want: "Identity not found"},
		{name: "as an identity itself", target: vm, as: id1, want: user1.PrincipalID},
		{name: "as an identity itself, named", target: vm + "&client_id=" + user1.ClientID, as: strings.ToUpper(id1), want: user1.PrincipalID},
		{name: "as an identity itself, another", target: vm + "&client_id=" + user2.ClientID, as: id1, want: "Identity not found"},
		{name: "as an identity itself, deleted", target: vm, as: id1, change: func(m *machine) { m.drop(1, false) }, want: "Identity not found"},
		{name: "vm: away", system: true, target: vm, change: func(m *machine) { m.away = true }, want: "not now"},
		{name: "site: away", system: true, target: site, change: func(m *machine) { m.away = true }, want: "not now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(c.system, c.users)
			s := New(Deps{Resources: m, Tokens: m, Clock: clock.NewFake(time.Unix(1586984000, 0))})
			if c.as == "" {
				c.as = siteID
			}
			_, secret, release := s.Register(c.as)
			defer release()
			if c.change != nil {
				c.change(m)
			}
			mux, err := wire.NewMux([]wire.Service{s.Service()}, wire.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", c.target+"&resource="+vaultAu, nil)
			for _, name := range []string{"X-Identity-Header", "Secret"} {
				r.Header.Set(name, secret)
			}
			r.Header.Set("Metadata", "true")
			w := httptest.NewRecorder()
			mux.For(wire.HostMachine).ServeHTTP(w, r.WithContext(wire.WithProcess(r.Context(), c.as)))
			var got struct {
				Token   string `json:"access_token"`
				Message string `json:"message"`
				Text    string `json:"error_description"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			status := 200
			if len(c.want) != len(oid) || strings.Contains(c.want, " ") {
				status = 400 // which no client tries again
			}
			if c.want == "not now" {
				status = 503 // which all do
			}
			if w.Code != status || got.Token != c.want && !strings.Contains(got.Message+got.Text, c.want) || status != 200 && got.Token != "" {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, status, c.want)
			}
		})
	}
}
