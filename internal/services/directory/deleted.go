package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// deletedLife is how long a deleted object may be restored.
const deletedLife = 30 * 24 * time.Hour

// Deleted is an object that was deleted and may be restored. Exactly one of App, SP, User and Group is set.
type Deleted struct {
	At    time.Time    `json:"at"`
	App   *Application `json:"application,omitempty"`
	SP    *SP          `json:"servicePrincipal,omitempty"`
	User  *User        `json:"user,omitempty"`
	Group *Group       `json:"group,omitempty"`
}

var deletedCodec = store.Codec[Deleted]{Kind: 'x', Version: 1}

// id and kind of the object.
func (d *Deleted) id() (string, ObjectKind) {
	switch {
	case d.App != nil:
		return d.App.ObjectID, KindApplication
	case d.User != nil:
		return d.User.ObjectID, KindUser
	case d.Group != nil:
		return d.Group.ObjectID, KindGroup
	case d.SP != nil:
		return d.SP.ObjectID, KindSP
	}
	return "", ""
}

func (d *Deleted) expired(now time.Time) bool { return now.After(d.At.Add(deletedLife)) }

// write is the row that keeps d.
func (d *Deleted) write() (write, error) {
	id, _ := d.id()
	value, err := deletedCodec.Encode(*d)
	if err != nil {
		return write{}, fmt.Errorf("encode deleted object: %w", err)
	}
	return write{key: keyDeleted + id, value: value}, nil
}

// softDelete moves an object to the deleted ones; nothing can be done as it from the next call on. An application takes its home service principal along.
func (s *Service) softDelete(ctx context.Context, tenantID string, kind ObjectKind, id string) error {
	return retry(ctx, func() error {
		var gone []Deleted
		var c change
		now := s.Clock.Now()
		var err error
		switch kind {
		case KindApplication:
			c.oldApp, c.oldSP, c.expect, err = s.readApp(ctx, tenantID, id)
			if c.oldApp != nil {
				gone = append(gone, Deleted{At: now, App: c.oldApp})
			}
		case KindUser:
			c.oldUser, c.expect, err = readOne(ctx, s, tenantID, userCodec, keyUser, id)
			if c.oldUser != nil {
				gone = append(gone, Deleted{At: now, User: c.oldUser})
			}
		case KindGroup:
			var g *Group
			g, c.expect, err = readOne(ctx, s, tenantID, groupCodec, keyGroup, id)
			if g != nil {
				gone = append(gone, Deleted{At: now, Group: g})
				c.extra = append(c.extra, write{key: keyGroup + g.ObjectID})
			}
		default:
			c.oldSP, c.expect, err = s.readSP(ctx, tenantID, id)
		}
		if c.oldSP != nil {
			gone = append(gone, Deleted{At: now, SP: c.oldSP})
		}
		if err != nil {
			return err
		}
		if len(gone) == 0 {
			return notFound(string(kind), id)
		}
		for i := range gone {
			w, err := gone[i].write()
			if err != nil {
				return err
			}
			c.extra = append(c.extra, w)
		}
		return s.commit(ctx, strings.ToLower(tenantID), c)
	})
}

// deletedAt reads a deleted object for a change to it; nil if there is none, or one whose time is over.
func (s *Service) deletedAt(ctx context.Context, tenantID, id string) (*Deleted, map[string][]byte, error) {
	if !ids.IsGUID(id) {
		return nil, nil, nil
	}
	d, expect, err := readOne(ctx, s, tenantID, deletedCodec, keyDeleted, id)
	if d != nil && d.expired(s.Clock.Now()) {
		d = nil
	}
	return d, expect, err
}

