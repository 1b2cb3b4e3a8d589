package keyvault

import (
	"net/url"
	"testing"
)

func FuzzObjectPath(f *testing.F) {
	for _, s := range [][2]string{{"s", ""}, {"a_b", "x"}, {"%2F", "00000000000000000000000000000000"}, {"..", "versions"}, {"\x00", "\xff"}} {
		f.Add(s[0], s[1])
	}
	p := newPlatform(f)
	p.vault("kv1", nil)
	f.Fuzz(func(t *testing.T, name, version string) {
		q := *p
		q.t = t
		a := q.as(alice, "GET", "/secrets/"+url.PathEscape(name)+"/"+url.PathEscape(version), "")
		if a.status == 200 && version != "versions" && name != "" || a.status >= 500 {
			t.Errorf("%q %q: %d %s", name, version, a.status, a.text)
		}
	})
}

func FuzzSkipToken(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	p := newPlatform(f)
	p.vault("kv1", nil)
	f.Fuzz(func(t *testing.T, token string) {
		q := *p
		q.t = t
		if a := q.as(alice, "GET", "/secrets?$skiptoken="+url.QueryEscape(token), ""); a.status != 200 && a.status != 400 {
			t.Errorf("%q: %d %s", token, a.status, a.text)
		}
	})
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "")
	f.Add([]byte("MIIB"), "p")
	f.Fuzz(func(t *testing.T, value []byte, password string) {
		m, _, err := parseImport(string(value), password)
		if err == nil && (m.leaf == nil || m.signer == nil) {
			t.Error("accepted without certificate or key")
		}
		if m, err := parsePFX(value, password); err == nil && m.leaf == nil {
			t.Error("accepted without certificate")
		}
	})
}

func FuzzSubject(f *testing.F) {
	f.Add(`CN="a, b"+OU=c\,d;O=e`)
	f.Fuzz(func(t *testing.T, text string) {
		if seq, err := parseSubject(text); err == nil {
			for _, set := range seq {
				if len(set) == 0 {
					t.Errorf("%q: an empty set", text)
				}
			}
		}
	})
}
