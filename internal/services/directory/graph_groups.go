package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphGroup is a group as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/group
type graphGroup struct {
	Type         string   `json:"@odata.type,omitempty"`
	ID           string   `json:"id"`
	Deleted      *string  `json:"deletedDateTime"`
	Created      string   `json:"createdDateTime"`
	Description  *string  `json:"description"`
	DisplayName  string   `json:"displayName"`
	GroupTypes   []string `json:"groupTypes"`
	Assignable   *bool    `json:"isAssignableToRole"`
	Mail         *string  `json:"mail"`
	MailEnabled  bool     `json:"mailEnabled"`
	MailNickname string   `json:"mailNickname"`
	Security     bool     `json:"securityEnabled"`
	Visibility   *string  `json:"visibility"`
}

func viewGroup(g *Group) graphGroup {
	return graphGroup{
		ID: g.ObjectID, Created: graphTime(g.Created), Description: nullable(g.Description), DisplayName: g.DisplayName, GroupTypes: []string{},
		MailNickname: g.MailNickname, Security: true,
	}
}

// values implements filterable.
func (g *Group) values(property string) (values []string, collection, ok bool) {
	one := func(v string) ([]string, bool, bool) { return []string{v}, false, true }
	switch property {
	case "id":
		return one(g.ObjectID)
	case "displayname":
		return one(g.DisplayName)
	case "description":
		return one(g.Description)
	case "mailnickname":
		return one(g.MailNickname)
	case "securityenabled":
		return one("true")
	case "mailenabled":
		return one("false")
	case "grouptypes":
		return nil, true, true
	}
	return nil, false, false
}

// graphGroupOf finds the group that the path names.
func (s *Service) graphGroupOf(ctx context.Context, r *wire.Request) (*Group, error) {
	_, id, err := pathKey(r)
	if err != nil {
		return nil, err
	}
	g, err := s.FindGroup(ctx, r.Principal.TenantID, id)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, notFound("group", id)
	}
	r.Resource = "group " + g.ObjectID
	return g, nil
}

func (s *Service) graphListGroups(ctx context.Context, r *wire.Request) (any, error) {
	return graphList(ctx, s, r, keyGroup, groupCodec, "groups", func(g *Group) (any, filterable) { return viewGroup(g), g })
}

func (s *Service) graphGetGroup(ctx context.Context, r *wire.Request) (any, error) {
	g, err := s.graphGroupOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return entityAnswer(r, "groups", viewGroup(g))
}

type graphGroupBody struct {
	DisplayName  optional[string] `json:"displayName"`
	Description  optional[string] `json:"description"`
	MailNickname optional[string] `json:"mailNickname"`
	MailEnabled  *bool            `json:"mailEnabled"`
	Security     *bool            `json:"securityEnabled"`
	Assignable   *bool            `json:"isAssignableToRole"`
	GroupTypes   []string         `json:"groupTypes"`
	Rule         string           `json:"membershipRule"`
	Owners       []string         `json:"owners@odata.bind"`
	Members      []string         `json:"members@odata.bind"`
}

// apply puts a body's properties into g and refuses groups that are not plain security groups.
func (in *graphGroupBody) apply(g *Group) error {
	switch {
	case len(in.GroupTypes) > 0 || in.Rule != "":
		return badRequest("groupTypes", "Only security groups with assigned members are supported: no 'Unified' groups and no dynamic membership.")
	case in.MailEnabled != nil && *in.MailEnabled:
		return badRequest("mailEnabled", "Mail-enabled groups are not supported: property 'mailEnabled' must be false.")
	case in.Security != nil && !*in.Security:
		return badRequest("securityEnabled", "Only security groups are supported: property 'securityEnabled' must be true.")
	case in.Assignable != nil && *in.Assignable:
		return badRequest("isAssignableToRole", "Directory roles are not supported: property 'isAssignableToRole' must be false.")
	}
	in.DisplayName.into(&g.DisplayName)
	in.Description.into(&g.Description)
	in.MailNickname.into(&g.MailNickname)
	return nil
}

