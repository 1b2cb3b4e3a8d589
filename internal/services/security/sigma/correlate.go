package sigma

import (
	"fmt"
	"slices"
)

// chain is a correlation whose references are resolved.
type chain struct {
	correlation int32
	parts       []part
}

// part is one of its rules: where the values for the group and for the measure come from. For a rule they are numbers of fields, for another correlation
// they are places in its group.
type part struct {
	group, fields []int32
}

// link says that matches of something are for a part of a chain.
type link struct {
	chain, part int32
}

// linkOf is the key of links for a correlation; for a rule it is its number.
func linkOf(chain int32) int32 { return -1 - chain }

// correlate resolves the correlations, those that others build on first.
func (k *compiler) correlate(list []*Correlation) {
	r := &resolver{k: k, list: list, state: make([]resolveState, len(list)), chain: make([]int32, len(list))}
	for i, c := range list {
		if err := r.resolve(i); err != nil && r.state[i] != resolveTold {
			r.state[i] = resolveTold
			k.problem(&c.Meta, "%v", err)
		}
	}
	for i := range k.Rules {
		links := k.links[int32(i)]
		generates := func(l link) bool { return k.Correlations[k.chains[l.chain].correlation].Generate }
		k.Silent[i] = len(links) > 0 && !slices.ContainsFunc(links, generates)
	}
}

type resolver struct {
	k     *compiler
	list  []*Correlation
	state []resolveState
	chain []int32
}

type resolveState uint8

const (
	resolveNew resolveState = iota
	resolveOpen
	resolveDone
	resolveFailed
	resolveTold
)

// source is what a reference means: a rule, or a correlation by its place in the list.
type source struct {
	meta        *Meta
	rule        int32
	correlation int
}

func (r *resolver) find(ref string) (source, bool) {
	for i, rule := range r.k.Rules {
		if rule.is(ref) {
			return source{&rule.Meta, int32(i), -1}, true
		}
	}
	for i, c := range r.list {
		if c.is(ref) {
			return source{&c.Meta, -1, i}, true
		}
	}
	return source{}, false
}

func (r *resolver) resolve(i int) (err error) {
	switch r.state[i] {
	case resolveDone:
		return nil
	case resolveOpen:
		return fmt.Errorf("it is part of itself")
	case resolveFailed, resolveTold:
		return fmt.Errorf("%q can't be used", r.list[i].Key())
	}
	r.state[i] = resolveOpen
	defer func() {
		if r.state[i] = resolveDone; err != nil {
			r.state[i] = resolveFailed
		}
	}()
	c := r.list[i]
	ch := chain{correlation: int32(len(r.k.Correlations))}
	var from []int32
	for _, ref := range c.Rules {
		s, ok := r.find(ref)
		if !ok {
			return fmt.Errorf("there is no rule %s that can be used", ref)
		}
		if s.correlation >= 0 {
			if err := r.resolve(s.correlation); err != nil {
				return err
			}
			ch.correlation = int32(len(r.k.Correlations))
		}
		p, err := r.part(c, s, ref)
		if err != nil {
			return err
		}
		ch.parts = append(ch.parts, p)
		if s.correlation >= 0 {
			from = append(from, linkOf(r.chain[s.correlation]))
		} else {
			from = append(from, s.rule)
		}
	}
	number := int32(len(r.k.chains))
	r.chain[i] = number
	for n, f := range from {
		r.k.links[f] = append(r.k.links[f], link{number, int32(n)})
	}
	r.k.chains = append(r.k.chains, ch)
	r.k.Correlations = append(r.k.Correlations, c)
	return nil
}

func (r *resolver) part(c *Correlation, s source, ref string) (p part, err error) {
	take := func(names []string) (out []int32, err error) {
		for _, name := range names {
			n, err := r.place(c, s, ref, name)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		}
		return out, nil
	}
	if p.group, err = take(c.GroupBy); err == nil {
		p.fields, err = take(c.Fields)
	}
	return p, err
}

// place finds a field, or what an alias means for the rule.
func (r *resolver) place(c *Correlation, s source, ref, name string) (int32, error) {
	if fields, ok := c.Aliases[name]; ok {
		for _, key := range []string{ref, s.meta.Name, s.meta.ID} {
			if f, ok := fields[key]; ok && key != "" {
				return r.named(s, f)
			}
		}
		return 0, fmt.Errorf("alias %s has no field for the rule %s", name, ref)
	}
	return r.named(s, name)
}

func (r *resolver) named(s source, name string) (int32, error) {
	if s.correlation >= 0 {
		if n := slices.Index(r.list[s.correlation].GroupBy, name); n >= 0 {
			return int32(n), nil
		}
		return 0, fmt.Errorf("the correlation %s isn't grouped by %s", s.meta.Key(), name)
	}
	n, err := r.k.schema.field(name)
	if err == nil && n < 0 {
		err = fmt.Errorf("no event has a field %s", name)
	}
	if err != nil {
		return 0, err
	}
	rule := r.k.Rules[s.rule]
	if reason := missingField(r.k.schema, name, r.k.sourcesOf(rule.LogSource)); reason != "" {
		return 0, fmt.Errorf("%s (rule %s)", reason, rule.Key())
	}
	return int32(n), nil
}
