package face

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// collection is one of the four kinds of group and list.
type collection struct {
	tag     string // in keys
	noun    string // "personGroup"
	plural  string // in paths
	persons bool   // it has persons, who have the faces
	trained bool   // it is searched as of its last training
	most    int    // faces of a list, persons of a group
	groups  int    // how many an account may have
}

// maxPersonFaces is how many faces a person may have.
const maxPersonFaces = 248

func collections() []*collection {
	return []*collection{
		{tag: "p", noun: "personGroup", plural: "persongroups", persons: true, trained: true, most: 10_000, groups: 1_000_000},
		{tag: "P", noun: "largePersonGroup", plural: "largepersongroups", persons: true, trained: true, most: 1_000_000, groups: 1_000_000},
		{tag: "l", noun: "faceList", plural: "facelists", most: 1_000, groups: 64},
		{tag: "L", noun: "largeFaceList", plural: "largefacelists", trained: true, most: 1_000_000, groups: 1_000_000},
	}
}

// collectionOf is the one of a tag.
func collectionOf(tag string) *collection {
	for _, k := range collections() {
		if k.tag == tag {
			return k
		}
	}
	return nil
}

func (k *collection) key(id string) []byte { return []byte("g|" + k.tag + "|" + id) }

// personKey and faceKey of a list's face have "-" for the person.
func (k *collection) personKey(id, person string) []byte {
	return []byte("m|" + k.tag + "|" + id + "|" + person)
}

func (k *collection) faceKey(id, person, face string) []byte {
	return []byte("e|" + k.tag + "|" + id + "|" + person + "|" + face)
}

const noPerson = "-"

// validID tells whether an id is one of letters in lower case, digits, dashes and underscores, at most 64.
func validID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// groupID is the id of the request's group.
func (k *collection) groupID(c *api.Call) (string, *fault.Error) {
	id := c.Param("group")
	if !validID(id) {
		return "", bad("%sId is invalid. The valid characters are letters in lower case, digits, '-' and '_', at most 64 of them.", k.noun)
	}
	return id, nil
}

// load reads the request's group.
func (k *collection) load(ctx context.Context, s *Service, c *api.Call) (id string, r row[group], err error) {
	id, f := k.groupID(c)
	if f != nil {
		return "", r, f
	}
	r, found, err := load(ctx, s, groupShard(c.Account), k.key(id), groupCodec)
	if err == nil && !found {
		err = absent(k.noun, id)
	}
	return id, r, err
}

// named is the body of most writes. A nil field isn't there.
type named struct {
	Name     *string `json:"name"`
	UserData *string `json:"userData"`
	Model    string  `json:"recognitionModel"`
}

// check holds a body against the limits; need says that there must be a name.
func (n *named) check(need bool) *fault.Error {
	if n.Name != nil && (*n.Name == "" || utf8.RuneCountInString(*n.Name) > 128) || need && n.Name == nil {
		return bad("name is invalid. It must have 1 to 128 characters.")
	}
	if n.UserData != nil && len(*n.UserData) > 16<<10 {
		return bad("userData is too long. It may have 16 KB.")
	}
	return nil
}

// apply changes what is there.
func (n *named) apply(name, userData *string) {
	if n.Name != nil {
		*name = *n.Name
	}
	if n.UserData != nil {
		*userData = *n.UserData
	}
}

func parseNamed(c *api.Call, need bool) (n named, f *fault.Error) {
	if f := decode(c, &n); f != nil {
		return n, f
	}
	return n, n.check(need)
}

// createGroup is PUT of a group or list.
func (s *Service) createGroup(ctx context.Context, c *api.Call, k *collection) (any, error) {
	id, f := k.groupID(c)
	if f != nil {
		return nil, f
	}
	body, f := parseNamed(c, true)
	if f != nil {
		return nil, f
	}
	r := row[group]{key: k.key(id)}
	if r.v.Model, f = oneOf("recognitionModel", body.Model, recognitionModels()); f != nil {
		return nil, f
	}
	body.apply(&r.v.Name, &r.v.UserData)
	shard := groupShard(c.Account)
	w, err := sealed(s, shard, r, groupCodec)
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		if b, err := tx.Get(w.key); err != nil || b != nil {
			if err != nil {
				return err
			}
			return exists(k.noun, id)
		}
		if n, err := count(tx, "g|"+k.tag+"|", k.groups); err != nil || n >= k.groups {
			if err != nil {
				return err
			}
			return full("There may be %d %s.", k.groups, strings.ToLower(spaced(k.noun))+"s")
		}
		return tx.Put(w.key, w.value)
	})
	if err != nil {
		return nil, err
	}
	return done()
}

