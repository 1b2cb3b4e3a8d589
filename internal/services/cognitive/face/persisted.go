package face

import (
	"context"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// shownPersisted is a persisted face as it is told.
type shownPersisted struct {
	ID       string  `json:"persistedFaceId"`
	UserData *string `json:"userData,omitempty"`
}

// owner is whose faces the request is about: a person of a group, or a list itself.
func (s *Service) owner(ctx context.Context, c *api.Call, k *collection) (group, person string, err error) {
	if k.persons {
		group, person, _, err = s.loadPerson(ctx, c, k)
		return group, person, err
	}
	group, _, err = k.load(ctx, s, c)
	return group, noPerson, err
}

// addFace is POST of a face to a person or a list.
func (s *Service) addFace(ctx context.Context, c *api.Call, k *collection) (any, error) {
	userData := c.Query("userData")
	if len(userData) > 1<<10 {
		return nil, bad("userData is too long. It may have 1 KB.")
	}
	target, f := parseTarget(c.Query("targetFace"))
	if f != nil {
		return nil, f
	}
	if _, f = oneOf("detectionModel", c.Query("detectionModel"), detectionModels()); f != nil {
		return nil, f
	}
	groupID, personID, err := s.owner(ctx, c, k)
	if err != nil {
		return nil, err
	}
	raw, err := s.picture(ctx, c)
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	var embedding face.Embedding
	err = s.look(ctx, raw, func(e Engine, img *face.Image, faces []face.Face) error {
		one, err := choose(faces, target)
		if err == nil {
			embedding, err = e.Embed(img, one)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	id := ids.New()
	err = retry(func() error {
		return s.storeFace(ctx, c, k, groupID, personID, row[persisted]{
			key: k.faceKey(groupID, personID, id), v: persisted{UserData: userData, Embedding: vector(embedding)},
		})
	})
	if err != nil {
		return nil, err
	}
	return shownPersisted{ID: id}, nil
}

// storeFace writes a new face and counts it in its group.
func (s *Service) storeFace(ctx context.Context, c *api.Call, k *collection, groupID, personID string, r row[persisted]) error {
	shard := groupShard(c.Account)
	g, found, err := load(ctx, s, shard, k.key(groupID), groupCodec)
	if err == nil && !found {
		err = absent(k.noun, groupID)
	}
	if err != nil {
		return err
	}
	g.v.Seq++
	r.v.Seq = g.v.Seq
	w, err := sealed(s, shard, r, persistedCodec)
	if err != nil {
		return err
	}
	gw, err := sealed(s, shard, g, groupCodec)
	if err != nil {
		return err
	}
	most := k.most
	if k.persons {
		most = maxPersonFaces
	}
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		b, err := tx.Get(gw.key)
		if err != nil {
			return err
		}
		if string(b) != string(gw.old) {
			return errChanged
		}
		if k.persons {
			if b, err = tx.Get(k.personKey(groupID, personID)); err != nil || b == nil {
				if err != nil {
					return err
				}
				return absent("person", personID)
			}
		}
		if n, err := count(tx, string(k.faceKey(groupID, personID, "")), most); err != nil || n >= most {
			if err != nil {
				return err
			}
			return full("Persisted face number reached limit: %d.", most)
		}
		if err := write(tx, gw); err != nil {
			return err
		}
		return write(tx, w)
	})
	return err
}

// parseTarget reads "left,top,width,height"; nil for none.
func parseTarget(v string) (*face.Rectangle, *fault.Error) {
	if v == "" {
		return nil, nil
	}
	var n [4]int
	parts := strings.Split(v, ",")
	for i := range n {
		if len(parts) != len(n) {
			return nil, bad("targetFace is invalid. It must be left,top,width,height.")
		}
		var err error
		if n[i], err = strconv.Atoi(strings.TrimSpace(parts[i])); err != nil || n[i] < 0 || n[i] > 1<<20 {
			return nil, bad("targetFace is invalid. It must be left,top,width,height.")
		}
	}
	return &face.Rectangle{Left: n[0], Top: n[1], Width: n[2], Height: n[3]}, nil
}

// choose is the one face of a picture, or the one that a rectangle means: that which shares most with it, and at least a half.
func choose(faces []face.Face, target *face.Rectangle) (*face.Face, error) {
	switch {
	case len(faces) == 0:
		return nil, badImage("No face detected in the image.")
	case target == nil && len(faces) > 1:
		return nil, badImage("There is more than 1 face in the image: there are %d. Say by targetFace which is meant.", len(faces))
	case target == nil:
		return &faces[0], nil
	}
	var best *face.Face
	most := 0.5
	for i := range faces {
		if share := shared(faces[i].Rectangle, *target); share >= most {
			best, most = &faces[i], share
		}
	}
	if best == nil {
		return nil, bad("targetFace is invalid: there is no face in it.")
	}
	return best, nil
}

// shared is the area two rectangles have in common by the smaller one's.
func shared(a, b face.Rectangle) float64 {
	w := min(a.Left+a.Width, b.Left+b.Width) - max(a.Left, b.Left)
	h := min(a.Top+a.Height, b.Top+b.Height) - max(a.Top, b.Top)
	if w <= 0 || h <= 0 {
		return 0
	}
	return float64(w*h) / float64(min(a.Width*a.Height, b.Width*b.Height))
}

// loadFace reads the request's persisted face.
func (s *Service) loadFace(ctx context.Context, c *api.Call, k *collection) (id string, r row[persisted], err error) {
	group, person, err := s.owner(ctx, c, k)
	if err != nil {
		return "", r, err
	}
	id, ok := guid(c.Param("face"))
	if !ok {
		return "", r, bad("persistedFaceId is invalid.")
	}
	r, found, err := load(ctx, s, groupShard(c.Account), k.faceKey(group, person, id), persistedCodec)
	if err == nil && !found {
		err = absent("persistedFace", id)
	}
	return id, r, err
}

// getFace is GET of a persisted face.
func (s *Service) getFace(ctx context.Context, c *api.Call, k *collection) (any, error) {
	id, r, err := s.loadFace(ctx, c, k)
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return showFace(id, &r.v), nil
}

func showFace(id string, p *persisted) shownPersisted {
	out := shownPersisted{ID: id}
	if p.UserData != "" {
		out.UserData = &p.UserData
	}
	return out
}

// updateFace is PATCH of a persisted face's user data.
func (s *Service) updateFace(ctx context.Context, c *api.Call, k *collection) (any, error) {
	var body struct {
		UserData *string `json:"userData"`
	}
	if f := decode(c, &body); f != nil {
		return nil, f
	}
	if body.UserData != nil && len(*body.UserData) > 1<<10 {
		return nil, bad("userData is too long. It may have 1 KB.")
	}
	err := retry(func() error {
		_, r, err := s.loadFace(ctx, c, k)
		if err != nil {
			return err
		}
		if body.UserData != nil {
			r.v.UserData = *body.UserData
		}
		return change(ctx, s, groupShard(c.Account), r, persistedCodec)
	})
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return done()
}

// deleteFace is DELETE of a persisted face.
func (s *Service) deleteFace(ctx context.Context, c *api.Call, k *collection) (any, error) {
	err := retry(func() error {
		_, r, err := s.loadFace(ctx, c, k)
		if err != nil {
			return err
		}
		return s.commit(ctx, groupShard(c.Account), entry{key: r.key, old: r.raw})
	})
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return done()
}

// persistedFaces are those below a prefix of keys, behind start.
func (s *Service) persistedFaces(ctx context.Context, c *api.Call, prefix, start string, top int) ([]shownPersisted, error) {
	rows, err := list(ctx, s, groupShard(c.Account), after(prefix, start), top, persistedCodec)
	if err != nil {
		return nil, err
	}
	out := []shownPersisted{}
	for i := range rows {
		out = append(out, showFace(string(rows[i].key[len(prefix):]), &rows[i].v))
	}
	return out, nil
}

// listFaces is GET of a large list's faces.
func (s *Service) listFaces(ctx context.Context, c *api.Call, k *collection) (any, error) {
	group, _, err := k.load(ctx, s, c)
	if err != nil {
		return nil, err
	}
	start, top, f := page(c)
	if f != nil {
		return nil, f
	}
	c.Charge(1)
	return s.persistedFaces(ctx, c, string(k.faceKey(group, noPerson, "")), strings.ToLower(start), top)
}
