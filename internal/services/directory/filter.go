package directory

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// filter is a parsed $filter of Microsoft Graph, the part of OData that clients of applications and service principals send:
//
//	displayName eq 'a' and startswith(displayName,'a')
//	servicePrincipalNames/any(c:c eq 'https://api')
type filter []condition

// condition is one term; all terms of a filter have to hold.
type condition struct {
	property string // as the caller spelled it
	op       string // "eq", "startswith" or "any" (eq on an element of a collection)
	value    string
}

// filterable gives a property's values by its lower-case name; ok is false if it can't be filtered by.
type filterable interface {
	values(property string) (values []string, collection, ok bool)
}

// maxTerms bounds a filter.
const maxTerms = 16

// parseFilter parses a $filter; an empty one has no conditions and matches all.
func parseFilter(text string) (filter, error) {
	p := &filterParser{rest: text}
	var f filter
	p.space()
	if p.rest == "" {
		return nil, nil
	}
	for {
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		f = append(f, c)
		if len(f) > maxTerms {
			return nil, fmt.Errorf("more than %d conditions", maxTerms)
		}
		p.space()
		if p.rest == "" {
			return f, nil
		}
		if word := p.word(); !strings.EqualFold(word, "and") {
			return nil, fmt.Errorf("only 'and' may join conditions, found %q", clip(word+p.rest))
		}
	}
}

// matches evaluates f. Texts are compared in any case, as Graph does. Every condition is looked at, so that a wrong one is an error for any object.
func (f filter) matches(v filterable) (bool, error) {
	all := true
	for _, c := range f {
		values, collection, ok := v.values(strings.ToLower(c.property))
		if !ok || collection != (c.op == "any") {
			return false, fmt.Errorf("unsupported or invalid query filter clause specified for property '%s'", clip(c.property))
		}
		found := false
		for _, have := range values {
			if c.op == "startswith" {
				found = found || len(have) >= len(c.value) && strings.EqualFold(have[:len(c.value)], c.value)
			} else {
				found = found || strings.EqualFold(have, c.value)
			}
		}
		all = all && found
	}
	return all, nil
}

// filterParser reads from rest, which it shortens.
type filterParser struct{ rest string }

