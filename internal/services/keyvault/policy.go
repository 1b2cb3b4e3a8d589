package keyvault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// policy says how a certificate's versions are made. The same form on the wire and in the store (where ID is empty).
type policy struct {
	ID         string           `json:"id,omitempty"`
	Key        *keyProps        `json:"key_props,omitempty"`
	Secret     *secretProps     `json:"secret_props,omitempty"`
	X509       *x509Props       `json:"x509_props,omitempty"`
	Lifetime   []lifetimeAction `json:"lifetime_actions,omitempty"`
	Issuer     *issuerRef       `json:"issuer,omitempty"`
	Attributes *attributes      `json:"attributes,omitempty"`
}

type keyProps struct {
	Exportable *bool  `json:"exportable,omitempty"`
	Type       string `json:"kty,omitempty"`
	Size       int    `json:"key_size,omitempty"`
	Curve      string `json:"crv,omitempty"`
	Reuse      *bool  `json:"reuse_key,omitempty"`
}

type secretProps struct {
	ContentType string `json:"contentType,omitempty"`
}

type x509Props struct {
	Subject  string   `json:"subject,omitempty"`
	SANs     *sans    `json:"sans,omitempty"`
	EKUs     []string `json:"ekus,omitempty"`
	KeyUsage []string `json:"key_usage,omitempty"`
	Months   int      `json:"validity_months,omitempty"`
	BasicCA  *struct {
		CA bool `json:"ca"`
	} `json:"basic_constraints,omitempty"`
}

type sans struct {
	Emails   []string `json:"emails,omitempty"`
	DNSNames []string `json:"dns_names,omitempty"`
	UPNs     []string `json:"upns,omitempty"`
}

type lifetimeAction struct {
	Trigger struct {
		Percentage int `json:"lifetime_percentage,omitempty"`
		Days       int `json:"days_before_expiry,omitempty"`
	} `json:"trigger"`
	Action struct {
		Type string `json:"action_type"`
	} `json:"action"`
}

type issuerRef struct {
	Name         string `json:"name,omitempty"`
	Type         string `json:"cty,omitempty"`
	Transparency *bool  `json:"cert_transparency,omitempty"`
}

const (
	typePFX = "application/x-pkcs12"
	typePEM = "application/x-pem-file"

	issuerSelf    = "Self"
	issuerUnknown = "Unknown" // on Azure: signed elsewhere and merged, or imported

	actionRenew = "AutoRenew"
	actionEmail = "EmailContacts"

	maxMonths = 1200
)

func usages() map[string]x509.KeyUsage {
	return map[string]x509.KeyUsage{
		"digitalsignature": x509.KeyUsageDigitalSignature, "nonrepudiation": x509.KeyUsageContentCommitment, "keyencipherment": x509.KeyUsageKeyEncipherment,
		"dataencipherment": x509.KeyUsageDataEncipherment, "keyagreement": x509.KeyUsageKeyAgreement, "keycertsign": x509.KeyUsageCertSign,
		"crlsign": x509.KeyUsageCRLSign, "encipheronly": x509.KeyUsageEncipherOnly, "decipheronly": x509.KeyUsageDecipherOnly,
	}
}

// usageNames is usages in the order of the bits, as the wire spells them.
var usageNames = [...]string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"}

func curve(name string) elliptic.Curve {
	switch name {
	case "P-256":
		return elliptic.P256()
	case "P-384":
		return elliptic.P384()
	case "P-521":
		return elliptic.P521()
	}
	return nil
}

