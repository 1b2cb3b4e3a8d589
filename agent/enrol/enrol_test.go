package enrol

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "agent")
	if _, err := Load(dir); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("of no folder: %v", err)
	}
	key, err := Key(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("with a key alone: %v", err)
	}
	if again, err := Key(dir); err != nil || !again.Equal(key) {
		t.Errorf("the key changed: %v", err)
	}
	want := Enrolment{MachineID: "/m", TenantID: "t", ClientID: "c", Platform: "127.0.0.1:1"}
	if err := want.Save(dir, []byte("root")); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil || got.MachineID != want.MachineID || got.TenantID != "t" || got.ClientID != "c" || got.Platform != want.Platform || !got.key.Equal(key) {
		t.Errorf("loaded %+v, %v", got, err)
	}
	if runtime.GOOS != "windows" {
		for _, name := range []string{fileKey, fileAgent, fileRoot} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
}

// served is a platform's token endpoint and one route.
type served struct {
	t       *testing.T
	e       *Enrolment
	tokens  int
	refuse  string // the token endpoint's error
	expired bool   // the route's first answer is 401
	gone    bool
	calls   int
}

func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host == "login.microsoftonline.com" {
		if s.refuse != "" {
			w.WriteHeader(401)
			fmt.Fprint(w, s.refuse)
			return
		}
		raw, err := jwt.ParseSigned(r.FormValue("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			s.t.Error(err)
			return
		}
		var c jwt.Claims
		if err := raw.Claims(s.e.key.Public(), &c); err != nil || c.Subject != "client" || c.Issuer != "client" || c.Audience[0] != "https://login.microsoftonline.com/tenant/oauth2/v2.0/token" ||
			r.URL.Path != "/tenant/oauth2/v2.0/token" || r.FormValue("client_id") != "client" || r.FormValue("scope") != "https://management.azure.com/.default" {
			s.t.Errorf("%v, %+v, %v", err, c, r.Form)
		}
		s.tokens++
		fmt.Fprintf(w, `{"access_token":"token %d","expires_in":3599}`, s.tokens)
		return
	}
	s.calls++
	switch want := fmt.Sprint("Bearer token ", s.tokens); {
	case r.Host != "management.azure.com" || r.Header.Get("Authorization") != want:
		s.t.Errorf("%s with %s, want %s", r.Host, r.Header.Get("Authorization"), want)
	case s.expired:
		s.expired = false
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":{"code":"ExpiredAuthenticationToken","message":"expired"}}`)
		return
	case s.gone:
		w.WriteHeader(403)
		fmt.Fprint(w, `{"error":{"code":"MachineNotEnrolled","message":"The machine was deleted."}}`)
		return
	case r.URL.Path == "/full":
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
		return
	}
	fmt.Fprint(w, `{"acknowledged":3}`)
}

func TestClient(t *testing.T) {
	t.Parallel()
	s := &served{t: t}
	server := httptest.NewUnstartedServer(s)
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	if _, err := Key(dir); err != nil {
		t.Fatal(err)
	}
	e := &Enrolment{MachineID: "/m", TenantID: "tenant", ClientID: "client", Platform: server.Listener.Addr().String()}
	if err := e.Save(dir, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.e = loaded
	c, err := NewClient(loaded)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	// The test's certificate is for example.com.
	c.http.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
	post := func(path string) (uint64, error) {
		var out struct{ Acknowledged uint64 }
		err := c.Post(t.Context(), path, "text/plain", []byte("x"), &out)
		return out.Acknowledged, err
	}
	for range 2 {
		if n, err := post("/x"); n != 3 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if s.tokens != 1 {
		t.Errorf("%d tokens for two requests", s.tokens)
	}
	s.expired = true
	if n, err := post("/x"); n != 3 || err != nil || s.tokens != 2 {
		t.Errorf("after the token ended: %d, %v, %d tokens", n, err, s.tokens)
	}
	var status *StatusError
	if _, err := post("/full"); !errors.As(err, &status) || status.Status != 503 || status.RetryAfter != 7*time.Second {
		t.Errorf("a full platform: %v", err)
	}
	s.gone = true
	if _, err := post("/x"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "was deleted") {
		t.Errorf("a deleted machine: %v", err)
	}
	s.gone, c.token = false, ""
	s.refuse = `{"error":"invalid_client","error_description":"AADSTS700027: The certificate ... not registered\r\nTrace ID: x"}`
	if _, err := post("/x"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "AADSTS700027") || strings.Contains(err.Error(), "Trace") {
		t.Errorf("another key: %v", err)
	}
	s.refuse = `{"error":"invalid_client","error_description":"AADSTS700024: Client assertion is not within its valid time range."}`
	if _, err := post("/x"); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("a wrong clock: %v", err)
	}
	server.Close()
	if _, err := post("/x"); err == nil || errors.Is(err, ErrRefused) || errors.As(err, &status) {
		t.Errorf("no platform: %v", err)
	}
}
