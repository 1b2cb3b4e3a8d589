package keyvault

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// rotationPolicy says when a key gets a new version by itself, and when its near expiry is told. The same form on the wire and in the store.
type rotationPolicy struct {
	ID         string           `json:"id,omitempty"`
	Actions    []rotationAction `json:"lifetimeActions"`
	Attributes struct {
		Expiry  *string `json:"expiryTime"`
		Created int64   `json:"created,omitempty"`
		Updated int64   `json:"updated,omitempty"`
	} `json:"attributes"`
}

type rotationAction struct {
	Trigger struct {
		After  string `json:"timeAfterCreate,omitempty"`
		Before string `json:"timeBeforeExpiry,omitempty"`
	} `json:"trigger"`
	Action struct {
		Type string `json:"type"`
	} `json:"action"`
}

var rotationCodec = store.Codec[rotationPolicy]{Kind: 'R', Version: 1}

const (
	actionRotate = "Rotate"
	actionNotify = "Notify"

	minExpiry  = 28 * day
	minTrigger = 7 * day
)

// defaultRotation is the policy of a key that was given none: a notice 30 days before expiry.
func defaultRotation() *rotationPolicy {
	var a rotationAction
	a.Trigger.Before, a.Action.Type = "P30D", actionNotify
	return &rotationPolicy{Actions: []rotationAction{a}}
}

// expiry is the age at which versions expire; nil for never.
func (p *rotationPolicy) expiry() *period {
	if p.Attributes.Expiry == nil {
		return nil
	}
	e, ok := parsePeriod(*p.Attributes.Expiry)
	if !ok {
		return nil
	}
	return &e
}

// trigger is when the action of a type is due for a version; ok is false for never.
func (p *rotationPolicy) trigger(action string, rec *record) (at int64, ok bool) {
	for _, a := range p.Actions {
		if a.Action.Type != action {
			continue
		}
		if after, ok := parsePeriod(a.Trigger.After); ok {
			return after.after(rec.Created), true
		}
		if before, ok := parsePeriod(a.Trigger.Before); ok && rec.Expires != nil {
			return before.before(*rec.Expires), true
		}
	}
	return 0, false
}

// settle checks a policy as sent.
func (p *rotationPolicy) settle() error {
	p.ID = ""
	var expires *period
	if text := p.Attributes.Expiry; text != nil && *text != "" {
		e, ok := parsePeriod(*text)
		if !ok || e.length() < minExpiry {
			return badParameter("Property attributes.expiryTime has invalid value: '%s' must be an ISO 8601 duration in years, months and days, at least P28D.", clip(*text))
		}
		expires = &e
	} else {
		p.Attributes.Expiry = nil
	}
	seen := map[string]bool{}
	for i := range p.Actions {
		a := &p.Actions[i]
		switch {
		case strings.EqualFold(a.Action.Type, actionRotate):
			a.Action.Type = actionRotate
		case strings.EqualFold(a.Action.Type, actionNotify):
			a.Action.Type = actionNotify
		default:
			return badParameter("Property lifetimeActions has invalid value: the action type '%s' must be Rotate or Notify.", clip(a.Action.Type))
		}
		if seen[a.Action.Type] {
			return badParameter("Property lifetimeActions has invalid value: there is more than one action of type %s.", a.Action.Type)
		}
		seen[a.Action.Type] = true
		if err := a.settle(expires); err != nil {
			return err
		}
	}
	if p.Actions == nil {
		p.Actions = []rotationAction{}
	}
	return nil
}

func (a *rotationAction) settle(expires *period) error {
	after, before := a.Trigger.After, a.Trigger.Before
	if (after == "") == (before == "") {
		return badParameter("Property lifetimeActions has invalid value: a trigger has either timeAfterCreate or timeBeforeExpiry.")
	}
	t, ok := parsePeriod(after + before)
	if !ok || t.length() < minTrigger {
		return badParameter("Property lifetimeActions has invalid value: the trigger '%s' must be an ISO 8601 duration in years, months and days, at least P7D.", clip(after+before))
	}
	switch {
	case after != "" && a.Action.Type == actionNotify:
		return badParameter("Property lifetimeActions has invalid value: the action Notify can only have the trigger timeBeforeExpiry.")
	case before != "" && a.Action.Type == actionRotate && expires == nil:
		return badParameter("Property lifetimeActions has invalid value: the action Rotate with the trigger timeBeforeExpiry needs attributes.expiryTime.")
	case expires != nil && t.length() > expires.length()-minTrigger:
		return badParameter("Property lifetimeActions has invalid value: the trigger '%s' must be at least 7 days shorter than attributes.expiryTime.", after+before)
	}
	return nil
}

