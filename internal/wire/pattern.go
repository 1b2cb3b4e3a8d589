package wire

import (
	"fmt"
	"strings"
)

// segKind says what one segment of a pattern matches.
type segKind uint8

const (
	segLiteral segKind = iota // itself, in any case
	segParam                  // one segment
	segMany                   // any number of segments, also none; first or last in the pattern only
)

// segment is one part of a pattern between slashes.
type segment struct {
	kind segKind
	text string // the literal in lower case, or the parameter's name
}

// parsePattern takes a pattern apart. A pattern with an optional last parameter yields two forms, the longer one first.
//
// "/secrets/{name}/{version?}", "/{scope*}/providers/Microsoft.Authorization/locks/{name}", "/metadata/{path*}", "/".
func parsePattern(p string) ([][]segment, error) {
	if !strings.HasPrefix(p, "/") {
		return nil, fmt.Errorf("pattern %q does not begin with a slash", p)
	}
	var segs []segment
	optional := false
	parts := splitPath(p, nil)
	seen := map[string]bool{}
	for i, part := range parts {
		if optional {
			return nil, fmt.Errorf("pattern %q: an optional parameter must be the last segment", p)
		}
		s, opt, err := parseSegment(part)
		switch {
		case err != nil:
			return nil, fmt.Errorf("pattern %q: %w", p, err)
		case s.kind != segLiteral && seen[s.text]:
			return nil, fmt.Errorf("pattern %q: parameter %q twice", p, s.text)
		case s.kind == segMany && i != 0 && i != len(parts)-1:
			return nil, fmt.Errorf("pattern %q: {%s*} must be the first or the last segment", p, s.text)
		case s.kind == segMany && i > 0 && segs[0].kind == segMany:
			return nil, fmt.Errorf("pattern %q: two multi-segment parameters", p)
		}
		if s.kind != segLiteral {
			seen[s.text] = true
		}
		optional = opt
		segs = append(segs, s)
	}
	if optional {
		if len(segs) > 1 && segs[0].kind == segMany {
			return nil, fmt.Errorf("pattern %q: an optional parameter after a leading {%s*} is ambiguous", p, segs[0].text)
		}
		return [][]segment{segs, segs[:len(segs)-1]}, nil
	}
	return [][]segment{segs}, nil
}

func parseSegment(part string) (s segment, optional bool, err error) {
	name, ok := strings.CutPrefix(part, "{")
	if !ok {
		if strings.ContainsAny(part, "{}*?%") {
			return s, false, fmt.Errorf("segment %q mixes text and parameter", part)
		}
		return segment{segLiteral, strings.ToLower(part)}, false, nil
	}
	name, ok = strings.CutSuffix(name, "}")
	kind := segParam
	if n, opt := strings.CutSuffix(name, "?"); opt {
		name, optional = n, true
	} else if n, many := strings.CutSuffix(name, "*"); many {
		name, kind = n, segMany
	}
	if !ok || name == "" || strings.ContainsAny(name, "{}*?/%") {
		return s, false, fmt.Errorf("bad parameter %q", part)
	}
	return segment{kind, name}, optional, nil
}

// splitPath appends the non-empty segments of an escaped path to dst: "//a/b/" is a, b.
func splitPath(path string, dst []string) []string {
	for len(path) > 0 {
		i := strings.IndexByte(path, '/')
		switch i {
		case 0:
			path = path[1:]
		case -1:
			return append(dst, path)
		default:
			dst = append(dst, path[:i])
			path = path[i+1:]
		}
	}
	return dst
}
