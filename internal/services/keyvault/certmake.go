package keyvault

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// createCertificate begins a new version. With the issuer Self it is made at once; the answer is the operation as it began. With Unknown the answer
// is a signing request that waits for its merge; with any other issuer of the vault the operation has failed, since no authority is behind it.
func (s *Service) createCertificate(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name, in, err := readCertificate(r)
	if err != nil {
		return nil, err
	}
	head, err := s.load(ctx, v.shard, key(tagHead, certificates.tag, s.mac(v, name)))
	if err != nil {
		return nil, err
	}
	p := in.Policy
	if p == nil {
		if head == nil {
			return nil, policyFault("it is required for the first version of a certificate.")
		}
		p = head.Policy
	}
	if err := p.settle(true); err != nil {
		return nil, err
	}
	if head != nil {
		name = head.Name
	}
	if err := s.certificateNameFree(ctx, v, name); err != nil {
		return nil, err
	}
	if p.Issuer.Name != issuerSelf {
		return s.beginCertificate(ctx, r, v, name, head, p, in)
	}
	m, err := s.selfSigned(ctx, v, head, p)
	if err != nil {
		return nil, err
	}
	cert, rows, err := s.certificateRows(v, name, m, p, in)
	if err != nil {
		return nil, err
	}
	op := &operation{Name: cert.Name, CSR: m.csr, RequestID: ids.Version(), Status: statusCompleted, Issuer: *p.Issuer, TargetName: cert.Name}
	mac := s.mac(v, name)
	row, err := s.operationRow(v, mac, op)
	if err != nil {
		return nil, err
	}
	if err := s.putCertificate(ctx, r, v, name, append(rows, row), http.StatusAccepted); err != nil {
		return nil, err
	}
	// Clients look for the certificate only after an operation that was under way: azure-keyvault-certificates for Python returns nothing for one that is completed at once.
	begun := operationOf(r, v, op)
	begun.Status, begun.Target = statusInProgress, ""
	begun.Details = "Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. Please check again later."
	return wire.Reply{Status: http.StatusAccepted, Body: begun}, nil
}

func (s *Service) certificateNameFree(ctx context.Context, v *vault, name string) error {
	mac := s.mac(v, name)
	return s.deps.Store.View(ctx, v.shard, func(sn store.Snapshot) error { return nameFree(sn, mac, name) })
}

func (s *Service) selfSigned(ctx context.Context, v *vault, head *loaded, p *policy) (*material, error) {
	signer, err := s.certificateKey(ctx, v, head, p)
	if err != nil {
		return nil, err
	}
	return selfSign(p, signer, s.deps.Clock.Now())
}

// reissued makes the rows of the next version of a certificate by its own policy.
func (s *Service) reissued(ctx context.Context, v *vault, head *loaded, mac []byte) (*record, []sealed, error) {
	p := *head.Policy
	if err := p.settle(true); err != nil {
		return nil, nil, err
	}
	m, err := s.selfSigned(ctx, v, head, &p)
	if err != nil {
		return nil, nil, err
	}
	in := &certificateInput{Tags: &head.Tags}
	cert, rows, err := s.certificateRows(v, head.Name, m, &p, in)
	if err != nil {
		return nil, nil, err
	}
	row, err := s.operationRow(v, mac, &operation{Name: head.Name, CSR: m.csr, RequestID: ids.Version(), Status: statusCompleted, Issuer: *p.Issuer, TargetName: head.Name})
	return cert, append(rows, row), err
}

// certificateKey is the key of the newest version if the policy says to keep it and it fits, else a new one.
func (s *Service) certificateKey(ctx context.Context, v *vault, head *loaded, p *policy) (crypto.Signer, error) {
	if head == nil || !*p.Key.Reuse || head.Policy == nil || head.Policy.Key == nil {
		return s.generate(ctx, p.Key)
	}
	was := head.Policy.Key
	if was.Type != p.Key.Type || was.Size != p.Key.Size || was.Curve != p.Key.Curve {
		return s.generate(ctx, p.Key)
	}
	k, err := s.object(ctx, v, keys, head.Name, head.Version)
	if err != nil {
		return nil, err
	}
	return parseKey(k.PrivateKey)
}

