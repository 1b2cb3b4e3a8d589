package keyvault

import (
	"bytes"
	"context"
	"errors"

	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// errChanged makes a read-modify-write begin anew: another request was quicker.
var errChanged = errors.New("the object changed meanwhile")

// retry runs fn until it no longer meets errChanged.
func retry(fn func() error) error {
	for range 16 {
		if err := fn(); !errors.Is(err, errChanged) {
			return err
		}
	}
	return conflict("", "The object is being changed by others at the same time. Try again.")
}

// commit runs fn on the vault's shard; the audit record of the request is part of the same transaction.
func (s *Service) commit(ctx context.Context, r *wire.Request, v *vault, status int, fn func(tx store.Tx) error) error {
	rec := audit.FromRequest(r)
	rec.Time, rec.Status = r.Time, status
	err := s.commitAs(ctx, v, rec, fn)
	if err == nil {
		r.Audited = true
	}
	return err
}

// commitAs is commit for work that nobody asked for at this moment.
func (s *Service) commitAs(ctx context.Context, v *vault, rec audit.Record, fn func(tx store.Tx) error) error {
	_, err := s.deps.Store.Update(ctx, v.shard, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if err := v.sign(tx); err != nil {
			return err
		}
		return s.deps.Audit.InTx(tx, rec)
	})
	if err == nil {
		s.moveOn(v.shard)
	}
	return err
}

// family is the kinds that live and die together with an object of kind k: a certificate takes its secret and key along.
func family(k *kind) []*kind {
	if k == certificates {
		return []*kind{certificates, secrets, keys}
	}
	return []*kind{k}
}

// newRecord is a fresh version, enabled.
func (s *Service) newRecord(name, version string) *record {
	now := s.deps.Clock.Now().Unix()
	return &record{Name: name, Version: version, Enabled: true, Created: now, Updated: now}
}

func newVersion() string { return ids.Version() }

// storedName is the name as it was first written, if the object exists; names are compared without regard to case.
func (s *Service) storedName(ctx context.Context, v *vault, k *kind, name string) (string, error) {
	head, err := s.load(ctx, v.shard, key(tagHead, k.tag, s.mac(v, name)))
	if err != nil || head == nil {
		return name, err
	}
	return head.Name, nil
}

// object loads a version, or the newest for "".
func (s *Service) object(ctx context.Context, v *vault, k *kind, name, version string) (*record, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	mac := s.mac(v, name)
	head := key(tagHead, k.tag, mac)
	var rec *loaded
	var err error
	if version == "" {
		rec, err = s.load(ctx, v.shard, head)
	} else {
		rec, err = s.loadIf(ctx, v.shard, head, versionKey(k.tag, mac, version))
	}
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, k.notFound(name, version)
	}
	return rec.record, nil
}

// sealBoth seals a version as itself and, if it is the newest, as the head.
func (s *Service) sealBoth(v *vault, k *kind, mac []byte, rec *record, newest bool) ([]sealed, error) {
	row, err := s.seal(v.shard, versionKey(k.tag, mac, rec.Version), rec)
	if err != nil {
		return nil, err
	}
	rows := []sealed{row}
	if newest {
		head, err := s.seal(v.shard, key(tagHead, k.tag, mac), rec)
		if err != nil {
			return nil, err
		}
		rows = append(rows, head)
		if k.timed(rec) {
			rows = append(rows, sealed{timeKey(tagTimer, rec.Updated, k.tag, mac), []byte{}})
		}
	}
	return rows, nil
}

// newVersionRows are the rows of a version that becomes the newest, with the event that tells it.
func (s *Service) newVersionRows(v *vault, k *kind, mac []byte, rec *record) ([]sealed, error) {
	rows, err := s.sealBoth(v, k, mac, rec, true)
	if err != nil {
		return nil, err
	}
	event, err := s.eventRow(v, k, rec, eventNewVersion)
	return append(rows, event), err
}

