package sigma

import (
	"fmt"
	"slices"
	"strings"
)

// Limits bound what a compiled set takes. The zero value is a sensible choice.
type Limits struct {
	TableBytes int // of all tables together; 64 MiB if zero
}

const defaultTables = 64 << 20

// Set is rules made ready for events of one schema. It never changes, so that any number of goroutines may use it while another set is made.
type Set struct {
	Rules        []*Rule        // by the number Match gives
	Silent       []bool         // by rule: only there for correlations, not to be reported itself
	Correlations []*Correlation // by the number Correlator gives

	schema   *Schema
	matchers []*matcher
	sources  []sourceSet
	chains   []chain // how the correlations hang together
	links    map[int32][]link
}

// sourceSet is what is done with the events of one source.
type sourceSet struct {
	scans    []fieldScan
	always   []anyway
	programs []program
}

// fieldScan looks for the necessary texts of one field.
type fieldScan struct {
	field    int32
	finder   *finder
	programs [][]int32 // by text: what it makes worth running
}

// anyway is a program without a necessary text; it is run if the event has the field, or always if that is negative.
type anyway struct {
	field, program int32
}

// program is a rule's expression as tests and jumps.
type program struct {
	rule  int32
	entry int32
	steps []step
}

// step asks a matcher and goes on at yes or no, which may be accept or reject.
type step struct {
	matcher, yes, no int32
}

const (
	accept int32 = -1
	reject int32 = -2
)

// Compile makes a set. Documents that can't be used are told in the problems: a rule that no event of the schema can match, a filter or a correlation that
// names a rule that isn't there, an id used twice. The error is about the schema.
func Compile(schema *Schema, c *Collection, l Limits) (*Set, []Problem, error) {
	if err := schema.check(); err != nil {
		return nil, nil, err
	}
	if l.TableBytes == 0 {
		l.TableBytes = defaultTables
	}
	k := &compiler{
		Set:    &Set{schema: schema, sources: make([]sourceSet, len(schema.Sources)), links: map[int32][]link{}},
		binder: binder{schema: schema, known: map[string]int32{}, budget: l.TableBytes / 2},
		needs:  make([][]ruleNeed, len(schema.Sources)),
	}
	rules, correlations, filters := k.distinct(c)
	bodies := k.filter(rules, filters)
	for i, r := range rules {
		k.rule(r, bodies[i])
	}
	k.matchers = k.binder.matchers
	tables := l.TableBytes - l.TableBytes/2 + k.budget
	for s := range k.sources {
		tables = k.scans(s, tables)
	}
	k.correlate(correlations)
	return k.Set, k.problems, nil
}

type compiler struct {
	*Set
	binder   binder
	budget   int
	needs    [][]ruleNeed // by source
	problems []Problem
}

// ruleNeed is a program with what makes it worth running.
type ruleNeed struct {
	program int32
	need    need
}

func (k *compiler) problem(m *Meta, format string, args ...any) {
	k.problems = append(k.problems, Problem{File: m.File, Line: m.Line, Rule: m.Key(), Reason: fmt.Sprintf(format, args...)})
}

// distinct leaves out what has an id or a name that another document before it has.
func (k *compiler) distinct(c *Collection) (rules []*Rule, correlations []*Correlation, filters []*Filter) {
	seen := map[string]*Meta{}
	first := func(m *Meta) bool {
		for _, name := range []string{m.ID, m.Name} {
			if o := seen[name]; name != "" && o != nil {
				k.problem(m, "%q is already used by %s:%d", name, o.File, o.Line)
				return false
			}
		}
		seen[m.ID], seen[m.Name] = m, m
		return true
	}
	for _, r := range c.Rules {
		if first(&r.Meta) {
			rules = append(rules, r)
		}
	}
	for _, r := range c.Correlations {
		if first(&r.Meta) {
			correlations = append(correlations, r)
		}
	}
	for _, f := range c.Filters {
		if first(&f.Meta) {
			filters = append(filters, f)
		}
	}
	return rules, correlations, filters
}

// filter gives what each rule asks for together with its filters.
func (k *compiler) filter(rules []*Rule, filters []*Filter) []*expr {
	bodies := make([]*expr, len(rules))
	for i, r := range rules {
		bodies[i] = r.detection
	}
	for _, f := range filters {
		if reason := missing(k.schema, f.detection, k.sourcesOf(f.LogSource)); reason != "" {
			k.problem(&f.Meta, "%s", reason)
			continue
		}
		unused := slices.Clone(f.Rules)
		for i, r := range rules {
			named := slices.ContainsFunc(f.Rules, r.is)
			if !named && !f.Any {
				continue
			}
			if !f.LogSource.covers(r.LogSource) {
				continue
			}
			unused = slices.DeleteFunc(unused, r.is)
			bodies[i] = join(opAnd, []*expr{bodies[i], f.detection})
		}
		if len(unused) > 0 {
			k.problem(&f.Meta, "there is no rule %s for the log source %s", strings.Join(unused, ", "), f.LogSource)
		}
	}
	return bodies
}

