package pebble

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// space refuses writes while the file system is nearly full, so that Pebble's own files never meet the end of it.
type space struct {
	fs   vfs.FS
	dir  string
	min  uint64
	next atomic.Int64 // unix nanoseconds of the next look
	free atomic.Uint64
}

// first looks for the first time; check must not be called before.
func (s *space) first() { s.free.Store(s.look()) }

const spaceEvery = 20 * time.Millisecond

func (s *space) check() error {
	now := time.Now().UnixNano()
	if next := s.next.Load(); now >= next && s.next.CompareAndSwap(next, now+int64(spaceEvery)) {
		s.free.Store(s.look())
	}
	if free := s.free.Load(); free < s.min {
		return fmt.Errorf("%w: %d bytes left at %s, writes need %d", store.ErrFull, free, s.dir, s.min)
	}
	return nil
}

// look asks the file system; one that can't tell counts as having room.
func (s *space) look() uint64 {
	u, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return ^uint64(0)
	}
	return u.AvailBytes
}

func isNoSpace(err error) bool { return vfs.IsNoSpaceError(err) }
