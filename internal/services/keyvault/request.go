package keyvault

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/bits"
	"strings"
)

// signingRequest is the PKCS #10 request for what a settled policy wants of signer: its subject, alternative names and usages.
func signingRequest(p *policy, signer crypto.Signer) ([]byte, error) {
	raw, err := p.rawSubject()
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{RawSubject: raw}
	if s := p.X509.SANs; s != nil {
		template.DNSNames, template.EmailAddresses = s.DNSNames, s.Emails
	}
	if usage := p.X509.usage(); usage != 0 {
		ext, err := usageExtension(usage)
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, ext)
	}
	if len(p.X509.EKUs) > 0 {
		ext, err := ekuExtension(p.X509.EKUs)
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, ext)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, signer)
	if err != nil {
		return nil, badParameter("A signing request cannot be made by this policy: %s.", err)
	}
	return csr, nil
}

func (p *policy) rawSubject() ([]byte, error) {
	subject, err := parseSubject(p.X509.Subject)
	if err != nil {
		return nil, err
	}
	raw, err := asn1.Marshal(subject)
	if err != nil {
		return nil, policyFault("x509_props.subject '%s' cannot be encoded.", clip(p.X509.Subject))
	}
	return raw, nil
}

func (x *x509Props) usage() (u x509.KeyUsage) {
	known := usages()
	for _, name := range x.KeyUsage {
		u |= known[strings.ToLower(name)]
	}
	return u
}

// usageExtension is a key usage extension (RFC 5280 section 4.2.1.3): a bit string whose first bit is the lowest of u.
func usageExtension(u x509.KeyUsage) (pkix.Extension, error) {
	raw := []byte{bits.Reverse8(byte(u)), bits.Reverse8(byte(u >> 8))}
	length := bits.Len(uint(u))
	value, err := asn1.Marshal(asn1.BitString{Bytes: raw[:(length+7)/8], BitLength: length})
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("key usage: %w", err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: value}, nil
}

func ekuExtension(list []string) (pkix.Extension, error) {
	oids := make([]asn1.ObjectIdentifier, 0, len(list))
	for _, text := range list {
		oid, err := parseOID(text)
		if err != nil {
			return pkix.Extension{}, fmt.Errorf("extended key usage %s: %w", text, err)
		}
		oids = append(oids, oid)
	}
	value, err := asn1.Marshal(oids)
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: value}, err
}
