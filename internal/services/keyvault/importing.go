package keyvault

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// maxIterations bounds the password work a PFX may ask for; common tools use from 1 to 600,000 rounds.
const maxIterations = 2_000_000

func badImport(format string, args ...any) *fault.Error {
	return badParameter("The specified certificate content can not be imported: "+format, args...)
}

// parseImport reads what a caller imports, a PFX in base64 or PEM text, and says which it was.
func parseImport(value, password string) (*material, string, error) {
	if strings.Contains(value, "-----BEGIN") {
		m, err := parsePEM([]byte(value))
		return m, typePEM, err
	}
	raw, err := decodeBase64(value)
	if err != nil {
		return nil, "", badImport("it is neither PEM text nor base64.")
	}
	if bytes.Contains(raw, []byte("-----BEGIN")) {
		m, err := parsePEM(raw)
		return m, typePEM, err
	}
	m, err := parsePFX(raw, password)
	return m, typePFX, err
}

// decodeBase64 accepts both alphabets, with padding and line breaks or without.
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "", " ", "").Replace(s)
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

func parsePFX(raw []byte, password string) (*material, error) {
	if !bounded(raw, 0) {
		return nil, badImport("the PFX asks for more than %d rounds of key derivation.", maxIterations)
	}
	key, leaf, chain, err := pkcs12.DecodeChain(raw, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, badImport("the password is wrong.")
	case err != nil:
		return nil, badImport("it is no PFX with one private key and its certificate.")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, badImport("its private key is neither RSA nor EC.")
	}
	return matched(signer, append([]*x509.Certificate{leaf}, chain...))
}

// bounded tells whether every pair of salt and iteration count that can be seen in DER data asks for an acceptable amount of work.
func bounded(der []byte, depth int) bool {
	if depth > 24 {
		return true // deeper than any PFX; its parser gives up as well
	}
	salted := false
	for len(der) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil || len(rest) >= len(der) {
			return true // not DER: an encrypted or plain string
		}
		var n int64
		switch {
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger && salted:
			if _, err := asn1.Unmarshal(v.FullBytes, &n); err != nil || n > maxIterations {
				return false
			}
		case v.IsCompound, v.Tag == asn1.TagOctetString:
			if !bounded(v.Bytes, depth+1) {
				return false
			}
		}
		// The count stands right behind the salt, which PBES2 allows to be a choice of one.
		salted = v.Class == asn1.ClassUniversal && (v.Tag == asn1.TagOctetString || salted && v.Tag == asn1.TagInteger)
		der = rest
	}
	return true
}

func parsePEM(text []byte) (*material, error) {
	var signer crypto.Signer
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, badImport("a certificate in the PEM text is malformed.")
			}
			certs = append(certs, c)
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			if signer != nil {
				return nil, badImport("the PEM text has more than one private key.")
			}
			var err error
			if signer, err = parseKey(block.Bytes); err != nil || block.Headers["DEK-Info"] != "" {
				return nil, badImport("the private key in the PEM text is malformed or encrypted; it must be in PKCS #8 form without a password.")
			}
		case "ENCRYPTED PRIVATE KEY":
			return nil, badImport("the private key in the PEM text is encrypted; give it without a password.")
		}
	}
	if signer == nil {
		return nil, badImport("Private key is not specified in the specified X.509 PEM certificate content.")
	}
	return matched(signer, certs)
}

func parseKey(der []byte) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if s, ok := k.(crypto.Signer); ok {
			return s, nil
		}
		return nil, errors.New("a key that cannot sign")
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	return x509.ParseECPrivateKey(der)
}

// matched puts the certificate that belongs to the key first; the others are its chain.
func matched(signer crypto.Signer, certs []*x509.Certificate) (*material, error) {
	m := &material{signer: signer}
	for _, c := range certs {
		pub, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if m.leaf == nil && ok && pub.Equal(signer.Public()) {
			m.leaf = c
			continue
		}
		m.chain = append(m.chain, c)
	}
	if m.leaf == nil {
		return nil, badImport("it has no certificate of its private key.")
	}
	return m, nil
}
