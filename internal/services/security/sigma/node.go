package sigma

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// positioned is an error with a place in the file.
type positioned struct {
	line, column int
	reason       string
}

func (p *positioned) Error() string { return fmt.Sprintf("line %d: %s", p.line, p.reason) }

func errAt(n *yaml.Node, format string, args ...any) error {
	return &positioned{n.Line, n.Column, fmt.Sprintf(format, args...)}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// pair is one key of a mapping.
type pair struct {
	key   string
	at    *yaml.Node
	value *yaml.Node
}

// pairs reads a mapping, keeping the order. Keys are scalars and no key is there twice: a map would silently keep only one of them.
func pairs(n *yaml.Node, what string) ([]pair, error) {
	if n.Kind == yaml.AliasNode {
		return nil, errAt(n, "YAML aliases (*%s) are not supported", n.Value)
	}
	if n.Kind != yaml.MappingNode {
		return nil, errAt(n, "%s is %s; want a map", what, kindOf(n))
	}
	out, seen := make([]pair, 0, len(n.Content)/2), map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			return nil, errAt(k, "a key of %s is %s; want a word", what, kindOf(k))
		case k.Tag == "!!merge":
			return nil, errAt(k, "YAML merge keys (<<) are not supported")
		case seen[k.Value]:
			return nil, errAt(k, "%s has %q twice", what, k.Value)
		case v.Kind == yaml.AliasNode:
			return nil, errAt(v, "YAML aliases (*%s) are not supported", v.Value)
		}
		seen[k.Value] = true
		out = append(out, pair{k.Value, k, v})
	}
	return out, nil
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "a YAML alias"
	case yaml.ScalarNode:
		if isNull(n) {
			return "null"
		}
		return fmt.Sprintf("%q", n.Value)
	}
	return "nothing"
}

// text is a scalar as it is written; null is "".
func text(n *yaml.Node, what string) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", errAt(n, "%s is %s; want a text", what, kindOf(n))
	}
	if len(n.Value) > maxText {
		return "", errAt(n, "%s is longer than %d bytes", what, maxText)
	}
	if isNull(n) {
		return "", nil
	}
	return n.Value, nil
}

// texts is a list of scalars; one scalar is a list of one, null is none.
func texts(n *yaml.Node, what string) ([]string, error) {
	if isNull(n) {
		return nil, nil
	}
	if n.Kind == yaml.ScalarNode {
		s, err := text(n, what)
		return []string{s}, err
	}
	if n.Kind != yaml.SequenceNode {
		return nil, errAt(n, "%s is %s; want a list", what, kindOf(n))
	}
	if len(n.Content) > maxValues {
		return nil, errAt(n, "%s has more than %d entries", what, maxValues)
	}
	out := make([]string, 0, len(n.Content))
	for _, c := range n.Content {
		s, err := text(c, "an entry of "+what)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// scalarText is the value as events have it: whole numbers in decimal, however the rule writes them.
func scalarText(n *yaml.Node) string {
	if n.Tag == "!!int" {
		s := strings.ReplaceAll(n.Value, "_", "")
		if i, err := strconv.ParseInt(s, 0, 64); err == nil {
			return strconv.FormatInt(i, 10)
		}
	}
	if n.Tag == "!!bool" {
		return strings.ToLower(n.Value)
	}
	return n.Value
}
