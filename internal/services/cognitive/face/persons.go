package face

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// shownPerson is a person as it is told.
type shownPerson struct {
	ID       string   `json:"personId"`
	Faces    []string `json:"persistedFaceIds"`
	Name     string   `json:"name"`
	UserData *string  `json:"userData,omitempty"`
}

type shownPersonID struct {
	ID string `json:"personId"`
}

// createPerson is POST of a person.
func (s *Service) createPerson(ctx context.Context, c *api.Call, k *collection) (any, error) {
	group, f := k.groupID(c)
	if f != nil {
		return nil, f
	}
	body, f := parseNamed(c, true)
	if f != nil {
		return nil, f
	}
	id, shard := ids.New(), groupShard(c.Account)
	r := row[person]{key: k.personKey(group, id)}
	body.apply(&r.v.Name, &r.v.UserData)
	w, err := sealed(s, shard, r, personCodec)
	if err != nil {
		return nil, err
	}
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		b, err := tx.Get(k.key(group))
		if err == nil && b == nil {
			err = absent(k.noun, group)
		}
		if err != nil {
			return err
		}
		if n, err := count(tx, string(k.personKey(group, "")), k.most); err != nil || n >= k.most {
			if err != nil {
				return err
			}
			return full("Person number reached group limit: a %s may have %d.", strings.ToLower(spaced(k.noun)), k.most)
		}
		return tx.Put(w.key, w.value)
	})
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return shownPersonID{id}, nil
}

// personID is the id of the request's person, and of its group.
func (k *collection) personID(c *api.Call) (group, person string, f *fault.Error) {
	if group, f = k.groupID(c); f != nil {
		return "", "", f
	}
	person, ok := guid(c.Param("person"))
	if !ok {
		return "", "", bad("personId is invalid.")
	}
	return group, person, nil
}

// loadPerson reads the request's person.
func (s *Service) loadPerson(ctx context.Context, c *api.Call, k *collection) (group, id string, r row[person], err error) {
	group, id, f := k.personID(c)
	if f != nil {
		return "", "", r, f
	}
	r, found, err := load(ctx, s, groupShard(c.Account), k.personKey(group, id), personCodec)
	if err != nil || found {
		return group, id, r, err
	}
	if _, found, err = load(ctx, s, groupShard(c.Account), k.key(group), groupCodec); err == nil && !found {
		err = absent(k.noun, group)
	}
	if err == nil {
		err = absent("person", id)
	}
	return "", "", r, err
}

// faceIDs are the persisted faces below a prefix of keys, by person.
func (s *Service) faceIDs(ctx context.Context, c *api.Call, prefix string) (map[string][]string, error) {
	out := map[string][]string{}
	err := s.deps.Store.View(ctx, groupShard(c.Account), func(sn store.Snapshot) error {
		clear(out)
		return sn.Scan(store.Prefix([]byte(prefix)), func(key, _ []byte) bool {
			parts := strings.Split(string(key), "|")
			out[parts[3]] = append(out[parts[3]], parts[4])
			return true
		})
	})
	return out, err
}

func showPerson(id string, p *person, faces []string) shownPerson {
	out := shownPerson{ID: id, Faces: faces, Name: p.Name}
	if faces == nil {
		out.Faces = []string{}
	}
	if p.UserData != "" {
		out.UserData = &p.UserData
	}
	return out
}

// getPerson is GET of a person.
func (s *Service) getPerson(ctx context.Context, c *api.Call, k *collection) (any, error) {
	group, id, r, err := s.loadPerson(ctx, c, k)
	if err != nil {
		return nil, err
	}
	faces, err := s.faceIDs(ctx, c, string(k.faceKey(group, id, "")))
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return showPerson(id, &r.v, faces[id]), nil
}

// listPersons is GET of a group's persons; start is the id behind which it begins.
func (s *Service) listPersons(ctx context.Context, c *api.Call, k *collection) (any, error) {
	group, _, err := k.load(ctx, s, c)
	if err != nil {
		return nil, err
	}
	start, top, f := page(c)
	if f != nil {
		return nil, f
	}
	prefix := string(k.personKey(group, ""))
	rows, err := list(ctx, s, groupShard(c.Account), after(prefix, strings.ToLower(start)), top, personCodec)
	if err != nil {
		return nil, err
	}
	faces, err := s.faceIDs(ctx, c, "e|"+k.tag+"|"+group+"|")
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	out := []shownPerson{}
	for i := range rows {
		id := string(rows[i].key[len(prefix):])
		out = append(out, showPerson(id, &rows[i].v, faces[id]))
	}
	return out, nil
}

// updatePerson is PATCH of a person.
func (s *Service) updatePerson(ctx context.Context, c *api.Call, k *collection) (any, error) {
	body, f := parseNamed(c, false)
	if f != nil {
		return nil, f
	}
	err := retry(func() error {
		_, _, r, err := s.loadPerson(ctx, c, k)
		if err != nil {
			return err
		}
		body.apply(&r.v.Name, &r.v.UserData)
		return change(ctx, s, groupShard(c.Account), r, personCodec)
	})
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return done()
}

// deletePerson is DELETE of a person with its faces.
func (s *Service) deletePerson(ctx context.Context, c *api.Call, k *collection) (any, error) {
	group, id, _, err := s.loadPerson(ctx, c, k)
	if err != nil {
		return nil, err
	}
	_, err = s.deps.Store.Update(ctx, groupShard(c.Account), func(tx store.Tx) error {
		r := store.Prefix(k.faceKey(group, id, ""))
		if err := tx.DeleteRange(r.Start, r.End); err != nil {
			return err
		}
		return tx.Delete(k.personKey(group, id))
	})
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return done()
}
