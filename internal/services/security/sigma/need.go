package sigma

import (
	"math"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// need is a set of texts of which an event that a rule matches has at least one.
type need struct {
	texts []needText
	often float64 // about how many of them an event has
}

// needText is one text in one field.
type needText struct {
	field int32
	sought
}

// tooOften is from how many hits an event on it is cheaper to evaluate the rule each time.
const tooOften = 1

// necessary finds the rarest need of a node; false if it has none.
func (b *binder) necessary(n *node) (need, bool) {
	switch n.op {
	case opLeaf:
		return b.matchers[n.matcher].necessary()
	case opAnd:
		var best need
		found := false
		for _, k := range n.kids {
			if got, ok := b.necessary(k); ok && (!found || got.often < best.often) {
				best, found = got, true
			}
		}
		return best, found
	case opOr:
		var all need
		for _, k := range n.kids {
			got, ok := b.necessary(k)
			if !ok {
				return need{}, false
			}
			all.texts = append(all.texts, got.texts...)
			all.often += got.often
		}
		return all, true
	}
	return need{}, false
}

// requires finds a field that an event must have; negative if there is none.
func (b *binder) requires(n *node) int32 {
	fields := b.requiredFields(n)
	if len(fields) == 0 {
		return -1
	}
	return fields[0]
}

func (b *binder) requiredFields(n *node) []int32 {
	var out []int32
	switch n.op {
	case opLeaf:
		if m := b.matchers[n.matcher]; m.kind != matchAbsent {
			return []int32{m.field}
		}
	case opAnd:
		for _, k := range n.kids {
			out = append(out, b.requiredFields(k)...)
		}
	case opOr:
		for i, k := range n.kids {
			fields := b.requiredFields(k)
			if i == 0 {
				out = fields
				continue
			}
			out = slices.DeleteFunc(slices.Clone(out), func(f int32) bool { return !slices.Contains(fields, f) })
		}
	}
	return out
}

func (m *matcher) necessary() (need, bool) {
	var all need
	add := func(p pattern, start, end bool) bool {
		t, ok := m.rarest(p, start, end)
		if ok {
			all.texts = append(all.texts, t)
			all.often += t.often()
		}
		return ok
	}
	switch m.kind {
	case matchEqual, matchPrefix, matchSuffix, matchContains:
		for _, t := range m.texts {
			if !add(pattern{{text: t}}, m.kind == matchEqual || m.kind == matchPrefix, m.kind == matchEqual || m.kind == matchSuffix) {
				return need{}, false
			}
		}
	case matchGlob:
		for _, g := range m.globs {
			if !m.addGlob(g, &all) {
				return need{}, false
			}
		}
	case matchRegexp:
		texts, ok := regexpTexts(m.syntax)
		if !ok {
			return need{}, false
		}
		for _, t := range texts {
			if !add(pattern{{text: t}}, false, false) {
				return need{}, false
			}
		}
	}
	return all, len(all.texts) > 0
}

func (m *matcher) addGlob(g glob, all *need) bool {
	var best needText
	found := false
	for i, p := range g.parts {
		t, ok := m.rarest(p, g.start && i == 0, g.end && i == len(g.parts)-1)
		if ok && (!found || t.often() < best.often()) {
			best, found = t, true
		}
	}
	if found {
		all.texts = append(all.texts, best)
		all.often += best.often()
	}
	return found
}

// rarest chooses among the texts of a pattern without asterisks.
func (m *matcher) rarest(p pattern, start, end bool) (needText, bool) {
	var best needText
	found := false
	for i, t := range p {
		if t.kind != pieceText || t.text == "" || m.cased && !utf8.ValidString(t.text) {
			continue
		}
		n := needText{m.field, sought{fold(t.text), start && i == 0, end && i == len(p)-1}}
		if !found || n.often() < best.often() {
			best, found = n, true
		}
	}
	return best, found
}

// cut shortens a text to at most n bytes, keeping the end that is anchored, else the rarest part.
func (t needText) cut(n int) needText {
	if len(t.text) <= n {
		return t
	}
	switch {
	case t.end:
		return needText{t.field, sought{t.text[len(t.text)-n:], false, true}}
	case t.start:
		return needText{t.field, sought{t.text[:n], true, false}}
	}
	best := needText{}
	for i := 0; i+n <= len(t.text); i++ {
		if c := (needText{t.field, sought{text: t.text[i : i+n]}}); best.text == "" || c.often() < best.often() {
			best = c
		}
	}
	return best
}

// often estimates how many times an event has the text, from how often characters and words stand in command lines. It only has to rank.
func (t needText) often() float64 {
	bits := 0.0
	for rest := t.text; rest != ""; {
		n, cost := nextWord(rest)
		bits += cost
		rest = rest[n:]
	}
	if !t.start && !t.end {
		bits -= 6 // a hundred places
	}
	return math.Exp2(-bits)
}

func nextWord(s string) (int, float64) {
	best, cost := 1, byteBits(s[0])
	for _, w := range commonWords {
		if len(w.text) > best && strings.HasPrefix(s, w.text) {
			best, cost = len(w.text), w.bits
		}
	}
	return best, cost
}

func byteBits(c byte) float64 {
	switch {
	case c == '/' || c == ' ' || c == '-':
		return 3
	case strings.IndexByte("etaoinsrlc.", c) >= 0:
		return 4
	case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		return 5.5
	case c >= utf8.RuneSelf:
		return 9
	}
	return 7
}

// commonWords are those that rules and events have so often that their letters say too little.
var commonWords = []struct {
	text string
	bits float64
}{
	{"execve", 0.5},
	{"syscall", 0.5},
	{"path", 1},
	{"true", 0.5},
	{"false", 1},
	{"root", 1},
	{"linux", 3},
	{"bash", 1},
	{"sh", 1},
	{"dash", 2},
	{"/usr/bin/", 0.5},
	{"/bin/", 0.5},
	{"/usr/sbin/", 2},
	{"/sbin/", 2},
	{"/usr/", 1},
	{"usr", 1},
	{"bin", 1},
	{"sbin", 3},
	{"/tmp/", 2},
	{"/etc/", 2},
	{"/var/", 3},
	{"/dev/", 3},
	{"/dev/null", 3},
	{"/proc/", 4},

	{"local", 4},
	{"python", 3},
	{"python3", 3},
	{"perl", 4},
	{"http", 4},
	{"https", 4},
	{" -c ", 2},
	{"-c", 2},
	{"grep", 3},
	{"cat", 3},
	{"sed", 3},
	{"ls", 3},
	{"rm", 4},
	{"cp", 4},
	{"mv", 4},
	{"git", 3},
	{"sudo", 4},
	{"echo", 4},
	{"find", 4},
	{"chmod", 5},
	{"curl", 5},
	{"wget", 6},
	{"systemctl", 5},
	{"service", 5},
	{"ssh", 4},
	{"node", 4},
	{"java", 5},
	{"env", 4},
	{"uname", 4},
	{"hostname", 5},
	{"tar", 4},
	{"ps", 4},
	{"id", 4},
	{"lib", 3},
	{"test", 4},
	{"all", 4},
	{"install", 5},
	{"update", 5},
	{"start", 5},
	{"user", 4},
	{"php", 5},
	{"ruby", 6},
	{"docker", 5},
	{"apt", 5},
	{"dpkg", 4},
	{"make", 4},
	{"gcc", 4},
	{".py", 4},
	{".sh", 4},
	{"awk", 4},
	{"xargs", 5},
	{"head", 5},
	{"tail", 5},
}

// mostTexts bounds the texts that stand for a part of a regular expression.
const mostTexts = 16

// regexpTexts finds a set of folded texts, one of which is in every match.
func regexpTexts(re *syntax.Regexp) ([]string, bool) {
	if exact, ok := exactTexts(re); ok && !slices.Contains(exact, "") {
		return exact, true
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return regexpTexts(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return regexpTexts(re.Sub[0])
		}
	case syntax.OpConcat:
		return concatTexts(re.Sub)
	case syntax.OpAlternate:
		var texts []string
		for _, sub := range re.Sub {
			t, ok := regexpTexts(sub)
			if !ok {
				return nil, false
			}
			texts = append(texts, t...)
		}
		return texts, len(texts) > 0
	}
	return nil, false
}

// concatTexts takes the rarest of what neighbours are together and of what each has inside.
func concatTexts(subs []*syntax.Regexp) (best []string, found bool) {
	least := math.Inf(1)
	consider := func(texts []string) {
		if slices.Contains(texts, "") {
			return
		}
		sum := 0.0
		for _, t := range texts {
			sum += needText{sought: sought{text: t}}.often()
		}
		if sum < least {
			best, least, found = texts, sum, true
		}
	}
	together := []string{""}
	for _, sub := range subs {
		exact, ok := exactTexts(sub)
		if !ok || len(exact)*len(together) > mostTexts {
			consider(together)
			together = []string{""}
			if inner, has := regexpTexts(sub); has {
				consider(inner)
			}
			continue
		}
		var next []string
		for _, a := range together {
			for _, b := range exact {
				next = append(next, a+b)
			}
		}
		together = next
	}
	consider(together)
	return best, found
}

// exactTexts gives all texts that an expression matches, folded, if they are few.
func exactTexts(re *syntax.Regexp) (texts []string, ok bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, true
	case syntax.OpLiteral:
		s := fold(string(re.Rune))
		return []string{s}, !strings.ContainsRune(s, utf8.RuneError) // which also stands for bytes that are no character
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if len(texts) >= mostTexts || r == utf8.RuneError {
					return nil, false
				}
				if t := fold(string(r)); !slices.Contains(texts, t) {
					texts = append(texts, t)
				}
			}
		}
		return texts, len(texts) > 0
	case syntax.OpCapture:
		return exactTexts(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			t, ok := exactTexts(sub)
			if texts = append(texts, t...); !ok || len(texts) > mostTexts {
				return nil, false
			}
		}
		return texts, true
	}
	return nil, false
}
