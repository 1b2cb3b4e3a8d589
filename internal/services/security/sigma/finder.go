package sigma

// sought is a text to be found in a value: anywhere, at its beginning, at its end, or as all of it.
type sought struct {
	text       string // folded, not empty
	start, end bool
}

// finder finds many texts in a value at once, in one pass that costs nearly the same for few and for many texts. It doesn't tell upper from lower case in
// ASCII; values with other characters are given to it folded. Nothing is allocated while it runs, and it may be used by many at once.
//
// Texts at the beginning or at the end take one walk down a tree there. For texts anywhere, the pass looks at each three characters whether any text begins
// with them, in a table that stays in the processor's first cache, and walks down the tree only where one may.
type finder struct {
	begin, end, any *tree // nil where there are no such texts
	filter          *[filterBits / 64]uint64
	short           bool // any has texts of fewer than three characters
	texts           []sought
}

const (
	filterBits  = 1 << 15
	filterShift = 5
)

// newFinder makes the tables; false means that they would take more than limit bytes. Texts are found by their place in the list.
func newFinder(texts []sought, limit int) (*finder, bool) {
	f := &finder{texts: texts}
	var begin, end, anywhere []int32
	for n, t := range texts {
		switch {
		case t.end:
			end = append(end, int32(n))
		case t.start:
			begin = append(begin, int32(n))
		default:
			anywhere = append(anywhere, int32(n))
		}
	}
	if len(anywhere) > 0 {
		if limit -= filterBits / 8; limit < 0 {
			return nil, false
		}
	}
	for _, part := range []struct {
		to       **tree
		texts    []int32
		backward bool
	}{{&f.begin, begin, false}, {&f.end, end, true}, {&f.any, anywhere, false}} {
		if len(part.texts) == 0 {
			continue
		}
		t, ok := newTree(texts, part.texts, part.backward, limit)
		if !ok {
			return nil, false
		}
		limit -= t.bytes()
		*part.to = t
	}
	if f.any != nil {
		f.fillFilter()
	}
	return f, true
}

// fillFilter marks the first three characters of the texts; what is shorter stands for all that it may begin.
func (f *finder) fillFilter() {
	f.filter = new([filterBits / 64]uint64)
	t := f.any
	classes := t.width - 1
	for _, s := range f.texts {
		if s.start || s.end {
			continue
		}
		f.short = f.short || len(s.text) < 3
		prefixes := []uint32{0}
		for i := range 3 {
			var next []uint32
			for _, p := range prefixes {
				if i < len(s.text) {
					next = append(next, p<<filterShift^uint32(t.class[lowerASCII(s.text[i])]))
					continue
				}
				for c := range classes {
					next = append(next, p<<filterShift^c)
				}
			}
			prefixes = next
		}
		for _, p := range prefixes {
			p %= filterBits
			f.filter[p/64] |= 1 << (p % 64)
		}
	}
}

func (f *finder) bytes() (n int) {
	for _, t := range []*tree{f.begin, f.end, f.any} {
		if t != nil {
			n += t.bytes()
		}
	}
	if f.filter != nil {
		n += filterBits / 8
	}
	return n
}

// find tells of every text in v, once for each place, until found says to stop. at is where the text begins.
func (f *finder) find(v []byte, found func(text int32, at int) (stop bool)) {
	if t := f.begin; t != nil {
		row := uint32(0)
		for i := 0; i < len(v); i++ {
			if row = t.next[row+uint32(t.class[v[i]])]; row == 0 {
				break
			}
			for h := int32(t.next[row+t.width-1]); h >= 0; h = t.hits[h].next {
				if found(t.hits[h].text, 0) {
					return
				}
			}
		}
	}
	if t := f.end; t != nil {
		row := uint32(0)
		for i := len(v) - 1; i >= 0; i-- {
			if row = t.next[row+uint32(t.class[v[i]])]; row == 0 {
				break
			}
			for h := int32(t.next[row+t.width-1]); h >= 0; h = t.hits[h].next {
				text := t.hits[h].text
				if (i == 0 || !f.texts[text].start) && found(text, i) {
					return
				}
			}
		}
	}
	if f.any != nil {
		f.findAnywhere(v, found)
	}
}

func (f *finder) findAnywhere(v []byte, found func(text int32, at int) (stop bool)) {
	class, filter, three := &f.any.class, f.filter, uint32(0)
	for i, c := range v {
		three = (three<<filterShift ^ uint32(class[c])) % filterBits
		if filter[three/64]>>(three%64)&1 != 0 && i >= 2 && f.walk(v, i-2, found) {
			return
		}
	}
	if !f.short {
		return
	}
	for i := max(0, len(v)-2); i < len(v); i++ {
		if f.walk(v, i, found) {
			return
		}
	}
}

// walk goes down the tree of the texts that may be anywhere, from one place.
func (f *finder) walk(v []byte, at int, found func(text int32, at int) (stop bool)) (stop bool) {
	t := f.any
	row := uint32(0)
	for _, c := range v[at:] {
		if row = t.next[row+uint32(t.class[c])]; row == 0 {
			return false
		}
		for h := int32(t.next[row+t.width-1]); h >= 0; h = t.hits[h].next {
			if found(t.hits[h].text, at) {
				return true
			}
		}
	}
	return false
}

// tree is a tree of texts as one flat table.
type tree struct {
	class [256]uint8 // of a byte; 0 is every byte that no text has
	width uint32     // of a row: the classes and the head of the list of texts that end there
	next  []uint32   // by row and class: the offset of the next row, 0 if there is none
	hits  []treeHit
}

type treeHit struct {
	text, next int32 // next is in hits, negative at the end
}

// newTree grows level by level, so that the rows near the root are neighbours.
func newTree(all []sought, which []int32, backward bool, limit int) (*tree, bool) {
	t := &tree{}
	classes := uint32(1)
	for _, n := range which {
		for _, c := range []byte(all[n].text) {
			if c = lowerASCII(c); t.class[c] == 0 {
				t.class[c] = uint8(classes)
				classes++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		t.class[c] = t.class[lowerASCII(c)]
	}
	t.width = classes + 1
	t.next = make([]uint32, t.width)
	t.next[t.width-1] = noHit
	rows := make([]uint32, len(which))
	for depth, growing := 0, true; growing; depth++ {
		growing = false
		for i, n := range which {
			text := all[n].text
			if depth >= len(text) {
				continue
			}
			growing = true
			c := text[depth]
			if backward {
				c = text[len(text)-1-depth]
			}
			at := rows[i] + uint32(t.class[lowerASCII(c)])
			if t.next[at] == 0 {
				if t.bytes()+int(t.width)*4 > limit {
					return nil, false
				}
				t.next[at] = uint32(len(t.next))
				t.next = append(t.next, make([]uint32, t.width)...)
				t.next[len(t.next)-1] = noHit
			}
			rows[i] = t.next[at]
			if depth == len(text)-1 {
				head := rows[i] + t.width - 1
				t.hits = append(t.hits, treeHit{n, int32(t.next[head])})
				t.next[head] = uint32(len(t.hits) - 1)
			}
		}
	}
	return t, true
}

const noHit = ^uint32(0)

func (t *tree) bytes() int { return 4*len(t.next) + 8*len(t.hits) }
