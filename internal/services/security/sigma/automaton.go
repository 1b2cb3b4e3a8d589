package sigma

// automaton finds many texts in a value in one pass: Aho and Corasick's machine as one flat table. It doesn't tell upper from lower case in ASCII; values
// with other characters are given to it folded. Nothing is allocated while it runs, and it may be used by many at once.
type automaton struct {
	class [256]uint8 // of a byte; 0 is every byte that no text has
	width uint32     // of a row: the classes and the head of the state's list of hits
	next  []uint32   // by row and class: the offset of the next row, with hitBit if texts end there
	hits  []hit
}

// hit is one text that ends in a state; the list of a state goes on with those of the state for its longest suffix.
type hit struct {
	text int32
	next int32 // in hits, negative at the end
}

const hitBit = 1 << 31

// newAutomaton makes the machine of folded, non-empty texts; false means that it would take more than limit bytes.
func newAutomaton(texts []string, limit int) (*automaton, bool) {
	a := &automaton{}
	classes := uint32(1)
	for _, t := range texts {
		for i := range len(t) {
			if c := lowerASCII(t[i]); a.class[c] == 0 {
				a.class[c] = uint8(classes)
				classes++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		a.class[c] = a.class[lowerASCII(c)]
	}
	a.width = classes + 1
	ends, ok := a.plant(texts, limit)
	if ok {
		a.link(ends)
	}
	return a, ok
}

// plant makes the tree of the texts and gives, by row, which texts end there. It grows level by level, so that the rows in which a scan mostly is are neighbours
// and stay in the processor's cache.
func (a *automaton) plant(texts []string, limit int) ([][]int32, bool) {
	a.next = make([]uint32, a.width)
	ends := [][]int32{nil}
	rows := make([]uint32, len(texts)) // where each text has got to
	for depth, growing := 0, true; growing; depth++ {
		growing = false
		for n, t := range texts {
			if depth >= len(t) {
				continue
			}
			growing = true
			at := rows[n] + uint32(a.class[lowerASCII(t[depth])])
			if a.next[at] == 0 {
				if (len(a.next)+int(a.width))*4 > limit {
					return nil, false
				}
				a.next[at] = uint32(len(a.next))
				a.next = append(a.next, make([]uint32, a.width)...)
				ends = append(ends, nil)
			}
			rows[n] = a.next[at]
			if depth == len(t)-1 {
				ends[rows[n]/a.width] = append(ends[rows[n]/a.width], int32(n))
			}
		}
	}
	return ends, true
}

// link turns the tree into the machine: where a text can't go on, the row of the longest suffix that is the beginning of a text does.
func (a *automaton) link(ends [][]int32) {
	w := a.width
	head := w - 1
	fail := make([]uint32, len(ends))
	a.next[head] = ^uint32(0)
	var queue []uint32
	for c := range head {
		if to := a.next[c]; to != 0 {
			queue = append(queue, to)
		}
	}
	for i := 0; i < len(queue); i++ {
		row := queue[i]
		suffix := fail[row/w]
		list := int32(a.next[suffix+head])
		for _, t := range ends[row/w] {
			a.hits = append(a.hits, hit{t, list})
			list = int32(len(a.hits) - 1)
		}
		a.next[row+head] = uint32(list)
		for c := range head {
			to, other := a.next[row+c], a.next[suffix+c]
			if to == 0 {
				a.next[row+c] = other
				continue
			}
			fail[to/w] = other
			queue = append(queue, to)
		}
	}
	for row := uint32(0); int(row) < len(a.next); row += w {
		for c := range head {
			if to := a.next[row+c]; int32(a.next[to+head]) >= 0 {
				a.next[row+c] = to | hitBit
			}
		}
	}
}

// scan tells of every text in v, with the position behind it, until found says to stop.
func (a *automaton) scan(v []byte, found func(text int32, end int) (stop bool)) {
	next, class, row := a.next, &a.class, uint32(0)
	for i, c := range v {
		row = next[row+uint32(class[c])]
		if row < hitBit {
			continue
		}
		row &^= hitBit
		for h := int32(next[row+a.width-1]); h >= 0; h = a.hits[h].next {
			if found(a.hits[h].text, i+1) {
				return
			}
		}
	}
}

// bytes is what the tables take.
func (a *automaton) bytes() int { return 4*len(a.next) + 8*len(a.hits) }
