package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds of federated credentials, as Azure documents them.
const (
	maxFederated = 20
	maxClaim     = 600 // characters of an issuer, subject or audience
)

// FederatedCredential lets the holder of a token of another issuer sign in as a user-assigned identity.
type FederatedCredential struct {
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"`
}

// Rows in the shard of the identity's subscription, beside the resources that ARM keeps: what the token service reads, and what makes issuer and subject unique.
//
//	s|identity|<guid of the identity>|<sha-256 of issuer and subject, hex>   FederatedCredential
const federatedPrefix = "s|identity|"

var federatedCodec = store.Codec[FederatedCredential]{Kind: 'f', Version: 1}

func federatedKey(guid string, f FederatedCredential) []byte {
	sum := sha256.Sum256([]byte(f.Issuer + "\n" + f.Subject))
	return []byte(federatedPrefix + guid + "|" + hex.EncodeToString(sum[:]))
}

func federatedRows(guid string) store.Range {
	return store.Prefix([]byte(federatedPrefix + guid + "|"))
}

// FederatedCredentials lists the credentials of the user-assigned identity with that resource id, none if there is no such identity. It reads the state of the last commit:
// one that was removed is not among them. The result is shared: read only.
func (s *Service) FederatedCredentials(ctx context.Context, resourceID string) ([]FederatedCredential, error) {
	r, _, err := s.deps.Resources.Resource(ctx, resourceID)
	if err != nil {
		return nil, err
	}
	if _, ok := arm.UserIdentityOf(r); !ok {
		return nil, nil
	}
	id, err := arm.ParseID(r.ID)
	if err != nil {
		return nil, err
	}
	return s.federated.Get(ctx, "sub/"+id.Subscription, r.GUID)
}

func loadFederated(snap store.Snapshot, guid string) (out []FederatedCredential, err error) {
	var bad error
	err = snap.Scan(federatedRows(guid), func(_, v []byte) bool {
		var f FederatedCredential
		if f, bad = federatedCodec.Decode(v); bad != nil {
			return false
		}
		out = append(out, f)
		return true
	})
	if err == nil {
		err = bad
	}
	return out, err
}

// federatedType is userAssignedIdentities/federatedIdentityCredentials.
func (s *Service) federatedType() arm.Type {
	return arm.Type{
		Name: arm.TypeUserIdentity + "/federatedIdentityCredentials", Versions: federatedVersions, Untracked: true,
		Put: s.putFederated,
		Commit: func(tx store.Tx, c *arm.Call) error {
			return c.Prepared.(*federatedChange).write(tx)
		},
		Delete: func(ctx context.Context, c *arm.Call) error {
			ch, err := s.federatedChange(ctx, c)
			c.Prepared = ch
			return err
		},
		CommitDelete: func(tx store.Tx, c *arm.Call) error { return c.Prepared.(*federatedChange).write(tx) },
	}
}

// federatedChange is what a call changes of the rows: old and fresh are keys, nil for none.
type federatedChange struct {
	owner      string // GUID of the identity
	old, fresh []byte
	row        []byte
	credential FederatedCredential
}

// federatedChange prepares the change of a call, as far as its old state goes.
func (s *Service) federatedChange(ctx context.Context, c *arm.Call) (*federatedChange, error) {
	owner, _, err := s.deps.Resources.Resource(ctx, c.ID.Parent().String())
	if err != nil {
		return nil, err
	}
	if owner == nil {
		return nil, fault.New(fault.NotFound, "ParentResourceNotFound", "The user-assigned identity %q does not exist.", c.ID.Names[0])
	}
	ch := &federatedChange{owner: owner.GUID}
	if c.Old != nil {
		var f FederatedCredential
		if err := json.Unmarshal(c.Old.Properties, &f); err != nil {
			return nil, err
		}
		ch.old = federatedKey(owner.GUID, f)
	}
	return ch, nil
}

func (s *Service) putFederated(ctx context.Context, c *arm.Call) error {
	if !validName(c.New.Name, 120) {
		return invalidName(c.New.Name, 120)
	}
	ch, err := s.federatedChange(ctx, c)
	if err != nil {
		return err
	}
	var sent struct {
		Issuer    string          `json:"issuer"`
		Subject   string          `json:"subject"`
		Audiences []string        `json:"audiences"`
		Matching  json.RawMessage `json:"claimsMatchingExpression"`
	}
	if err := c.Body.Decode("properties", &sent); err != nil {
		return err
	}
	if len(sent.Matching) > 0 && string(sent.Matching) != "null" {
		return fault.New(fault.NotImplemented, "NotImplemented", "Flexible federated credentials (claimsMatchingExpression) are not implemented by this platform; name a subject.")
	}
	f := FederatedCredential{Name: c.New.Name, Issuer: sent.Issuer, Subject: sent.Subject, Audiences: sent.Audiences}
	if err := f.check(); err != nil {
		return err
	}
	if c.New.Properties, err = json.Marshal(struct {
		Issuer    string   `json:"issuer"`
		Subject   string   `json:"subject"`
		Audiences []string `json:"audiences"`
	}{f.Issuer, f.Subject, f.Audiences}); err != nil {
		return err
	}
	ch.credential, ch.fresh = f, federatedKey(ch.owner, f)
	ch.row, err = federatedCodec.Encode(f)
	c.Prepared = ch
	return err
}

// check refuses what no token could match.
func (f *FederatedCredential) check() error {
	bad := func(property, what string) error {
		e := fault.New(fault.Invalid, "BadRequest", "The property %s of the federated identity credential %s.", property, what)
		e.Target = "properties." + property
		return e
	}
	u, err := url.Parse(f.Issuer)
	switch {
	case f.Issuer == "" || len(f.Issuer) > maxClaim || err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return bad("issuer", "is missing or no URL of an issuer")
	case f.Subject == "" || len(f.Subject) > maxClaim:
		return bad("subject", "is missing or longer than 600 characters")
	case len(f.Audiences) != 1:
		return bad("audiences", "must hold exactly one audience, such as api://AzureADTokenExchange")
	case f.Audiences[0] == "" || len(f.Audiences[0]) > maxClaim:
		return bad("audiences", "holds an audience that is empty or longer than 600 characters")
	}
	return nil
}

// write is the change in its transaction: issuer and subject are unique within an identity, and there are at most 20.
func (ch *federatedChange) write(tx store.Tx) error {
	if ch.old != nil {
		if err := tx.Delete(ch.old); err != nil {
			return err
		}
	}
	if ch.fresh == nil {
		return nil
	}
	taken, err := tx.Get(ch.fresh)
	if err != nil {
		return err
	}
	if taken != nil {
		return fault.New(fault.Conflict, "Conflict", "The combination of issuer and subject must be unique for the identity: issuer '%s' and subject '%s' already exist.",
			ch.credential.Issuer, ch.credential.Subject)
	}
	count := 0
	if err := tx.Scan(federatedRows(ch.owner), func(_, _ []byte) bool { count++; return true }); err != nil {
		return err
	}
	if count >= maxFederated {
		return fault.New(fault.Invalid, "BadRequest", "Too many federated identity credentials: an identity has at most %d.", maxFederated)
	}
	return tx.Put(ch.fresh, ch.row)
}