func rotationKey(mac []byte) []byte { return key(tagRotation, keys.tag, mac) }

// rotation loads a key's own policy and the bytes it was read as; nil if it has none.
func (s *Service) rotation(ctx context.Context, v *vault, mac []byte) (*rotationPolicy, []byte, error) {
	p, raw, err := loadSealed(ctx, s, v.shard, rotationKey(mac), rotationCodec)
	return p, raw, err
}

func (s *Service) getRotationPolicy(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	head, err := s.object(ctx, v, keys, r.Param("name"), "")
	if err != nil {
		return nil, err
	}
	p, _, err := s.rotation(ctx, v, s.mac(v, head.Name))
	if err != nil {
		return nil, err
	}
	if p == nil {
		p = defaultRotation()
	}
	return rotationAnswer(r, v, head, p), nil
}

func rotationAnswer(r *wire.Request, v *vault, head *record, p *rotationPolicy) *rotationPolicy {
	p.ID = keys.id(baseURL(r, v), head.Name, "rotationpolicy")
	return p
}

func (s *Service) setRotationPolicy(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name := r.Param("name")
	if err := checkName(name); err != nil {
		return nil, err
	}
	var p rotationPolicy
	if err := wire.Bind(r, &p); err != nil {
		return nil, err
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	var head *record
	err := retry(func() (err error) {
		if head, err = s.object(ctx, v, keys, name, ""); err != nil {
			return err
		}
		if head.Managed {
			return managed(keys, head.Name)
		}
		mac := s.mac(v, head.Name)
		old, raw, err := s.rotation(ctx, v, mac)
		if err != nil {
			return err
		}
		now := s.deps.Clock.Now().Unix()
		p.Attributes.Created, p.Attributes.Updated = now, now
		if old != nil {
			p.Attributes.Created = old.Attributes.Created
		}
		row, err := sealRow(s, v.shard, rotationKey(mac), rotationCodec, p)
		if err != nil {
			return err
		}
		return s.commit(ctx, r, v, 200, func(tx store.Tx) error {
			if there, err := exists(tx, key(tagHead, keys.tag, mac)); err != nil || !there {
				return orFault(err, keys.notFound(name, ""))
			}
			if err := unchanged(tx, row.key, raw); err != nil {
				return err
			}
			return putAll(tx, []sealed{row, {timeKey(tagTimer, now, keys.tag, mac), []byte{}}})
		})
	})
	if err != nil {
		return nil, err
	}
	return rotationAnswer(r, v, head, &p), nil
}

// rotated makes the next version of a key: the same type, size, operations and tags, expiring by the policy.
func (s *Service) rotated(ctx context.Context, v *vault, head *record, mac []byte) (*record, []sealed, error) {
	p, _, err := s.rotation(ctx, v, mac)
	if err != nil {
		return nil, nil, err
	}
	old, err := parseKey(head.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("stored key of version %s: %w", head.Version, err)
	}
	signer, err := s.generate(ctx, propsOf(old))
	if err != nil {
		return nil, nil, err
	}
	rec := s.newRecord(head.Name, newVersion())
	rec.Operations, rec.Tags = slices.Clone(head.Operations), head.Tags
	if p != nil {
		if e := p.expiry(); e != nil {
			at := e.after(rec.Created)
			rec.Expires = &at
		}
	}
	if rec.PrivateKey, err = x509.MarshalPKCS8PrivateKey(signer); err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	rows, err := s.newVersionRows(v, keys, mac, rec)
	return rec, rows, err
}

// propsOf says how to make another key like this.
func propsOf(signer crypto.Signer) *keyProps {
	switch k := signer.(type) {
	case *ecdsa.PrivateKey:
		return &keyProps{Type: "EC", Curve: k.Curve.Params().Name, Size: k.Curve.Params().BitSize}
	case *rsa.PrivateKey:
		return &keyProps{Type: "RSA", Size: k.N.BitLen()}
	}
	return &keyProps{Type: "RSA", Size: 2048}
}

func (s *Service) rotateKey(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name := r.Param("name")
	head, err := s.object(ctx, v, keys, name, "")
	if err != nil {
		return nil, err
	}
	if head.Managed {
		return nil, managed(keys, head.Name)
	}
	mac := s.mac(v, head.Name)
	rec, rows, err := s.rotated(ctx, v, head, mac)
	if err != nil {
		return nil, err
	}
	err = s.commit(ctx, r, v, 200, func(tx store.Tx) error {
		if there, err := exists(tx, key(tagHead, keys.tag, mac)); err != nil || !there {
			return orFault(err, keys.notFound(name, ""))
		}
		return putAll(tx, rows)
	})
	if err != nil {
		return nil, err
	}
	return s.keyAnswer(r, v, rec)
}
