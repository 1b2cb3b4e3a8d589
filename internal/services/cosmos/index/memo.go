package index

import (
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// memo keeps what planners of a range have found out. Safe for concurrent use.
type memo struct {
	mu    sync.Mutex
	parts map[string]*part // by bounds
}

// part is what is known of the documents within some bounds.
type part struct {
	shapes   []*shape // of the state with this LSN; nil: too many
	shapesAt store.LSN

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
