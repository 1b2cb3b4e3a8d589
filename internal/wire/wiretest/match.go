package wiretest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// placeholder matches <kind>, <kind:name> and ${name}.
var placeholder = regexp.MustCompile(`<(any|guid|hex|int|time|text)(?::([a-zA-Z][a-zA-Z0-9_]*))?>|\$\{([a-zA-Z][a-zA-Z0-9_]*)\}`)

var placeholderForms = map[string]string{
	"any":  `(?s:.*)`,
	"guid": `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`,
	"hex":  `[0-9a-fA-F]+`,
	"int":  `-?[0-9]+`,
	"time": `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`,
	"text": `(?s:.+)`,
}

// matchText compares text with a pattern that may hold placeholders, and keeps what named ones matched in vars.
func matchText(pattern, got string, vars map[string]string) bool {
	places := placeholder.FindAllStringSubmatchIndex(pattern, -1)
	if places == nil {
		return pattern == got
	}
	var re strings.Builder
	var names []string
	at := 0
	for _, p := range places {
		re.WriteString(regexp.QuoteMeta(pattern[at:p[0]]))
		at = p[1]
		if p[6] >= 0 {
			re.WriteString(regexp.QuoteMeta(vars[pattern[p[6]:p[7]]]))
			continue
		}
		re.WriteString("(" + placeholderForms[pattern[p[2]:p[3]]] + ")")
		name := ""
		if p[4] >= 0 {
			name = pattern[p[4]:p[5]]
		}
		names = append(names, name)
	}
	m := regexp.MustCompile("^" + re.String() + regexp.QuoteMeta(pattern[at:]) + "$").FindStringSubmatch(got)
	if m == nil {
		return false
	}
	for i, name := range names {
		if name != "" {
			vars[name] = m[i+1]
		}
	}
	return true
}

// diff lists where got differs from want, both decoded JSON (numbers as json.Number).
func diff(path string, want, got any, vars map[string]string) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		return diffObjects(path, w, g, vars)
	case []any:
		g, ok := got.([]any)
		if !ok {
			break
		}
		if len(w) != len(g) {
			return []string{fmt.Sprintf("%s: got %d items, want %d", path, len(g), len(w))}
		}
		var out []string
		for i := range w {
			out = append(out, diff(fmt.Sprintf("%s[%d]", path, i), w[i], g[i], vars)...)
		}
		return out
	case string:
		if w == "<any>" || matchValue(w, got, vars) {
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: got %s, want %s", path, text(got), text(want))}
}

func diffObjects(path string, want, got map[string]any, vars map[string]string) []string {
	var keys, out []string
	for k := range want {
		keys = append(keys, k)
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		w, inWant := want[k]
		g, inGot := got[k]
		switch {
		case !inGot:
			out = append(out, fmt.Sprintf("%s.%s: missing, want %s", path, k, text(w)))
		case !inWant:
			out = append(out, fmt.Sprintf("%s.%s: got %s, want nothing", path, k, text(g)))
		default:
			out = append(out, diff(path+"."+k, w, g, vars)...)
		}
	}
	return out
}

// matchValue compares a string that may hold placeholders with a string, or with a number when it is one placeholder.
func matchValue(want string, got any, vars map[string]string) bool {
	switch g := got.(type) {
	case string:
		return matchText(want, g, vars)
	case json.Number:
		return placeholder.FindString(want) == want && want != "" && matchText(want, g.String(), vars)
	}
	return false
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// merge is got with the placeholders of want where they match; elsewhere generalize.
func merge(want, got any, vars map[string]string) any {
	if w, ok := want.(string); ok && (w == "<any>" || matchValue(w, got, vars)) {
		return w
	}
	switch g := got.(type) {
	case map[string]any:
		w, _ := want.(map[string]any)
		out := map[string]any{}
		for k, v := range g {
			out[k] = merge(w[k], v, vars)
		}
		return out
	case []any:
		w, _ := want.([]any)
		out := make([]any, len(g))
		for i, v := range g {
			var old any
			if i < len(w) {
				old = w[i]
			}
			out[i] = merge(old, v, vars)
		}
		return out
	case string:
		return generalize(g, vars)
	}
	return got
}

// generalize writes what a variable holds as that variable and other GUIDs as placeholders, since they are rarely the same twice.
func generalize(s string, vars map[string]string) string {
	for name, v := range vars {
		if len(v) >= 8 {
			s = strings.ReplaceAll(s, v, "${"+name+"}")
		}
	}
	return guidText.ReplaceAllString(s, "<guid>")
}

var guidText = regexp.MustCompile(placeholderForms["guid"])
