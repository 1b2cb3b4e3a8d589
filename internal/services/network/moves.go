package network

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// The resources of a subscription's networks refer to each other by id and GUID. What moves within the subscription takes the references to it along; into another
// subscription everything that refers to each other goes together.

const dueToReference = "CannotMoveResourceDueToReference"

// moveNetwork takes a network with its subnets along. Rules of other services that name one of its subnets stand in the way: they could not follow.
func (s *Service) moveNetwork(ctx context.Context, m *arm.Move) error {
	n, err := decode[network](m.Old)
	if err != nil {
		return err
	}
	if s.deps.Referring != nil {
		by, err := s.deps.Referring(ctx, m.Old.ID)
		if err != nil {
			return err
		}
		if len(by) > 0 {
			return m.Refuse(dueToReference, "The virtual network '%s' can't be moved while rules of '%s' name its subnets. Remove them first.", m.Old.ID, strings.Join(by, "', '"))
		}
	}
	keys := [][]byte{listedKey(m.Old.GUID)}
	var users [][]byte
	for i := range n.Subnets {
		sub := &n.Subnets[i]
		keys, users = append(keys, subnetKey(sub.GUID)), append(users, usePrefix(sub.GUID))
		if sub.Properties.Group != nil {
			keys = append(keys, use{Of: sub.Properties.Group.GUID, By: sub.GUID}.key())
		}
	}
	rows, used, err := s.read(ctx, m.From, keys, users)
	if err != nil {
		return err
	}
	for _, u := range used {
		if err := follow(m, u, func(r *arm.Resource) error { return relink(r, m) }); err != nil {
			return err
		}
	}
	for i := range n.Subnets {
		if err := moveReference(m, n.Subnets[i].Properties.Group); err != nil {
			return err
		}
	}
	if m.New.Properties, err = json.Marshal(n); err != nil {
		return err
	}
	for _, k := range keys {
		fresh, err := movedRow(m, k, rows[string(k)])
		if err != nil {
			return err
		}
		m.Row(k, rows[string(k)], fresh)
	}
	return nil
}

// moveGroup lets subnets and interfaces follow their security group.
func (s *Service) moveGroup(ctx context.Context, m *arm.Move) error {
	_, used, err := s.read(ctx, m.From, nil, [][]byte{usePrefix(m.Old.GUID)})
	if err != nil {
		return err
	}
	for _, u := range used {
		if err := follow(m, u, func(r *arm.Resource) error { return relink(r, m) }); err != nil {
			return err
		}
	}
	return nil
}

// moveInterface takes an interface with its addresses along.
func (s *Service) moveInterface(ctx context.Context, m *arm.Move) error {
	n, err := decode[nic](m.Old)
	if err != nil {
		return err
	}
	keys := n.rows(m.Old.GUID)
	rows, _, err := s.read(ctx, m.From, keys, nil)
	if err != nil {
		return err
	}
	if err := moveReference(m, n.Group); err != nil {
		return err
	}
	for i := range n.Configs {
		if err := moveReference(m, n.Configs[i].Properties.Subnet); err != nil {
			return err
		}
	}
	if m.New.Properties, err = json.Marshal(n); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[string(k)] { // two configurations in one subnet
			continue
		}
		seen[string(k)] = true
		fresh, err := movedRow(m, k, rows[string(k)])
		if err != nil {
			return err
		}
		m.Row(k, rows[string(k)], fresh)
	}
	return nil
}

// read gives the rows of keys, and the uses under prefixes.
func (s *Service) read(ctx context.Context, shard string, keys, prefixes [][]byte) (rows map[string][]byte, users []use, err error) {
	var raw [][]byte
	err = s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		rows, raw = map[string][]byte{}, nil
		for _, k := range keys {
			b, err := sn.Get(k)
			if err != nil {
				return err
			}
			rows[string(k)] = bytes.Clone(b)
		}
		for _, p := range prefixes {
			if err := sn.Scan(store.Prefix(p), func(_, v []byte) bool { raw = append(raw, bytes.Clone(v)); return true }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, b := range raw {
		u, err := useCodec.Decode(b)
		if err != nil {
			return nil, nil, err
		}
		users = append(users, u)
	}
	return rows, users, nil
}

// follow lets a user of what moves refer to its new id, by change, unless it moves along and does that itself. It can't follow into another subscription.
func follow(m *arm.Move, u use, change func(*arm.Resource) error) error {
	if _, along := m.NewID(u.ID); along {
		return nil
	}
	if m.Crosses() {
		return m.Refuse(dueToReference, "'%s' can't be moved to another subscription without '%s', which uses it: name both in one request.", m.Old.ID, u.ID)
	}
	whole, _, _ := strings.Cut(u.ID, "/subnets/")
	m.Follow(whole, change)
	return nil
}

// moveReference gives a reference the new id of what it names. What stays can't be referred to from another subscription.
func moveReference(m *arm.Move, r *reference) error {
	if r == nil {
		return nil
	}
	if id, along := m.NewID(r.ID); along {
		r.ID = id
		return nil
	}
	if m.Crosses() {
		return m.Refuse(dueToReference, "'%s' can't be moved to another subscription without '%s', which it uses: name both in one request.", m.Old.ID, r.ID)
	}
	return nil
}

// relink makes a network or interface that stays refer to the new id of a network or security group that moves.
func relink(r *arm.Resource, m *arm.Move) error {
	to := func(x *reference) {
		if x == nil {
			return
		}
		if id, along := m.NewID(x.ID); along {
			x.ID = id
		}
	}
	var v any
	if strings.EqualFold(r.Type, networkTypeName) {
		n, err := decode[network](r)
		if err != nil {
			return err
		}
		for i := range n.Subnets {
			to(n.Subnets[i].Properties.Group)
		}
		v = n
	} else {
		n, err := decode[nic](r)
		if err != nil {
			return err
		}
		to(n.Group)
		for i := range n.Configs {
			to(n.Configs[i].Properties.Subnet)
		}
		v = n
	}
	var err error
	r.Properties, err = json.Marshal(v)
	return err
}

// movedRow is a row as it is after the move: the ids in it are new.
func movedRow(m *arm.Move, key, row []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(key, []byte(listedPrefix)):
		return []byte(networkMark + m.New.ID), nil
	case bytes.HasPrefix(key, []byte(usesPrefix)):
		u, err := useCodec.Decode(row)
		if err != nil {
			return nil, err
		}
		if id, along := m.NewID(u.ID); along {
			u.ID = id
		}
		return useCodec.Encode(u)
	}
	return row, nil
}
