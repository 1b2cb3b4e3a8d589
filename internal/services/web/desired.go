package web

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// desired is all of a site's configuration at one moment, secrets in clear; it lives in memory only.
type desired struct {
	site        *arm.Resource
	tenant      string
	stopped     bool
	httpsOnly   bool
	references  string // keyVaultReferenceIdentity
	config      webConfig
	settings    map[string]string
	connections map[string]connection
	deployed    deployment
	access      accessRules
	scmAccess   accessRules
}

// String keeps the secrets out of logs.
func (d *desired) String() string { return "configuration of " + d.site.ID }

// reader is the identity that the references are resolved as.
func (d *desired) reader() reader {
	return reader{site: d.site, tenant: d.tenant, identity: d.references}
}

// load reads a site's configuration; nil if the site does not exist.
func (s *Service) load(ctx context.Context, resourceID string) (*desired, error) {
	site, tenant, err := s.deps.Resources.Resource(ctx, resourceID)
	if err != nil || site == nil {
		return nil, err
	}
	shard, err := shardOf(site.ID)
	if err != nil {
		return nil, err
	}
	have, err := s.loadRows(ctx, shard, site.GUID)
	if err != nil {
		return nil, err
	}
	if have[nounSite] == nil { // moved to another subscription, or deleted, since the first look
		return nil, nil
	}
	var p siteProperties
	if err := json.Unmarshal(site.Properties, &p); err != nil {
		return nil, err
	}
	d := &desired{site: site, tenant: tenant, httpsOnly: p.HTTPSOnly, references: p.KeyVaultReferenceIdentity}
	rec, err := decodeRow(siteCodec, have, nounSite)
	if err != nil {
		return nil, err
	}
	d.stopped = rec.Stopped || !p.Enabled
	if d.config, err = decodeRow(configCodec, have, nounConfig); err != nil {
		return nil, err
	}
	if d.deployed, err = decodeRow(packageCodec, have, nounPackage); err != nil {
		return nil, err
	}
	if d.settings, err = openRow(s, stringsCodec, shard, site.GUID, have, nounSettings); err != nil {
		return nil, err
	}
	if d.connections, err = openRow(s, connectionCodec, shard, site.GUID, have, nounConnections); err != nil {
		return nil, err
	}
	if d.access, err = d.config.restrictions(false); err != nil {
		return nil, err
	}
	d.scmAccess, err = d.config.restrictions(true)
	d.access.locate(site.Location)
	d.scmAccess.locate(site.Location)
	return d, err
}

func connectionValues(conns map[string]connection) map[string]string {
	out := map[string]string{}
	for name, c := range conns {
		out[name] = c.Value
	}
	return out
}

// sites lists the sites of all subscriptions, as guid -> ARM id.
func (s *Service) allSites(ctx context.Context) (sites, packages map[string]string, err error) {
	sites, packages = map[string]string{}, map[string]string{}
	err = store.EachShard(ctx, s.deps.Store, "sub/", func(shard string) error { return s.sitesIn(ctx, shard, sites, packages) })
	if err != nil {
		return nil, nil, err
	}
	return sites, packages, nil
}

// sitesIn adds the sites of one shard, and the hashes of their packages.
func (s *Service) sitesIn(ctx context.Context, shard string, sites, packages map[string]string) error {
	found := map[string][]byte{}
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		clear(found)
		return sn.Scan(store.Prefix([]byte(rowPrefix)), func(k, v []byte) bool {
			guid, noun, _ := strings.Cut(strings.TrimPrefix(string(k), rowPrefix), "|")
			if noun == nounSite || noun == nounPackage {
				found[guid+"|"+noun] = slices.Clone(v)
			}
			return true
		})
	})
	if err != nil {
		return err
	}
	for key, b := range found {
		guid, noun, _ := strings.Cut(key, "|")
		if noun == nounPackage {
			d, err := packageCodec.Decode(b)
			if err != nil {
				return err
			}
			packages[guid] = d.Hash
			continue
		}
		rec, err := siteCodec.Decode(b)
		if err != nil {
			return err
		}
		if other, ok := sites[guid]; ok && other != rec.ResourceID { // on its way from one subscription to another
			if rec.ResourceID, err = s.standing(ctx, guid, rec.ResourceID); err != nil {
				return err
			}
		}
		sites[guid] = rec.ResourceID
	}
	return nil
}

// standing is the id a site's host name stands for, which of two is the one that its process should have.
func (s *Service) standing(ctx context.Context, guid, id string) (string, error) {
	e, err := s.deps.Names.Lookup(ctx, wire.HostSite, strings.ToLower(id[strings.LastIndexByte(id, '/')+1:]))
	if err == nil && e != nil && e.GUID == guid {
		id = e.ResourceID
	}
	return id, err
}
