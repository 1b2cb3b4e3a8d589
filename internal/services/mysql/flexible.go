package mysql

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const flexibleTypeName = namespace + "/flexibleServers"

// flexibleType shows the servers as flexible ones, to read.
func (s *Service) flexibleType() arm.Type {
	return arm.Type{
		Name: flexibleTypeName, Versions: []string{"2021-05-01", "2021-12-01-preview", "2022-01-01", "2023-06-30", "2023-12-30"},
		Get: s.getFlexible, List: s.listFlexible, Render: s.renderFlexible, Put: onlyRead, Delete: onlyRead,
	}
}

func onlyRead(context.Context, *arm.Call) error {
	return fault.New(fault.NotImplemented, "NotImplemented", "Flexible servers are a view of the single servers, to read: make, change and delete those (%s).", serverTypeName)
}

func (s *Service) getFlexible(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	id := c.ID
	id.Types = []string{"servers"}
	r, _, err := s.deps.Resources.Resource(ctx, id.String())
	if err != nil || r == nil {
		return nil, err
	}
	return asFlexible(r)
}

func (s *Service) listFlexible(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	shard, err := shardOf(c.ID.String())
	if err != nil {
		return nil, err
	}
	var rows []serverRecord
	var failed error
	err = s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		rows, failed = nil, nil
		return sn.Scan(store.Prefix([]byte(rowPrefix)), func(k, v []byte) bool {
			if !strings.HasSuffix(string(k), "|"+nounServer) {
				return true
			}
			var r serverRecord
			r, failed = serverCodec.Decode(v)
			rows = append(rows, r)
			return failed == nil
		})
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	var out []*arm.Resource
	for _, row := range rows {
		r, _, err := s.deps.Resources.Resource(ctx, row.ResourceID)
		if err != nil {
			return nil, err
		}
		if r == nil || c.ID.ResourceGroup != "" && !strings.Contains(strings.ToLower(r.ID), "/resourcegroups/"+strings.ToLower(c.ID.ResourceGroup)+"/") {
			continue
		}
		f, err := asFlexible(r)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// asFlexible is a server under its other type.
func asFlexible(r *arm.Resource) (*arm.Resource, error) {
	f := *r
	f.ID = strings.Replace(r.ID, serverTypeName, flexibleTypeName, 1)
	f.Type = flexibleTypeName
	s, err := skuOf(r)
	if err != nil {
		return nil, err
	}
	tier, size := "Burstable", "Standard_B1ms"
	switch {
	case s.Tier == "Basic" && s.Capacity > 1:
		size = "Standard_B2s"
	case s.Tier == "GeneralPurpose":
		tier, size = s.Tier, "Standard_D"+strconv.Itoa(s.Capacity)+"ds_v4"
	case s.Tier == "MemoryOptimized":
		tier, size = s.Tier, "Standard_E"+strconv.Itoa(s.Capacity)+"ds_v4"
	}
	f.SKU, err = json.Marshal(map[string]string{"name": size, "tier": tier})
	return &f, err
}

// flexibleStorage and the rest are a server's properties in the words of flexible servers.
type flexibleStorage struct {
	SizeGB   int    `json:"storageSizeGB"`
	IOPS     int    `json:"iops,omitempty"`
	AutoGrow string `json:"autoGrow"`
}

type flexibleBackup struct {
	RetentionDays int    `json:"backupRetentionDays"`
	Geo           string `json:"geoRedundantBackup"`
}

type flexibleProperties struct {
	Login   string            `json:"administratorLogin"`
	Version string            `json:"version"`
	State   string            `json:"state"`
	Domain  string            `json:"fullyQualifiedDomainName"`
	Storage flexibleStorage   `json:"storage"`
	Backup  flexibleBackup    `json:"backup"`
	Network map[string]string `json:"network"`
	High    map[string]string `json:"highAvailability"`
}

func (s *Service) renderFlexible(_ context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	p, err := propertiesOf(r)
	if err != nil {
		return nil, err
	}
	state := "Ready"
	if st := s.host.status(r.GUID); st.visible() != stateReady {
		state = "Disabled"
	}
	domain, _, _ := strings.Cut(c.Hosts.Authority(c.Host, wire.HostMySQL, r.Name), ":")
	return json.Marshal(flexibleProperties{
		p.AdministratorLogin, p.Version, state, domain,
		flexibleStorage{p.StorageProfile.StorageMB / gigabyte, 0, p.StorageProfile.StorageAutogrow},
		flexibleBackup{p.StorageProfile.BackupRetentionDays, p.StorageProfile.GeoRedundantBackup},
		map[string]string{"publicNetworkAccess": p.PublicAccess},
		map[string]string{"mode": disabled, "state": "NotEnabled"},
	})
}
