package backgroundcheck

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// canary is text in a document: no secret, but documents can't be read in the data folder either.
const canary = "Canary-7d1f0a6be2c94e5fa0b3"

// testNothingInClear: no secret that this test saw is in any file of the platform, in its log, in the site's log or in an answer.
func (s *stage) testNothingInClear(t *testing.T) {
	s.as(t, s.contoso, "PUT", "/checks/canary", object{"candidate": canary}, http.StatusCreated)
	for _, c := range []party{s.contoso, s.fabrikam} {
		s.keys(t, c)
		s.stored(t, c.Credential, "")
		s.envOf(t, c.ClientID)
	}
	_, header := s.identityOf(t)
	s.seen("the site's identity header", header)
	forms := s.forms(t)
	if len(forms) < 20 {
		t.Errorf("only %d forms of secrets to look for; the test has seen too few", len(forms))
	}

	found, files, siteLogs := false, 0, 0
	look := func(where string, content []byte) {
		for form, what := range forms {
			if bytes.Contains(content, []byte(form)) {
				t.Errorf("%s is in clear in %s", what, where)
			}
		}
	}
	err := filepath.WalkDir(filepath.Dir(s.p.Data), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if strings.HasSuffix(path, "_docker.log") && bytes.Contains(content, []byte(`"msg":"served"`)) {
			siteLogs++
		}
		if bytes.Contains(content, []byte(canary)) {
			t.Errorf("a document can be read in %s", path)
		}
		// What is public shows that the search finds what is there.
		found = found || bytes.Contains(content, []byte(s.p.Run.TenantID))
		look(path, content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range s.told {
		look(fmt.Sprintf("answer %d: %.200s", i, text), []byte(text))
	}
	if !found || files < 10 || siteLogs == 0 {
		t.Errorf("looked into %d files, %d of them the site's log; tenant id found: %t. The search is not looking where things are", files, siteLogs, found)
	}
	if info, err := os.Stat(s.p.Log); err != nil || info.Size() == 0 {
		t.Errorf("the platform's log is empty or gone: %v", err)
	}
}

// forms are the ways a secret could lie in a file: as its text, as the bytes that the text encodes, and for a certificate its private key.
func (s *stage) forms(t *testing.T) map[string]string {
	t.Helper()
	forms := maps.Clone(s.secrets)
	for _, value := range slices.Collect(maps.Keys(s.secrets)) {
		what := s.secrets[value]
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(raw) < 32 {
			continue
		}
		forms[string(raw)] = what + " (decoded)"
		_, key, err := azidentity.ParseCertificates(raw, nil)
		if err != nil {
			continue
		}
		rsaKey, ok := key.(*rsa.PrivateKey)
		if !ok {
			t.Fatalf("%s has a %T, want an RSA key", what, key)
		}
		// The numbers that are the key, however they are wrapped: as bytes, and in base64 at each of the places a byte can have in a group of three.
		for _, number := range append([]*big.Int{rsaKey.D}, rsaKey.Primes...) {
			b := number.Bytes()
			forms[string(b[8:72])] = what + " (private key)"
			for at := range 3 {
				forms[base64.RawStdEncoding.EncodeToString(b[8+at:71+at])] = what + " (private key in base64)"
				forms[base64.RawURLEncoding.EncodeToString(b[8+at:71+at])] = what + " (private key in base64)"
			}
		}
	}
	return forms
}

// identityOf reads from the environment of the site's process where and with what header it asks for tokens. Only the process's own user can.
func (s *stage) identityOf(t *testing.T) (endpoint, header string) {
	t.Helper()
	s.as(t, s.contoso, "GET", "/checks/demo-1", nil, http.StatusOK) // so that there is a process
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range environs {
		exe, err := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		if err != nil || !strings.HasPrefix(exe, filepath.Join(s.p.Data, "sites")) {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		env := map[string]string{}
		for v := range strings.SplitSeq(string(content), "\x00") {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		if env["IDENTITY_HEADER"] != "" {
			return env["IDENTITY_ENDPOINT"], env["IDENTITY_HEADER"]
		}
	}
	t.Fatalf("no process of a site runs below %s", s.p.Data)
	return "", ""
}
