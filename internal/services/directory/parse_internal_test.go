package directory

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseWanted(t *testing.T) {
	t.Parallel()
	v2, v1 := endpoint{v2: true}, endpoint{}
	for _, tt := range []struct {
		e               endpoint
		resource, scope string
		want            wanted
		shown           string // after everything was granted
	}{
		{
			v2, "", "https://management.core.windows.net//.default offline_access",
			wanted{Resource: "https://management.core.windows.net/", Scopes: []string{".default"}, Offline: true},
			"https://management.core.windows.net//x https://management.core.windows.net//.default",
		},
		{v2, "", "User.Read openid", wanted{Resource: graphResource, Scopes: []string{"User.Read"}, Bare: true, OpenID: true}, "openid x"},
		{v2, "", "OpenID Profile email", wanted{OpenID: true, Profile: true, Email: true}, "email openid profile x"},
		{v2, "", "api://a/r api://a/w api://a/r", wanted{Resource: "api://a", Scopes: []string{"r", "w"}}, "api://a/x"},
		{
			v1, "https://vault.azure.net", "openid nothing",
			wanted{Resource: "https://vault.azure.net", Scopes: []string{".default"}, OpenID: true},
			"openid https://vault.azure.net/x https://vault.azure.net/.default",
		},
		{v1, "", "", wanted{}, "x"},
	} {
		got, err := parseWanted(tt.e, tt.resource, tt.scope)
		if err != nil {
			t.Errorf("%q %q: %v", tt.resource, tt.scope, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q %q: -want +got\n%s", tt.resource, tt.scope, diff)
		}
		if s := got.shown([]string{"x"}); s != tt.shown {
			t.Errorf("%q %q: shown %q, want %q", tt.resource, tt.scope, s, tt.shown)
		}
	}
}

func FuzzWanted(f *testing.F) {
	f.Add("", "openid https://graph.microsoft.com/.default")
	f.Add("https://vault.azure.net", "openid")
	f.Add("", "/ // a/ /a")
	f.Fuzz(func(t *testing.T, resource, scope string) {
		for _, e := range []endpoint{{v2: true}, {}} {
			w, err := parseWanted(e, resource, scope)
			if err != nil {
				continue
			}
			if w.Resource != "" && len(w.Scopes) == 0 || len(w.Scopes) > 1 && slices.Contains(w.Scopes, ".default") {
				t.Errorf("%q %q: %+v", resource, scope, w)
			}
			if strings.Contains(w.shown(w.Scopes), "offline_access") && !strings.Contains(strings.Join(w.Scopes, " ")+w.Resource, "offline_access") {
				t.Errorf("%q: shows offline_access", scope)
			}
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","kid":"k1","crv":"P-256","x":"AA","y":"AA"},null,[],{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"","e":"","x5c":["AA"]}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeySet(b)
		if err != nil {
			return
		}
		for _, k := range keys {
			switch public := k.Key.(type) {
			case *rsa.PublicKey:
				if public.Size()*8 < minRSA {
					t.Errorf("%s: an RSA key of %d bytes", b, public.Size())
				}
			case *ecdsa.PublicKey:
			default:
				t.Errorf("%s: a %T", b, k.Key)
			}
		}
	})
}

func TestArtifact(t *testing.T) {
	t.Parallel()
	s := &Service{Deps: Deps{Sealer: fixedMAC{}}}
	for _, tenant := range []string{"8d8c3d3c-0000-4000-8000-000000000000", ""} {
		a := newArtifact(codeArtifact, tenant, 1_800_000_000)
		good := s.mint(a)
		if got, ok := s.openArtifact(codeArtifact, good); !ok || got != a {
			t.Fatalf("%+v came back as %+v, %v", a, got, ok)
		}
		if _, ok := s.openArtifact(refreshArtifact, good); ok {
			t.Error("a code passes for a refresh token")
		}
		for i := range good {
			other := []byte(good)
			other[i]++
			if _, ok := s.openArtifact(codeArtifact, string(other)); ok {
				t.Errorf("accepted with another character at %d", i)
			}
		}
	}
}

// fixedMAC is a Sealer whose MAC is a checksum of its input: enough to see what is covered.
type fixedMAC struct{ Sealer }

func (fixedMAC) MAC(shard string, parts ...string) []byte {
	out := make([]byte, 32)
	for i, c := range []byte(shard + "|" + strings.Join(parts, "|")) {
		out[i%32] = out[i%32]*31 + c
	}
	return out
}
