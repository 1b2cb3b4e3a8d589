package sigma

import (
	"slices"
)

// Scratch is the working memory of one goroutine's calls of Match. The zero value is ready, for any set. It grows to the longest values it has seen.
type Scratch struct {
	set    *Set
	now    uint32
	memo   []uint32   // by matcher: event and answer
	ran    [][]uint32 // by source and program: the event in which it ran
	folded []foldedValue
	out    []int32
}

// foldedValue is a field's value as it is compared.
type foldedValue struct {
	event uint32
	value []byte
	buf   []byte
}

// Match gives the numbers of the rules that an event of a source matches, in ascending order. values are by number of field; nil is a field that isn't
// there. What it gives is valid until the next call with the same scratch. It keeps nothing of values and allocates nothing once the scratch has grown.
func (s *Set) Match(w *Scratch, source int, values [][]byte) []int32 {
	w.begin(s)
	src := &s.sources[source]
	ran := w.ran[source]
	for i := range src.scans {
		f := &src.scans[i]
		if int(f.field) >= len(values) || len(values[f.field]) == 0 {
			continue
		}
		v := values[f.field]
		if !isASCII(v) {
			v = w.fold(f.field, v)
		}
		f.finder.find(v, func(text int32, _ int) bool {
			for _, p := range f.programs[text] {
				if ran[p] != w.now {
					ran[p] = w.now
					s.run(w, &src.programs[p], values)
				}
			}
			return false
		})
	}
	for _, a := range src.always {
		if a.field < 0 || int(a.field) < len(values) && values[a.field] != nil {
			s.run(w, &src.programs[a.program], values)
		}
	}
	slices.Sort(w.out)
	return w.out
}

// begin makes the scratch ready for the next event.
func (w *Scratch) begin(s *Set) {
	w.out = w.out[:0]
	if w.now++; w.set == s && w.now < 1<<31 {
		return
	}
	*w = Scratch{set: s, now: 1, memo: make([]uint32, len(s.matchers)), folded: make([]foldedValue, len(s.schema.Fields)), ran: make([][]uint32, len(s.sources))}
	for i := range s.sources {
		w.ran[i] = make([]uint32, len(s.sources[i].programs))
	}
}

func (s *Set) run(w *Scratch, p *program, values [][]byte) {
	at := p.entry
	for at >= 0 {
		st := &p.steps[at]
		if s.ask(w, st.matcher, values) {
			at = st.yes
		} else {
			at = st.no
		}
	}
	if at == accept {
		w.out = append(w.out, p.rule)
	}
}

// ask asks a matcher once per event.
func (s *Set) ask(w *Scratch, n int32, values [][]byte) bool {
	if m := w.memo[n]; m>>1 == w.now&^(1<<31) {
		return m&1 == 1
	}
	m := s.matchers[n]
	whole := value(values, m.field)
	v, other := whole, []byte(nil)
	if whole != nil {
		if !m.cased && m.kind >= matchEqual && m.kind <= matchGlob {
			v = w.fold(m.field, whole)
		}
		if m.kind >= matchRef && m.kind <= matchRefContains {
			if other = value(values, m.ref); other != nil && !m.cased {
				other = w.fold(m.ref, other)
			}
		}
	}
	answer := m.match(v, whole, other)
	w.memo[n] = w.now << 1
	if answer {
		w.memo[n] |= 1
	}
	return answer
}

func value(values [][]byte, field int32) []byte {
	if int(field) >= len(values) {
		return nil
	}
	return values[field]
}

// fold gives a value in the form in which case doesn't count, made once per event.
func (w *Scratch) fold(field int32, v []byte) []byte {
	f := &w.folded[field]
	if f.event == w.now {
		return f.value
	}
	f.event, f.value = w.now, v
	for _, c := range v {
		if c >= 0x80 || 'A' <= c && c <= 'Z' {
			f.buf = appendFolded(f.buf[:0], v)
			f.value = f.buf
			break
		}
	}
	return f.value
}