// is reports whether a reference means the rule.
func (m *Meta) is(ref string) bool { return ref != "" && (m.ID == ref || m.Name == ref) }

func (k *compiler) sourcesOf(l LogSource) []*Source {
	var out []*Source
	for i := range k.schema.Sources {
		if s := &k.schema.Sources[i]; l.covers(s.LogSource) {
			out = append(out, s)
		}
	}
	return out
}

// rule adds a rule to the sources it is for.
func (k *compiler) rule(r *Rule, body *expr) {
	sources := k.sourcesOf(r.LogSource)
	if len(sources) == 0 {
		k.problem(&r.Meta, "there are no events of the log source %s", r.LogSource)
		return
	}
	if reason := missing(k.schema, body, sources); reason != "" {
		k.problem(&r.Meta, "%s", reason)
		return
	}
	number := int32(len(k.Rules))
	used := false
	for i := range k.schema.Sources {
		if !r.LogSource.covers(k.schema.Sources[i].LogSource) {
			continue
		}
		n, err := k.binder.bind(body, &k.schema.Sources[i])
		switch {
		case err != nil:
			k.problem(&r.Meta, "%v", err)
			return
		case n == always:
			k.problem(&r.Meta, "every event of %s would match", k.schema.Sources[i].LogSource)
			return
		case n != never:
			k.add(i, number, n)
			used = true
		}
	}
	if !used {
		k.problem(&r.Meta, "no event can match: what it needs is never there")
		return
	}
	k.Rules = append(k.Rules, r)
	k.Silent = append(k.Silent, false)
}

func (k *compiler) add(source int, rule int32, n *node) {
	s := &k.sources[source]
	p := program{rule: rule}
	p.entry = p.emit(n, accept, reject)
	number := int32(len(s.programs))
	s.programs = append(s.programs, p)
	if need, ok := k.binder.necessary(n); ok && need.often < tooOften {
		k.needs[source] = append(k.needs[source], ruleNeed{number, need})
		return
	}
	s.always = append(s.always, anyway{k.binder.requires(n), number})
}

// emit appends the steps of a node, the last first, and gives where it begins.
func (p *program) emit(n *node, yes, no int32) int32 {
	switch n.op {
	case opLeaf:
		p.steps = append(p.steps, step{n.matcher, yes, no})
		return int32(len(p.steps) - 1)
	case opNot:
		return p.emit(n.kids[0], no, yes)
	case opAnd:
		for _, kid := range slices.Backward(n.kids) {
			yes = p.emit(kid, yes, no)
		}
		return yes
	case opOr:
		for _, kid := range slices.Backward(n.kids) {
			no = p.emit(kid, yes, no)
		}
		return no
	case opTrue:
		return yes
	}
	return no
}

// longestText is how much of a necessary text is looked for: enough to be rare, and little enough to keep the tables small.
const longestText = 8

// scans makes the tables of a source with what is left of the budget; the shorter the texts, the smaller the tables and the more often a rule is run in vain.
func (k *compiler) scans(source, budget int) int {
	needs := k.needs[source]
	s := &k.sources[source]
	for _, longest := range []int{longestText, 6, 4, 3} {
		scans, took, ok := makeScans(needs, longest, budget)
		if ok {
			s.scans = scans
			return budget - took
		}
	}
	for _, n := range needs {
		s.always = append(s.always, anyway{-1, n.program})
	}
	return budget
}

func makeScans(needs []ruleNeed, longest, budget int) (scans []fieldScan, took int, ok bool) {
	type fieldTexts struct {
		texts    []sought
		programs [][]int32
		known    map[sought]int
	}
	fields := map[int32]*fieldTexts{}
	var order []int32
	for _, n := range needs {
		for _, t := range n.need.texts {
			t = t.cut(longest)
			f := fields[t.field]
			if f == nil {
				f = &fieldTexts{known: map[sought]int{}}
				fields[t.field] = f
				order = append(order, t.field)
			}
			i, found := f.known[t.sought]
			if !found {
				i = len(f.texts)
				f.known[t.sought] = i
				f.texts = append(f.texts, t.sought)
				f.programs = append(f.programs, nil)
			}
			if p := &f.programs[i]; len(*p) == 0 || (*p)[len(*p)-1] != n.program {
				*p = append(*p, n.program)
			}
		}
	}
	for _, field := range order {
		f := fields[field]
		finder, ok := newFinder(f.texts, budget-took)
		if !ok {
			return nil, 0, false
		}
		took += finder.bytes()
		scans = append(scans, fieldScan{field, finder, f.programs})
	}
	return scans, took, true
}
