// Package pki is the platform's certificate authority.
//
// The trust anchor is a root whose private key is thrown away as soon as it has signed one intermediate. The intermediate carries critical name constraints
// (the served Azure suffixes, the own suffix, loopback), so even its key cannot make a certificate for a foreign name that any client would accept: some
// verifiers ignore constraints in a trust anchor, all of them enforce those of an intermediate. Leaves are P-256 and are made on demand for served names only.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	backdate      = 24 * time.Hour // for clients whose clock is behind

	rootFile         = "root.pem"
	intermediateFile = "intermediate.pem"
	keyFile          = "intermediate.key"
)

// Sealer encrypts the intermediate's key on disk; *seal.Sealer is one.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// Authority signs leaves. Safe for concurrent use.
type Authority struct {
	Root         *x509.Certificate // what clients trust
	intermediate *x509.Certificate
	key          *ecdsa.PrivateKey
	clock        clock.Clock
	leaves       *leafCache
}

// Open loads the authority kept in dir, or makes one for the DNS names and suffixes given. A kept authority whose constraints no longer cover
// every suffix, or that has expired, is replaced: clients find the new root in the same file.
func Open(dir string, suffixes []string, sealer Sealer, clk clock.Clock) (*Authority, error) {
	a, err := load(dir, sealer, clk)
	switch {
	case err == nil && a.covers(suffixes):
		return a, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("certificate authority in %s: %w", dir, err)
	}
	return create(dir, suffixes, sealer, clk)
}

// RootPath is the file clients are pointed at: the root certificate in PEM.
func RootPath(dir string) string { return filepath.Join(dir, rootFile) }

func load(dir string, sealer Sealer, clk clock.Clock) (*Authority, error) {
	root, err := readCertificate(filepath.Join(dir, rootFile))
	if err != nil {
		return nil, err
	}
	inter, err := readCertificate(filepath.Join(dir, intermediateFile))
	if err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, err
	}
	der, err := sealer.Open("pki", []byte(keyFile), sealed)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", keyFile, err)
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", keyFile, err)
	}
	if !key.PublicKey.Equal(inter.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to %s", keyFile, intermediateFile)
	}
	return newAuthority(root, inter, key, clk)
}

func newAuthority(root, inter *x509.Certificate, key *ecdsa.PrivateKey, clk clock.Clock) (*Authority, error) {
	cache, err := newLeafCache()
	if err != nil {
		return nil, err
	}
	return &Authority{Root: root, intermediate: inter, key: key, clock: clk, leaves: cache}, nil
}

func (a *Authority) covers(suffixes []string) bool {
	if a.clock.Now().Add(leafLife).After(a.intermediate.NotAfter) {
		return false
	}
	for _, s := range suffixes {
		if !slices.Contains(a.intermediate.PermittedDNSDomains, s) {
			return false
		}
	}
	return true
}

func create(dir string, suffixes []string, sealer Sealer, clk clock.Clock) (*Authority, error) {
	now := clk.Now()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // never leaves this function
	if err != nil {
		return nil, err
	}
	interKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rootTemplate := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Bulkhead local root"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, rootTemplate, rootTemplate, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(rootDER)
	if err != nil {
		return nil, err
	}
	interTemplate := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Bulkhead local issuer"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         append([]string{"localhost"}, suffixes...),
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	interDER, err := x509.CreateCertificate(rand.Reader, interTemplate, root, interKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	inter, err := x509.ParseCertificate(interDER)
	if err != nil {
		return nil, err
	}
	if err := save(dir, rootDER, interDER, interKey, sealer); err != nil {
		return nil, fmt.Errorf("save certificate authority in %s: %w", dir, err)
	}
	return newAuthority(root, inter, interKey, clk)
}

// save writes the key first and the root last, so that a crash in between leaves no root without its key.
func save(dir string, rootDER, interDER []byte, key *ecdsa.PrivateKey, sealer Sealer) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	sealed, err := sealer.Seal("pki", []byte(keyFile), der)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, rootFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeFile(filepath.Join(dir, keyFile), sealed, 0o600); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, intermediateFile), encode(interDER), 0o644); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, rootFile), encode(rootDER), 0o644)
}

// writeFile replaces path as a whole, so that a reader never sees half of it.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func readCertificate(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM certificate", filepath.Base(path))
	}
	return x509.ParseCertificate(block.Bytes)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil { // crypto/rand does not fail on supported systems
		return big.NewInt(1)
	}
	return n.Add(n, big.NewInt(1))
}
