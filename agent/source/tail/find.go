package tail

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// older is a file that a log was rotated to.
type older struct {
	name   string
	id     fileID
	size   int64
	packed bool
	head   head
}

// olders are the files that a log was rotated to, the oldest first: NAME.2.gz, NAME.1, or NAME-20260101.gz, NAME-20260102. Empty ones are left out.
// A file whose name changes meanwhile would be missed, so names are read until twice the same files have them; on a folder that never rests, some times only.
func olders(log string) (out []older, err error) {
	before, err := named(log)
	for range maxLooks {
		if err != nil {
			return nil, err
		}
		out = out[:0]
		for _, r := range before[max(0, len(before)-maxKnown):] {
			if r.look() {
				out = append(out, r.older)
			}
		}
		after, err := named(log)
		if err != nil {
			return nil, err
		}
		if slices.EqualFunc(before, after, ranked.same) {
			break
		}
		before = after
	}
	return out, nil
}

// ranked is a file by its name.
type ranked struct {
	older
	age int64 // the higher the older
	tag string
}

func (r ranked) same(other ranked) bool { return r.name == other.name && r.id == other.id }

// named are the files that have the names of older ones, the oldest first.
func named(log string) (all []ranked, err error) {
	dir, base := filepath.Split(log)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base)
		if !ok || rest == "" || rest[0] != '.' && rest[0] != '-' {
			continue
		}
		tag, packed := strings.CutSuffix(rest[1:], ".gz")
		if tag == "" || strings.Trim(tag, "0123456789-") != "" {
			continue
		}
		r := ranked{older: older{name: filepath.Join(dir, e.Name()), packed: packed}, tag: tag}
		if info, err := e.Info(); err == nil { // else it is gone, which makes it another
			r.id = idOf(info)
		}
		if n, err := strconv.ParseInt(tag, 10, 64); err == nil && n < 10_000 { // else a date, which grows as they get younger
			r.age = n
		} else {
			r.age = 1 << 20
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Or(cmp.Compare(b.age, a.age), strings.Compare(a.tag, b.tag)) })
	return all, nil
}

// look learns what a file is; false if it is gone, or has nothing.
func (o *older) look() bool {
	f, err := os.Open(o.name)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	o.id, o.size = idOf(info), info.Size()
	if o.head, err = o.begins(f, headBytes); err != nil {
		return false
	}
	return o.head.Bytes > 0
}

// begins is how a file's text begins.
func (o *older) begins(f *os.File, n int) (head, error) {
	if !o.packed {
		return headOf(f, n)
	}
	z, err := gzip.NewReader(bufio.NewReader(io.NewSectionReader(f, 0, 1<<62)))
	if err != nil {
		return head{}, err
	}
	buf := make([]byte, n)
	n, err = io.ReadFull(z, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return head{}, err
	}
	return sum(buf[:n]), nil
}

// is reports whether the file begins as told. A head may be of fewer bytes, as the file had no more when it was looked at.
func (o *older) is(h head) bool {
	if h.Bytes >= o.head.Bytes {
		return h == o.head
	}
	f, err := os.Open(o.name)
	if err != nil {
		return false
	}
	defer f.Close()
	got, err := o.begins(f, h.Bytes)
	return err == nil && got == h
}

// beginsAs reports whether the log begins as the file does: that is a copy, of a log that is going to be cut. Once it was cut, the copy is read where the log wasn't.
func (o *older) beginsAs(log string) bool {
	f, err := os.Open(log)
	if err != nil {
		return false
	}
	defer f.Close()
	h, err := headOf(f, o.head.Bytes)
	return err == nil && h == o.head
}

// segment is a file that is to be read from a place on.
type segment struct {
	older
	offset int64
	inside bool
}

func (s segment) same(other segment) bool {
	return s.name == other.name && s.head == other.head && s.offset == other.offset && s.inside == other.inside
}

// plan says what is to be read, the oldest first, before the log itself, and where that goes on if it is still the place's file. known are the heads of what needn't be read. lost is
// true if the place's file can't be found any more.
func plan(log string, p *place, known []head) (before []segment, offset int64, inside, lost bool, err error) {
	same, err := p.isLog(log)
	if err != nil {
		return nil, 0, false, false, err
	}
	files, err := olders(log)
	if err != nil {
		return nil, 0, false, false, err
	}
	if same {
		offset, inside = p.Offset, p.Inside
	}
	before, lost = p.unread(log, same, files, known)
	return before, offset, inside, lost, nil
}

// unread are those of the older files that are to be read. same says that the log was the place's file when it was looked at; it may have been cut since.
func (p *place) unread(log string, same bool, files []older, known []head) (before []segment, lost bool) {
	own := -1
	if !same && p.Offset > 0 {
		if own = p.among(files); own >= 0 {
			before = append(before, segment{older: files[own], offset: p.Offset, inside: p.Inside})
		}
		lost = own < 0
	}
	for i := range files {
		o := &files[i]
		if i == own || o.beginsAs(log) || same && o.is(p.Head) || slices.ContainsFunc(known, o.is) {
			continue
		}
		before = append(before, segment{older: *o})
	}
	return before, lost
}

// isLog reports whether the log is the place's file, and has all that was read of it.
func (p *place) isLog(log string) (bool, error) {
	f, err := os.Open(log)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || p.Offset == 0 || idOf(info) != p.ID || info.Size() < p.Offset {
		return false, err
	}
	h, err := headOf(f, p.Head.Bytes)
	return err == nil && h == p.Head, err
}

// among finds the place's file: by what the system knows it by, else by how it begins, the youngest first.
func (p *place) among(files []older) int {
	for _, byID := range []bool{true, false} {
		for i := len(files) - 1; i >= 0; i-- {
			o := &files[i]
			if byID && (o.packed || o.id != p.ID || p.ID == fileID{}) || !o.packed && o.size < p.Offset || !o.is(p.Head) {
				continue
			}
			return i
		}
	}
	return -1
}
