package face

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// member is a persisted face in memory.
type member struct {
	person, face string
	seq          uint64
	embedding    face.Embedding
}

// embeddings keeps the faces of the groups searched last, for as long as their shard has not moved.
type embeddings struct {
	mu   sync.Mutex
	kept map[string]keptMembers // by shard and prefix of keys
}

type keptMembers struct {
	lsn     store.LSN
	members []member
}

// keptGroups bounds the groups in memory.
const keptGroups = 32

// members are all faces of a group or list.
func (s *Service) members(ctx context.Context, shard, prefix string) ([]member, error) {
	id := shard + "\x00" + prefix
	var lsn store.LSN
	var rows []row[persisted]
	s.seen.mu.Lock()
	had, ok := s.seen.kept[id]
	s.seen.mu.Unlock()
	same := false
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		rows, lsn = rows[:0], sn.LSN()
		if same = ok && had.lsn == lsn; same {
			return nil
		}
		return sn.Scan(store.Prefix([]byte(prefix)), func(key, value []byte) bool {
			rows = append(rows, row[persisted]{key: append([]byte(nil), key...), raw: append([]byte(nil), value...)})
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	if same {
		return had.members, nil
	}
	members := make([]member, 0, len(rows))
	for _, r := range rows {
		p, err := unseal(s, shard, r.key, r.raw, persistedCodec)
		if err != nil {
			return nil, err
		}
		parts := strings.Split(string(r.key), "|")
		members = append(members, member{person: parts[3], face: parts[4], seq: p.Seq, embedding: face.Embedding(p.Embedding)})
	}
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	if s.seen.kept == nil || len(s.seen.kept) >= keptGroups {
		s.seen.kept = map[string]keptMembers{}
	}
	s.seen.kept[id] = keptMembers{lsn, members}
	return members, nil
}

// searched are the faces a search in a group or list looks at, and the model they were computed for.
func (s *Service) searched(ctx context.Context, c *api.Call, k *collection, id string) ([]member, string, error) {
	if !validID(id) {
		return nil, "", bad("%sId is invalid.", k.noun)
	}
	shard := groupShard(c.Account)
	g, found, err := load(ctx, s, shard, k.key(id), groupCodec)
	if err != nil {
		return nil, "", err
	}
	if !found {
		return nil, "", absent(k.noun, id)
	}
	last := g.v.Seq
	if k.trained {
		if g.v.Training == nil || !g.v.Training.Usable {
			return nil, "", untrained(k.noun, id)
		}
		last = g.v.Training.Seq
	}
	all, err := s.members(ctx, shard, "e|"+k.tag+"|"+id+"|")
	if err != nil {
		return nil, "", err
	}
	var out []member
	for _, m := range all {
		if m.seq <= last {
			out = append(out, m)
		}
	}
	return out, g.v.Model, nil
}

// unlike is the error of faces that were computed for different models.
func unlike(a, b string) *fault.Error {
	return bad("The recognition models %s and %s are incompatible: faces of different models can't be compared.", a, b)
}

type shownVerdict struct {
	Identical  bool    `json:"isIdentical"`
	Confidence decimal `json:"confidence"`
}

func verdict(confidence float64) shownVerdict {
	return shownVerdict{Identical: confidence >= 0.5, Confidence: decimal(confidence)}
}

// verify is POST /verify, of two faces or of a face and a person.
func (s *Service) verify(ctx context.Context, c *api.Call) (any, error) {
	var body struct {
		Face1       string `json:"faceId1"`
		Face2       string `json:"faceId2"`
		Face        string `json:"faceId"`
		Person      string `json:"personId"`
		PersonGroup string `json:"personGroupId"`
		LargeGroup  string `json:"largePersonGroupId"`
	}
	if f := decode(c, &body); f != nil {
		return nil, f
	}
	c.Charge(1)
	if body.Person == "" && body.Face == "" {
		a, err := s.detectedFace(ctx, c, "faceId1", body.Face1)
		if err != nil {
			return nil, err
		}
		b, err := s.detectedFace(ctx, c, "faceId2", body.Face2)
		if err != nil {
			return nil, err
		}
		if a.Model != b.Model {
			return nil, unlike(a.Model, b.Model)
		}
		return verdict(face.Embedding(a.Embedding).Confidence(face.Embedding(b.Embedding))), nil
	}
	a, err := s.detectedFace(ctx, c, "faceId", body.Face)
	if err != nil {
		return nil, err
	}
	k, id, f := pick("personGroupId", body.PersonGroup, "p", "largePersonGroupId", body.LargeGroup, "P")
	if f != nil {
		return nil, f
	}
	personID, ok := guid(body.Person)
	if !ok {
		return nil, bad("personId is invalid.")
	}
	return s.verifyPerson(ctx, c, k, a, id, personID)
}

// verifyPerson compares a face with a person as it is now: no training is needed for that.
func (s *Service) verifyPerson(ctx context.Context, c *api.Call, k *collection, a *detected, id, personID string) (any, error) {
	if !validID(id) {
		return nil, bad("%sId is invalid.", k.noun)
	}
	shard := groupShard(c.Account)
	g, found, err := load(ctx, s, shard, k.key(id), groupCodec)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, absent(k.noun, id)
	}
	if _, found, err = load(ctx, s, shard, k.personKey(id, personID), personCodec); err != nil {
		return nil, err
	}
	if !found {
		return nil, absent("person", personID)
	}
	if g.v.Model != a.Model {
		return nil, unlike(a.Model, g.v.Model)
	}
	members, err := s.members(ctx, shard, string(k.faceKey(id, personID, "")))
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, fault.New(fault.Invalid, "PersonHasNoPersistedFace", "Person %s has no persisted face.", personID)
	}
	best := 0.0
	for _, m := range members {
		best = max(best, m.embedding.Confidence(face.Embedding(a.Embedding)))
	}
	return verdict(best), nil
}

