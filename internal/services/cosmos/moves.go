package cosmos

import (
	"bytes"
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// move takes an account's keys, roles and role assignments along; its databases are in shards of their own, by the account's GUID.
func (s *Service) move(ctx context.Context, m *arm.Move) error {
	if strings.EqualFold(m.Old.Name, gateway.EmulatorAccount) {
		return m.Refuse("CannotMoveResource", "The account '%s' is the emulator's, which is looked for where it is.", m.Old.ID)
	}
	guid := m.Old.GUID
	type row struct{ key, value []byte }
	var rows []row
	err := s.deps.Store.View(ctx, m.From, func(sn store.Snapshot) error {
		rows = nil
		b, err := sn.Get(keysKey(guid))
		if err != nil {
			return err
		}
		rows = append(rows, row{keysKey(guid), bytes.Clone(b)})
		for _, prefix := range [][]byte{rolesPrefix(guid), grantsPrefix(guid)} {
			err := sn.Scan(store.Prefix(prefix), func(k, v []byte) bool {
				rows = append(rows, row{bytes.Clone(k), bytes.Clone(v)})
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, r := range rows {
		fresh := r.value
		if i == 0 && m.Crosses() { // sealed for the shard
			k, err := openKeys(s.deps.Sealer, m.From, guid, r.value)
			if err != nil {
				return err
			}
			sealed, err := s.sealKeys(m.To, guid, k, nil)
			if err != nil {
				return err
			}
			fresh = sealed.value
		}
		m.Row(r.key, r.value, fresh)
	}
	return nil
}