// update changes one version ("" for the newest) of an object, and the same version of its family.
func (s *Service) update(ctx context.Context, r *wire.Request, v *vault, k *kind, name, version string, change func(k *kind, rec *record) error) (*record, error) {
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	var result *record
	err := retry(func() error {
		first, err := s.object(ctx, v, k, name, version)
		if err != nil {
			return err
		}
		mac := s.mac(v, name)
		var rows []sealed
		var seen []*loaded
		var at [][]byte
		for _, member := range family(k) {
			vk, hk := versionKey(member.tag, mac, first.Version), key(tagHead, member.tag, mac)
			rec, err := s.load(ctx, v.shard, vk)
			if err != nil {
				return err
			}
			head, err := s.load(ctx, v.shard, hk)
			if err != nil {
				return err
			}
			if rec == nil || head == nil {
				return errChanged
			}
			seen, at = append(seen, rec, head), append(at, vk, hk)
			if err := change(member, rec.record); err != nil {
				return err
			}
			rec.Updated = s.deps.Clock.Now().Unix()
			more, err := s.sealBoth(v, member, mac, rec.record, head.Version == rec.Version)
			if err != nil {
				return err
			}
			rows = append(rows, more...)
			if member == k {
				result = rec.record
			}
		}
		return s.commit(ctx, r, v, 200, func(tx store.Tx) error {
			for i, l := range seen {
				if err := unchanged(tx, at[i], l.raw); err != nil {
					return err
				}
			}
			return putAll(tx, rows)
		})
	})
	return result, err
}

// remove deletes an object and its family: softly if the vault does so, else at once.
func (s *Service) remove(ctx context.Context, r *wire.Request, v *vault, k *kind, name string) (*record, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	mac := s.mac(v, name)
	var result *record
	err := retry(func() error {
		now := s.deps.Clock.Now()
		heads := map[*kind]*loaded{}
		var rows []sealed
		for _, member := range family(k) {
			head, err := s.load(ctx, v.shard, key(tagHead, member.tag, mac))
			if err != nil {
				return err
			}
			if head == nil {
				if member == k {
					return k.notFound(name, "")
				}
				return errChanged
			}
			if member == k && head.Managed {
				return managed(k, name)
			}
			heads[member] = head
			if v.softDelete {
				head.DeletedAt, head.PurgeAt = now.Unix(), now.AddDate(0, 0, v.days).Unix()
				row, err := s.seal(v.shard, key(tagDeleted, member.tag, mac), head.record)
				if err != nil {
					return err
				}
				rows = append(rows, row)
			}
		}
		result = heads[k].record
		return s.commit(ctx, r, v, 200, func(tx store.Tx) error {
			for member, head := range heads {
				hk := key(tagHead, member.tag, mac)
				if err := unchanged(tx, hk, head.raw); err != nil {
					return err
				}
				if err := tx.Delete(hk); err != nil {
					return err
				}
				if !v.softDelete {
					if err := erase(tx, member.tag, mac); err != nil {
						return err
					}
				} else if err := tx.Put(timeKey(tagPurge, head.PurgeAt, member.tag, mac), []byte{}); err != nil {
					return err
				}
			}
			return putAll(tx, rows)
		})
	})
	return result, err
}

// erase removes all versions of an object and what belongs to it.
func erase(tx store.Tx, kind byte, mac []byte) error {
	span := store.Prefix(append(key(tagVersion, kind, mac), '|'))
	if err := tx.DeleteRange(span.Start, span.End); err != nil {
		return err
	}
	if err := tx.Delete(key(tagRotation, kind, mac)); err != nil {
		return err
	}
	return tx.Delete(key(tagPending, kind, mac))
}

// managed refuses to touch a secret or key that belongs to a certificate.
func managed(k *kind, name string) *fault.Error {
	return forbidden(innerNotAllowed, "The %s %s is managed by the certificate of the same name and can only be changed through it.", k.noun, name)
}

