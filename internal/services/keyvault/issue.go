package keyvault

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // a thumbprint is SHA-1 by definition
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// material is a certificate with its key: what a version of a certificate is made of.
type material struct {
	signer crypto.Signer
	leaf   *x509.Certificate
	chain  []*x509.Certificate // above leaf, may be empty
	csr    []byte              // DER; of a certificate made here
	issued bool                // made elsewhere by a request of ours
}

// backdated is how long before its making a certificate begins to be valid, for clocks that are behind.
const backdated = 10 * time.Minute

// selfSign makes a certificate of signer by a settled policy.
func selfSign(p *policy, signer crypto.Signer, now time.Time) (*material, error) {
	raw, err := p.rawSubject()
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), RawSubject: raw, BasicConstraintsValid: true,
		NotBefore: now.Add(-backdated).Truncate(time.Second), NotAfter: now.AddDate(0, p.X509.Months, 0).Truncate(time.Second),
		SubjectKeyId: keyID(signer.Public()), AuthorityKeyId: keyID(signer.Public()),
	}
	if s := p.X509.SANs; s != nil {
		template.DNSNames, template.EmailAddresses = s.DNSNames, s.Emails
	}
	template.KeyUsage = p.X509.usage()
	if len(p.X509.EKUs) > 0 {
		ext, err := ekuExtension(p.X509.EKUs)
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, ext)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, badParameter("The certificate cannot be made by this policy: %s.", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, badParameter("The certificate made by this policy is not valid: %s.", err)
	}
	csr, err := signingRequest(p, signer)
	if err != nil {
		return nil, err
	}
	return &material{signer: signer, leaf: leaf, csr: csr}, nil
}

// keyID is the SHA-1 of the public key's bits (RFC 5280 section 4.2.1.2, method 1).
func keyID(pub crypto.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil
	}
	sum := sha1.Sum(info.Key.Bytes) //nolint:gosec // an identifier
	return sum[:]
}

// thumbprint is the x5t of a DER certificate.
func thumbprint(der []byte) string {
	sum := sha1.Sum(der) //nolint:gosec // an identifier
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// secretValue is what the same-name secret holds: key and chain as PEM, or as a PFX without password; without the key if it is not exportable. The PFX
// uses 3DES and SHA-1, the only form that every reader of the supported SDKs takes; the vault's own sealing is what protects it.
func (m *material) secretValue(contentType string, exportable bool) (string, error) {
	all := append([]*x509.Certificate{m.leaf}, m.chain...)
	if contentType == typePEM {
		var b bytes.Buffer
		if exportable {
			der, err := x509.MarshalPKCS8PrivateKey(m.signer)
			if err != nil {
				return "", fmt.Errorf("encode key: %w", err)
			}
			_ = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der}) // a bytes.Buffer never fails
		}
		for _, c := range all {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
		}
		return b.String(), nil
	}
	var pfx []byte
	var err error
	if exportable {
		pfx, err = pkcs12.LegacyDES.Encode(m.signer, m.leaf, m.chain, "")
	} else {
		pfx, err = pkcs12.LegacyDES.EncodeTrustStore(all, "")
	}
	if err != nil {
		return "", fmt.Errorf("encode PFX: %w", err)
	}
	return base64.StdEncoding.EncodeToString(pfx), nil
}
