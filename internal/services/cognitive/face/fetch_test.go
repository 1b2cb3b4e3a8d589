package face

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
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

// TestFetch_Private: addresses of this machine aren't reached, whatever they are called, and not after a redirection either; with Private they are.
func TestFetch_Private(t *testing.T) {
	t.Parallel()
	reached := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached = true
		_, _ = w.Write([]byte("picture"))
	}))
	defer s.Close()
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, u := range []string{s.URL, "http://localhost" + port, "http://[::1]" + port, "http://[::ffff:127.0.0.1]" + port, "http://2130706433" + port, "http://127.1" + port, "http://0" + port} {
		_, err := (&Fetcher{}).Fetch(t.Context(), u)
		if f := fault.As(err); f == nil || f.Code != "InvalidURL" {
			t.Errorf("%s: got %v", u, err)
		}
	}
	if reached {
		t.Fatal("a private address was reached")
	}
	b, err := (&Fetcher{Private: true}).Fetch(t.Context(), s.URL)
	if err != nil || string(b) != "picture" {
		t.Errorf("with private addresses: %q %v", b, err)
	}
}

func TestFetch_Refusals(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			chunk := make([]byte, 1<<20)
			for range 8 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/scheme":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	for u, code := range map[string]string{
		s.URL + "/large": "InvalidImageSize", s.URL + "/loop": "InvalidURL", s.URL + "/scheme": "InvalidURL", s.URL + "/none": "InvalidURL",
		"file:///etc/passwd": "InvalidURL", "gopher://x/": "InvalidURL", "http://user:secret@x/": "InvalidURL", "http://": "InvalidURL", "x": "InvalidURL", "": "InvalidURL", "http://\x00/": "InvalidURL",
	} {
		_, err := (&Fetcher{Private: true}).Fetch(t.Context(), u)
		if f := fault.As(err); f == nil || f.Code != code || strings.Contains(f.Message, "secret") {
			t.Errorf("%q: got %v, want %s", u, err, code)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Fetcher{Private: true}).Fetch(ctx, s.URL); err == nil {
		t.Error("a cancelled request fetched")
	}
}
