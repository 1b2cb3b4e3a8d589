package pki

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/seal"
)

func testSealer(t *testing.T) *seal.Sealer {
	t.Helper()
	s, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, dir string, clk clock.Clock, suffixes ...string) *Authority {
	t.Helper()
	a, err := Open(dir, suffixes, testSealer(t), clk)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthority_ConstraintsHold(t *testing.T) {
	a := open(t, t.TempDir(), clock.System{}, "vault.azure.net", "management.azure.com")
	for _, tt := range []struct {
		name string
		ok   bool
	}{
		{"kv1.vault.azure.net", true},
		{"management.azure.com", true},
		{"localhost", true},
		{"evil.example.com", false},
		{"evilvault.azure.net", false},
		{"azure.net", false},
	} {
		c, err := a.Leaf(tt.name)
		if (err == nil) != tt.ok {
			t.Errorf("Leaf(%q) error = %v, want ok %v", tt.name, err, tt.ok)
		}
		if err == nil && c.Leaf.Subject.CommonName != "" {
			t.Errorf("Leaf(%q) has common name %q, want none", tt.name, c.Leaf.Subject.CommonName)
		}
	}
}

func TestAuthority_ReopenedKeepsRootUnlessSuffixIsNew(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, clock.System{}, "vault.azure.net")
	b := open(t, dir, clock.System{}, "vault.azure.net")
	if !a.Root.Equal(b.Root) {
		t.Error("reopening made another root")
	}
	c := open(t, dir, clock.System{}, "vault.azure.net", "own.test")
	if c.Root.Equal(a.Root) {
		t.Error("a suffix outside the constraints kept the old root")
	}
	if _, err := c.Leaf("kv.vault.own.test"); err != nil {
		t.Error(err)
	}
}

func TestAuthority_KeyIsSealedAndPrivate(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, clock.System{}, "vault.azure.net")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x509.ParseECPrivateKey(data); err == nil || strings.Contains(string(data), "PRIVATE KEY") {
			t.Errorf("%s holds a private key in clear", e.Name())
		}
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode of %s = %o, want 600", keyFile, got)
	}
}

func TestAuthority_LeafRenewed(t *testing.T) {
	clk := clock.NewFake(time.Now())
	a := open(t, t.TempDir(), clk, "vault.azure.net")
	first, _ := a.Leaf("kv.vault.azure.net")
	again, _ := a.Leaf("kv.vault.azure.net")
	if first != again {
		t.Error("a fresh leaf was made anew")
	}
	clk.Advance(leafLife - leafRenew + time.Hour)
	later, err := a.Leaf("kv.vault.azure.net")
	if err != nil || later == first {
		t.Errorf("Leaf after %v = same %v, error %v; want a new one", leafLife-leafRenew, later == first, err)
	}
}

func TestTLS_HandshakeByNameAndByAddress(t *testing.T) {
	a := open(t, t.TempDir(), clock.System{}, "vault.azure.net")
	conf := a.TLS(func(name string) bool { return strings.HasSuffix(name, ".vault.azure.net") })
	roots := x509.NewCertPool()
	roots.AddCert(a.Root)
	for _, tt := range []struct {
		server string
		ok     bool
	}{{"kv.vault.azure.net", true}, {"localhost", true}, {"127.0.0.1", true}, {"login.example.com", false}} {
		cc, sc := net.Pipe()
		go func() { _ = tls.Server(sc, conf).Handshake(); sc.Close() }()
		err := tls.Client(cc, &tls.Config{ServerName: tt.server, RootCAs: roots}).Handshake()
		cc.Close()
		if (err == nil) != tt.ok {
			t.Errorf("handshake with %q: %v, want ok %v", tt.server, err, tt.ok)
		}
	}
}
