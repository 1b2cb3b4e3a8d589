package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for a, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "::1": false, "10.0.0.1": false, "172.16.5.4": false, "192.168.1.1": false, "169.254.169.254": false, "fe80::1": false, "fd00::1": false,
		"0.0.0.0": false, "::": false, "100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false,
		"64:ff9b::a00:1": false, "2002:7f00:1::": false, "168.63.129.16": false, "198.18.0.1": false, "fec0::1": false,
	} {
		if got := public(netip.MustParseAddr(a)); got != want {
			t.Errorf("public(%s) = %v", a, got)
		}
	}
}

// TestGet_Private: addresses of this machine aren't reached, whatever they are called, and not after a redirection either; with Private they are, and nothing goes along.
func TestGet_Private(t *testing.T) {
	t.Parallel()
	reached := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached = true
		if len(r.Header["Authorization"])+len(r.Header["Cookie"]) != 0 {
			t.Error("credentials went along")
		}
		_, _ = w.Write([]byte("picture"))
	}))
	defer s.Close()
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, u := range []string{s.URL, "http://localhost" + port, "http://[::1]" + port, "http://[::ffff:127.0.0.1]" + port, "http://2130706433" + port, "http://127.1" + port, "http://0" + port} {
		if b, err := (&Fetcher{}).Get(t.Context(), u, 100); err == nil {
			t.Errorf("%s: got %q", u, b)
		}
	}
	if reached {
		t.Fatal("a private address was reached")
	}
	private := &Fetcher{Private: true}
	if b, err := private.Get(t.Context(), s.URL, 7); err != nil || string(b) != "picture" {
		t.Errorf("with private addresses: %q %v", b, err)
	}
	if _, err := private.Get(t.Context(), s.URL, 6); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestGet_Refused(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/scheme":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	for _, u := range []string{s.URL + "/loop", s.URL + "/scheme", s.URL + "/none", "file:///etc/passwd", "gopher://x/", "http://user:secret@x/", "http://", "x", "", "http://\x00/"} {
		if _, err := (&Fetcher{Private: true}).Get(t.Context(), u, 100); err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%q: got %v", u, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Fetcher{Private: true}).Get(ctx, s.URL, 100); err == nil {
		t.Error("a cancelled request fetched")
	}
}
