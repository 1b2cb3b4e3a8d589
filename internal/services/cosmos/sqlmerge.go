package cosmos

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// storageInfo is what a partition key range holds, on the wire.
type storageInfo struct {
	ID string `json:"id"`
	KB uint64 `json:"storageInKB"`
}

// storageInfos is PhysicalPartitionStorageInfoCollection of the preview api-versions.
type storageInfos struct {
	All []storageInfo `json:"physicalPartitionStorageInfoCollection"`
}

// partitionMerge merges the partition key ranges of a container into as few as its throughput needs and their sizes allow, and answers what there are
// then; with isDryRun, what there would be. It returns when it is done.
func (s *Service) partitionMerge(ctx context.Context, c *arm.Call) (any, error) {
	account, err := s.needAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	st, err := decodeSettings(account.Properties)
	if err != nil {
		return nil, err
	}
	var dry bool
	if err := c.Body.Decode("isDryRun", &dry); err != nil {
		return nil, err
	}
	if !st.PartitionMerge {
		return nil, bad("Partitions of the account '%s' cannot be merged: its property enablePartitionMerge is not set.", account.Name)
	}
	if _, _, err := s.catalog.Container(ctx, account.GUID, c.ID.Names[1], c.ID.Names[2]); err != nil {
		return nil, err
	}
	if err := c.Commit(ctx, func(store.Tx) error { return nil }); err != nil {
		return nil, err
	}
	sizes, err := s.catalog.MergeAll(ctx, account.GUID, c.ID.Names[1], c.ID.Names[2], dry)
	if err != nil {
		return nil, moved(err)
	}
	out := storageInfos{All: []storageInfo{}}
	for _, r := range sizes {
		out.All = append(out.All, storageInfo{r.ID, r.Bytes >> 10})
	}
	return out, nil
}
