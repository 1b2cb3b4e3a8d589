package directory

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

const (
	// secretLife is how long a secret is good when its maker names no end, as Graph does it.
	secretLife = 2 * 365 * 24 * time.Hour
	// credentialMax bounds the credentials of one application.
	credentialMax = 100
	// minRSA is the shortest key that may sign assertions.
	minRSA = 2048
)

// CredentialSpec describes a new credential. The zero value works.
type CredentialSpec struct {
	DisplayName string
	Start, End  time.Time // zero: now, two years from start; of a certificate: its own
}

// AddSecret gives an application a client secret. text is shown this once; the platform cannot tell it again.
func (s *Service) AddSecret(ctx context.Context, tenantID, objectID string, spec CredentialSpec) (secret *Secret, text string, err error) {
	secret, text = s.newSecret(spec)
	if !secret.Start.Before(secret.End) {
		return nil, "", badRequest("endDateTime", "The end of a credential must be later than its start.")
	}
	_, err = s.ChangeApplication(ctx, tenantID, objectID, func(app *Application) error {
		secret.MAC = s.secretMAC(app, secret.KeyID, text)
		app.Secrets = append(app.Secrets, *secret)
		return checkCount(app)
	})
	if err != nil {
		return nil, "", err
	}
	return secret, text, nil
}

func (s *Service) newSecret(spec CredentialSpec) (*Secret, string) {
	text := secretText()
	secret := &Secret{KeyID: ids.New(), DisplayName: spec.DisplayName, Hint: text[:3], Start: spec.Start.UTC(), End: spec.End.UTC()}
	if spec.Start.IsZero() {
		secret.Start = s.Clock.Now()
	}
	if spec.End.IsZero() {
		secret.End = secret.Start.Add(secretLife)
	}
	return secret, text
}

// secretText draws a secret in the form of Entra ID's, by which scanners of source code find leaked ones: 40 characters, of which 37 are random.
func secretText() string {
	b := make([]byte, 30)
	_, _ = rand.Read(b) // never fails
	text := strings.ReplaceAll(base64.RawURLEncoding.EncodeToString(b), "-", ".")
	return text[:3] + "8Q~" + text[6:]
}

// AddCertificate lets an application sign in with the key of a certificate, given as DER or PEM.
func (s *Service) AddCertificate(ctx context.Context, tenantID, objectID string, certificate []byte, spec CredentialSpec) (*Certificate, error) {
	cert, err := newCertificate(certificate, spec)
	if err != nil {
		return nil, err
	}
	_, err = s.ChangeApplication(ctx, tenantID, objectID, func(app *Application) error {
		app.Certificates = append(app.Certificates, *cert)
		return checkCount(app)
	})
	if err != nil {
		return nil, err
	}
	return cert, nil
}

// newCertificate checks a certificate and keeps its public form.
func newCertificate(raw []byte, spec CredentialSpec) (*Certificate, error) {
	der := raw
	for rest := raw; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			der = block.Bytes
			break
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, badRequest("keyCredentials", "Key credential is not an X.509 certificate in DER or PEM.")
	}
	public, ok := parsed.PublicKey.(*rsa.PublicKey)
	if !ok || public.Size()*8 < minRSA {
		return nil, badRequest("keyCredentials", "Key credential must be a certificate with an RSA key of at least 2048 bits.")
	}
	c := &Certificate{KeyID: ids.New(), DisplayName: spec.DisplayName, Start: parsed.NotBefore.UTC(), End: parsed.NotAfter.UTC(), DER: slices.Clone(der)}
	if c.DisplayName == "" {
		c.DisplayName = parsed.Subject.String()
	}
	// A registration may narrow the certificate's own time, never widen it.
	if spec.Start.After(c.Start) {
		c.Start = spec.Start.UTC()
	}
	if !spec.End.IsZero() && spec.End.Before(c.End) {
		c.End = spec.End.UTC()
	}
	return c, nil
}

// RemoveCredential takes a secret or certificate from an application; the next sign-in with it is refused.
func (s *Service) RemoveCredential(ctx context.Context, tenantID, objectID, keyID string) error {
	_, err := s.ChangeApplication(ctx, tenantID, objectID, func(app *Application) error {
		before := len(app.Secrets) + len(app.Certificates)
		app.Secrets = slices.DeleteFunc(app.Secrets, func(c Secret) bool { return strings.EqualFold(c.KeyID, keyID) })
		app.Certificates = slices.DeleteFunc(app.Certificates, func(c Certificate) bool { return strings.EqualFold(c.KeyID, keyID) })
		if len(app.Secrets)+len(app.Certificates) == before {
			return fault.New(fault.NotFound, "Request_ResourceNotFound", "No credential found with keyId '%s'.", clip(keyID))
		}
		return nil
	})
	return err
}

func checkCount(app *Application) error {
	if len(app.Secrets)+len(app.Certificates) > credentialMax {
		return badRequest("keyCredentials", "An application has at most 100 credentials. Remove those no longer in use.")
	}
	return nil
}
