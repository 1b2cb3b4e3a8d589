package alerts

import (
	"encoding/json"
	"slices"
	"strings"
)

// take makes rules those that are judged.
func (w *watched) take(rules []*compiled) {
	w.rules = [sliceCount][]*compiled{}
	texts := texts{have: map[string]string{}, tellings: map[string]*telling{}}
	for _, r := range rules {
		texts.share(r)
		i := sliceOf(r.resource.GUID)
		w.rules[i] = append(w.rules[i], r)
	}
	for _, list := range w.rules {
		slices.SortFunc(list, func(a, b *compiled) int { return strings.Compare(a.resource.GUID, b.resource.GUID) })
	}
}

// rule is a rule of a slice; nil if there is no such rule there, or it is turned off.
func (w *watched) rule(slice int, guid string) *compiled {
	list := w.rules[slice]
	i, ok := slices.BinarySearchFunc(list, guid, func(r *compiled, guid string) int { return strings.Compare(r.resource.GUID, guid) })
	if !ok {
		return nil
	}
	return list[i]
}

// texts has one copy of each text that many rules have, and puts all it has into few large pieces of memory: of a million rules, small ones would be millions, with the holes that reading rules
// left between them.
type texts struct {
	have     map[string]string
	tellings map[string]*telling // by what they hold
	piece    *strings.Builder
}

// pieceSize is the size of a piece; a rule that is kept keeps the pieces that it has texts in.
const pieceSize = 64 << 10

// own gives the text a place of its own in a piece.
func (t *texts) own(s *string) {
	if len(*s) > pieceSize/8 {
		return
	}
	if t.piece == nil || t.piece.Cap()-t.piece.Len() < len(*s) {
		t.piece = &strings.Builder{}
		t.piece.Grow(pieceSize)
	}
	at := t.piece.Len()
	t.piece.WriteString(*s)
	*s = t.piece.String()[at:]
}

// one gives equal texts one place.
func (t *texts) one(s *string) {
	if *s == "" {
		return
	}
	if have, ok := t.have[*s]; ok {
		*s = have
		return
	}
	t.own(s)
	t.have[*s] = *s
}

// share makes the rule hold what others hold, instead of its own.
func (t *texts) share(r *compiled) {
	for _, s := range []*string{&r.ID, &r.resource.GUID, &r.state.Generation} {
		t.own(s)
	}
	r.resource.ID = r.ID
	if strings.HasSuffix(r.ID, r.resource.Name) {
		r.resource.Name = r.ID[len(r.ID)-len(r.resource.Name):]
	}
	t.telling(r)
	for i := range r.Resources {
		t.one(&r.Resources[i])
	}
	for i := range r.Criteria {
		c := &r.Criteria[i]
		t.one(&c.Name)
		t.one(&c.Metric)
		t.one(&c.Namespace)
	}
	r.Share(t.one)
}

// telling gives the rule the one that another rule has, if it holds the same.
func (t *texts) telling(r *compiled) {
	own := r.telling
	key, err := json.Marshal([]any{own.kind, own.severity, own.description, own.actions, own.scopes, own.targetType, own.region})
	if err != nil {
		return // can't be: they are texts and numbers
	}
	have, ok := t.tellings[string(key)]
	if !ok {
		t.tellings[string(key)] = own
		return
	}
	r.telling = have
}
