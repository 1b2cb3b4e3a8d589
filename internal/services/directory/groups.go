package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// CreateGroup makes a security group; display name, description, mail nickname and owners are the caller's.
func (s *Service) CreateGroup(ctx context.Context, tenantID string, g Group) (*Group, error) {
	tenant, err := s.Tenants.Find(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if tenant == nil {
		return nil, fault.New(fault.NotFound, "TenantNotFound", "There is no tenant %.100q.", tenantID)
	}
	g.TenantID, g.ObjectID, g.Created = tenant.ID, ids.New(), s.Clock.Now()
	if err := g.validate(); err != nil {
		return nil, err
	}
	if err := s.commit(ctx, g.TenantID, change{putGroup: &g}); err != nil {
		return nil, err
	}
	return &g, nil
}

// validate checks what callers may choose. Several groups may have the same name.
func (g *Group) validate() error {
	switch {
	case strings.TrimSpace(g.DisplayName) == "" || len(g.DisplayName) > 256:
		return badRequest("displayName", "Property 'displayName' must have 1 to 256 characters.")
	case len(g.Description) > 1024:
		return badRequest("description", "Property 'description' must have at most 1024 characters.")
	case g.MailNickname == "" || len(g.MailNickname) > 64 || strings.IndexFunc(g.MailNickname, badInNickname) >= 0:
		return badRequest("mailNickname", "Property 'mailNickname' must have 1 to 64 ASCII characters, none of them a blank or one of @()\\[]\";:<>,.")
	}
	return nil
}

func badInNickname(c rune) bool {
	return c > unicode.MaxASCII || c <= ' ' || strings.ContainsRune(`@()\[]";:<>,`, c)
}

// FindGroup returns the group by object id, nil if the tenant has none. It is shared: read only.
func (s *Service) FindGroup(ctx context.Context, tenantID, objectID string) (*Group, error) {
	r, err := s.at(ctx, tenantID, keyGroup+strings.ToLower(objectID))
	return r.group, err
}

// ChangeGroup loads a group, lets fn change it, checks and stores it. fn may run again, on a later state.
func (s *Service) ChangeGroup(ctx context.Context, tenantID, objectID string, fn func(*Group) error) (*Group, error) {
	var changed Group
	err := retry(ctx, func() error {
		have, expect, err := readOne(ctx, s, tenantID, groupCodec, keyGroup, objectID)
		if err != nil {
			return err
		}
		if have == nil {
			return notFound("group", objectID)
		}
		changed = *have
		changed.Owners = slices.Clone(have.Owners)
		if err := fn(&changed); err != nil {
			return err
		}
		if err := changed.validate(); err != nil {
			return err
		}
		return s.commit(ctx, changed.TenantID, change{putGroup: &changed, expect: expect})
	})
	if err != nil {
		return nil, err
	}
	return &changed, nil
}

// AddMember makes an object of the tenant a member of the group.
func (s *Service) AddMember(ctx context.Context, tenantID, groupID, memberID string) error {
	tenantID, groupID, memberID = strings.ToLower(tenantID), strings.ToLower(groupID), strings.ToLower(memberID)
	kind, err := s.kindOf(ctx, tenantID, memberID)
	if err != nil {
		return err
	}
	if kind == "" || kind == KindApplication {
		return notFound("member", memberID)
	}
	if memberID == groupID {
		return badRequest("members", "A group cannot be a member of itself.")
	}
	value, err := memberCodec.Encode(kind)
	if err != nil {
		return fmt.Errorf("encode membership: %w", err)
	}
	member, group := []byte(memberKey(keyMember, groupID, memberID)), []byte(memberKey(keyMemberOf, memberID, groupID))
	_, err = s.Store.Update(ctx, tenantShard(tenantID), func(tx store.Tx) error {
		for _, key := range []string{keyGroup + groupID, objectKey(kind) + memberID} {
			b, err := tx.Get([]byte(key))
			if err != nil {
				return err
			}
			if b == nil {
				return notFound("group or member", key[len(keyGroup):])
			}
		}
		b, err := tx.Get(member)
		if err != nil {
			return err
		}
		if b != nil {
			return badRequest("members", "One or more added object references already exist for the following modified properties: 'members'.")
		}
		if err := tx.Put(member, value); err != nil {
			return err
		}
		return tx.Put(group, value)
	})
	if err != nil {
		return fmt.Errorf("add member to group %s: %w", clip(groupID), err)
	}
	return nil
}

// RemoveMember takes a member from a group; what it was granted through the group is refused from the next call on.
func (s *Service) RemoveMember(ctx context.Context, tenantID, groupID, memberID string) error {
	tenantID, groupID, memberID = strings.ToLower(tenantID), strings.ToLower(groupID), strings.ToLower(memberID)
	if !ids.IsGUID(groupID) || !ids.IsGUID(memberID) {
		return notFound("member", memberID)
	}
	member, group := []byte(memberKey(keyMember, groupID, memberID)), []byte(memberKey(keyMemberOf, memberID, groupID))
	_, err := s.Store.Update(ctx, tenantShard(tenantID), func(tx store.Tx) error {
		b, err := tx.Get(member)
		if err != nil {
			return err
		}
		if b == nil {
			return notFound("member", memberID)
		}
		if err := tx.Delete(member); err != nil {
			return err
		}
		return tx.Delete(group)
	})
	if err != nil {
		return fmt.Errorf("remove member of group %s: %w", clip(groupID), err)
	}
	return nil
}

func memberKey(prefix, a, b string) string { return prefix + a + "|" + b }

// GroupsOf returns the ids of the groups the object belongs to, through other groups too, as of the store's last commit. The slice is shared: read only.
func (s *Service) GroupsOf(ctx context.Context, tenantID, objectID string) ([]string, error) {
	if !ids.IsGUID(objectID) {
		return nil, nil
	}
	r, err := s.at(ctx, tenantID, keyMemberOf+strings.ToLower(objectID))
	return r.groups, err
}

// Standing tells whether the principal of a token is still there and may sign in, and the groups it is in now. The slice is shared: read only.
func (s *Service) Standing(ctx context.Context, p *authn.Principal) (groups []string, there bool, err error) {
	r, err := s.at(ctx, p.TenantID, keyStanding+strings.ToLower(p.ObjectID))
	if err != nil {
		return nil, false, err
	}
	if p.Kind == authn.User {
		there = r.user != nil && !r.user.Disabled
	} else {
		there = r.sp != nil && !r.sp.Disabled
	}
	return r.groups, there, nil
}

// loadGroups walks up from an object through the groups that are there. A circle of groups ends at what was seen.
func loadGroups(snap store.Snapshot, objectID string) ([]string, error) {
	var found []string
	seen := map[string]bool{objectID: true}
	for next := []string{objectID}; len(next) > 0; {
		var above []string
		for _, id := range next {
			prefix := memberKey(keyMemberOf, id, "")
			err := snap.Scan(store.Prefix([]byte(prefix)), func(key, _ []byte) bool {
				above = append(above, string(key[len(prefix):]))
				return true
			})
			if err != nil {
				return nil, err
			}
		}
		next = nil
		for _, id := range above {
			if seen[id] {
				continue
			}
			seen[id] = true
			b, err := snap.Get([]byte(keyGroup + id))
			if err != nil {
				return nil, err
			}
			if b != nil {
				found, next = append(found, id), append(next, id)
			}
		}
	}
	return found, nil
}

// Object says what an object id names.
type Object struct {
	TenantID string
	ObjectID string
	Kind     ObjectKind
}

// kindOf tells what an object id of the tenant names; "" for nothing.
func (s *Service) kindOf(ctx context.Context, tenantID, objectID string) (ObjectKind, error) {
	if !ids.IsGUID(objectID) {
		return "", nil
	}
	if sp, err := s.PrincipalByObjectID(ctx, tenantID, objectID); err != nil || sp != nil {
		return KindSP, err
	}
	for _, kind := range []ObjectKind{KindUser, KindGroup, KindApplication} {
		r, err := s.at(ctx, tenantID, objectKey(kind)+strings.ToLower(objectID))
		if err != nil {
			return "", err
		}
		if r.user != nil || r.group != nil || r.app != nil {
			return kind, nil
		}
	}
	return "", nil
}

// objectKey is the prefix of the rows of a kind.
func objectKey(kind ObjectKind) string {
	switch kind {
	case KindUser:
		return keyUser
	case KindGroup:
		return keyGroup
	case KindApplication:
		return keyApp
	}
	return keySP
}
