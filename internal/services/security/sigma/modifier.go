package sigma

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

// values is what is asked of a field while its modifiers are applied, in the order in which the rule has them.
type values struct {
	field string
	list  bool // the rule has a list
	items []item
	kind  testKind
	all   bool
	neg   bool
	cased bool
	flags string // of a regular expression
	mode  refMode
	at    *yaml.Node
}

// item is one value.
type item struct {
	at      *yaml.Node
	raw     string // before wildcards are read
	null    bool
	pattern pattern

	before, after bool // whether a modifier put wildcards there
}

// unsupported are modifiers of the specification that this engine doesn't have.
var unsupported = []string{"minute", "hour", "day", "week", "month", "year"}

// apply changes v by one modifier.
func (v *values) apply(name string, o Options) error {
	if v.kind == testRegexp && slices.Contains([]string{"i", "m", "s"}, name) {
		if !strings.Contains(v.flags, name) {
			v.flags += name
		}
		return nil
	}
	switch name {
	case "all":
		if len(v.items) < 2 && !v.list {
			return errAt(v.at, "modifier all needs a list of values")
		}
		v.all = true
	case "neq":
		v.neg = true
	case "cased":
		v.cased = true
	case "exists":
		return v.setKind(testExists, name)
	case "re":
		return v.setKind(testRegexp, name)
	case "cidr":
		return v.setKind(testCIDR, name)
	case "lt":
		return v.setKind(testLess, name)
	case "lte":
		return v.setKind(testLessEqual, name)
	case "gt":
		return v.setKind(testGreater, name)
	case "gte":
		return v.setKind(testGreaterEqual, name)
	case "fieldref":
		return v.setKind(testField, name)
	case "contains", "startswith", "endswith":
		return v.affix(name)
	case "windash", "base64", "base64offset", "utf16le", "wide", "utf16be", "utf16", "expand":
		return v.transform(name, o)
	default:
		if slices.Contains(unsupported, name) {
			return errAt(v.at, "modifier %s of dates is not supported", name)
		}
		return errAt(v.at, "there is no modifier %q", name)
	}
	return nil
}

func (v *values) setKind(k testKind, name string) error {
	if v.kind != testPattern {
		return errAt(v.at, "modifier %s after another that says how to compare", name)
	}
	for _, it := range v.items {
		if it.null {
			return errAt(it.at, "modifier %s of null", name)
		}
	}
	v.kind = k
	return nil
}

func (v *values) affix(name string) error {
	if v.kind == testField {
		v.mode = map[string]refMode{"contains": refContains, "startswith": refPrefix, "endswith": refSuffix}[name]
		return nil
	}
	if v.kind == testRegexp && name == "contains" {
		return nil // A regular expression is looked for anywhere.
	}
	if v.kind != testPattern {
		return errAt(v.at, "modifier %s after another that says how to compare", name)
	}
	for i := range v.items {
		it := &v.items[i]
		if it.null {
			return errAt(it.at, "modifier %s of null", name)
		}
		it.before, it.after = name != "startswith", name != "endswith"
		it.pattern = it.pattern.around(it.before, it.after)
	}
	return nil
}

// transform replaces each value by one or more others.
func (v *values) transform(name string, o Options) error {
	if v.kind != testPattern && name != "expand" {
		return errAt(v.at, "modifier %s after another that says how to compare", name)
	}
	var out []item
	for _, it := range v.items {
		if it.null {
			return errAt(it.at, "modifier %s of null", name)
		}
		made, err := it.transform(name, o)
		if err != nil {
			return err
		}
		out = append(out, made...)
		if len(out) > maxValues {
			return errAt(v.at, "more than %d values", maxValues)
		}
	}
	v.items = out
	return nil
}

func (it item) transform(name string, o Options) ([]item, error) {
	switch name {
	case "expand":
		return it.expand(o)
	case "windash":
		return it.with(it.pattern.windash()), nil
	}
	s, ok := it.pattern.plain()
	if !ok {
		return nil, errAt(it.at, "modifier %s of a value with wildcards", name)
	}
	switch name {
	case "base64":
		return it.with(literal(base64.StdEncoding.EncodeToString([]byte(s)))), nil
	case "base64offset":
		return it.with(base64Offsets(s)...), nil
	case "utf16be":
		return it.with(literal(utf16Text(s, binary.BigEndian))), nil
	case "utf16":
		return it.with(literal("\xff\xfe" + utf16Text(s, binary.LittleEndian))), nil
	}
	return it.with(literal(utf16Text(s, binary.LittleEndian))), nil
}

func (it item) with(patterns ...pattern) []item {
	out := make([]item, len(patterns))
	for i, p := range patterns {
		out[i] = it
		out[i].pattern = p
	}
	return out
}

// base64Offsets gives the parts of the encoding that stay the same whatever stands before and after s, for each position of s in a group of three bytes.
func base64Offsets(s string) []pattern {
	var out []pattern
	for shift := range 3 {
		padded := append(make([]byte, shift), s...)
		enc := base64.StdEncoding.EncodeToString(padded)
		from := [...]int{0, 2, 3}[shift]
		to := len(enc) - [...]int{0, 3, 2}[len(padded)%3]
		if from < to {
			out = append(out, literal(enc[from:to]))
		}
	}
	return out
}

func utf16Text(s string, order binary.AppendByteOrder) string {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return string(out)
}

