package tail

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

// follower is a running source.
type follower struct {
	s     *Source
	out   *source.Out
	lines Reader

	f      *os.File // the log; nil while there is none
	known  []head   // older files that are not to be read
	at     place    // of what was delivered
	buf    []byte   // what was read behind it
	told   source.Losses
	lost   uint64 // lines lost, in all
	quiet  int
	rested time.Time // since when a log that was rotated hasn't grown
	loss   activity.Event
}

func (t *follower) close() {
	if t.f != nil {
		t.f.Close()
	}
}

// begin goes on from a place, through files that the log was rotated to, and opens the log.
func (t *follower) begin(ctx context.Context, at *place) error {
	if at != nil {
		t.at, t.known = *at, unpack(at.Known)
		t.lines.Restore(at.Open)
		return t.follow(ctx, true)
	}
	// What was rotated before the first start is not read.
	files, err := olders(t.s.o.File)
	if err != nil {
		return fmt.Errorf("look for the log %s: %w", t.s.o.File, err)
	}
	for _, o := range files {
		t.known = append(t.known, o.head)
	}
	t.at.Known = pack(t.known)
	if err := t.open(0, false); err != nil {
		return err
	}
	if t.f != nil && !t.s.o.FromStart {
		info, err := t.f.Stat()
		if err != nil {
			return err
		}
		t.at.Offset = info.Size()
		// Where a line is being written just now, the rest of it is nothing that can be read.
		if last := make([]byte, 1); t.at.Offset > 0 {
			if _, err := t.f.ReadAt(last, t.at.Offset-1); err == nil && last[0] != '\n' {
				t.at.Inside = true
			}
		}
	}
	return t.turn(nil)
}

// follow reads what was rotated since the place, then opens the log where it goes on. unread says that there may be more in the place's file: then it is a loss if that
// can't be found.
func (t *follower) follow(ctx context.Context, unread bool) error {
	begun := t.s.o.Clock.Now()
	for ctx.Err() == nil {
		at := t.at
		before, offset, inside, lost, err := plan(t.s.o.File, &at, t.known)
		if err != nil {
			return fmt.Errorf("look for the log %s: %w", t.s.o.File, err)
		}
		if lost && t.s.o.Clock.Now().Sub(begun) < t.s.o.Grace { // it may be on its way from one name to another, or being compressed
			t.pause(ctx)
			continue
		}
		if lost && unread {
			t.s.o.Log.Warn("log_gone", "file", t.s.o.File, "offset", at.Offset)
			t.lost++
		}
		if len(before) == 0 {
			return t.open(offset, inside)
		}
		// One at a time: names may change while it is read. A file that was on its way from one name to another when they were looked at would be missed: look again.
		t.pause(ctx)
		if again, _, _, _, err := plan(t.s.o.File, &at, t.known); err != nil || !slices.EqualFunc(before, again, segment.same) {
			continue
		}
		if err := t.whole(ctx, before[0]); err != nil {
			return err
		}
		unread = false
	}
	return nil
}

// read makes a file one that needn't be read again, and the place that of a log of which nothing was read yet.
func (t *follower) read(h head) {
	if h.Bytes >= leastHead {
		t.known = append(t.known, h)
	}
	if len(t.known) > 2*maxKnown {
		t.known = t.known[len(t.known)-maxKnown:]
	}
	t.at = place{Known: pack(t.known)}
	t.buf = t.buf[:0]
}

