package web

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// moveSite takes a site's rows along, and its plan's id if that changes. A site and its plan are of one subscription, so that they enter another one together.
func (s *Service) moveSite(ctx context.Context, m *arm.Move) error {
	var p siteProperties
	if err := json.Unmarshal(m.Old.Properties, &p); err != nil {
		return err
	}
	moved, along := m.NewID(p.ServerFarmID)
	switch {
	case along:
		p.ServerFarmID = moved
	case m.Crosses():
		return m.Refuse("CannotMoveResourceDueToReference",
			"The site '%s' can't be moved to another subscription without its plan '%s': name both, and every other site of the plan, in one request.", m.Old.ID, p.ServerFarmID)
	}
	var err error
	if m.New.Properties, err = json.Marshal(p); err != nil {
		return err
	}
	guid := m.Old.GUID
	have, err := s.loadRows(ctx, m.From, guid)
	if err != nil {
		return err
	}
	for noun, old := range have {
		fresh := old
		switch noun {
		case nounSite:
			rec, err := siteCodec.Decode(old)
			if err != nil {
				return err
			}
			rec.ResourceID = m.New.ID
			if fresh, err = siteCodec.Encode(rec); err != nil {
				return err
			}
		case nounSettings, nounConnections, nounMetadata, nounPublishing:
			if !m.Crosses() {
				break
			}
			plain, err := s.deps.Sealer.Open(m.From, rowKey(guid, noun), old)
			if err != nil {
				return err
			}
			if fresh, err = s.deps.Sealer.Seal(m.To, rowKey(guid, noun), plain); err != nil {
				return err
			}
		}
		m.Row(rowKey(guid, noun), old, fresh)
	}
	return nil
}

// movePlan lets the plan's sites follow it. Within a subscription those that stay get the plan's new id; into another one all have to go along.
func (s *Service) movePlan(ctx context.Context, m *arm.Move) error {
	sites, err := s.sitesOf(ctx, m.From, m.Old.ID)
	if err != nil {
		return err
	}
	for _, site := range sites {
		if _, along := m.NewID(site.ID); along {
			continue
		}
		if m.Crosses() {
			return m.Refuse("CannotMoveResourceDueToReference",
				"The plan '%s' can't be moved to another subscription without its site '%s': name both in one request.", m.Old.ID, site.ID)
		}
		m.Follow(site.ID, func(r *arm.Resource) error {
			var p siteProperties
			if err := json.Unmarshal(r.Properties, &p); err != nil {
				return err
			}
			if strings.EqualFold(p.ServerFarmID, m.Old.ID) {
				p.ServerFarmID = m.New.ID
			}
			var err error
			r.Properties, err = json.Marshal(p)
			return err
		})
	}
	return nil
}