func policyFault(format string, args ...any) *fault.Error {
	return badParameter("Property policy has invalid value: "+format, args...)
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

// settle checks a policy and fills in Key Vault's defaults. forIssue demands what making a certificate needs.
func (p *policy) settle(forIssue bool) error {
	p.ID, p.Attributes = "", nil
	if err := p.settleKey(); err != nil {
		return err
	}
	if p.Secret == nil || p.Secret.ContentType == "" {
		p.Secret = &secretProps{typePFX}
	}
	if p.Secret.ContentType != typePFX && p.Secret.ContentType != typePEM {
		return policyFault("secret_props.contentType is '%s'; it must be %s or %s.", clip(p.Secret.ContentType), typePFX, typePEM)
	}
	for i := range p.Lifetime {
		if err := p.Lifetime[i].check(); err != nil {
			return err
		}
	}
	if p.Issuer == nil {
		p.Issuer = &issuerRef{}
	}
	if p.X509 == nil {
		p.X509 = &x509Props{}
	}
	if err := p.X509.settle(forIssue); err != nil || !forIssue {
		return err
	}
	switch {
	case strings.EqualFold(p.Issuer.Name, issuerSelf):
		p.Issuer.Name = issuerSelf
	case strings.EqualFold(p.Issuer.Name, issuerUnknown):
		p.Issuer.Name = issuerUnknown
	case !validName(p.Issuer.Name):
		return policyFault("issuer.name is required; use '%s', '%s' or an issuer of this vault.", issuerSelf, issuerUnknown)
	}
	if err := p.checkLifetime(); err != nil {
		return err
	}
	if len(p.Lifetime) == 0 {
		var a lifetimeAction
		a.Trigger.Percentage, a.Action.Type = 80, actionEmail
		p.Lifetime = []lifetimeAction{a}
	}
	return nil
}

func (p *policy) settleKey() error {
	if p.Key == nil {
		p.Key = &keyProps{}
	}
	k := p.Key
	if k.Exportable == nil {
		k.Exportable = yes()
	}
	if k.Reuse == nil {
		k.Reuse = no()
	}
	return k.settle("policy.key_props.", 0)
}

func (a *lifetimeAction) check() error {
	t := &a.Trigger
	switch {
	case (t.Percentage == 0) == (t.Days == 0):
		return policyFault("a lifetime action needs either lifetime_percentage or days_before_expiry.")
	case t.Percentage < 0 || t.Percentage > 99 || t.Days < 0:
		return policyFault("the trigger of a lifetime action is out of range.")
	case strings.EqualFold(a.Action.Type, actionRenew):
		a.Action.Type = actionRenew
	case strings.EqualFold(a.Action.Type, actionEmail):
		a.Action.Type = actionEmail
	default:
		return policyFault("action_type is '%s'; it must be EmailContacts or AutoRenew.", clip(a.Action.Type))
	}
	return nil
}

// checkLifetime keeps a renewal from being due the moment it is done, by Key Vault's own rule.
func (p *policy) checkLifetime() error {
	for _, a := range p.Lifetime {
		if most := p.X509.Months * 27; a.Trigger.Days > most {
			return policyFault("days_before_expiry is %d; with a validity of %d months it must be from 1 to %d.", a.Trigger.Days, p.X509.Months, most)
		}
		if a.Action.Type == actionRenew && p.Issuer.Name == issuerUnknown {
			return policyFault("AutoRenew needs an issuer that issues; with '%s' use EmailContacts.", issuerUnknown)
		}
	}
	return nil
}

// due is when the action is to be taken for a version.
func (a *lifetimeAction) due(rec *record) (at int64, ok bool) {
	switch {
	case rec.Expires == nil || rec.NotBefore == nil:
		return 0, false
	case a.Trigger.Days > 0:
		return *rec.Expires - int64(a.Trigger.Days)*day, true
	}
	return *rec.NotBefore + (*rec.Expires-*rec.NotBefore)/100*int64(a.Trigger.Percentage), true
}

// renewable tells whether the vault itself can make the next version.
func (p *policy) renewable() bool { return p.Issuer != nil && p.Issuer.Name == issuerSelf }

func (x *x509Props) settle(forIssue bool) error {
	if x.Months == 0 {
		x.Months = 12
	}
	if x.Months < 1 || x.Months > maxMonths {
		return policyFault("x509_props.validity_months is %d; it must be from 1 to %d.", x.Months, maxMonths)
	}
	known := usages()
	for _, u := range x.KeyUsage {
		if known[strings.ToLower(u)] == 0 {
			return policyFault("x509_props.key_usage has '%s', which is no key usage.", clip(u))
		}
	}
	for _, e := range x.EKUs {
		if _, err := parseOID(e); err != nil {
			return policyFault("x509_props.ekus has '%s', which is no object identifier.", clip(e))
		}
	}
	if x.BasicCA != nil && x.BasicCA.CA {
		return notImplemented("A certificate policy that makes a certificate authority (basic_constraints.ca)")
	}
	if x.SANs != nil {
		if len(x.SANs.UPNs) > 0 {
			return notImplemented("A user principal name as subject alternative name (x509_props.sans.upns)")
		}
		for _, m := range x.SANs.Emails {
			if _, err := mail.ParseAddress(m); err != nil || !ascii(m) {
				return policyFault("x509_props.sans.emails has '%s', which is no address.", clip(m))
			}
		}
		for _, d := range x.SANs.DNSNames {
			if d == "" || len(d) > 253 || !ascii(d) || strings.ContainsAny(d, " /:@") {
				return policyFault("x509_props.sans.dns_names has '%s', which is no DNS name.", clip(d))
			}
		}
	}
	if !forIssue {
		return nil
	}
	if x.KeyUsage == nil {
		x.KeyUsage = []string{"digitalSignature", "keyEncipherment"}
	}
	if x.EKUs == nil {
		x.EKUs = []string{"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"} // server and client authentication
	}
	if x.Subject == "" && (x.SANs == nil || len(x.SANs.DNSNames)+len(x.SANs.Emails) == 0) {
		return policyFault("x509_props needs a subject or a subject alternative name.")
	}
	_, err := parseSubject(x.Subject)
	return err
}

func ascii(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < 0x20 || b > 0x7e })
}

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	parts := strings.Split(s, ".")
	oid := make(asn1.ObjectIdentifier, len(parts))
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 31)
		if err != nil {
			return nil, err
		}
		oid[i] = int(n)
	}
	_, err := asn1.Marshal(oid)
	return oid, err
}