// whole reads an older file to its end.
func (t *follower) whole(ctx context.Context, s segment) error {
	f, err := os.Open(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // rotated once more: it is looked for again
	}
	if err != nil {
		return err
	}
	defer f.Close()
	t.s.o.Log.Debug("log_older", "file", s.name, "offset", s.offset)
	if now, err := s.begins(f, s.head.Bytes); err != nil || now != s.head {
		return err // another file has the name now
	}
	var r io.Reader = io.NewSectionReader(f, s.offset, 1<<62)
	if s.packed {
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer z.Close()
		if _, err := io.CopyN(io.Discard, z, s.offset); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r = z
	}
	t.buf, t.rested = t.buf[:0], t.s.o.Clock.Now()
	t.at = place{ID: s.id, Offset: s.offset, Inside: s.inside, Head: s.head, Known: t.at.Known}
	for ctx.Err() == nil {
		n, err := t.fill(r.Read)
		if n > 0 {
			if err := t.turn(t.cut(false)); err != nil {
				return err
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err == nil || n > 0 {
			continue
		}
		if !s.packed && !t.atRest(ctx, f) {
			continue
		}
		lines := t.cut(true)
		return t.out.Turn(func(emit func(*activity.Event)) []byte {
			t.deliver(lines, emit)
			h, err := s.begins(f, headBytes) // it may have grown
			if err != nil {
				h = s.head
			}
			t.read(h)
			return t.mark(emit)
		})
	}
	return nil
}

// open opens the log; there may be none.
func (t *follower) open(offset int64, inside bool) error {
	f, err := os.Open(t.s.o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	if !info.Mode().IsRegular() {
		f.Close()
		return fmt.Errorf("%s is no file that can be followed (%s)", t.s.o.File, info.Mode())
	}
	t.f, t.buf, t.rested = f, t.buf[:0], time.Time{}
	was := t.at
	t.at = place{ID: idOf(info), Offset: offset, Inside: inside, Known: t.at.Known}
	if t.at.Head, err = headOf(f, headBytes); err != nil || offset == 0 {
		return err
	}
	if h, err := headOf(f, was.Head.Bytes); err != nil || h != was.Head { // rotated between the look and now
		t.f, t.at = nil, was
		return errors.Join(err, f.Close())
	}
	return nil
}

// atRest reports whether nobody has written to a rotated file for the time of grace, while it was looked at. If not, it waits a little.
func (t *follower) atRest(ctx context.Context, f *os.File) bool {
	info, err := f.Stat()
	if now := t.s.o.Clock.Now(); err != nil || now.Sub(info.ModTime()) >= t.s.o.Grace && now.Sub(t.rested) >= t.s.o.Grace {
		return true
	}
	t.pause(ctx)
	return false
}

func (t *follower) pause(ctx context.Context) {
	wait := time.NewTimer(t.s.o.Poll)
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-wait.C:
	}
}

// poll reads what has come since the last, and looks whether the log is still the same.
func (t *follower) poll(ctx context.Context) error {
	if t.f == nil {
		if err := t.follow(ctx, false); err != nil || t.f == nil {
			return err
		}
	}
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	cut, err := t.wasCut(info)
	if err != nil {
		return err
	}
	if cut {
		t.s.o.Log.Debug("log_cut", "file", t.s.o.File, "offset", t.at.Offset)
		t.close()
		t.f = nil
		return t.follow(ctx, len(t.buf) > 0)
	}
	grown := false
	for ctx.Err() == nil {
		n, err := t.fill(func(b []byte) (int, error) { return t.f.ReadAt(b, t.at.Offset+int64(len(t.buf))) })
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", t.s.o.File, err)
		}
		if n == 0 {
			break
		}
		// Cut just now, and written anew? Then what was read is of another log. Else the place is to know all of the beginning that was read.
		if cut, err := t.wasCut(nil); err != nil || cut {
			t.buf = t.buf[:len(t.buf)-n]
			return err
		}
		// The first of a new log: it may have been rotated more than once since it was looked for.
		if t.at.Offset == 0 && len(t.buf) == n {
			if missed, err := t.missed(); err != nil || missed {
				return err
			}
		}
		grown, t.quiet = true, 0
		if err := t.turn(t.cut(false)); err != nil {
			return err
		}
	}
	if !grown {
		if t.quiet++; t.at.Offset == 0 && t.quiet%settle == 0 { // or cut, and its copy was taken for one of a log that isn't yet
			if missed, err := t.missed(); err != nil || missed {
				return err
			}
		}
		if t.quiet <= settle || t.quiet%settle == 0 {
			if err := t.idle(); err != nil {
				return err
			}
		}
	}
	return t.rotated(ctx, info, grown)
}

// missed reports whether an older file is to be read before the log, of which nothing was read yet. Then the log is closed, and looked for anew.
func (t *follower) missed() (bool, error) {
	before, _, _, _, err := plan(t.s.o.File, &t.at, t.known)
	if err != nil || len(before) == 0 {
		return false, err
	}
	t.close()
	t.f, t.buf = nil, t.buf[:0]
	return true, nil
}

// wasCut reports whether the log was cut to nothing, or written anew, since it was read. It also learns how the log begins, as far as that is there.
func (t *follower) wasCut(info fs.FileInfo) (bool, error) {
	if info != nil && info.Size() < t.at.Offset+int64(len(t.buf)) {
		return true, nil
	}
	now, err := headOf(t.f, headBytes)
	if err != nil {
		return false, err
	}
	was := t.at.Head
	if now.Bytes < was.Bytes {
		return true, nil
	}
	if was.Bytes > 0 {
		then, err := headOf(t.f, was.Bytes)
		if err != nil || then != was {
			return err == nil, err
		}
	}
	t.at.Head = now
	return false, nil
}

// rotated looks whether the log's name is another file's now; then, once nobody writes to this one any more, it goes on to that.
func (t *follower) rotated(ctx context.Context, info fs.FileInfo, grown bool) error {
	now, err := os.Stat(t.s.o.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil || os.SameFile(now, info) {
		t.rested = time.Time{}
		return nil
	}
	if grown || t.rested.IsZero() {
		t.rested = t.s.o.Clock.Now()
	}
	if t.s.o.Clock.Now().Sub(t.rested) < t.s.o.Grace {
		return nil
	}
	t.s.o.Log.Debug("log_rotated", "file", t.s.o.File, "offset", t.at.Offset)
	lines := t.cut(true)
	err = t.out.Turn(func(emit func(*activity.Event)) []byte {
		t.deliver(lines, emit)
		t.read(t.at.Head)
		return t.mark(emit)
	})
	t.close()
	t.f = nil
	if err != nil {
		return err
	}
	return t.follow(ctx, false)
}

// fill reads some more behind what there is.
func (t *follower) fill(read func([]byte) (int, error)) (int, error) {
	have := len(t.buf)
	if cap(t.buf)-have < chunk {
		t.buf = append(make([]byte, 0, have+2*chunk), t.buf...)
	}
	n, err := read(t.buf[have : have+chunk])
	t.buf = t.buf[:have+n]
	return n, err
}

// cut takes the whole lines off what was read; at a file's end also what has none. What belongs to a line that is too long is dropped.
func (t *follower) cut(end bool) (lines []byte) {
	if t.at.Inside {
		i := bytes.IndexByte(t.buf, '\n')
		if i < 0 {
			t.drop(len(t.buf))
			t.at.Inside = !end
			return nil
		}
		t.drop(i + 1)
		t.at.Inside = false
	}
	if end {
		return t.buf
	}
	if i := bytes.LastIndexByte(t.buf, '\n'); i >= 0 {
		return t.buf[:i+1]
	}
	if len(t.buf) > maxLine {
		t.lost++
		t.at.Inside = true
		t.drop(len(t.buf))
	}
	return nil
}

// drop passes over bytes that were read.
func (t *follower) drop(n int) {
	t.at.Offset += int64(n)
	t.buf = t.buf[:copy(t.buf, t.buf[n:])]
}

// turn delivers lines, which are the first of what was read, tells of losses, and marks the place behind them.
func (t *follower) turn(lines []byte) error {
	return t.out.Turn(func(emit func(*activity.Event)) []byte {
		t.deliver(lines, emit)
		return t.mark(emit)
	})
}

func (t *follower) deliver(lines []byte, emit func(*activity.Event)) {
	n := len(lines)
	for len(lines) > 0 {
		line := lines
		if i := bytes.IndexByte(lines, '\n'); i >= 0 {
			line, lines = lines[:i], lines[i+1:]
		} else {
			lines = nil
		}
		if len(line) > maxLine {
			t.lost++
			continue
		}
		t.lines.Line(line, emit)
	}
	t.drop(n)
}

// idle ends audit events whose end didn't come.
func (t *follower) idle() error {
	return t.out.Turn(func(emit func(*activity.Event)) []byte {
		t.lines.Idle(t.s.o.Clock.Now().Add(-lag), t.quiet == settle, emit)
		return t.mark(emit)
	})
}

// mark tells of losses and is the position now.
func (t *follower) mark(emit func(*activity.Event)) []byte {
	var f source.Figures
	t.lines.Count(&f)
	f.Lost[source.InFile] += t.lost
	for p, n := range f.Lost {
		if n > t.told[p] {
			emit(source.Loss(&t.loss, t.s.o.Clock.Now().UnixMilli(), source.Place(p), n-t.told[p]))
		}
	}
	t.told = f.Lost
	t.s.mu.Lock()
	t.s.counts = f
	t.s.mu.Unlock()
	t.at.Open = t.lines.Open(t.at.Open[:0])
	return t.at.encode()
}