func (s *Service) graphCreateGroup(ctx context.Context, r *wire.Request, in *graphGroupBody) (any, error) {
	if in.MailEnabled == nil || in.Security == nil {
		return nil, badRequest("mailEnabled", "A value is required for properties 'mailEnabled' and 'securityEnabled' of resource 'Group'.")
	}
	var g Group
	if err := in.apply(&g); err != nil {
		return nil, err
	}
	if u := graphClientOf(r).user; u != nil {
		g.Owners = []string{u.ObjectID}
	}
	for _, at := range in.Owners {
		id, err := (&refBody{at}).target()
		if err == nil {
			err = s.mayOwn(ctx, r.Principal.TenantID, id)
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(g.Owners, id) {
			g.Owners = append(g.Owners, id)
		}
	}
	var members []string
	for _, at := range in.Members {
		id, err := (&refBody{at}).target()
		if err != nil {
			return nil, err
		}
		if kind, err := s.kindOf(ctx, r.Principal.TenantID, id); err != nil {
			return nil, err
		} else if kind == "" || kind == KindApplication {
			return nil, notFound("member", id)
		}
		members = append(members, id)
	}
	made, err := s.CreateGroup(ctx, r.Principal.TenantID, g)
	if err != nil {
		return nil, err
	}
	r.Resource = "group " + made.ObjectID
	for _, id := range members {
		if err := s.AddMember(ctx, made.TenantID, made.ObjectID, id); err != nil {
			return nil, err
		}
	}
	out, err := entityAnswer(r, "groups", viewGroup(made))
	if err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

func (s *Service) graphPatchGroup(ctx context.Context, r *wire.Request, in *graphGroupBody) (any, error) {
	g, err := s.graphGroupOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(in.Owners) > 0 || len(in.Members) > 0 {
		return nil, badRequest("members@odata.bind", "Members and owners are added with POST to members/$ref and owners/$ref.")
	}
	_, err = s.ChangeGroup(ctx, g.TenantID, g.ObjectID, in.apply)
	return nil, err
}

func (s *Service) graphDeleteGroup(ctx context.Context, r *wire.Request) (any, error) {
	g, err := s.graphGroupOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return nil, s.softDelete(ctx, g.TenantID, KindGroup, g.ObjectID)
}

func (s *Service) graphListMembers(transitive bool) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		g, err := s.graphGroupOf(ctx, r)
		if err != nil {
			return nil, err
		}
		members, err := s.membersOf(ctx, g.TenantID, g.ObjectID, transitive)
		if err != nil {
			return nil, err
		}
		return s.objectPage(ctx, r, members)
	}
}

// membersOf are the ids of a group's members, with those of its groups' if transitive.
func (s *Service) membersOf(ctx context.Context, tenantID, groupID string, transitive bool) ([]string, error) {
	var out []string
	err := s.Store.View(ctx, tenantShard(tenantID), func(snap store.Snapshot) error {
		out = nil
		seen := map[string]bool{groupID: true}
		for next := []string{groupID}; len(next) > 0; {
			at := next[0]
			next = next[1:]
			if b, err := snap.Get([]byte(keyGroup + at)); err != nil {
				return err
			} else if b == nil {
				continue
			}
			prefix := memberKey(keyMember, at, "")
			err := snap.Scan(store.Prefix([]byte(prefix)), func(key, _ []byte) bool {
				if id := string(key[len(prefix):]); !seen[id] {
					seen[id] = true
					out = append(out, id)
					if transitive {
						next = append(next, id)
					}
				}
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return out, nil
}

func (s *Service) graphAddMember(ctx context.Context, r *wire.Request, in *refBody) (any, error) {
	g, err := s.graphGroupOf(ctx, r)
	if err != nil {
		return nil, err
	}
	id, err := in.target()
	if err != nil {
		return nil, err
	}
	return nil, s.AddMember(ctx, g.TenantID, g.ObjectID, id)
}

func (s *Service) graphRemoveMember(ctx context.Context, r *wire.Request) (any, error) {
	g, err := s.graphGroupOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return nil, s.RemoveMember(ctx, g.TenantID, g.ObjectID, strings.ToLower(r.Param("member")))
}