// policyOf describes an imported certificate: what its policy would have been.
func policyOf(cert *x509.Certificate, signer any, contentType string) (*policy, error) {
	p := &policy{Key: &keyProps{Exportable: yes(), Reuse: no()}, Secret: &secretProps{contentType}, Issuer: &issuerRef{Name: issuerUnknown}}
	switch k := signer.(type) {
	case *rsa.PrivateKey:
		p.Key.Type, p.Key.Size = "RSA", k.N.BitLen()
	case *ecdsa.PrivateKey:
		p.Key.Type, p.Key.Size, p.Key.Curve = "EC", k.Curve.Params().BitSize, k.Curve.Params().Name
		if curve(p.Key.Curve) == nil {
			return nil, badParameter("The certificate's key is on the curve %s, which is not supported.", p.Key.Curve)
		}
	default:
		return nil, badParameter("The certificate's key is neither RSA nor EC.")
	}
	months := (cert.NotAfter.Year()-cert.NotBefore.Year())*12 + int(cert.NotAfter.Month()-cert.NotBefore.Month())
	x := &x509Props{Subject: cert.Subject.String(), Months: min(max(months, 1), maxMonths)}
	if len(cert.DNSNames)+len(cert.EmailAddresses) > 0 {
		x.SANs = &sans{DNSNames: cert.DNSNames, Emails: cert.EmailAddresses}
	}
	for bit, name := range usageNames {
		if cert.KeyUsage&(1<<bit) != 0 {
			x.KeyUsage = append(x.KeyUsage, name)
		}
	}
	x.EKUs = ekuStrings(cert)
	p.X509 = x
	return p, nil
}

// ekuStrings reads the extended key usages from the extension itself: crypto/x509 turns known ones into an enumeration.
func ekuStrings(cert *x509.Certificate) []string {
	extension := asn1.ObjectIdentifier{2, 5, 29, 37}
	for _, e := range cert.Extensions {
		if !e.Id.Equal(extension) {
			continue
		}
		var oids []asn1.ObjectIdentifier
		if rest, err := asn1.Unmarshal(e.Value, &oids); err != nil || len(rest) > 0 {
			return nil
		}
		out := make([]string, len(oids))
		for i, oid := range oids {
			out[i] = oid.String()
		}
		return out
	}
	return nil
}