func (s *Service) importCertificate(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name, in, err := readCertificate(r)
	if err != nil {
		return nil, err
	}
	m, contentType, err := parseImport(in.Value, in.Password)
	if err != nil {
		return nil, err
	}
	p, err := policyOf(m.leaf, m.signer, contentType)
	if err != nil {
		return nil, err
	}
	if in.Policy != nil {
		if err := p.overlay(in.Policy); err != nil {
			return nil, err
		}
	}
	if name, err = s.storedName(ctx, v, certificates, name); err != nil {
		return nil, err
	}
	rec, rows, err := s.certificateRows(v, name, m, p, in)
	if err != nil {
		return nil, err
	}
	if err := s.putCertificate(ctx, r, v, name, rows, http.StatusOK); err != nil {
		return nil, err
	}
	return certificateOf(r, v, rec), nil
}

// overlay takes from an import's policy what it may say: whether the key is exportable and reused, how the secret is written, what happens before expiry.
func (p *policy) overlay(in *policy) error {
	if k := in.Key; k != nil {
		if k.Exportable != nil {
			p.Key.Exportable = k.Exportable
		}
		if k.Reuse != nil {
			p.Key.Reuse = k.Reuse
		}
	}
	if in.Secret != nil && in.Secret.ContentType != "" {
		if c := in.Secret.ContentType; c != typePFX && c != typePEM {
			return policyFault("secret_props.contentType is '%s'; it must be %s or %s.", clip(c), typePFX, typePEM)
		}
		p.Secret = in.Secret
	}
	if in.Issuer != nil && in.Issuer.Name != "" {
		p.Issuer = in.Issuer
	}
	for i := range in.Lifetime {
		if err := in.Lifetime[i].check(); err != nil {
			return err
		}
	}
	p.Lifetime = in.Lifetime
	return nil
}

// certificateRows are the rows of a new version: the certificate, its key, its secret, and the event that tells it.
func (s *Service) certificateRows(v *vault, name string, m *material, p *policy, in *certificateInput) (*record, []sealed, error) {
	cert := s.newRecord(name, newVersion())
	nbf, exp := m.leaf.NotBefore.Unix(), m.leaf.NotAfter.Unix()
	cert.NotBefore, cert.Expires = &nbf, &exp
	if err := cert.change(in.enabled(), in.Tags, &p.Secret.ContentType); err != nil {
		return nil, nil, err
	}
	cert.Certificate, cert.Policy, cert.Issued = m.leaf.Raw, p, m.issued

	secret := *cert
	secret.Managed, secret.Certificate, secret.Policy, secret.Issued = true, nil, nil, false
	k := secret
	k.ContentType = ""
	var err error
	if secret.Value, err = m.secretValue(p.Secret.ContentType, *p.Key.Exportable); err != nil {
		return nil, nil, err
	}
	if len(secret.Value) > maxSecret {
		return nil, nil, badParameter("The certificate with its key and chain makes a secret of %d bytes, more than %d.", len(secret.Value), maxSecret)
	}
	if k.PrivateKey, err = x509.MarshalPKCS8PrivateKey(m.signer); err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	mac := s.mac(v, name)
	rows, err := s.newVersionRows(v, certificates, mac, cert)
	if err != nil {
		return nil, nil, err
	}
	for member, rec := range map[*kind]*record{secrets: &secret, keys: &k} {
		more, err := s.sealBoth(v, member, mac, rec, true)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, more...)
	}
	return cert, rows, nil
}

// putCertificate stores the rows of a new version if the name may have one.
func (s *Service) putCertificate(ctx context.Context, r *wire.Request, v *vault, name string, rows []sealed, status int) error {
	mac := s.mac(v, name)
	return s.commit(ctx, r, v, status, func(tx store.Tx) error {
		if err := nameFree(tx, mac, name); err != nil {
			return err
		}
		return putAll(tx, rows)
	})
}

// nameFree refuses a certificate whose name a deleted object or a secret or key of its own has.
func nameFree(tx store.Snapshot, mac []byte, name string) error {
	for _, member := range family(certificates) {
		if there, err := exists(tx, key(tagDeleted, member.tag, mac)); err != nil || there {
			return orFault(err, member.deletedConflict(name))
		}
	}
	if there, err := exists(tx, key(tagHead, certificates.tag, mac)); err != nil || there {
		return err
	}
	for _, member := range []*kind{secrets, keys} {
		if there, err := exists(tx, key(tagHead, member.tag, mac)); err != nil || there {
			return orFault(err, conflict("", "There is already a %s with the name %s that does not belong to a certificate.", member.noun, name))
		}
	}
	return nil
}
