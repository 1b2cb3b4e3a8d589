package fetch

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:80": false, "[::1]:80": false, "10.1.2.3:80": false, "172.16.0.1:443": false, "192.168.1.1:80": false, "169.254.169.254:80": false, "[fe80::1]:80": false,
		"[fd00::1]:80": false, "0.0.0.0:80": false, "[::]:80": false, "[::ffff:127.0.0.1]:80": false, "100.64.1.1:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false,
		"[64:ff9b::7f00:1]:80": false, "[2002:7f00:1::]:80": false, "198.18.0.1:80": false, "nonsense": false,
		"8.8.8.8:443": true, "[2606:4700::1111]:443": true,
	} {
		if got := public("tcp", address, nil) == nil; got != want {
			t.Errorf("%s: admitted %v, want %v", address, got, want)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/picture":
			if len(r.Header["Authorization"])+len(r.Header["Cookie"]) != 0 {
				t.Error("credentials went along")
			}
			_, _ = w.Write([]byte("picture"))
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			w.WriteHeader(404)
		}
	}))
	defer s.Close()
	get := New(Options{Private: true})
	if got, err := get(t.Context(), s.URL+"/picture", 7); err != nil || string(got) != "picture" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := get(t.Context(), s.URL+"/picture", 6); !errors.Is(err, errTooLarge) {
		t.Errorf("too large: got %v", err)
	}
	for _, address := range []string{s.URL + "/none", s.URL + "/round", s.URL + "/file", "file:///etc/passwd", "ftp://a/b", "http://", "http://a:b@c/", "://"} {
		if got, err := get(t.Context(), address, 100); err == nil {
			t.Errorf("%s: got %q", address, got)
		}
	}
	for _, address := range []string{s.URL + "/picture", strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/picture"} {
		if _, err := New(Options{})(t.Context(), address, 100); !errors.Is(err, errAddress) {
			t.Errorf("%s: got %v, want it refused", address, err)
		}
	}
}
