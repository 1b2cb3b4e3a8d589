package posture

import (
	"bytes"
	"context"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// maxListening is of how many subscriptions the automations are remembered.
const maxListening = 256

// listening remembers who is to be told, by subscription, as of an LSN of its shard: a thousand new alerts read the automations once. Safe for concurrent use.
type listening struct {
	mu sync.Mutex
	by *simplelru.LRU[string, heard]
}

type heard struct {
	lsn store.LSN
	all []hearer
}

// hearer is an automation that is turned on. Both are shared: they are not changed.
type hearer struct {
	r *arm.Resource
	a *automation
}

func newListening() *listening {
	by, _ := simplelru.NewLRU[string, heard](maxListening, nil)
	return &listening{by: by}
}

func (l *listening) get(shard string) (heard, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by.Get(shard)
}

func (l *listening) put(shard string, h heard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by.Add(shard, h)
}

// hearers are the automations of a subscription that are turned on.
func (s *Service) hearers(ctx context.Context, subscription string) ([]hearer, error) {
	shard := subShard(subscription)
	known, ok := s.heard.get(shard)
	if lsn, can := store.Peek(s.deps.Store, shard); ok && can && lsn == known.lsn {
		return known.all, nil
	}
	now := heard{}
	prefix := ownKey(tagAutomate, "")
	rows := map[string][]byte{}
	same := false
	err := s.deps.Store.View(ctx, shard, func(v store.Snapshot) error {
		clear(rows)
		now.lsn = v.LSN()
		if same = ok && now.lsn == known.lsn; same {
			return nil
		}
		return v.Scan(store.Prefix(prefix), func(k, row []byte) bool {
			rows[string(k[len(prefix):])] = bytes.Clone(row)
			return true
		})
	})
	if err != nil || same {
		return known.all, err
	}
	for guid, row := range rows {
		id, err := automateCodec.Decode(row)
		if err != nil {
			return nil, err
		}
		// What is read here may be younger than the LSN: then the shard has moved on, and the next event reads again.
		r, err := s.automation(ctx, id, guid)
		if err != nil {
			return nil, err
		}
		if a := active(r); a != nil {
			now.all = append(now.all, hearer{r, a})
		}
	}
	s.heard.put(shard, now)
	return now.all, nil
}