func (p *filterParser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// word takes a name: letters, digits, underscore.
func (p *filterParser) word() string {
	p.space()
	i := 0
	for i < len(p.rest) && (p.rest[i] == '_' || p.rest[i] >= '0' && p.rest[i] <= '9' || p.rest[i]|0x20 >= 'a' && p.rest[i]|0x20 <= 'z') {
		i++
	}
	word := p.rest[:i]
	p.rest = p.rest[i:]
	return word
}

// token takes one punctuation character.
func (p *filterParser) token(c byte) error {
	p.space()
	if p.rest == "" || p.rest[0] != c {
		return fmt.Errorf("'%c' expected before %q", c, clip(p.rest))
	}
	p.rest = p.rest[1:]
	return nil
}

// literal takes a quoted text, in which ” stands for a quote, or the bare words true, false and GUIDs.
func (p *filterParser) literal() (string, error) {
	p.space()
	if p.rest == "" {
		return "", fmt.Errorf("a value is missing at the end")
	}
	if p.rest[0] != '\'' {
		i := strings.IndexAny(p.rest, " )")
		if i < 0 {
			i = len(p.rest)
		}
		word := p.rest[:i]
		if word == "" || strings.ContainsAny(word, "'(,/") {
			return "", fmt.Errorf("a quoted value expected before %q", clip(p.rest))
		}
		p.rest = p.rest[i:]
		return word, nil
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		if p.rest[i] != '\'' {
			b.WriteByte(p.rest[i])
			continue
		}
		if i+1 < len(p.rest) && p.rest[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		p.rest = p.rest[i+1:]
		if !utf8.ValidString(b.String()) {
			return "", fmt.Errorf("a value is not UTF-8")
		}
		return b.String(), nil
	}
	return "", fmt.Errorf("a quoted value does not end")
}

// condition takes one term.
func (p *filterParser) condition() (condition, error) {
	name := p.word()
	if name == "" {
		return condition{}, fmt.Errorf("a property name expected before %q", clip(p.rest))
	}
	p.space()
	switch {
	case strings.EqualFold(name, "startswith") && strings.HasPrefix(p.rest, "("):
		return p.startsWith()
	case strings.HasPrefix(p.rest, "/"):
		return p.any(name)
	}
	if op := p.word(); !strings.EqualFold(op, "eq") {
		return condition{}, fmt.Errorf("the operator %q is not supported, only eq, startswith and any", clip(op+p.rest))
	}
	value, err := p.literal()
	return condition{property: name, op: "eq", value: value}, err
}

// startsWith takes "(property,'value')".
func (p *filterParser) startsWith() (condition, error) {
	if err := p.token('('); err != nil {
		return condition{}, err
	}
	name := p.word()
	if err := p.token(','); err != nil {
		return condition{}, err
	}
	value, err := p.literal()
	if err != nil {
		return condition{}, err
	}
	return condition{property: name, op: "startswith", value: value}, p.token(')')
}

// any takes "/any(c:c eq 'value')".
func (p *filterParser) any(property string) (condition, error) {
	if err := p.token('/'); err != nil {
		return condition{}, err
	}
	if word := p.word(); !strings.EqualFold(word, "any") {
		return condition{}, fmt.Errorf("%q is not supported on a collection, only any", clip(word))
	}
	if err := p.token('('); err != nil {
		return condition{}, err
	}
	variable := p.word()
	if err := p.token(':'); err != nil {
		return condition{}, err
	}
	if used := p.word(); variable == "" || used != variable {
		return condition{}, fmt.Errorf("the lambda variable %q expected, found %q", clip(variable), clip(used))
	}
	if op := p.word(); !strings.EqualFold(op, "eq") {
		return condition{}, fmt.Errorf("the operator %q is not supported in any, only eq", clip(op))
	}
	value, err := p.literal()
	if err != nil {
		return condition{}, err
	}
	return condition{property: property, op: "any", value: value}, p.token(')')
}

// search is a parsed $search of Microsoft Graph: "property:text" terms, all of which have to hold. A term holds if a word of the property begins with the text.
type search []condition

// parseSearch parses `"displayName:ali" AND "mail:contoso"`.
func parseSearch(text string) (search, error) {
	var out search
	for rest := strings.TrimSpace(text); ; {
		end := -1
		if strings.HasPrefix(rest, `"`) {
			end = strings.IndexByte(rest[1:], '"')
		}
		if end < 0 {
			return nil, fmt.Errorf("terms of the form \"property:text\" expected before %q", clip(rest))
		}
		property, value, ok := strings.Cut(rest[1:1+end], ":")
		if !ok || property == "" || value == "" {
			return nil, fmt.Errorf("a term of the form \"property:text\" expected, found %q", clip(rest[1:1+end]))
		}
		out = append(out, condition{property: property, op: "search", value: value})
		if len(out) > maxTerms {
			return nil, fmt.Errorf("more than %d terms", maxTerms)
		}
		if rest = strings.TrimSpace(rest[end+2:]); rest == "" {
			return out, nil
		}
		if len(rest) < 4 || !strings.EqualFold(rest[:4], "and ") {
			return nil, fmt.Errorf("only AND may join terms, found %q", clip(rest))
		}
		rest = strings.TrimSpace(rest[4:])
	}
}

func (s search) matches(v filterable) (bool, error) {
	for _, c := range s {
		values, collection, ok := v.values(strings.ToLower(c.property))
		if !ok || collection {
			return false, fmt.Errorf("unsupported or invalid search clause specified for property '%s'", clip(c.property))
		}
		found := false
		for _, have := range values {
			for _, word := range append(strings.FieldsFunc(have, func(c rune) bool { return c == ' ' || c == '-' || c == '_' || c == '.' || c == '@' }), have) {
				found = found || len(word) >= len(c.value) && strings.EqualFold(word[:len(c.value)], c.value)
			}
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}