// pick is the one of two ids that is given, and the kind of group it is of.
func pick(name1, id1, tag1, name2, id2, tag2 string) (*collection, string, *fault.Error) {
	switch {
	case id1 != "" && id2 != "":
		return nil, "", bad("%s and %s can't be given both.", name1, name2)
	case id1 != "":
		return collectionOf(tag1), id1, nil
	case id2 != "":
		return collectionOf(tag2), id2, nil
	}
	return nil, "", bad("One of %s and %s is needed.", name1, name2)
}

type (
	shownIdentified struct {
		FaceID     string           `json:"faceId"`
		Candidates []shownCandidate `json:"candidates"`
	}
	shownCandidate struct {
		Person     string  `json:"personId"`
		Confidence decimal `json:"confidence"`
	}
)

// identify is POST /identify.
func (s *Service) identify(ctx context.Context, c *api.Call) (any, error) {
	var body struct {
		Faces       []string `json:"faceIds"`
		PersonGroup string   `json:"personGroupId"`
		LargeGroup  string   `json:"largePersonGroupId"`
		Most        *int     `json:"maxNumOfCandidatesReturned"`
		Threshold   *float64 `json:"confidenceThreshold"`
	}
	if f := decode(c, &body); f != nil {
		return nil, f
	}
	if len(body.Faces) < 1 || len(body.Faces) > 10 {
		return nil, bad("The faceIds field is invalid. It must have 1 to 10 faceIds.")
	}
	most, threshold := 1, 0.5
	if body.Most != nil {
		most = *body.Most
	}
	if body.Threshold != nil {
		threshold = *body.Threshold
	}
	if most < 1 || most > 5 {
		return nil, bad("maxNumOfCandidatesReturned is invalid. Valid range is from 1 to 5.")
	}
	if threshold < 0 || threshold > 1 {
		return nil, bad("confidenceThreshold is invalid. Valid range is from 0 to 1.")
	}
	k, id, f := pick("personGroupId", body.PersonGroup, "p", "largePersonGroupId", body.LargeGroup, "P")
	if f != nil {
		return nil, f
	}
	members, model, err := s.searched(ctx, c, k, id)
	if err != nil {
		return nil, err
	}
	out := []shownIdentified{}
	for _, faceID := range body.Faces {
		d, err := s.detectedFace(ctx, c, "faceIds", faceID)
		if err != nil {
			return nil, err
		}
		if d.Model != model {
			return nil, unlike(d.Model, model)
		}
		out = append(out, shownIdentified{FaceID: faceID, Candidates: candidates(members, face.Embedding(d.Embedding), most, threshold)})
	}
	c.Charge(len(body.Faces))
	return out, nil
}

// candidates are the persons a face may be, by the likeliest of each one's faces.
func candidates(members []member, e face.Embedding, most int, threshold float64) []shownCandidate {
	best := map[string]float64{}
	for _, m := range members {
		if v := m.embedding.Confidence(e); v >= threshold {
			best[m.person] = max(best[m.person], v)
		}
	}
	out := []shownCandidate{}
	for p, v := range best {
		out = append(out, shownCandidate{p, decimal(v)})
	}
	slices.SortFunc(out, func(a, b shownCandidate) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.Person, b.Person))
	})
	return out[:min(most, len(out))]
}

type shownSimilar struct {
	Face       string  `json:"faceId,omitempty"`
	Persisted  string  `json:"persistedFaceId,omitempty"`
	Confidence decimal `json:"confidence"`
}

