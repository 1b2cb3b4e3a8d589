package keyvault

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// certificateBundle is a certificate on the wire.
type certificateBundle struct {
	ID          string            `json:"id"`
	KID         string            `json:"kid"`
	SID         string            `json:"sid"`
	Thumbprint  string            `json:"x5t"`
	CER         []byte            `json:"cer"` // standard base64
	ContentType string            `json:"contentType,omitempty"`
	Attributes  *attributes       `json:"attributes"`
	Tags        map[string]string `json:"tags,omitempty"`
	Policy      *policy           `json:"policy,omitempty"`
	Pending     *reference        `json:"pending,omitempty"`
	*recovery
}

type reference struct {
	ID string `json:"id"`
}

// operationBundle is a certificate's last operation on the wire.
type operationBundle struct {
	ID        string    `json:"id"`
	Issuer    issuerRef `json:"issuer"`
	CSR       []byte    `json:"csr"`
	Cancelled bool      `json:"cancellation_requested"`
	Status    string    `json:"status"`
	Target    string    `json:"target"`
	RequestID string    `json:"request_id"`
}

// certificateInput is the body of create, import and update.
type certificateInput struct {
	Value      string             `json:"value"`
	Password   string             `json:"pwd"`
	Policy     *policy            `json:"policy"`
	Attributes *attributes        `json:"attributes"`
	Tags       *map[string]string `json:"tags"`
}

func (s *Service) certificateRoutes() []wire.Route {
	of := func(policy, action string) right { return right{certificates, policy, "certificates/" + action} }
	get, list, update := of("get", "read"), of("list", "read"), of("update", "update/action")
	const one = "/certificates/{name}"
	routes := []wire.Route{
		s.route("POST", one+"/create", "CertificateCreate", of("create", "create/action"), s.createCertificate),
		s.route("POST", one+"/import", "CertificateImport", of("import", "import/action"), s.importCertificate),
		s.route("GET", one+"/{version?}", "CertificateGet", get, s.getCertificate),
		s.route("PATCH", one+"/{version?}", "CertificateUpdate", update, s.updateCertificate),
		s.route("DELETE", one, "CertificateDelete", of("delete", "delete"), s.deleteCertificate),
		s.route("GET", "/certificates", "CertificateList", list, s.list(certificates, tagHead)),
		s.route("GET", one+"/versions", "CertificateListVersions", list, s.listVersions(certificates)),
		s.route("GET", one+"/policy", "CertificatePolicyGet", get, s.getPolicy),
		s.route("PATCH", one+"/policy", "CertificatePolicyUpdate", update, s.updatePolicy),
		s.route("GET", one+"/pending", "CertificatePendingGet", get, s.getPending),
		s.route("DELETE", one+"/pending", "CertificatePendingDelete", of("delete", "delete"), s.deletePending),
		s.refused("PATCH", one+"/pending", "CertificatePendingUpdate", update),
		s.refused("POST", one+"/pending/merge", "CertificatePendingMerge", of("create", "create/action")),
		s.refused("POST", one+"/backup", "CertificateBackup", of("backup", "backup/action")),
		s.refused("POST", "/certificates/restore", "CertificateRestore", of("restore", "restore/action")),
		s.refused("GET", "/certificates/contacts", "CertificateContactsGet", of("managecontacts", "read")),
		s.refused("PUT", "/certificates/contacts", "CertificateContactsSet", of("managecontacts", "write")),
		s.refused("DELETE", "/certificates/contacts", "CertificateContactsDelete", of("managecontacts", "write")),
		s.refused("GET", "/certificates/issuers", "CertificateIssuersList", of("listissuers", "read")),
		s.refused("GET", "/certificates/issuers/{issuer}", "CertificateIssuerGet", of("getissuers", "read")),
		s.refused("PUT", "/certificates/issuers/{issuer}", "CertificateIssuerSet", of("setissuers", "write")),
		s.refused("PATCH", "/certificates/issuers/{issuer}", "CertificateIssuerUpdate", of("setissuers", "write")),
		s.refused("DELETE", "/certificates/issuers/{issuer}", "CertificateIssuerDelete", of("deleteissuers", "delete")),
	}
	return append(routes, s.deletedRoutes(certificates, func(r *wire.Request, v *vault, rec *record) (any, error) {
		return certificateOf(r, v, rec), nil
	})...)
}

func certificateOf(r *wire.Request, v *vault, rec *record) *certificateBundle {
	base := baseURL(r, v)
	b := &certificateBundle{
		ID: certificates.id(base, rec.Name, rec.Version), KID: keys.id(base, rec.Name, rec.Version), SID: secrets.id(base, rec.Name, rec.Version),
		Thumbprint: thumbprint(rec.Certificate), CER: rec.Certificate, ContentType: rec.ContentType, Attributes: rec.attributes(v), Tags: rec.Tags,
		Policy: policyBundle(base, v, rec), recovery: rec.recovery(certificates, base),
	}
	if p := rec.Policy; p != nil && p.Issuer != nil && p.Issuer.Name == issuerSelf { // an imported one was never pending
		b.Pending = &reference{certificates.id(base, rec.Name, "pending")}
	}
	return b
}

