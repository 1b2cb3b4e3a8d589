package cognitive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// retained is how long a deleted account can be recovered.
const retained = 48 * time.Hour

// deletedAccount is an account that can be recovered, in the shard of its subscription. Its keys stay where they were, its data too, its names stay taken.
type deletedAccount struct {
	Account arm.Resource `json:"account"` // as it was
	Group   string       `json:"group"`
	Deleted time.Time    `json:"deleted"`
	Purge   time.Time    `json:"purge"`
}

// lying is a deleted account as it was found; a restoring PUT hands it on to its commit.
type lying struct {
	deletedAccount
	row []byte // its stored form
}

var deletedCodec = store.Codec[deletedAccount]{Kind: 'D', Version: 1}

const deletedPrefix = "s|cognitive|deleted|"

// deletedKey is by group and name: an id can be deleted once only, wherever the account was.
func deletedKey(group, name string) []byte {
	return []byte(deletedPrefix + strings.ToLower(group) + "|" + strings.ToLower(name))
}

func noDeletedAccount(name string) *fault.Error {
	return fault.New(fault.NotFound, "ResourceNotFound", "There is no deleted account '%s' here.", clip(name))
}

// mustRestore refuses to make an account anew that lies deleted.
func mustRestore(id string) *fault.Error {
	return fault.New(fault.Conflict, "FlagMustBeSetForRestore", "An existing resource with ID '%s' has been soft-deleted. To restore the resource, you must specify 'restore' to be "+
		"'true' in the property. If you don't want to restore existing resource, please purge it first.", id)
}

// deletedActions are what can be done with deleted accounts.
func (s *Service) deletedActions() []arm.Action {
	const one = "locations/{location}/resourceGroups/{group}/deletedAccounts/{account}"
	const operation = namespace + "/locations/resourceGroups/deletedAccounts/"
	return []arm.Action{
		{Verb: "deletedAccounts", Method: http.MethodGet, Collection: true, Operation: namespace + "/deletedAccounts/read", Handler: s.listDeleted},
		{Verb: one, Method: http.MethodGet, Collection: true, Operation: operation + "read", Handler: s.showDeleted},
		{Verb: one, Method: http.MethodDelete, Collection: true, Operation: operation + "delete", Writes: true, Handler: s.purgeDeleted},
	}
}

// shownDeleted is a deleted account on the wire.
type shownDeleted struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	Kind       string            `json:"kind"`
	SKU        json.RawMessage   `json:"sku"`
	Tags       map[string]string `json:"tags,omitempty"`
	ETag       string            `json:"etag"`
	Properties json.RawMessage   `json:"properties"`
}

func (d *deletedAccount) shown(c *arm.Call) (*shownDeleted, error) {
	out, err := shownOf(c, &d.Account)
	if err != nil {
		return nil, err
	}
	deleted, purge := d.Deleted.Truncate(time.Second), d.Purge.Truncate(time.Second)
	out.Deleted, out.Purge = &deleted, &purge
	properties, err := json.Marshal(out)
	return &shownDeleted{
		ID:   "/subscriptions/" + c.ID.Subscription + "/providers/" + namespace + "/locations/" + region(d.Account.Location) + "/resourceGroups/" + d.Group + "/deletedAccounts/" + d.Account.Name,
		Name: d.Account.Name, Type: typeName, Location: d.Account.Location, Kind: d.Account.Kind, SKU: d.Account.SKU, Tags: d.Account.Tags, ETag: d.Account.ETag, Properties: properties,
	}, err
}

// deletedIn lists the deleted accounts of a subscription's shard, by group and name.
func (s *Service) deletedIn(ctx context.Context, shard string) ([]lying, error) {
	var all []lying
	var failed error
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		all = nil
		return sn.Scan(store.Prefix([]byte(deletedPrefix)), func(_, v []byte) bool {
			d := lying{row: bytes.Clone(v)}
			d.deletedAccount, failed = deletedCodec.Decode(d.row)
			all = append(all, d)
			return failed == nil
		})
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("deleted accounts in %s: %w", shard, err)
	}
	return all, nil
}

// deletedNamed finds a deleted account; nil if there is none.
func (s *Service) deletedNamed(ctx context.Context, shard, group, name string) (*lying, error) {
	key := deletedKey(group, name)
	if len(key) > store.MaxKey {
		return nil, nil
	}
	d := new(lying)
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		b, err := sn.Get(key)
		d.row = bytes.Clone(b)
		return err
	})
	if err != nil || d.row == nil {
		return nil, err
	}
	if d.deletedAccount, err = deletedCodec.Decode(d.row); err != nil {
		return nil, fmt.Errorf("deleted account %s: %w", name, err)
	}
	return d, nil
}

