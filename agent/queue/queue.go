package queue

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
)

// Options bound a queue. The zero value works.
type Options struct {
	Limit   int64 // bytes of all files together; 0: 64 MiB
	Segment int64 // bytes after which a new file is begun; 0: 1 MiB, or an eighth of the limit if that is less
	// Thin takes what has a priority, and what matters less, out of a batch where there is no room for it, and says how many that were. nil: batches are agent/batch's. Batches of
	// another kind have priorities from 0 to batch.Priorities-1, too.
	Thin func(packed []byte, least int) (thinner []byte, dropped uint64, err error)
}

// Queue is the batches of one agent. Safe for concurrent use, by one process.
type Queue struct {
	dir  string
	o    Options
	lock *os.File

	mu        sync.Mutex
	segments  []*segment // oldest first; the last is the one written to
	file      *os.File   // of the last segment
	next      uint64     // number of the next batch
	acked     uint64
	size      int64
	positions map[string][]byte
	at        place // where Next goes on
	dropped   uint64
	broken    error
	buf       []byte
	changed   chan struct{}
}

// place is where a batch is in the files.
type place struct {
	segment *segment
	version int // of the segment, which is written anew when events are dropped
	seq     uint64
	offset  int64
}

// Status is how a queue stands.
type Status struct {
	Batches uint64 // not acknowledged
	Bytes   int64  // of files
	Dropped uint64 // events dropped since it was opened
	Last    uint64 // number of the newest batch, 0 for none ever
	Acked   uint64
}

// ErrLocked is answered while another process has the queue open.
var ErrLocked = errors.New("another agent is running on this folder")

// Open opens the queue in a folder, which is made if it isn't there.
func Open(dir string, o Options) (*Queue, error) {
	if o.Limit == 0 {
		o.Limit = 64 << 20
	}
	if o.Segment == 0 {
		o.Segment = min(1<<20, o.Limit/8)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	q := &Queue{dir: dir, o: o, lock: lock, next: 1, positions: map[string][]byte{}, changed: make(chan struct{}, 1)}
	if err := q.load(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("open the queue %s: %w", dir, err)
	}
	return q, nil
}

// Close ends the use of the queue. What is in it stays.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var err error
	if q.file != nil {
		err = q.file.Close()
		q.file = nil
	}
	q.broken = os.ErrClosed
	return errors.Join(err, q.lock.Close())
}

// Fresh tells whether nothing was ever put in, so that the platform has to be asked for the number to begin with.
func (q *Queue) Fresh() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.segments) == 0
}

// Positions are where the sources go on, by their names.
func (q *Queue) Positions() map[string][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.positions)
}

// Status is how the queue stands.
func (q *Queue) Status() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Status{Batches: q.next - 1 - q.acked, Bytes: q.size, Dropped: q.dropped, Last: q.next - 1, Acked: q.acked}
}

// Changed receives after an Append. It coalesces.
func (q *Queue) Changed() <-chan struct{} { return q.changed }

// Append stores the batches of a turn, and positions, at once and durably. After an error nothing of it is stored, and it may be tried again.
func (q *Queue) Append(packed [][]byte, positions map[string][]byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken != nil {
		return q.broken
	}
	if len(packed) == 0 {
		return nil
	}
	if q.size > 2*q.o.Limit { // there was no room to make room
		if err := q.shrink(); err != nil {
			return err
		}
	}
	if n := len(q.segments); n == 0 || q.segments[n-1].size >= q.o.Segment || q.segments[n-1].last+1 != q.next {
		if err := q.roll(); err != nil {
			return err
		}
	}
	all := maps.Clone(q.positions)
	maps.Copy(all, positions)
	q.buf = q.buf[:0]
	for i, p := range packed {
		f := frame{seq: q.next + uint64(i), packed: p}
		if i == len(packed)-1 {
			f.last, f.positions = true, all
		}
		q.buf = appendFrame(q.buf, &f)
	}
	s := q.segments[len(q.segments)-1]
	_, err := q.file.WriteAt(q.buf, s.size)
	if err == nil {
		err = q.file.Sync()
	}
	if err != nil {
		// What was written must not be taken for a turn at the next start, as it is going to be written again.
		if terr := q.file.Truncate(s.size); terr != nil {
			q.broken = fmt.Errorf("the queue can't be written to: %w", errors.Join(err, terr))
			return q.broken
		}
		return err
	}
	s.size += int64(len(q.buf))
	s.last = q.next + uint64(len(packed)) - 1
	s.floor = 0
	q.size += int64(len(q.buf))
	q.next += uint64(len(packed))
	q.positions = all
	if cap(q.buf) > 4<<20 {
		q.buf = nil
	}
	select {
	case q.changed <- struct{}{}:
	default:
	}
	_ = q.shrink() // what was stored is stored: an error is for the next Append to meet
	return nil
}

// Ack says that the platform has everything up to a number. One that was never given out means that the platform knows of batches which this queue forgot, as after the folder was
// restored from a backup: the next batch follows it.
func (q *Queue) Ack(seq uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.acked = max(q.acked, seq)
	q.next = max(q.next, seq+1)
	for len(q.segments) > 1 && q.segments[0].last <= q.acked && q.segments[1].last >= q.segments[1].first { // an empty one remembers nothing
		s := q.segments[0]
		if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		q.size -= s.size
		q.segments = q.segments[1:]
	}
	return nil
}

// Next returns the oldest batch that isn't acknowledged; nil if there is none. The bytes are the caller's.
func (q *Queue) Next() (seq uint64, packed []byte, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if q.broken != nil {
			return 0, nil, q.broken
		}
		i := slices.IndexFunc(q.segments, func(s *segment) bool { return s.last > q.acked })
		if i < 0 {
			return 0, nil, nil
		}
		s := q.segments[i]
		if q.at.segment != s || q.at.version != s.version || q.at.seq > q.acked+1 {
			q.at = place{segment: s, version: s.version}
		}
		f, size, err := s.read(q.at.offset)
		if err != nil {
			// Damage amid a segment: what follows can't be found. It is given up, and missing from the numbers.
			if q.acked = s.last; i == len(q.segments)-1 && q.next == s.last+1 {
				if err := q.roll(); err != nil {
					return 0, nil, err
				}
			}
			continue
		}
		q.at.seq, q.at.offset = f.seq+1, q.at.offset+int64(size)
		if f.seq <= q.acked {
			continue
		}
		// The same one is answered until it is acknowledged.
		q.at.seq, q.at.offset = f.seq, q.at.offset-int64(size)
		return f.seq, slices.Clone(f.packed), nil
	}
}