func policyBundle(base string, v *vault, rec *record) *policy {
	if rec.Policy == nil {
		return nil
	}
	p := *rec.Policy
	p.ID = certificates.id(base, rec.Name, "policy")
	p.Attributes = &attributes{Enabled: yes(), Created: rec.Created, Updated: rec.Updated}
	return &p
}

func (s *Service) getCertificate(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	rec, err := s.object(ctx, v, certificates, r.Param("name"), r.Param("version"))
	if err != nil {
		return nil, err
	}
	return certificateOf(r, v, rec), nil
}

// createCertificate makes a self-signed certificate at once; the answer is the operation, already completed.
func (s *Service) createCertificate(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name := r.Param("name")
	if err := checkName(name); err != nil {
		return nil, err
	}
	var in certificateInput
	if err := wire.Bind(r, &in); err != nil {
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
	signer, err := s.reusedKey(ctx, v, head, p)
	if err != nil {
		return nil, err
	}
	m, err := selfSign(p, signer, s.deps.Clock.Now())
	if err != nil {
		return nil, err
	}
	rec, err := s.store(ctx, r, v, name, head, m, p, &in, 202)
	if err != nil {
		return nil, err
	}
	op, err := s.pending(ctx, v, rec.Name)
	if err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusAccepted, Body: operationOf(r, v, op)}, nil
}

// reusedKey is the key of the newest version if the policy says to keep it and it fits, nil for a new one.
func (s *Service) reusedKey(ctx context.Context, v *vault, head *loaded, p *policy) (crypto.Signer, error) {
	if head == nil || !*p.Key.Reuse || head.Policy == nil || head.Policy.Key == nil {
		return nil, nil
	}
	was := head.Policy.Key
	if was.Type != p.Key.Type || was.Size != p.Key.Size || was.Curve != p.Key.Curve {
		return nil, nil
	}
	k, err := s.object(ctx, v, keys, head.Name, head.Version)
	if err != nil {
		return nil, err
	}
	return parseKey(k.PrivateKey)
}