// count counts the keys with a prefix, up to a limit.
func count(sn store.Snapshot, prefix string, limit int) (int, error) {
	n := 0
	err := sn.Scan(store.Prefix([]byte(prefix)), func(_, _ []byte) bool { n++; return n < limit })
	return n, err
}

// shownGroup is a group or list as it is told.
type shownGroup struct {
	PersonGroup      string  `json:"personGroupId,omitempty"`
	LargePersonGroup string  `json:"largePersonGroupId,omitempty"`
	FaceList         string  `json:"faceListId,omitempty"`
	LargeFaceList    string  `json:"largeFaceListId,omitempty"`
	Name             string  `json:"name"`
	UserData         *string `json:"userData,omitempty"`
	Model            string  `json:"recognitionModel,omitempty"`
	// Faces are those of a face list, told when it is got by its id.
	Faces *[]shownPersisted `json:"persistedFaces,omitempty"`
}

func (k *collection) show(id string, g *group, tellModel bool) shownGroup {
	out := shownGroup{Name: g.Name}
	*map[string]*string{"p": &out.PersonGroup, "P": &out.LargePersonGroup, "l": &out.FaceList, "L": &out.LargeFaceList}[k.tag] = id
	if g.UserData != "" {
		out.UserData = &g.UserData
	}
	if tellModel {
		out.Model = g.Model
	}
	return out
}

// tellModel is the query parameter returnRecognitionModel.
func tellModel(c *api.Call) bool { return strings.EqualFold(c.Query("returnRecognitionModel"), "true") }

// page is the query parameters start and top.
func page(c *api.Call) (start string, top int, f *fault.Error) {
	start, top = c.Query("start"), 1000
	if len(start) > 64 {
		return "", 0, bad("start is invalid. It may have 64 characters.")
	}
	if v := c.Query("top"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 1000 {
			return "", 0, bad("top is invalid. Valid range is from 1 to 1000.")
		}
		top = n
	}
	return start, top, nil
}

// after is the range of the keys with a prefix behind start.
func after(prefix, start string) store.Range {
	r := store.Prefix([]byte(prefix))
	if start != "" {
		r.Start = []byte(prefix + start + "\x00")
	}
	return r
}

// listGroups is GET of all groups or lists; start is the id behind which it begins.
func (s *Service) listGroups(ctx context.Context, c *api.Call, k *collection) (any, error) {
	start, top, f := page(c)
	if f != nil {
		return nil, f
	}
	prefix := "g|" + k.tag + "|"
	rows, err := list(ctx, s, groupShard(c.Account), after(prefix, start), top, groupCodec)
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	out := []shownGroup{}
	for i := range rows {
		out = append(out, k.show(string(rows[i].key[len(prefix):]), &rows[i].v, tellModel(c)))
	}
	return out, nil
}

// getGroup is GET of a group or list.
func (s *Service) getGroup(ctx context.Context, c *api.Call, k *collection) (any, error) {
	id, r, err := k.load(ctx, s, c)
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	out := k.show(id, &r.v, tellModel(c))
	if !k.persons && !k.trained {
		faces, err := s.persistedFaces(ctx, c, string(k.faceKey(id, noPerson, "")), "", 0)
		if err != nil {
			return nil, err
		}
		out.Faces = &faces
	}
	return out, nil
}

