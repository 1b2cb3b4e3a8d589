package directory_test

import (
	"testing"
)

func TestAdmin_CreateUser(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	drawn := p.admin("POST", "/users", map[string]any{"userPrincipalName": "alice@contoso.onmicrosoft.com", "administrator": true})
	password, _ := drawn.body["password"].(string)
	if drawn.status != 201 || len(password) != 20 || drawn.body["displayName"] != "alice" || drawn.body["tenantId"] != contoso.ID {
		t.Fatalf("%d %s", drawn.status, drawn.raw)
	}
	u, err := p.dir.SignIn(t.Context(), contoso, "alice@contoso.onmicrosoft.com", password)
	if err != nil || !u.Administrator {
		t.Errorf("sign in: %+v, %v", u, err)
	}
	given := p.admin("POST", "/users", map[string]any{"userPrincipalName": "bob@contoso.onmicrosoft.com", "displayName": "Bob", "password": goodPassword, "forceChangePasswordNextSignIn": true})
	if given.status != 201 || given.body["password"] != nil {
		t.Errorf("%d %s", given.status, given.raw)
	}
	if _, err := p.dir.SignIn(t.Context(), contoso, "bob@contoso.onmicrosoft.com", goodPassword); code(err) != "AADSTS50055" {
		t.Errorf("sign in: %v", err)
	}
	for name, tt := range map[string]struct {
		body   map[string]any
		status int
	}{
		"no domain":      {map[string]any{"userPrincipalName": "carol"}, 400},
		"unknown domain": {map[string]any{"userPrincipalName": "carol@nowhere.example"}, 404},
		"tenant id":      {map[string]any{"userPrincipalName": "carol@" + contoso.ID}, 404},
		"weak":           {map[string]any{"userPrincipalName": "carol@contoso.onmicrosoft.com", "password": "x"}, 400},
		"taken":          {map[string]any{"userPrincipalName": "bob@contoso.onmicrosoft.com"}, 409},
	} {
		if a := p.admin("POST", "/users", tt.body); a.status != tt.status {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.raw, tt.status)
		}
	}
}