func (s *Service) importCertificate(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name := r.Param("name")
	if err := checkName(name); err != nil {
		return nil, err
	}
	var in certificateInput
	if err := wire.Bind(r, &in); err != nil {
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
	head, err := s.load(ctx, v.shard, key(tagHead, certificates.tag, s.mac(v, name)))
	if err != nil {
		return nil, err
	}
	rec, err := s.store(ctx, r, v, name, head, m, p, &in, 200)
	if err != nil {
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

// store writes a new version: the certificate, its key and its secret, and the operation that made it.
func (s *Service) store(ctx context.Context, r *wire.Request, v *vault, name string, head *loaded, m *material, p *policy, in *certificateInput, status int) (*record, error) {
	if head != nil {
		name = head.Name
	}
	version := newVersion()
	cert := s.newRecord(name, version)
	nbf, exp := m.leaf.NotBefore.Unix(), m.leaf.NotAfter.Unix()
	var enabled *attributes
	if in.Attributes != nil { // times come from the certificate itself
		enabled = &attributes{Enabled: in.Attributes.Enabled}
	}
	cert.NotBefore, cert.Expires = &nbf, &exp
	if err := cert.change(enabled, in.Tags, &p.Secret.ContentType); err != nil {
		return nil, err
	}
	cert.Certificate, cert.Policy = m.leaf.Raw, p

	secret := *cert
	secret.Managed, secret.Certificate, secret.Policy = true, nil, nil
	k := secret
	k.ContentType = ""
	var err error
	if secret.Value, err = m.secretValue(p.Secret.ContentType, *p.Key.Exportable); err != nil {
		return nil, err
	}
	if len(secret.Value) > maxSecret {
		return nil, badParameter("The certificate with its key and chain makes a secret of %d bytes, more than %d.", len(secret.Value), maxSecret)
	}
	if k.PrivateKey, err = x509.MarshalPKCS8PrivateKey(m.signer); err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	mac := s.mac(v, name)
	var rows []sealed
	for member, rec := range map[*kind]*record{certificates: cert, secrets: &secret, keys: &k} {
		more, err := s.sealBoth(v, member, mac, rec, true)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	if m.csr != nil {
		row, err := s.sealOperation(v, mac, &operation{Name: name, CSR: m.csr, RequestID: ids.Version(), Status: "completed", Issuer: *p.Issuer, TargetName: name})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	err = s.commit(ctx, r, v, status, func(tx store.Tx) error {
		if err := nameFree(tx, mac, name); err != nil {
			return err
		}
		return putAll(tx, rows)
	})
	return cert, err
}

// nameFree refuses a certificate whose name a deleted object or a secret or key of its own has.
func nameFree(tx store.Tx, mac []byte, name string) error {
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

func (s *Service) updateCertificate(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	if err := checkName(r.Param("name")); err != nil {
		return nil, err
	}
	var in certificateInput
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	if in.Policy != nil {
		return nil, badParameter("Property policy has invalid value: change it at /certificates/%s/policy.", r.Param("name"))
	}
	var enabled *attributes
	if in.Attributes != nil {
		enabled = &attributes{Enabled: in.Attributes.Enabled}
	}
	rec, err := s.update(ctx, r, v, certificates, r.Param("name"), r.Param("version"), func(_ *kind, rec *record) error {
		return rec.change(enabled, in.Tags, nil)
	})
	if err != nil {
		return nil, err
	}
	return certificateOf(r, v, rec), nil
}

func (s *Service) deleteCertificate(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	rec, err := s.remove(ctx, r, v, certificates, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return certificateOf(r, v, rec), nil
}

func (s *Service) getPolicy(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	rec, err := s.object(ctx, v, certificates, r.Param("name"), "")
	if err != nil {
		return nil, err
	}
	return policyBundle(baseURL(r, v), v, rec), nil
}

// updatePolicy changes the members of the policy that the body has; the next version is made by it.
func (s *Service) updatePolicy(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	if err := checkName(r.Param("name")); err != nil {
		return nil, err
	}
	var probe policy
	if err := wire.Bind(r, &probe); err != nil {
		return nil, err
	}
	rec, err := s.update(ctx, r, v, certificates, r.Param("name"), "", func(k *kind, rec *record) error {
		if k != certificates {
			return nil
		}
		// Decoding onto the stored policy is what merges: absent members stay.
		if err := json.Unmarshal(r.Body, rec.Policy); err != nil {
			return badParameter("The request body is not acceptable.")
		}
		return rec.Policy.settle(rec.Policy.Issuer == nil || rec.Policy.Issuer.Name != issuerUnknown)
	})
	if err != nil {
		return nil, err
	}
	return policyBundle(baseURL(r, v), v, rec), nil
}

func pendingNotFound(name string) *fault.Error {
	return fault.New(fault.NotFound, "PendingCertificateNotFound", "Pending certificate not found: %s", name)
}

func (s *Service) sealOperation(v *vault, mac []byte, op *operation) (sealed, error) {
	raw, err := operationCodec.Encode(*op)
	if err != nil {
		return sealed{}, err
	}
	k := key(tagPending, certificates.tag, mac)
	value, err := s.deps.Sealer.Seal(v.shard, k, raw)
	return sealed{k, value}, err
}

// pending loads a live certificate's last operation.
func (s *Service) pending(ctx context.Context, v *vault, name string) (*operation, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	mac := s.mac(v, name)
	k := key(tagPending, certificates.tag, mac)
	var raw []byte
	err := s.deps.Store.View(ctx, v.shard, func(sn store.Snapshot) error {
		raw = nil
		if there, err := exists(sn, key(tagHead, certificates.tag, mac)); err != nil || !there {
			return err
		}
		b, err := sn.Get(k)
		raw = clone(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, pendingNotFound(name)
	}
	plain, err := s.deps.Sealer.Open(v.shard, k, raw)
	if err != nil {
		return nil, fmt.Errorf("open operation of %s: %w", v.shard, err)
	}
	op, err := operationCodec.Decode(plain)
	return &op, err
}

func operationOf(r *wire.Request, v *vault, op *operation) *operationBundle {
	base := baseURL(r, v)
	return &operationBundle{
		ID: certificates.id(base, op.Name, "pending"), Issuer: op.Issuer, CSR: op.CSR, Status: op.Status, Target: certificates.id(base, op.TargetName, ""), RequestID: op.RequestID,
	}
}

func (s *Service) getPending(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	op, err := s.pending(ctx, v, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return operationOf(r, v, op), nil
}

func (s *Service) deletePending(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	op, err := s.pending(ctx, v, r.Param("name"))
	if err != nil {
		return nil, err
	}
	k := key(tagPending, certificates.tag, s.mac(v, op.Name))
	err = s.commit(ctx, r, v, 200, func(tx store.Tx) error {
		there, err := exists(tx, k)
		if err != nil || !there {
			return orFault(err, pendingNotFound(op.Name))
		}
		return tx.Delete(k)
	})
	if err != nil {
		return nil, err
	}
	return operationOf(r, v, op), nil
}