// withSoftDelete refuses what needs soft delete in a vault that has none.
func (v *vault) withSoftDelete() error {
	if v.softDelete {
		return nil
	}
	e := fault.New(fault.Invalid, "NotSupported", "Operation is not supported on vaults that are not enabled for soft delete. Vault: %s.", v.name)
	return e
}

func (s *Service) deletedObject(ctx context.Context, v *vault, k *kind, name string) (*record, error) {
	l, err := s.loadDeleted(ctx, v, k, name)
	if err != nil {
		return nil, err
	}
	return l.record, nil
}

func (s *Service) loadDeleted(ctx context.Context, v *vault, k *kind, name string) (*loaded, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := v.withSoftDelete(); err != nil {
		return nil, err
	}
	l, err := s.load(ctx, v.shard, key(tagDeleted, k.tag, s.mac(v, name)))
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, k.deletedNotFound(name)
	}
	return l, nil
}

// purge removes a soft-deleted object and its family for good.
func (s *Service) purge(ctx context.Context, r *wire.Request, v *vault, k *kind, name string) error {
	return retry(func() error {
		l, err := s.loadDeleted(ctx, v, k, name)
		if err != nil {
			return err
		}
		if v.protected {
			return forbidden(innerNotAllowed, "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge the %s "+
				"after the retention period has passed.\r\nVault: %s;location=%s", k.noun, v.name, v.location)
		}
		if l.Managed {
			return managed(k, name)
		}
		mac := s.mac(v, name)
		return s.commit(ctx, r, v, 204, func(tx store.Tx) error {
			if err := unchanged(tx, key(tagDeleted, k.tag, mac), l.raw); err != nil {
				return err
			}
			for _, member := range family(k) {
				if err := expunge(tx, member.tag, mac, l.PurgeAt); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// expunge removes one soft-deleted object.
func expunge(tx store.Tx, kind byte, mac []byte, at int64) error {
	if err := tx.Delete(key(tagDeleted, kind, mac)); err != nil {
		return err
	}
	if err := tx.Delete(timeKey(tagPurge, at, kind, mac)); err != nil {
		return err
	}
	return erase(tx, kind, mac)
}

// recover brings a soft-deleted object and its family back.
func (s *Service) recover(ctx context.Context, r *wire.Request, v *vault, k *kind, name string) (*record, error) {
	mac := s.mac(v, name)
	var result *record
	err := retry(func() error {
		var rows []sealed
		gone := map[*kind]*loaded{}
		for _, member := range family(k) {
			l, err := s.loadDeleted(ctx, v, member, name)
			if err != nil {
				return err
			}
			if member == k && l.Managed {
				return managed(k, name)
			}
			live := *l.record
			live.DeletedAt, live.PurgeAt = 0, 0
			row, err := s.seal(v.shard, key(tagHead, member.tag, mac), &live)
			if err != nil {
				return err
			}
			rows, gone[member] = append(rows, row), l
			if member.timed(&live) {
				rows = append(rows, sealed{timeKey(tagTimer, live.Updated, member.tag, mac), []byte{}})
			}
			if member == k {
				result = &live
			}
		}
		return s.commit(ctx, r, v, 200, func(tx store.Tx) error {
			for member, l := range gone {
				dk := key(tagDeleted, member.tag, mac)
				if err := unchanged(tx, dk, l.raw); err != nil {
					return err
				}
				if err := tx.Delete(dk); err != nil {
					return err
				}
				if err := tx.Delete(timeKey(tagPurge, l.PurgeAt, member.tag, mac)); err != nil {
					return err
				}
			}
			return putAll(tx, rows)
		})
	})
	return result, err
}

// exists tells whether key is there.
func exists(sn store.Snapshot, key []byte) (bool, error) {
	b, err := sn.Get(key)
	return b != nil, err
}

// clone copies what a View hands out.
func clone(b []byte) []byte { return bytes.Clone(b) }