// expand replaces %name% by each value of the list of that name. A percent sign after a backslash is itself.
func (it item) expand(o Options) ([]item, error) {
	const mark = '\x00'
	if strings.ContainsRune(it.raw, mark) {
		return nil, errAt(it.at, "a NUL in a value with placeholders")
	}
	texts := []string{""}
	rest := strings.ReplaceAll(it.raw, `\%`, string(mark))
	for {
		before, after, ok := strings.Cut(rest, "%")
		name, tail, closed := strings.Cut(after, "%")
		for i := range texts {
			texts[i] += before
		}
		if !ok {
			break
		}
		if !closed {
			return nil, errAt(it.at, "a %% that nothing closes; write \\%% for itself")
		}
		list, known := o.Placeholders[name]
		if !known {
			return nil, errAt(it.at, "there is no list for the placeholder %%%s%%", name)
		}
		var next []string
		for _, t := range texts {
			for _, v := range list {
				next = append(next, t+strings.ReplaceAll(v, "%", string(mark)))
			}
		}
		if texts, rest = next, tail; len(texts) > maxValues {
			return nil, errAt(it.at, "more than %d values", maxValues)
		}
	}
	out := make([]item, len(texts))
	for i, t := range texts {
		out[i] = it
		out[i].raw = strings.ReplaceAll(t, string(mark), "%")
		out[i].pattern = parsePattern(out[i].raw).around(it.before, it.after)
	}
	return out, nil
}

// expr makes the tests of v.
func (v *values) expr() (*expr, error) {
	var kids []*expr
	switch {
	case len(v.items) == 0:
		kids = []*expr{{op: opFalse}} // a list without entries: nothing is equal to any of them
	case v.kind == testPattern:
		kids = v.patternTests()
	default:
		for _, it := range v.items {
			e, err := v.special(it)
			if err != nil {
				return nil, err
			}
			kids = append(kids, e)
		}
	}
	op := opOr
	if v.all {
		op = opAnd
	}
	e := join(op, kids)
	if v.neg {
		e = not(e)
	}
	return e, nil
}

// patternTests keeps the values of a list in one test, unless all of them must be met.
func (v *values) patternTests() []*expr {
	var kids []*expr
	var any *test
	for _, it := range v.items {
		t := v.newTest(it, testPattern)
		if it.null {
			t.kind = testNull
			kids = append(kids, leaf(t))
			continue
		}
		p := it.pattern
		if v.field == "" {
			p = p.around(true, true)
		}
		if any == nil || v.all {
			any = t
			kids = append(kids, leaf(t))
		}
		any.patterns = append(any.patterns, p)
	}
	return kids
}

func (v *values) newTest(it item, k testKind) *test {
	return &test{field: v.field, kind: k, cased: v.cased, line: it.at.Line, column: it.at.Column}
}

// special makes the tests that aren't of texts.
func (v *values) special(it item) (*expr, error) {
	t := v.newTest(it, v.kind)
	raw := it.raw
	if v.field == "" && v.kind != testRegexp {
		return nil, errAt(it.at, "a keyword can't be compared like this; name a field")
	}
	switch v.kind {
	case testExists:
		b, err := strconv.ParseBool(strings.ToLower(raw))
		if err != nil {
			return nil, errAt(it.at, "exists wants true or false, not %q", raw)
		}
		if !b {
			t.kind = testNull
		}
	case testRegexp:
		return leaf(t), v.regexp(it, t)
	case testCIDR:
		p, err := netip.ParsePrefix(raw)
		if err != nil {
			return nil, errAt(it.at, "%q is not a network like 10.0.0.0/8 or fc00::/7", raw)
		}
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		t.prefix = p.Masked()
	case testField:
		if t.ref = raw; raw == "" {
			return nil, errAt(it.at, "fieldref wants the name of a field")
		}
		t.refMode = v.mode
	default:
		n, err := strconv.ParseFloat(raw, 64)
		if err != nil {
			return nil, errAt(it.at, "%q is not a number", raw)
		}
		t.number = n
	}
	return leaf(t), nil
}

// refused are the parts of other regular expression languages that need backtracking; Go's, which takes linear time, has none of them.
var refused = []struct{ mark, name string }{
	{"(?=", "a lookahead"},
	{"(?!", "a negative lookahead"},
	{"(?<=", "a lookbehind"},
	{"(?<!", "a negative lookbehind"},
	{"(?>", "an atomic group"},
	{"(?(", "a conditional group"},
	{"(?R", "a recursion"},
	{"(?P=", "a back reference"},
	{`\K`, `\K`},
	{`\G`, `\G`},
}

var backReference = regexp.MustCompile(`^(?:[^\\]|\\[^1-9k])*\\[1-9k]`)

func (v *values) regexp(it item, t *test) error {
	src := it.raw
	if len(src) > maxRegexp {
		return errAt(it.at, "a regular expression longer than %d bytes", maxRegexp)
	}
	if v.flags != "" {
		src = "(?" + v.flags + ")" + src
	}
	re, err := regexp.Compile(src)
	if err == nil {
		t.syntax, err = syntax.Parse(src, syntax.Perl)
	}
	if err == nil {
		t.re = re
		return nil
	}
	for _, r := range refused {
		if strings.Contains(src, r.mark) {
			return errAt(it.at, "regular expression %q has %s (%s), which is not supported", it.raw, r.name, r.mark)
		}
	}
	if backReference.MatchString(src) {
		return errAt(it.at, "regular expression %q has a back reference, which is not supported", it.raw)
	}
	return errAt(it.at, "%v", fmt.Errorf("regular expression %q: %w", it.raw, err))
}
