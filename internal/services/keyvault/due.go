package keyvault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// notice is the set of what has been told of a version.
type notice uint8

const (
	toldNear notice = 1 << iota
	toldExpired
	toldContacts
)

// nearExpiry is how long before expiry it is told unless a key's rotation policy says otherwise.
const nearExpiry = 30 * day

// retryTimer is how long a renewal that failed waits for its next attempt.
const retryTimer = 10 * 60

// timed tells whether something may be due for the object one day. What belongs to a certificate goes by the certificate.
func (k *kind) timed(rec *record) bool {
	return !rec.Managed && (k != secrets || rec.Expires != nil)
}

// step is something that is due for the newest version of an object.
type step struct {
	at    int64
	what  string // an event, or "" for renewal
	told  notice // what it settles
	renew bool
}

// steps are what is still to be done for the newest version of an object, in no order. rot is a key's own policy or nil.
func (k *kind) steps(head *record, rot *rotationPolicy) []step {
	var all []step
	add := func(told notice, what string, at int64) {
		if head.Told&told == 0 {
			all = append(all, step{at: at, what: what, told: told})
		}
	}
	if head.Expires != nil {
		add(toldExpired, eventExpired, *head.Expires)
	}
	if k == keys {
		if rot == nil {
			rot = defaultRotation()
		}
		if at, ok := rot.trigger(actionNotify, head); ok {
			add(toldNear, eventNearExpiry, at)
		}
		if at, ok := rot.trigger(actionRotate, head); ok && head.Enabled {
			all = append(all, step{at: at, renew: true})
		}
		return all
	}
	if head.Expires != nil {
		add(toldNear, eventNearExpiry, *head.Expires-nearExpiry)
	}
	if k == certificates && head.Policy != nil {
		for i := range head.Policy.Lifetime {
			a := &head.Policy.Lifetime[i]
			at, ok := a.due(head)
			switch {
			case !ok:
			case a.Action.Type == actionEmail:
				add(toldContacts, eventContacts, at)
			case head.Enabled && head.Policy.renewable():
				all = append(all, step{at: at, renew: true})
			}
		}
	}
	return all
}

// dueTimers performs what is due in a shard. One object that fails does not keep the others from their turn.
func (s *Service) dueTimers(ctx context.Context, shard string, now int64) error {
	var timers []due
	var name []byte
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		timers = nil
		b, err := sn.Get(keyOfVault())
		if err != nil {
			return err
		}
		name = clone(b)
		return sn.Scan(store.Range{Start: []byte{tagTimer, '|'}, End: timeKey(tagTimer, now+1, 0, nil)}, func(k, _ []byte) bool {
			if at, kind, mac, ok := parseTimeKey(k); ok {
				timers = append(timers, due{at, kind, clone(mac)})
			}
			return len(timers) < sweepObjects
		})
	})
	if err != nil || len(timers) == 0 {
		return err
	}
	vaultName, err := s.nameOf(shard, name)
	if err != nil || vaultName == "" {
		return err
	}
	v, err := s.vaultNamed(ctx, vaultName)
	if fault.Is(err, fault.NotFound) || err == nil && v.shard != shard {
		return nil // deleted: its timers wait for its recovery
	}
	if err != nil {
		return err
	}
	for _, d := range timers {
		err := retry(func() error { return s.dueTimer(ctx, v, d, now) })
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.deps.Log.Error("key vault: not renewed, will be tried again", "vault", v.name, "kind", string(d.kind), "error", err)
		if err := s.postpone(ctx, v, d, now+retryTimer); err != nil {
			return err
		}
	}
	return nil
}

// nameOf is a shard's vault by what the shard says of itself or, if an earlier version wrote it, by who was here since the start; "" if neither knows.
func (s *Service) nameOf(shard string, marked []byte) (string, error) {
	if marked == nil {
		if v, ok := s.vaults.Load(strings.TrimPrefix(shard, shardOf(""))); ok {
			return v.(*vault).name, nil
		}
		return "", nil
	}
	m, err := markCodec.Decode(marked)
	if err != nil {
		return "", fmt.Errorf("name of the vault of %s: %w", shard, err)
	}
	return m.Name, nil
}

func (s *Service) postpone(ctx context.Context, v *vault, d due, until int64) error {
	_, err := s.deps.Store.Update(ctx, v.shard, func(tx store.Tx) error {
		if err := tx.Delete(timeKey(tagTimer, d.at, d.kind, d.mac)); err != nil {
			return err
		}
		return tx.Put(timeKey(tagTimer, until, d.kind, d.mac), []byte{})
	})
	return err
}

func kindOf(tag byte) *kind {
	for _, k := range []*kind{secrets, certificates, keys} {
		if k.tag == tag {
			return k
		}
	}
	return nil
}

