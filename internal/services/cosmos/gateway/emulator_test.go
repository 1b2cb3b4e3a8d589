package gateway

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

func emulatorToken(kid, claims, key string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"typ":"JWT","kid":"`+kid+`"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte(key))
}

func TestEmulatorToken(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	claims := func(from, until time.Duration) string {
		return fmt.Sprintf(`{"oid":"o1","nbf":%d,"exp":%d}`, now.Add(from).Unix(), now.Add(until).Unix())
	}
	for name, tt := range map[string]struct {
		token string
		named bool // it is meant for the emulator
		want  bool
	}{
		"good":           {emulatorToken(emulatorKeyID, claims(0, time.Hour), EmulatorKey), true, true},
		"another key":    {emulatorToken(emulatorKeyID, claims(0, time.Hour), "AAAA"), true, false},
		"no key":         {emulatorToken(emulatorKeyID, claims(0, time.Hour), ""), true, false},
		"over":           {emulatorToken(emulatorKeyID, claims(-time.Hour, -tokenDrift), EmulatorKey), true, false},
		"not yet":        {emulatorToken(emulatorKeyID, claims(tokenDrift+time.Second, time.Hour), EmulatorKey), true, false},
		"nobody":         {emulatorToken(emulatorKeyID, `{"exp":9999999999}`, EmulatorKey), true, false},
		"no expiry":      {emulatorToken(emulatorKeyID, `{"oid":"o1"}`, EmulatorKey), true, false},
		"other key name": {emulatorToken("k1", claims(0, time.Hour), EmulatorKey), false, true},
		"no token":       {"x", false, false},
	} {
		if got := isEmulatorToken(tt.token); got != tt.named {
			t.Errorf("%s: isEmulatorToken %v, want %v", name, got, tt.named)
		}
		if _, got := parseEmulatorToken(tt.token, now); got != tt.want {
			t.Errorf("%s: valid %v, want %v", name, got, tt.want)
		}
	}
}

func FuzzEmulatorToken(f *testing.F) {
	f.Add(emulatorToken(emulatorKeyID, `{"oid":"o1","exp":1}`, EmulatorKey))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		isEmulatorToken(token)
		if c, ok := parseEmulatorToken(token, time.Unix(0, 0)); ok && c.ObjectID == "" {
			t.Errorf("%q: a token of nobody is valid", token)
		}
	})
}

func TestCheckRouted(t *testing.T) {
	t.Parallel()
	const docs = "/dbs/d/colls/c/docs/"
	for path, want := range map[string]fault.Kind{
		docs: 0, docs + "a%20b": 0, docs + "a%3Fb": 0, docs + "%20a": 0, docs + "a%25b": 0, docs + "%E9%B1%80": 0,
		docs + "a%20": fault.Unauthenticated, docs + "a%2Fb": fault.Unauthenticated, docs + "a%5Cb": fault.Unauthenticated,
		docs + "a%23b": fault.Unauthenticated, docs + "a%2520": fault.Unauthenticated,
		docs + "a%0Db": fault.Invalid, docs + "a%09b": fault.Invalid, docs + "a%0A": fault.Invalid,
	} {
		err := checkRouted("localhost:8081", path)
		if (err == nil) != (want == 0) || want != 0 && !fault.Is(err, want) {
			t.Errorf("%s: got %v, want kind %v", path, err, want)
		}
		if err := checkRouted("localhost:8903", path); err != nil {
			t.Errorf("compute gateway: %s: %v", path, err)
		}
	}
}

func TestEmulatorEndpoint(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"localhost:8081": "https://127.0.0.1:8081/", "127.0.0.1:9": "https://127.0.0.1:9/", "[::1]:8081": "https://[::1]:8081/", "localhost": "https://127.0.0.1:443/",
	} {
		if got := emulatorEndpoint(host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}
