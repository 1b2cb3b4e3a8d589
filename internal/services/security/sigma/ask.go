package sigma

import "slices"

// Uses reports, by number of field, which fields the rules for a source, and the correlations of these, look at: values of others need not be given.
func (s *Set) Uses(source int) []bool {
	used := make([]bool, len(s.schema.Fields))
	src := &s.sources[source]
	for i := range src.programs {
		for _, st := range src.programs[i].steps {
			m := s.matchers[st.matcher]
			used[m.field] = true
			if m.kind >= matchRef && m.kind <= matchRefContains {
				used[m.ref] = true
			}
		}
	}
	for i := range src.programs {
		for _, l := range s.links[src.programs[i].rule] {
			part := &s.chains[l.chain].parts[l.part]
			for _, f := range slices.Concat(part.group, part.fields) {
				used[f] = true
			}
		}
	}
	for i := range src.scans {
		used[src.scans[i].field] = true
	}
	for _, a := range src.always {
		if a.field >= 0 {
			used[a.field] = true
		}
	}
	return used
}

// Possible reports whether a rule for a source may match an event of which no more is known than one field's value; false is certain. It is for those who read events, to leave out what
// nothing looks for, and is too slow to be asked for each event.
func (s *Set) Possible(source, field int, value []byte) bool {
	src := &s.sources[source]
	values := make([][]byte, len(s.schema.Fields))
	values[field] = value
	var w Scratch
	w.begin(s)
	return slices.ContainsFunc(src.programs, func(p program) bool {
		seen := make([]bool, len(p.steps))
		next := []int32{p.entry}
		for len(next) > 0 {
			at := next[len(next)-1]
			next = next[:len(next)-1]
			if at == accept {
				return true
			}
			if at < 0 || seen[at] {
				continue
			}
			seen[at] = true
			st := &p.steps[at]
			m := s.matchers[st.matcher]
			known := int(m.field) == field && (m.kind < matchRef || m.kind > matchRefContains)
			yes := known && s.ask(&w, st.matcher, values)
			if !known || yes {
				next = append(next, st.yes)
			}
			if !known || !yes {
				next = append(next, st.no)
			}
		}
		return false
	})
}