func (s *Service) listDeleted(ctx context.Context, c *arm.Call) (any, error) {
	all, err := s.deletedIn(ctx, subscriptionShard(c.ID.Subscription))
	if err != nil {
		return nil, err
	}
	out := []*shownDeleted{}
	for i := range all {
		one, err := all[i].shown(c)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return wire.NewPage(out, ""), nil
}

// asked finds the deleted account that a call's path names.
func (s *Service) asked(ctx context.Context, c *arm.Call) (*lying, error) {
	d, err := s.deletedNamed(ctx, subscriptionShard(c.ID.Subscription), c.Param("group"), c.Param("account"))
	if err == nil && (d == nil || region(d.Account.Location) != region(c.Param("location"))) {
		err = noDeletedAccount(c.Param("account"))
	}
	return d, err
}

func (s *Service) showDeleted(ctx context.Context, c *arm.Call) (any, error) {
	d, err := s.asked(ctx, c)
	if err != nil {
		return nil, err
	}
	return d.shown(c)
}

// purgeDeleted removes a deleted account for good: its rows in one transaction, then, by way of the outbox, its data and its claim to names.
func (s *Service) purgeDeleted(ctx context.Context, c *arm.Call) (any, error) {
	d, err := s.asked(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := c.Commit(ctx, d.orderPurge); err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusOK}, s.deps.Outbox.Drain(ctx, subscriptionShard(c.ID.Subscription))
}

// purgeKind is the kind of outbox row that ends a purge.
const purgeKind = "cognitive.purge"

type purgeOrder struct {
	GUID      string `json:"guid"`
	SubDomain string `json:"subDomain,omitempty"`
}

// take removes the account from the deleted ones, unless somebody else did or it is another one by now.
func (d *lying) take(tx store.Tx) error {
	key := deletedKey(d.Group, d.Account.Name)
	b, err := tx.Get(key)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, d.row) {
		return noDeletedAccount(d.Account.Name)
	}
	return tx.Delete(key)
}

func (d *lying) orderPurge(tx store.Tx) error {
	if err := d.take(tx); err != nil {
		return err
	}
	p, err := propertiesOf(&d.Account)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(purgeOrder{d.Account.GUID, p.SubDomain})
	if err != nil {
		return err
	}
	if err := outbox.Put(tx, purgeKind, payload); err != nil {
		return err
	}
	return tx.Delete(keysKey(d.Account.GUID))
}

// OutboxHandlers are the handlers of the outbox rows the service writes, for the platform's drainer.
func (s *Service) OutboxHandlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{purgeKind: s.purge}
}

// purge drops what an account had and gives its names free. It may run again.
func (s *Service) purge(ctx context.Context, _ string, payload []byte) error {
	var o purgeOrder
	if err := json.Unmarshal(payload, &o); err != nil {
		return fmt.Errorf("outbox row %s: %w", purgeKind, err)
	}
	s.opened.Delete(o.GUID)
	s.parsed.Delete(o.GUID)
	s.usage.forget(o.GUID)
	if err := s.deps.Store.Drop(ctx, shardOf(o.GUID)); err != nil {
		return fmt.Errorf("drop account %s: %w", o.GUID, err)
	}
	for i := range s.deps.APIs {
		if forget := s.deps.APIs[i].Forget; forget != nil {
			if err := forget(ctx, o.GUID); err != nil {
				return fmt.Errorf("drop what %s keeps of account %s: %w", s.deps.APIs[i].Name, o.GUID, err)
			}
		}
	}
	if err := s.deps.Names.Release(ctx, hostKey, o.GUID, o.GUID); err != nil {
		return fmt.Errorf("release the keys of account %s: %w", o.GUID, err)
	}
	if o.SubDomain == "" {
		return nil
	}
	if err := s.deps.Names.Release(ctx, wire.HostCognitive, o.SubDomain, o.GUID); err != nil {
		return fmt.Errorf("release the name of account %s: %w", o.GUID, err)
	}
	return nil
}

// restore prepares a PUT of what isn't there. It reports true if a deleted account comes back by it: as it was, with its keys, its data and its names, but for its managed
// identity, which went with the deletion, and for tags and an identity that are sent.
func (s *Service) restore(ctx context.Context, c *arm.Call) (bool, error) {
	var want bool
	if err := c.Body.Object("properties").Decode("restore", &want); err != nil {
		return false, err
	}
	d, err := s.deletedNamed(ctx, subscriptionShard(c.ID.Subscription), c.ID.ResourceGroup, c.ID.Name())
	switch {
	case err != nil:
		return false, err
	case d == nil && !want:
		return false, nil
	case d == nil:
		return false, noDeletedAccount(c.ID.Name())
	case !want:
		return false, mustRestore(c.ID.String())
	case region(c.New.Location) != region(d.Account.Location):
		return false, bad("InvalidResourceLocation", "The deleted account '%s' was in %s and can only be recovered there.", d.Account.Name, d.Account.Location)
	}
	a := &d.Account
	c.New.GUID, c.New.Kind, c.New.SKU, c.New.Properties, c.New.Location = a.GUID, a.Kind, a.SKU, a.Properties, a.Location
	if !c.Body.Has("tags") {
		c.New.Tags = a.Tags
	}
	c.Prepared = d
	return true, nil
}

// Sweep purges the deleted accounts whose time has come. It runs by itself once a minute; tests that move the clock call it.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.deps.Clock.Now()
	return store.EachShard(ctx, s.deps.Store, subscriptionShard(""), func(shard string) error {
		all, err := s.deletedIn(ctx, shard)
		if err != nil {
			return err
		}
		purged := false
		for i := range all {
			d := &all[i]
			if d.Purge.After(now) {
				continue
			}
			_, err := s.deps.Store.Update(ctx, shard, d.orderPurge)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return fmt.Errorf("purge account %s: %w", d.Account.Name, err)
			}
			purged = true
		}
		if !purged {
			return nil
		}
		return s.deps.Outbox.Drain(ctx, shard)
	})
}
