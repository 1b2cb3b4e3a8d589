package kernel

import (
	"sync"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// span is a run of serials of which records were dropped.
type span struct{ from, to uint64 }

// maxSpans bounds what is remembered of dropped serials; those beyond it are counted as missing too.
const maxSpans = 1024

// spans are the serials of what the buffer had no room for: they have come, and aren't missing besides. Safe for concurrent use.
type spans struct {
	mu  sync.Mutex
	all []span
}

func (s *spans) add(t linuxaudit.Type, payload []byte) {
	l, ok := linuxaudit.ParseMessage(t, payload)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.all)
	switch {
	case n > 0 && l.Serial >= s.all[n-1].from && l.Serial <= s.all[n-1].to+1:
		s.all[n-1].to = max(s.all[n-1].to, l.Serial)
	case n < maxSpans:
		s.all = append(s.all, span{from: l.Serial, to: l.Serial})
	}
}

func (s *spans) take() []span {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}
