package query

import "unicode/utf8"

// like compiles LIKE; a constant pattern is read once.
func (c *compiler) like(e *Like, sc *scope) evalFn {
	escape := rune(-1)
	if e.HasEscape {
		r, size := utf8.DecodeRuneInString(e.Escape)
		if size == 0 || size != len(e.Escape) {
			c.fail(e.Span, "SC1001", "Syntax error, the ESCAPE of LIKE must be a single character.")
		}
		escape = r
	}
	x, pattern := c.expr(e.X, sc), c.expr(e.Pattern, sc)
	answer := func(f *frame, v Value, p []likeItem) Value {
		if !f.spend(len(p) * len(v.str) >> 4) {
			return Undefined
		}
		return Bool(likeMatch(p, v.str) != e.Not)
	}
	var fixed Value
	switch p := e.Pattern.(type) {
	case *Literal:
		fixed = p.Value
	case *Param:
		fixed = c.param(p.Span, p.Name)
	}
	if fixed.kind == KindString {
		items := likePattern(fixed.str, escape)
		return func(f *frame) Value {
			v := x(f)
			if v.kind != KindString {
				return Undefined
			}
			return answer(f, v, items)
		}
	}
	return func(f *frame) Value {
		v, p := x(f), pattern(f)
		if v.kind != KindString || p.kind != KindString {
			return Undefined
		}
		if !f.spend(len(p.str)) {
			return Undefined
		}
		return answer(f, v, likePattern(p.str, escape))
	}
}

// likeItem is one element of a pattern: % (any), or one character out of a set.
type likeItem struct {
	any    bool
	negate bool
	ranges [][2]rune // empty and negate: every character, as _
}

func (i likeItem) matches(r rune) bool {
	for _, g := range i.ranges {
		if g[0] <= r && r <= g[1] {
			return !i.negate
		}
	}
	return i.negate
}

func likePattern(p string, escape rune) []likeItem {
	rs := []rune(p)
	var out []likeItem
	for i := 0; i < len(rs); i++ {
		switch r := rs[i]; {
		case r == escape && i+1 < len(rs):
			i++
			out = append(out, likeItem{ranges: [][2]rune{{rs[i], rs[i]}}})
		case r == '%':
			if n := len(out); n == 0 || !out[n-1].any {
				out = append(out, likeItem{any: true})
			}
		case r == '_':
			out = append(out, likeItem{negate: true})
		case r == '[':
			item, end, ok := likeSet(rs, i)
			if !ok {
				item, end = likeItem{ranges: [][2]rune{{r, r}}}, i
			}
			out, i = append(out, item), end
		default:
			out = append(out, likeItem{ranges: [][2]rune{{r, r}}})
		}
	}
	return out
}

// likeSet reads `[a-f]` or `[^abc]` that begins at i; end is its closing bracket.
func likeSet(rs []rune, i int) (item likeItem, end int, ok bool) {
	j := i + 1
	if j < len(rs) && rs[j] == '^' {
		item.negate = true
		j++
	}
	for first := true; j < len(rs) && (rs[j] != ']' || first); first = false {
		g := [2]rune{rs[j], rs[j]}
		if j+2 < len(rs) && rs[j+1] == '-' && rs[j+2] != ']' {
			g[1] = rs[j+2]
			j += 2
		}
		item.ranges = append(item.ranges, g)
		j++
	}
	return item, j, j < len(rs)
}

// likeMatch takes at most len(items) * len(s) steps: only the last % is ever tried again.
func likeMatch(items []likeItem, s string) bool {
	i, pos := 0, 0
	star, from := -1, 0
	for pos < len(s) {
		r, size := utf8.DecodeRuneInString(s[pos:])
		switch {
		case i < len(items) && items[i].any:
			star, from = i, pos
			i++
		case i < len(items) && items[i].matches(r):
			i++
			pos += size
		case star >= 0:
			_, size = utf8.DecodeRuneInString(s[from:])
			from += size
			i, pos = star+1, from
		default:
			return false
		}
	}
	for i < len(items) && items[i].any {
		i++
	}
	return i == len(items)
}