// restore brings a deleted object back, with its memberships and roles; an application with its service principal. A name that was taken meanwhile is a
// conflict.
func (s *Service) restore(ctx context.Context, tenantID, id string) (string, error) {
	tenantID, id = strings.ToLower(tenantID), strings.ToLower(id)
	err := retry(ctx, func() error {
		d, expect, err := s.deletedAt(ctx, tenantID, id)
		if err != nil {
			return err
		}
		if d == nil {
			return notFound("deleted object", id)
		}
		c := change{putApp: d.App, putSP: d.SP, putUser: d.User, putGroup: d.Group, expect: expect, extra: []write{{key: keyDeleted + id}}}
		if d.App != nil {
			if c.putSP, err = s.deletedSPOf(ctx, d.App, expect); err != nil {
				return err
			}
			if c.putSP != nil {
				c.extra = append(c.extra, write{key: keyDeleted + c.putSP.ObjectID})
			}
		}
		return s.commit(ctx, tenantID, c)
	})
	return id, err
}

// deletedSPOf finds the home service principal that was deleted with an application; its row goes into expect.
func (s *Service) deletedSPOf(ctx context.Context, app *Application, expect map[string][]byte) (*SP, error) {
	raws, err := s.rowsUnder(ctx, app.TenantID, keyDeleted, nil)
	if err != nil {
		return nil, err
	}
	for _, raw := range raws {
		d, err := deletedCodec.Decode(raw.value)
		if err != nil {
			return nil, fmt.Errorf("decode deleted object %s: %w", raw.id, err)
		}
		if d.SP != nil && d.SP.AppID == app.AppID && !d.expired(s.Clock.Now()) {
			expect[keyDeleted+raw.id] = raw.value
			return d.SP, nil
		}
	}
	return nil, nil
}

// purge removes a deleted object for good, and what was kept about it.
func (s *Service) purge(ctx context.Context, tenantID, id string) error {
	tenantID, id = strings.ToLower(tenantID), strings.ToLower(id)
	if err := s.forget(ctx, tenantID, id); err != nil {
		return err
	}
	_, err := s.Store.Update(ctx, tenantShard(tenantID), func(tx store.Tx) error { return tx.Delete([]byte(keyDeleted + id)) })
	if err != nil {
		return fmt.Errorf("purge directory object %s: %w", id, err)
	}
	return nil
}

// forgetStep is how many rows go in one transaction.
const forgetStep = 1000

// forget removes memberships, roles and consents that name an object which is gone.
func (s *Service) forget(ctx context.Context, tenantID, id string) error {
	var keys []string
	err := s.Store.View(ctx, tenantShard(tenantID), func(snap store.Snapshot) error {
		keys = nil
		for _, pair := range [][2]string{{keyMember, keyMemberOf}, {keyMemberOf, keyMember}} {
			prefix := memberKey(pair[0], id, "")
			err := snap.Scan(store.Prefix([]byte(prefix)), func(key, _ []byte) bool {
				keys = append(keys, string(key), memberKey(pair[1], string(key[len(prefix):]), id))
				return true
			})
			if err != nil {
				return err
			}
		}
		for _, prefix := range []string{keyRole, keyConsent} {
			err := snap.Scan(store.Prefix([]byte(prefix)), func(key, _ []byte) bool {
				if strings.Contains(string(key), "|"+id) {
					keys = append(keys, string(key))
				}
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("find rows of directory object %s: %w", id, err)
	}
	for step := range slices.Chunk(keys, forgetStep) {
		_, err := s.Store.Update(ctx, tenantShard(tenantID), func(tx store.Tx) error {
			for _, key := range step {
				if err := tx.Delete([]byte(key)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("remove rows of directory object %s: %w", id, err)
		}
	}
	return nil
}

// purgeEvery is how often Run looks for deleted objects whose time is over.
const purgeEvery = time.Hour

// Run purges what was deleted more than 30 days ago, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		if err := s.PurgeExpired(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("purge of deleted directory objects failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// PurgeExpired purges what was deleted more than 30 days ago, in all tenants.
func (s *Service) PurgeExpired(ctx context.Context) error {
	tenants, err := s.Tenants.List(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		raws, err := s.rowsUnder(ctx, t.ID, keyDeleted, nil)
		if err != nil {
			return err
		}
		for _, raw := range raws {
			d, err := deletedCodec.Decode(raw.value)
			if err != nil {
				return fmt.Errorf("decode deleted object %s: %w", raw.id, err)
			}
			if d.expired(s.Clock.Now()) {
				if err := s.purge(ctx, t.ID, raw.id); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
