package honeypot

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
)

// openKeys reads the decoy's host keys, or makes them: those that OpenSSH makes. They protect nothing; they are kept so that a visitor who comes again meets the same machine.
func openKeys(dir string) ([]ssh.Signer, error) {
	var out []ssh.Signer
	for _, k := range []struct {
		name       string
		algorithms []string // in OpenSSH's order
		make       func() (crypto.PrivateKey, error)
	}{
		{"rsa", []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}, func() (crypto.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 3072) }},
		{"ecdsa", nil, func() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
		{"ed25519", nil, func() (crypto.PrivateKey, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		}},
	} {
		path := filepath.Join(dir, "ssh_host_"+k.name+"_key")
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			key, err := k.make()
			if err != nil {
				return nil, err
			}
			block, err := ssh.MarshalPrivateKey(key, "")
			if err != nil {
				return nil, err
			}
			b = pem.EncodeToMemory(block)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				return nil, err
			}
		} else if err != nil {
			return nil, err
		}
		signer, err := ssh.ParsePrivateKey(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if with, ok := signer.(ssh.AlgorithmSigner); ok && k.algorithms != nil {
			if signer, err = ssh.NewSignerWithAlgorithms(with, k.algorithms); err != nil {
				return nil, err
			}
		}
		out = append(out, signer)
	}
	return out, nil
}
