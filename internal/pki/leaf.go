package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	leafLife   = 90 * 24 * time.Hour
	leafRenew  = 30 * 24 * time.Hour // a leaf with less than this left is made anew
	leavesKept = 256
)

// leafCache keeps the leaves made lately by lower-case name.
type leafCache = lru.Cache[string, *tls.Certificate]

func newLeafCache() (*leafCache, error) { return lru.New[string, *tls.Certificate](leavesKept) }

// TLS returns a server configuration that answers each client with a leaf for the name it asks for. serves tells which names may have one; a client
// that sends no name (it connected by address) gets a leaf for localhost and the loopback addresses.
func (a *Authority) TLS(serves func(name string) bool) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := hello.ServerName
			if name == "" || name == "localhost" {
				return a.Leaf("localhost")
			}
			if !serves(name) {
				return nil, fmt.Errorf("no service answers to %q", name)
			}
			return a.Leaf(name)
		},
	}
}

// Leaf returns a certificate chain for the name, made now or lately. "localhost" also covers 127.0.0.1 and ::1. A name outside the constraints gets an
// error here, before any client would refuse it.
func (a *Authority) Leaf(name string) (*tls.Certificate, error) {
	now := a.clock.Now()
	if c, ok := a.leaves.Get(name); ok && now.Add(leafRenew).Before(c.Leaf.NotAfter) {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// The subject stays empty: a common name may hold 64 characters only, and GnuTLS takes it for a DNS name.
	template := &x509.Certificate{
		SerialNumber: serial(), NotBefore: now.Add(-backdate), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: []string{name},
	}
	if name == "localhost" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.intermediate, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %q: %w", name, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate for %q: %w", name, err)
	}
	if err := a.verify(leaf, name, now); err != nil {
		return nil, err
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.intermediate.Raw}, PrivateKey: key, Leaf: leaf}
	a.leaves.Add(name, c)
	return c, nil
}

func (a *Authority) verify(leaf *x509.Certificate, name string, now time.Time) error {
	roots, inters := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(a.Root)
	inters.AddCert(a.intermediate)
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: inters, CurrentTime: now})
	if err != nil {
		return fmt.Errorf("certificate for %q: %w", name, err)
	}
	return nil
}