// updateGroup is PATCH of a group or list.
func (s *Service) updateGroup(ctx context.Context, c *api.Call, k *collection) (any, error) {
	body, f := parseNamed(c, false)
	if f != nil {
		return nil, f
	}
	err := retry(func() error {
		_, r, err := k.load(ctx, s, c)
		if err != nil {
			return err
		}
		body.apply(&r.v.Name, &r.v.UserData)
		return change(ctx, s, groupShard(c.Account), r, groupCodec)
	})
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return done()
}

// change writes a record that is still what was read.
func change[T any](ctx context.Context, s *Service, shard string, r row[T], codec store.Codec[T]) error {
	w, err := sealed(s, shard, r, codec)
	if err != nil {
		return err
	}
	return s.commit(ctx, shard, w)
}

// commit writes all entries, if each key still holds what was read.
func (s *Service) commit(ctx context.Context, shard string, entries ...entry) error {
	_, err := s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		for _, w := range entries {
			b, err := tx.Get(w.key)
			if err != nil {
				return err
			}
			if string(b) != string(w.old) || (b == nil) != (w.old == nil) {
				return errChanged
			}
		}
		for _, w := range entries {
			if err := write(tx, w); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func write(tx store.Tx, w entry) error {
	if w.value == nil {
		return tx.Delete(w.key)
	}
	return tx.Put(w.key, w.value)
}

// deleteGroup is DELETE of a group or list with all that is in it.
func (s *Service) deleteGroup(ctx context.Context, c *api.Call, k *collection) (any, error) {
	id, f := k.groupID(c)
	if f != nil {
		return nil, f
	}
	_, err := s.deps.Store.Update(ctx, groupShard(c.Account), func(tx store.Tx) error {
		b, err := tx.Get(k.key(id))
		if err == nil && b == nil {
			err = absent(k.noun, id)
		}
		if err != nil {
			return err
		}
		for _, prefix := range [][]byte{k.personKey(id, ""), []byte("e|" + k.tag + "|" + id + "|")} {
			r := store.Prefix(prefix)
			if err := tx.DeleteRange(r.Start, r.End); err != nil {
				return err
			}
		}
		return tx.Delete(k.key(id))
	})
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return done()
}

// train is POST of a training, which is over when it is answered: a search looks at the faces themselves, so that all there is to do is to say up to which.
func (s *Service) train(ctx context.Context, c *api.Call, k *collection) (any, error) {
	shard := groupShard(c.Account)
	err := retry(func() error {
		id, r, err := k.load(ctx, s, c)
		if err != nil {
			return err
		}
		any := false
		if err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
			n, err := count(sn, "e|"+k.tag+"|"+id+"|", 1)
			any = n > 0
			return err
		}); err != nil {
			return err
		}
		now := s.deps.Clock.Now()
		next := training{Seq: r.v.Seq, At: now, Good: &now, Usable: true}
		if !any {
			next = training{At: now, Failure: "There is no face in the " + strings.ToLower(spaced(k.noun)) + "."}
			if last := r.v.Training; last != nil && last.Usable {
				next.Seq, next.Good, next.Usable = last.Seq, last.Good, true
			}
		}
		r.v.Training = &next
		return change(ctx, s, shard, r, groupCodec)
	})
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	return wire.Reply{Status: http.StatusAccepted}, nil
}

type shownTraining struct {
	Status  string     `json:"status"`
	Created time.Time  `json:"createdDateTime"`
	Last    time.Time  `json:"lastActionDateTime"`
	Good    *time.Time `json:"lastSuccessfulTrainingDateTime"`
	Message *string    `json:"message"`
}

// trainingStatus is GET of the last training.
func (s *Service) trainingStatus(ctx context.Context, c *api.Call, k *collection) (any, error) {
	id, r, err := k.load(ctx, s, c)
	if err != nil {
		return nil, err
	}
	t := r.v.Training
	if t == nil {
		return nil, fault.New(fault.NotFound, capital(k.noun)+"NotTrained", "%s '%s' was never trained.", spaced(k.noun), id)
	}
	c.Charge(1)
	out := shownTraining{Status: "succeeded", Created: t.At.UTC(), Last: t.At.UTC(), Good: t.Good}
	if t.Failure != "" {
		out.Status, out.Message = "failed", &t.Failure
	}
	return out, nil
}
