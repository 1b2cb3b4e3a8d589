package index

import (
	"sync"
	"sync/atomic"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// memo keeps what planners of a range have found out: its state is the same for as long as its LSN is. Safe for concurrent use.
type memo struct {
	totals atomic.Pointer[Totals]
	mu     sync.Mutex
	parts  map[string]*part // by bounds
}

// Alone is the same index for a planner that is to read all it goes by itself.
func (x *Index) Alone() *Index { return &Index{State: x.State, Current: x.Current, Target: x.Target} }

// Totals are a range's at an LSN at which its index had the generation of the Index that keeps them.
type Totals struct {
	LSN       store.LSN
	Documents int
	Average   int // bytes of a document
}

// Totals are those that were kept, if they are of that LSN; else nil.
func (x *Index) Totals(lsn store.LSN) *Totals {
	if t := x.memo.totals.Load(); t != nil && t.LSN == lsn {
		return t
	}
	return nil
}

// Keep keeps the totals.
func (x *Index) Keep(t Totals) { x.memo.totals.Store(&t) }

// part is what is known of the documents within some bounds.
type part struct {
	shapes   []*shape // of the state with this LSN; nil: too many
	shapesAt store.LSN

	marked   bool // some documents are not indexed, in the state with this LSN
	markedAt store.LSN

	documents, limit int // at least so many documents, counted up to a limit
	countedAt        store.LSN
}

const (
	maxParts = 1024 // kept at a time
	// stale is after how many transactions documents are counted anew. That number is an estimate: any makes a plan whose answer is right.
	stale = 256
)

func (m *memo) with(b Bounds, fn func(p *part)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.parts[string(b.Low)+"\x00"+string(b.High)]
	if p == nil {
		if m.parts == nil || len(m.parts) >= maxParts {
			m.parts = map[string]*part{}
		}
		p = new(part)
		m.parts[string(b.Low)+"\x00"+string(b.High)] = p
	}
	fn(p)
}

// documents is how many documents are within the bounds, at most limit, as it lately was.
func (m *memo) documents(lsn store.LSN, b Bounds, limit int) (n int, ok bool) {
	m.with(b, func(p *part) {
		if ok = p.limit > 0 && lsn >= p.countedAt && lsn-p.countedAt < stale && (p.documents < p.limit || limit <= p.limit); ok {
			n = min(p.documents, limit)
		}
	})
	return n, ok
}

func (m *memo) counted(lsn store.LSN, b Bounds, n, limit int) {
	m.with(b, func(p *part) { p.documents, p.limit, p.countedAt = n, limit, lsn })
}

// shapes are those within the bounds, in the state with that LSN.
func (m *memo) shapes(lsn store.LSN, b Bounds) (out []*shape, ok bool) {
	m.with(b, func(p *part) { out, ok = p.shapes, p.shapesAt == lsn && lsn > 0 })
	return out, ok
}

func (m *memo) found(lsn store.LSN, b Bounds, shapes []*shape) {
	m.with(b, func(p *part) { p.shapes, p.shapesAt = shapes, lsn })
}

// marked tells whether some documents within the bounds are not indexed.
func (c *chooser) marked() (marked bool) {
	lsn := c.sn.LSN()
	known := false
	c.memo.with(c.bounds, func(p *part) { marked, known = p.marked, p.markedAt == lsn && lsn > 0 })
	if known {
		return marked
	}
	marked = c.count(heads{unindexedHead}, 1) > 0
	if c.err == nil {
		c.memo.with(c.bounds, func(p *part) { p.marked, p.markedAt = marked, lsn })
	}
	return marked
}

var unindexedHead = append([]byte("s|"), unindexed...)
