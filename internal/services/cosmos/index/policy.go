package index

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Policy is an indexing policy, compiled. Immutable and safe for concurrent use.
type Policy struct {
	// Text is the policy as it is stored.
	Text json.RawMessage
	// None: indexingMode is none, no document is indexed. Lazy indexes at once, as consistent does.
	None bool
	// Automatic: documents are indexed unless a write says otherwise; if not, only those whose write says so.
	Automatic  bool
	composites []composite
	spatial    json.RawMessage
	root       node

	extractors sync.Pool // of *extractor, which keep their memory from one document to the next
}

// rule says whether something is indexed.
type rule uint8

const (
	unset rule = iota
	included
	excluded
)

// node is a step of the paths a policy names. The most precise path counts: `/?` before `/*`, the longer before the shorter.
type node struct {
	kids     map[string]*node
	elements *node
	here     rule // path/?
	below    rule // path/*
}

// composite is one composite index.
type composite struct {
	hash  uint64
	paths []orderedPath
}

type orderedPath struct {
	path Path
	hash uint64
	desc bool
}

// Limits of policies, as the service has them.
const (
	minComposite = 2
	maxComposite = 8
)

// ParsePolicy compiles a policy in the form that is stored: indexingMode, automatic, includedPaths, excludedPaths, compositeIndexes, spatialIndexes. What
// the service does not accept is a 400 fault.
func ParsePolicy(text json.RawMessage) (*Policy, error) {
	type pathSpec struct {
		Path string `json:"path"`
	}
	var in struct {
		Mode       string     `json:"indexingMode"`
		Automatic  *bool      `json:"automatic"`
		Included   []pathSpec `json:"includedPaths"`
		Excluded   []pathSpec `json:"excludedPaths"`
		Composites [][]struct {
			Path  string `json:"path"`
			Order string `json:"order"`
		} `json:"compositeIndexes"`
		Spatial json.RawMessage `json:"spatialIndexes"`
	}
	if json.Unmarshal(text, &in) != nil {
		return nil, invalid("The indexing policy is invalid: it is an object with indexingMode, automatic, includedPaths, excludedPaths, compositeIndexes and spatialIndexes.")
	}
	p := &Policy{Text: text, None: strings.EqualFold(in.Mode, "none"), Automatic: in.Automatic == nil || *in.Automatic, spatial: in.Spatial}
	for _, s := range in.Included {
		if err := p.add(s.Path, included); err != nil {
			return nil, err
		}
	}
	for _, s := range in.Excluded {
		if err := p.add(s.Path, excluded); err != nil {
			return nil, err
		}
	}
	if p.root.below == unset && !p.None {
		return nil, invalid(`The special manadatory indexing path "\/" is not provided in any of the path type sets. Please provide this path in one of the sets.`)
	}
	for _, list := range in.Composites {
		c, err := newComposite(len(list), func(i int) (string, string) { return list[i].Path, list[i].Order })
		if err != nil {
			return nil, err
		}
		p.composites = append(p.composites, c)
	}
	return p, nil
}

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "BadRequest", format, args...)
}

func (p *Policy) add(text string, r rule) error {
	path, end, err := parsePath(text)
	if err != nil {
		return err
	}
	if end == 0 || end == '?' && len(path) == 0 {
		return invalid("The indexing path '%s' could not be accepted, failed near position '%d'. Please ensure that the path is a valid path: it ends in /? or /*.", text, len(text))
	}
	n := &p.root
	for _, s := range path {
		n = n.make(s)
	}
	at := &n.below
	if end == '?' {
		at = &n.here
	}
	if *at != unset {
		return invalid("The indexing path '%s' is given more than once in the indexing policy.", text)
	}
	*at = r
	return nil
}

func (n *node) make(s step) *node {
	if s.elements {
		if n.elements == nil {
			n.elements = &node{}
		}
		return n.elements
	}
	if n.kids[s.name] == nil {
		if n.kids == nil {
			n.kids = map[string]*node{}
		}
		n.kids[s.name] = &node{}
	}
	return n.kids[s.name]
}

func newComposite(n int, at func(i int) (path, order string)) (composite, error) {
	if n < minComposite || n > maxComposite {
		return composite{}, invalid("A composite index of the indexing policy has %d paths; it has %d to %d.", n, minComposite, maxComposite)
	}
	c := composite{hash: rootHash}
	for i := range n {
		text, order := at(i)
		path, end, err := parsePath(text)
		if err != nil {
			return c, err
		}
		if end != 0 || !path.single() {
			return c, invalid("The composite indexing path '%s' could not be accepted: it names one property, without /?, /* and [].", text)
		}
		o := orderedPath{path: path, hash: path.hash(), desc: strings.EqualFold(order, "descending")}
		if !o.desc && order != "" && !strings.EqualFold(order, "ascending") {
			return c, invalid("The order '%s' of the composite indexing path '%s' is invalid; it is ascending or descending.", order, text)
		}
		c.hash = childHash(c.hash, []byte(path.String()+map[bool]string{false: " ASC", true: " DESC"}[o.desc]))
		c.paths = append(c.paths, o)
	}
	return c, nil
}

// always are indexed in every mode but none, whatever the paths say.
func always(p Path) bool { return len(p) == 1 && (p[0].name == "id" || p[0].name == "_ts") }

// hidden system properties have no terms: what looks for them reads documents.
func hidden(name []byte) bool {
	if len(name) < 4 || name[0] != '_' {
		return false
	}
	switch string(name) {
	case "_rid", "_self", "_etag", "_attachments", "_lsn":
		return true
	}
	return false
}

// Includes tells whether the values at a path are indexed.
func (p *Policy) Includes(path Path) bool {
	if p == nil || p.None || len(path) == 0 || !path[0].elements && hidden([]byte(path[0].name)) {
		return false
	}
	if always(path) {
		return true
	}
	n, r := &p.root, p.root.below
	for _, s := range path {
		if n != nil {
			if s.elements {
				n = n.elements
			} else {
				n = n.kids[s.name]
			}
		}
		if n != nil && n.below != unset {
			r = n.below
		}
	}
	if n != nil && n.here != unset {
		r = n.here
	}
	return r == included
}
