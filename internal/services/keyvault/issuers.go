package keyvault

import (
	"context"
	"net/mail"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// issuer is a certificate authority's account as stored. Bulkhead talks to none: it keeps what clients manage.
type issuer struct {
	Name     string    `json:"n"`
	Provider string    `json:"p"`
	Account  string    `json:"a,omitempty"`
	Password string    `json:"pw,omitempty"`
	Org      *orgProps `json:"o,omitempty"`
	Enabled  bool      `json:"e"`
	Created  int64     `json:"c"`
	Updated  int64     `json:"u"`
}

// String keeps the password out of logs.
func (i *issuer) String() string { return "issuer " + i.Name }

// GoString keeps the password out of logs.
func (i *issuer) GoString() string { return i.String() }

type orgProps struct {
	ID     string       `json:"id,omitempty"`
	Admins []adminProps `json:"admin_details,omitempty"`
}

type adminProps struct {
	First string `json:"first_name,omitempty"`
	Last  string `json:"last_name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// issuerBundle is an issuer on the wire; the password goes in only.
type issuerBundle struct {
	ID          string             `json:"id,omitempty"`
	Provider    string             `json:"provider,omitempty"`
	Credentials *issuerCredentials `json:"credentials,omitempty"`
	Org         *orgProps          `json:"org_details,omitempty"`
	Attributes  *attributes        `json:"attributes,omitempty"`
}

type issuerCredentials struct {
	Account  string `json:"account_id,omitempty"`
	Password string `json:"pwd,omitempty"`
}

// contactList is the certificate contacts of a vault, on the wire and (without ID) in the store.
type contactList struct {
	ID       string    `json:"id,omitempty"`
	Contacts []contact `json:"contacts"`
}

type contact struct {
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	Phone string `json:"phone,omitempty"`
}

var (
	issuerCodec  = store.Codec[issuer]{Kind: 'I', Version: 1}
	contactCodec = store.Codec[contactList]{Kind: 'C', Version: 1}
)

const (
	maxContacts = 100
	maxText     = 256
)

func (s *Service) issuerRoutes() []wire.Route {
	of := func(policy, action string) right { return right{certificates, policy, action} }
	const contacts, issuers = "/certificates/contacts", "/certificates/issuers"
	return []wire.Route{
		s.route("GET", contacts, "CertificateContactsGet", of("managecontacts", "certificates/read"), s.getContacts),
		s.route("PUT", contacts, "CertificateContactsSet", of("managecontacts", "certificatecontacts/write"), s.setContacts),
		s.route("DELETE", contacts, "CertificateContactsDelete", of("managecontacts", "certificatecontacts/write"), s.deleteContacts),
		s.route("GET", issuers, "CertificateIssuersList", of("listissuers", "certificatecas/read"), s.listIssuers),
		s.route("GET", issuers+"/{issuer}", "CertificateIssuerGet", of("getissuers", "certificatecas/read"), s.getIssuer),
		s.route("PUT", issuers+"/{issuer}", "CertificateIssuerSet", of("setissuers", "certificatecas/write"), s.setIssuer(true)),
		s.route("PATCH", issuers+"/{issuer}", "CertificateIssuerUpdate", of("setissuers", "certificatecas/write"), s.setIssuer(false)),
		s.route("DELETE", issuers+"/{issuer}", "CertificateIssuerDelete", of("deleteissuers", "certificatecas/delete"), s.deleteIssuer),
	}
}

func contactsKey() []byte { return []byte("g|c|contacts") }

// contacts loads the vault's contacts; nil if there are none.
func (s *Service) contacts(ctx context.Context, v *vault) (*contactList, []byte, error) {
	return loadSealed(ctx, s, v.shard, contactsKey(), contactCodec)
}

func contactsAnswer(r *wire.Request, v *vault, list *contactList) *contactList {
	list.ID = baseURL(r, v) + "/certificates/contacts"
	return list
}

func noContacts() *fault.Error {
	return fault.New(fault.NotFound, "ContactsNotFound", "Contacts not found")
}

func (s *Service) getContacts(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	list, _, err := s.contacts(ctx, v)
	if err != nil {
		return nil, err
	}
	if list == nil {
		return nil, noContacts()
	}
	return contactsAnswer(r, v, list), nil
}

func (s *Service) setContacts(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	var list contactList
	if err := wire.Bind(r, &list); err != nil {
		return nil, err
	}
	list.ID = ""
	if len(list.Contacts) == 0 || len(list.Contacts) > maxContacts {
		return nil, badParameter("Property contacts has invalid value: it must have from 1 to %d contacts.", maxContacts)
	}
	for _, c := range list.Contacts {
		if _, err := mail.ParseAddress(c.Email); err != nil || len(c.Email)+len(c.Name)+len(c.Phone) > 3*maxText {
			return nil, badParameter("Property contacts has invalid value: '%s' is no mail address.", clip(c.Email))
		}
	}
	row, err := sealRow(s, v.shard, contactsKey(), contactCodec, list)
	if err != nil {
		return nil, err
	}
	if err := s.commit(ctx, r, v, 200, func(tx store.Tx) error { return putAll(tx, []sealed{row}) }); err != nil {
		return nil, err
	}
	return contactsAnswer(r, v, &list), nil
}

func (s *Service) deleteContacts(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	var list *contactList
	err := retry(func() error {
		var raw []byte
		var err error
		if list, raw, err = s.contacts(ctx, v); err != nil {
			return err
		}
		if list == nil {
			return noContacts()
		}
		return s.commit(ctx, r, v, 200, func(tx store.Tx) error { return takeOut(tx, contactsKey(), raw) })
	})
	if err != nil {
		return nil, err
	}
	return contactsAnswer(r, v, list), nil
}

// takeOut removes a row that is still as it was read.
func takeOut(tx store.Tx, key, raw []byte) error {
	if err := unchanged(tx, key, raw); err != nil {
		return err
	}
	return tx.Delete(key)
}

func (s *Service) issuerKey(v *vault, name string) []byte {
	return key(tagIssuer, certificates.tag, s.mac(v, name))
}

// issuer loads an issuer of the vault; nil if there is none of the name.
func (s *Service) issuer(ctx context.Context, v *vault, name string) (*issuer, error) {
	is, _, err := s.loadIssuer(ctx, v, name)
	return is, err
}

func (s *Service) loadIssuer(ctx context.Context, v *vault, name string) (*issuer, []byte, error) {
	if !validName(name) {
		return nil, nil, badParameter("The request URI contains an invalid issuer name: %s", clip(name))
	}
	return loadSealed(ctx, s, v.shard, s.issuerKey(v, name), issuerCodec)
}

func noIssuer(name string) *fault.Error {
	return fault.New(fault.NotFound, "CertificateIssuerNotFound", "Issuer not found: %s", clip(name))
}

func issuerID(r *wire.Request, v *vault, name string) string {
	return baseURL(r, v) + "/certificates/issuers/" + name
}

func issuerAnswer(r *wire.Request, v *vault, is *issuer) *issuerBundle {
	b := &issuerBundle{
		ID: issuerID(r, v, is.Name), Provider: is.Provider, Org: is.Org, Attributes: &attributes{Enabled: &is.Enabled, Created: is.Created, Updated: is.Updated},
	}
	if is.Account != "" {
		b.Credentials = &issuerCredentials{Account: is.Account}
	}
	return b
}

func (s *Service) getIssuer(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	is, _, err := s.loadIssuer(ctx, v, r.Param("issuer"))
	if err != nil {
		return nil, err
	}
	if is == nil {
		return nil, noIssuer(r.Param("issuer"))
	}
	return issuerAnswer(r, v, is), nil
}

// setIssuer is the handler of a set, which makes an issuer anew, or of an update.
func (s *Service) setIssuer(anew bool) handler {
	return func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
		name := r.Param("issuer")
		var in issuerBundle
		if err := wire.Bind(r, &in); err != nil {
			return nil, err
		}
		var is *issuer
		err := retry(func() error {
			old, raw, err := s.loadIssuer(ctx, v, name)
			if err != nil {
				return err
			}
			if old == nil && !anew {
				return noIssuer(name)
			}
			now := s.deps.Clock.Now().Unix()
			is = &issuer{Name: name, Enabled: true, Created: now}
			if old != nil {
				is.Name, is.Created = old.Name, old.Created
			}
			if !anew {
				*is = *old
			}
			is.Updated = now
			if err := is.change(&in); err != nil {
				return err
			}
			row, err := sealRow(s, v.shard, s.issuerKey(v, name), issuerCodec, *is)
			if err != nil {
				return err
			}
			return s.commit(ctx, r, v, 200, func(tx store.Tx) error {
				if err := unchanged(tx, row.key, raw); err != nil {
					return err
				}
				return putAll(tx, []sealed{row})
			})
		})
		if err != nil {
			return nil, err
		}
		return issuerAnswer(r, v, is), nil
	}
}

// change applies what a caller sent; absent members stay.
func (i *issuer) change(in *issuerBundle) error {
	if in.Provider != "" {
		i.Provider = in.Provider
	}
	if c := in.Credentials; c != nil {
		i.Account, i.Password = c.Account, c.Password
	}
	if in.Org != nil {
		i.Org = in.Org
	}
	if a := in.Attributes; a != nil && a.Enabled != nil {
		i.Enabled = *a.Enabled
	}
	switch {
	case i.Provider == "":
		return badParameter("Property provider has invalid value: it is required.")
	case len(i.Provider) > maxText || len(i.Account) > maxText || len(i.Password) > maxText:
		return badParameter("A property of the issuer is longer than %d characters.", maxText)
	}
	return nil
}

func (s *Service) deleteIssuer(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name := r.Param("issuer")
	var is *issuer
	err := retry(func() error {
		var raw []byte
		var err error
		if is, raw, err = s.loadIssuer(ctx, v, name); err != nil {
			return err
		}
		if is == nil {
			return noIssuer(name)
		}
		return s.commit(ctx, r, v, 200, func(tx store.Tx) error { return takeOut(tx, s.issuerKey(v, name), raw) })
	})
	if err != nil {
		return nil, err
	}
	return issuerAnswer(r, v, is), nil
}

type issuerItem struct {
	ID       string `json:"id"`
	Provider string `json:"provider"`
}

func (s *Service) listIssuers(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	prefix := []byte{tagIssuer, '|', certificates.tag, '|'}
	rows, next, err := s.rows(ctx, r, v, nil, prefix, macSize)
	if err != nil {
		return nil, err
	}
	out := &listing{Value: make([]any, 0, len(rows)), NextLink: next}
	for _, row := range rows {
		is, err := openRow(s, v.shard, row.key, row.value, issuerCodec)
		if err != nil {
			return nil, err
		}
		out.Value = append(out.Value, issuerItem{issuerID(r, v, is.Name), is.Provider})
	}
	return out, nil
}
