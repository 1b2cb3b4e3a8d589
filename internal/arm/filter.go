package arm

import "strings"

// resourceFilter is the $filter of a list of resources: alternatives joined by "or", each of terms joined by "and", which binds closer. nil keeps everything.
type resourceFilter [][]filterTerm

// filterTerm compares one property of a resource.
type filterTerm struct {
	property string // in lower case
	op       string // eq, ne, contains or prefix
	value    string
	tagValue *string // of a tagName term: the value the tag must have
}

// filterProperties are what terms may compare.
var filterProperties = []string{"name", "resourcetype", "resourcegroup", "location", "tagname", "tagvalue", "kind", "identity/principalid", "identity"}

const maxFilterTerms = 64

func parseResourceFilter(text string) (resourceFilter, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var f resourceFilter
	n := 0
	for _, alternative := range splitOutside(text, " or ") {
		var terms []filterTerm
		for _, part := range splitOutside(alternative, " and ") {
			t, ok := parseTerm(strings.TrimSpace(part))
			if n++; !ok || n > maxFilterTerms {
				return nil, badFilter(part)
			}
			if t.property == "tagvalue" {
				if len(terms) == 0 || terms[len(terms)-1].property != "tagname" || t.op != "eq" {
					return nil, badFilter(part)
				}
				terms[len(terms)-1].tagValue = &t.value
				continue
			}
			terms = append(terms, t)
		}
		f = append(f, terms)
	}
	return f, nil
}

// splitOutside splits at a separator, in any case, that is not inside a quoted value.
func splitOutside(text, sep string) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case !quoted && i+len(sep) <= len(text) && strings.EqualFold(text[i:i+len(sep)], sep):
			out = append(out, text[start:i])
			start = i + len(sep)
			i = start - 1
		}
	}
	return append(out, text[start:])
}

// parseTerm reads "property eq 'value'", "property ne 'value'", "substringof('value', name)" or "startswith(property, 'value')".
func parseTerm(s string) (t filterTerm, ok bool) {
	if head, args, call := strings.Cut(s, "("); call && !strings.Contains(head, "'") {
		args, ok = strings.CutSuffix(args, ")")
		a, b, two := strings.Cut(args, ",")
		if !ok || !two {
			return t, false
		}
		switch strings.ToLower(strings.TrimSpace(head)) {
		case "substringof":
			t.op, a, b = "contains", b, a
		case "startswith":
			t.op = "prefix"
		default:
			return t, false
		}
		t.property = strings.ToLower(strings.TrimSpace(a))
		t.value, ok = unquote(b)
		return t, ok && (t.property == "name" || t.property == "tagname" && t.op == "prefix")
	}
	name, rest, _ := strings.Cut(s, " ")
	op, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
	t.property, t.op = strings.ToLower(name), strings.ToLower(op)
	if t.value, ok = unquote(value); !ok || t.op != "eq" && t.op != "ne" {
		return t, false
	}
	for _, p := range filterProperties {
		if p == t.property {
			return t, true
		}
	}
	return t, false
}

// unquote takes the quotes off a value; two inside stand for one.
func unquote(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return "", false
	}
	return strings.ReplaceAll(s[1:len(s)-1], "''", "'"), true
}

func (f resourceFilter) keeps(r *Resource) bool {
	for _, terms := range f {
		all := true
		for i := range terms {
			all = all && terms[i].keeps(r)
		}
		if all {
			return true
		}
	}
	return f == nil
}

func (t *filterTerm) keeps(r *Resource) bool {
	if t.property == "tagname" {
		return (t.op != "ne") == t.keepsTag(r)
	}
	have, want := strings.ToLower(t.of(r)), strings.ToLower(t.value)
	if t.property == "location" {
		want = normalLocation(want)
	}
	switch t.op {
	case "contains":
		return strings.Contains(have, want)
	case "prefix":
		return strings.HasPrefix(have, want)
	case "ne":
		return have != want
	}
	return have == want
}

func (t *filterTerm) of(r *Resource) string {
	switch t.property {
	case "name":
		return r.Name
	case "resourcetype":
		return r.Type
	case "location":
		return r.Location
	case "kind":
		return r.Kind
	case "resourcegroup":
		if id, err := ParseID(r.ID); err == nil {
			return id.ResourceGroup
		}
	case "identity/principalid":
		if r.Identity != nil {
			return r.Identity.PrincipalID
		}
	case "identity":
		if r.Identity != nil {
			return r.Identity.Type
		}
	}
	return ""
}

func (t *filterTerm) keepsTag(r *Resource) bool {
	for k, v := range r.Tags {
		named := strings.EqualFold(k, t.value) || t.op == "prefix" && strings.HasPrefix(strings.ToLower(k), strings.ToLower(t.value))
		if named && (t.tagValue == nil || strings.EqualFold(v, *t.tagValue)) {
			return true
		}
	}
	return false
}