// findSimilar is POST /findsimilars.
func (s *Service) findSimilar(ctx context.Context, c *api.Call) (any, error) {
	var body struct {
		Face      string   `json:"faceId"`
		List      string   `json:"faceListId"`
		LargeList string   `json:"largeFaceListId"`
		Faces     []string `json:"faceIds"`
		Most      *int     `json:"maxNumOfCandidatesReturned"`
		Mode      string   `json:"mode"`
	}
	if f := decode(c, &body); f != nil {
		return nil, f
	}
	most := 20
	if body.Most != nil {
		most = *body.Most
	}
	if most < 1 || most > 1000 {
		return nil, bad("maxNumOfCandidatesReturned is invalid. Valid range is from 1 to 1000.")
	}
	mode, f := oneOf("mode", body.Mode, []string{"matchPerson", "matchFace"})
	if f != nil {
		return nil, f
	}
	given := 0
	for _, there := range []bool{body.List != "", body.LargeList != "", body.Faces != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return nil, bad("One of faceListId, largeFaceListId and faceIds is needed, and no more than one.")
	}
	if len(body.Faces) > 1000 {
		return nil, bad("The faceIds field is invalid. It may have 1000 faceIds.")
	}
	d, err := s.detectedFace(ctx, c, "faceId", body.Face)
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	out := []shownSimilar{}
	keep := func(sf shownSimilar, o face.Embedding) {
		v := face.Embedding(d.Embedding).Confidence(o)
		if mode == "matchPerson" && v < 0.5 {
			return
		}
		sf.Confidence = decimal(v)
		out = append(out, sf)
	}
	if body.Faces != nil {
		for _, id := range body.Faces {
			o, err := s.detectedFace(ctx, c, "faceIds", id)
			if err != nil {
				return nil, err
			}
			if o.Model != d.Model {
				return nil, unlike(d.Model, o.Model)
			}
			keep(shownSimilar{Face: id}, face.Embedding(o.Embedding))
		}
	} else {
		k, id, _ := pick("faceListId", body.List, "l", "largeFaceListId", body.LargeList, "L")
		members, model, err := s.searched(ctx, c, k, id)
		if err != nil {
			return nil, err
		}
		if model != d.Model {
			return nil, unlike(d.Model, model)
		}
		for _, m := range members {
			keep(shownSimilar{Persisted: m.face}, m.embedding)
		}
	}
	slices.SortStableFunc(out, func(a, b shownSimilar) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return out[:min(most, len(out))], nil
}

type shownGroups struct {
	Groups [][]string `json:"groups"`
	Messy  []string   `json:"messyGroup"`
}

// group is POST /group: faces of one person come together, faces that are like no other are told apart.
func (s *Service) group(ctx context.Context, c *api.Call) (any, error) {
	var body struct {
		Faces []string `json:"faceIds"`
	}
	if f := decode(c, &body); f != nil {
		return nil, f
	}
	if len(body.Faces) < 2 || len(body.Faces) > 1000 {
		return nil, bad("The faceIds field is invalid. It must have 2 to 1000 faceIds.")
	}
	var es []face.Embedding
	model := ""
	for _, id := range body.Faces {
		d, err := s.detectedFace(ctx, c, "faceIds", id)
		if err != nil {
			return nil, err
		}
		if model != "" && d.Model != model {
			return nil, unlike(model, d.Model)
		}
		model = d.Model
		es = append(es, face.Embedding(d.Embedding))
	}
	c.Charge(1)
	out := shownGroups{Groups: [][]string{}, Messy: []string{}}
	for _, g := range together(es) {
		var names []string
		for _, i := range g {
			names = append(names, body.Faces[i])
		}
		if len(names) == 1 {
			out.Messy = append(out.Messy, names[0])
			continue
		}
		out.Groups = append(out.Groups, names)
	}
	return out, nil
}

// together joins faces: from the likeliest pair on, two groups become one while the mean confidence between their faces is at least one half. The largest come first.
func together(es []face.Embedding) [][]int {
	n := len(es)
	groups := make([][]int, n)
	sim := make([][]float64, n) // of living groups: the mean confidence
	for i := range es {
		groups[i] = []int{i}
		sim[i] = make([]float64, n)
		for j := range i {
			sim[i][j] = es[i].Confidence(es[j])
			sim[j][i] = sim[i][j]
		}
	}
	// near is each group's likeliest partner of lower index, so that a round costs one pass.
	near := make([]int, n)
	look := func(i int) {
		near[i] = -1
		for j := range i {
			if groups[j] != nil && (near[i] < 0 || sim[i][j] > sim[i][near[i]]) {
				near[i] = j
			}
		}
	}
	for i := range n {
		look(i)
	}
	for {
		a := -1
		for i := range n {
			if groups[i] != nil && near[i] >= 0 && (a < 0 || sim[i][near[i]] > sim[a][near[a]]) {
				a = i
			}
		}
		if a < 0 || sim[a][near[a]] < 0.5 {
			break
		}
		b := near[a]
		na, nb := float64(len(groups[a])), float64(len(groups[b]))
		for j := range n {
			sim[b][j] = (na*sim[a][j] + nb*sim[b][j]) / (na + nb)
			sim[j][b] = sim[b][j]
		}
		groups[b], groups[a] = append(groups[b], groups[a]...), nil
		for i := range n {
			switch {
			case groups[i] == nil:
			case i == b || near[i] == a || near[i] == b:
				look(i)
			case i > b && (near[i] < 0 || sim[i][b] > sim[i][near[i]]):
				near[i] = b
			}
		}
	}
	var out [][]int
	for _, g := range groups {
		if g != nil {
			slices.Sort(g)
			out = append(out, g)
		}
	}
	slices.SortStableFunc(out, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	return out
}