// dueTimer looks at one object: it does what is due and sets the timer of what comes next.
func (s *Service) dueTimer(ctx context.Context, v *vault, d due, now int64) error {
	k, timer := kindOf(d.kind), timeKey(tagTimer, d.at, d.kind, d.mac)
	if k == nil {
		return fmt.Errorf("timer of an unknown kind %q", d.kind)
	}
	head, err := s.load(ctx, v.shard, key(tagHead, d.kind, d.mac))
	if err != nil {
		return err
	}
	if head == nil || !k.timed(head.record) {
		_, err := s.deps.Store.Update(ctx, v.shard, func(tx store.Tx) error { return tx.Delete(timer) })
		return err
	}
	var rot *rotationPolicy
	var rotRaw []byte
	if k == keys {
		if rot, rotRaw, err = s.rotation(ctx, v, d.mac); err != nil {
			return err
		}
	}
	rows, record, err := s.perform(ctx, v, k, d.mac, head, k.steps(head.record, rot), now)
	if err != nil {
		return err
	}
	change := func(tx store.Tx) error {
		if err := unchanged(tx, key(tagHead, d.kind, d.mac), head.raw); err != nil {
			return err
		}
		if k == keys {
			if err := unchanged(tx, rotationKey(d.mac), rotRaw); err != nil {
				return err
			}
		}
		if err := tx.Delete(timer); err != nil {
			return err
		}
		return putAll(tx, rows)
	}
	if record != nil {
		return s.commitAs(ctx, v, *record, change)
	}
	_, err = s.deps.Store.Update(ctx, v.shard, change)
	return err
}

// perform makes the rows of the steps that are due now and of the timer for the earliest of the others; if a new version is among them, also its audit record.
func (s *Service) perform(ctx context.Context, v *vault, k *kind, mac []byte, head *loaded, steps []step, now int64) (rows []sealed, record *audit.Record, err error) {
	var next int64
	renew := false
	for _, st := range steps {
		switch {
		case st.at > now:
			if next == 0 || st.at < next {
				next = st.at
			}
		case st.renew:
			renew = true
		default:
			row, err := s.noticeRow(ctx, v, k, head.record, st.what)
			if err != nil {
				return nil, nil, err
			}
			rows = append(rows, row)
			head.Told |= st.told
		}
	}
	if len(rows) > 0 {
		more, err := s.toldRows(v, k, mac, head.record)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, more...)
	}
	if renew { // last: its head takes the place of the one before
		more, rec, err := s.renewed(ctx, v, k, mac, head)
		if err != nil {
			return nil, nil, err
		}
		rows, record = append(rows, more...), rec
	}
	if next != 0 {
		rows = append(rows, sealed{timeKey(tagTimer, next, k.tag, mac), []byte{}})
	}
	return rows, record, nil
}

// toldRows are head and version again, with what has been told of them.
func (s *Service) toldRows(v *vault, k *kind, mac []byte, rec *record) ([]sealed, error) {
	row, err := s.seal(v.shard, versionKey(k.tag, mac, rec.Version), rec)
	if err != nil {
		return nil, err
	}
	head, err := s.seal(v.shard, key(tagHead, k.tag, mac), rec)
	return []sealed{row, head}, err
}

// noticeRow is the event of a notice; that of EmailContacts names them.
func (s *Service) noticeRow(ctx context.Context, v *vault, k *kind, rec *record, what string) (sealed, error) {
	if what != eventContacts {
		return s.eventRow(v, k, rec, what)
	}
	list, _, err := s.contacts(ctx, v)
	if err != nil {
		return sealed{}, err
	}
	return s.eventRow(v, k, rec, what, func(e *event) {
		if list != nil {
			for _, c := range list.Contacts {
				e.Contacts = append(e.Contacts, c.Email)
			}
		}
	})
}

var errNotRenewable = errors.New("nothing renews this kind of object")

// renewed makes the next version of a key or certificate, and the audit record of it: the vault itself did it.
func (s *Service) renewed(ctx context.Context, v *vault, k *kind, mac []byte, head *loaded) ([]sealed, *audit.Record, error) {
	var rec *record
	var rows []sealed
	var err error
	operation, by := "KeyRotate", "rotation policy"
	switch k {
	case keys:
		rec, rows, err = s.rotated(ctx, v, head.record, mac)
	case certificates:
		operation, by = "CertificateAutoRenew", "lifetime action AutoRenew"
		rec, rows, err = s.reissued(ctx, v, head, mac)
	default:
		err = errNotRenewable
	}
	if err != nil {
		return nil, nil, err
	}
	e := event{Vault: v.name, Plural: k.plural, Name: rec.Name, Version: rec.Version}
	return rows, &audit.Record{
		Time: s.deps.Clock.Now(), CorrelationID: ids.New(), RequestID: ids.New(), Service: "vault", Host: v.name + ".vault.azure.net", Operation: operation,
		Resource: e.public("").Data.ID, Status: 200, AllowedBy: by, Kind: "Platform", Name: "key vault " + v.name,
	}, nil
}

// setTimers gives the objects of a shard that an earlier version wrote their timers, once.
func (s *Service) setTimers(ctx context.Context, shard string, now int64) error {
	const most = 10_000 // keys of one transaction; what is beyond gets its timer when it is written next
	var found []due
	done := false
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		found = nil
		b, err := sn.Get(keyOfTimers())
		if done = b != nil; err != nil || done {
			return err
		}
		return sn.Scan(store.Prefix([]byte{tagHead, '|'}), func(k, _ []byte) bool {
			if len(k) == 4+macSize {
				found = append(found, due{now, k[2], clone(k[4:])})
			}
			return len(found) < most
		})
	})
	if err != nil || done || len(found) == 0 {
		return err
	}
	marked, err := markCodec.Encode(mark{})
	if err != nil {
		return err
	}
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		// The vault may be gone by now: nothing must make its shard anew.
		if there, err := exists(tx, key(tagHead, found[0].kind, found[0].mac)); err != nil || !there {
			return err
		}
		for _, d := range found {
			if err := tx.Put(timeKey(tagTimer, d.at, d.kind, d.mac), []byte{}); err != nil {
				return err
			}
		}
		return tx.Put(keyOfTimers(), marked)
	})
	return err
}
