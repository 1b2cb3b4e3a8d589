package mysql

import (
	"context"
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// grow gives a server that grows by itself more storage: it changes the resource as a PATCH would, unless somebody else has just changed it.
func (s *Service) grow(ctx context.Context, d *desired, mb int) error {
	now, _, err := s.deps.Resources.Resource(ctx, d.server.ID)
	if err != nil || now == nil {
		return err
	}
	p, err := propertiesOf(now)
	if err != nil || p.StorageProfile.StorageMB >= mb {
		return err
	}
	p.StorageProfile.StorageMB = mb
	larger := *now
	if larger.Properties, err = json.Marshal(p); err != nil {
		return err
	}
	larger.ETag, larger.Changed = ids.New(), s.deps.Clock.Now()
	before, err := arm.NewRow(now)
	if err != nil {
		return err
	}
	after, err := arm.NewRow(&larger)
	if err != nil {
		return err
	}
	shard, err := shardOf(now.ID)
	if err != nil {
		return err
	}
	if _, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		if err := arm.Settled(tx, now.ID); err != nil {
			return err
		}
		return after.Replace(tx, before)
	}); err != nil {
		return err
	}
	s.deps.Log.Info("database server grew", "server", now.ID, "storage_mb", mb)
	return nil
}
