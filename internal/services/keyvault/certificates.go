package keyvault

import (
	"context"
	"encoding/json"

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

// certificateInput is the body of create, import and update.
type certificateInput struct {
	Value      string             `json:"value"`
	Password   string             `json:"pwd"`
	Policy     *policy            `json:"policy"`
	Attributes *attributes        `json:"attributes"`
	Tags       *map[string]string `json:"tags"`
	X5C        [][]byte           `json:"x5c"` // of a merge
}

// readCertificate reads the name and the body of a request about a certificate.
func readCertificate(r *wire.Request) (name string, in *certificateInput, err error) {
	name, in = r.Param("name"), new(certificateInput)
	if err = checkName(name); err == nil {
		err = wire.Bind(r, in)
	}
	return name, in, err
}

// enabled is what a caller may say of a certificate's attributes; its times come from itself.
func (in *certificateInput) enabled() *attributes {
	if in.Attributes == nil {
		return nil
	}
	return &attributes{Enabled: in.Attributes.Enabled}
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
		s.route("POST", one+"/backup", "CertificateBackup", of("backup", "backup/action"), s.backup(certificates)),
		s.route("POST", "/certificates/restore", "CertificateRestore", of("restore", "restore/action"), s.restore(certificates, renderCertificate)),
	}
	routes[len(routes)-1].BodyLimit = restoreLimit
	routes = append(routes, s.pendingRoutes()...)
	routes = append(routes, s.issuerRoutes()...)
	return append(routes, s.deletedRoutes(certificates, renderCertificate)...)
}

func renderCertificate(r *wire.Request, v *vault, rec *record) (any, error) {
	return certificateOf(r, v, rec), nil
}

func certificateOf(r *wire.Request, v *vault, rec *record) *certificateBundle {
	base := baseURL(r, v)
	b := &certificateBundle{
		ID: certificates.id(base, rec.Name, rec.Version), KID: keys.id(base, rec.Name, rec.Version), SID: secrets.id(base, rec.Name, rec.Version),
		Thumbprint: thumbprint(rec.Certificate), CER: rec.Certificate, ContentType: rec.ContentType, Attributes: rec.attributes(v), Tags: rec.Tags,
		Policy: policyBundle(base, v, rec), recovery: rec.recovery(certificates, base),
	}
	if p := rec.Policy; rec.Issued || p != nil && p.Issuer != nil && p.Issuer.Name == issuerSelf { // an imported one was never pending
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

func (s *Service) updateCertificate(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name, in, err := readCertificate(r)
	if err != nil {
		return nil, err
	}
	if in.Policy != nil {
		return nil, badParameter("Property policy has invalid value: change it at /certificates/%s/policy.", name)
	}
	rec, err := s.update(ctx, r, v, certificates, name, r.Param("version"), func(_ *kind, rec *record) error {
		return rec.change(in.enabled(), in.Tags, nil)
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
		// Decoding onto the stored policy is what merges: absent members stay. The actions are replaced, not merged one by one.
		if probe.Lifetime != nil {
			rec.Policy.Lifetime = nil
		}
		if err := json.Unmarshal(r.Body, rec.Policy); err != nil {
			return badParameter("The request body is not acceptable.")
		}
		return rec.Policy.settle(rec.Policy.Issuer == nil || rec.Policy.Issuer.Name != issuerUnknown || rec.Issued)
	})
	if err != nil {
		return nil, err
	}
	return policyBundle(baseURL(r, v), v, rec), nil
}
