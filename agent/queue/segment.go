package queue

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/batch"
)

const suffix = ".batches"

// segment is a file.
type segment struct {
	path        string
	first, last uint64 // numbers of its batches; last < first: none
	size        int64
	version     int // counts how often it was written anew
	floor       int // events of a priority below the floor, counted from the least, were dropped
}

// read reads the frame at an offset.
func (s *segment) read(offset int64) (frame, int, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return frame{}, 0, err
	}
	defer f.Close()
	head := make([]byte, headSize)
	if _, err := f.ReadAt(head, offset); err != nil {
		return frame{}, 0, err
	}
	size := int64(head[0])<<24 | int64(head[1])<<16 | int64(head[2])<<8 | int64(head[3])
	if size > maxFrame {
		return frame{}, 0, errTorn
	}
	b := make([]byte, headSize+size)
	if _, err := f.ReadAt(b, offset); err != nil && !errors.Is(err, io.EOF) {
		return frame{}, 0, err
	}
	return readFrame(b)
}

// scan reads a file's frames up to the first that is torn, and where the last whole turn ends.
func scan(b []byte) (frames []frame, end int64) {
	var at, whole int
	for {
		f, size, err := readFrame(b[at:])
		if err != nil || len(frames) > 0 && f.seq != frames[len(frames)-1].seq+1 {
			return frames[:whole], end
		}
		frames = append(frames, f)
		if at += size; f.last {
			whole, end = len(frames), int64(at)
		}
	}
}

// load reads what is in the folder.
func (q *Queue) load() error {
	names, err := filepath.Glob(filepath.Join(q.dir, "*"+suffix))
	if err != nil {
		return err
	}
	slices.Sort(names)
	if left, _ := filepath.Glob(filepath.Join(q.dir, "*.new")); len(left) > 0 { // rewriting was interrupted
		for _, name := range left {
			_ = os.Remove(name)
		}
	}
	for i, name := range names {
		if err := q.loadSegment(name, i == len(names)-1); err != nil {
			return err
		}
	}
	if n := len(q.segments); n > 0 {
		s := q.segments[n-1]
		q.next = s.last + 1
		q.acked = q.segments[0].first - 1
		if q.file, err = os.OpenFile(s.path, os.O_RDWR, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) loadSegment(name string, newest bool) error {
	first, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), suffix), 16, 64)
	if err != nil {
		return nil // not ours
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	frames, end := scan(b)
	if len(frames) == 0 {
		// A crash amid the first turn of a new file, or nothing that can be read: the numbers tell what is missing.
		return os.Remove(name)
	}
	s := &segment{path: name, first: frames[0].seq, last: frames[len(frames)-1].seq, size: int64(len(b))}
	if s.first != first {
		return fmt.Errorf("%s begins with batch %d", name, s.first)
	}
	if newest && end < s.size {
		if err := os.Truncate(name, end); err != nil {
			return err
		}
		s.size = end
	}
	for _, f := range frames {
		if f.last && len(f.positions) > 0 {
			q.positions = map[string][]byte{}
			for k, v := range f.positions {
				q.positions[k] = slices.Clone(v)
			}
		}
	}
	q.segments = append(q.segments, s)
	q.size += s.size
	return nil
}

// roll begins a new file.
func (q *Queue) roll() error {
	path := filepath.Join(q.dir, fmt.Sprintf("%016x%s", q.next, suffix))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := syncFolder(q.dir); err != nil {
		f.Close()
		return err
	}
	if q.file != nil {
		if err := q.file.Close(); err != nil {
			f.Close()
			return err
		}
	}
	q.file = f
	q.segments = append(q.segments, &segment{path: path, first: q.next, last: q.next - 1})
	return nil
}

// shrink drops events until the files fit their limit, and an eighth more, so that not every Append has to.
func (q *Queue) shrink() error {
	if q.size <= q.o.Limit {
		return nil
	}
	if q.segments[len(q.segments)-1].size > 0 {
		if err := q.roll(); err != nil {
			return err
		}
	}
	for priority := batch.Priorities - 1; priority >= 0; priority-- {
		for _, s := range q.segments[:len(q.segments)-1] {
			if q.size <= q.o.Limit-q.o.Limit/8 {
				return nil
			}
			if s.floor >= batch.Priorities-priority {
				continue
			}
			if err := q.strip(s, priority); err != nil {
				return err
			}
		}
	}
	return nil
}

// strip writes a segment anew without the events of a priority and of those below.
func (q *Queue) strip(s *segment, priority int) error {
	b, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	frames, _ := scan(b)
	var out []byte
	var dropped uint64
	thin := q.o.Thin
	if thin == nil {
		var pack batch.Builder
		thin = func(packed []byte, least int) ([]byte, uint64, error) { return without(&pack, packed, least) }
	}
	for i := range frames {
		f := &frames[i]
		var n uint64
		if f.packed, n, err = thin(f.packed, priority); err != nil {
			return err
		}
		if dropped += n; f.last && i < len(frames)-1 {
			f.positions = nil // only the last are ever looked at
		}
		out = appendFrame(out, f)
	}
	if err := replace(s.path, out); err != nil {
		return err
	}
	q.size += int64(len(out)) - s.size
	s.size, s.floor = int64(len(out)), batch.Priorities-priority
	s.version++
	q.dropped += dropped
	return nil
}

// without takes the events of a priority, and of those below, out of a batch.
func without(pack *batch.Builder, packed []byte, least int) (thinner []byte, dropped uint64, err error) {
	b, err := batch.Decode(packed)
	if err != nil {
		return packed, 0, nil // it isn't ours to judge: the platform refuses it
	}
	kept := b.Events[:0]
	for i := range b.Events {
		p := batch.Priority(&b.Events[i])
		if p >= least {
			b.Counters.Dropped[p]++
			dropped++
			continue
		}
		kept = append(kept, b.Events[i])
	}
	if dropped == 0 {
		return packed, 0, nil
	}
	b.Events = kept
	packed, err = pack.Encode(b)
	return packed, dropped, err
}

// replace writes a file anew, so that a crash leaves the old one or the new one.
func replace(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// Remove deletes a queue's folder, of an enrolment that ended.
func Remove(dir string) error {
	lock, err := lockFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return os.RemoveAll(dir)
}
