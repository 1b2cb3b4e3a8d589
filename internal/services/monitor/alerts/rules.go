package alerts

import (
	"slices"
	"strings"
)

// take makes rules those that are judged.
func (w *watched) take(rules []*compiled) {
	w.rules = [sliceCount][]*compiled{}
	texts := texts{}
	for _, r := range rules {
		texts.share(r)
		i := sliceOf(r.resource.GUID)
		w.rules[i] = append(w.rules[i], r)
	}
	for _, list := range w.rules {
		slices.SortFunc(list, func(a, b *compiled) int { return strings.Compare(a.resource.GUID, b.resource.GUID) })
	}
}

// rule is one of a slice; nil if there is no such rule, or it is turned off.
func (w *watched) rule(slice int, ruleGUID string) *compiled {
	list := w.rules[slice]
	i, ok := slices.BinarySearchFunc(list, ruleGUID, func(r *compiled, guid string) int { return strings.Compare(r.resource.GUID, guid) })
	if !ok {
		return nil
	}
	return list[i]
}

// generation is that of a rule of a slice; "" if there is none.
func (w *watched) generation(slice int, ruleGUID string) string {
	if r := w.rule(slice, ruleGUID); r != nil {
		return r.state.Generation
	}
	return ""
}

// texts has one copy of each text that many rules have.
type texts map[string]string

func (t texts) one(s *string) {
	if have, ok := t[*s]; ok {
		*s = have
	} else if *s != "" {
		t[*s] = *s
	}
}

// share makes the rule hold the texts that others hold, instead of its own. It is compiled anew.
func (t texts) share(r *compiled) {
	for _, s := range []*string{&r.kind, &r.description, &r.targetType, &r.region, &r.actions.Facts.ResourceType, &r.actions.Facts.Region} {
		t.one(s)
	}
	for i := range r.actions.Groups {
		t.one(&r.actions.Groups[i].ID)
	}
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
