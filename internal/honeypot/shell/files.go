package shell

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

func filePrograms() map[string]command {
	nothing := func(*program) int { return 0 }
	return map[string]command{
		"ls": ls, "dir": ls, "mkdir": mkdir, "rmdir": rmdir, "rm": rm, "unlink": rm, "cp": cp, "mv": mv, "ln": ln, "touch": touch, "chmod": chmod, "chown": chown, "chgrp": chown, "find": find,
		"stat": stat, "file": fileType, "dd": dd, "mktemp": mktemp, "readlink": readlink, "realpath": readlink, "basename": basename, "dirname": dirname, "tar": tarProgram,
		"gzip": gzipProgram, "gunzip": gzipProgram, "zcat": gzipProgram, "sync": nothing, "chattr": nothing, "lsattr": nothing, "du": du, "install": cp, "shred": rm,
	}
}

// modeText is rwxr-xr-x.
func modeText(m fs.FileMode) string {
	kind := "-"
	switch {
	case m.IsDir():
		kind = "d"
	case m&fs.ModeSymlink != 0:
		kind = "l"
	case m&fs.ModeCharDevice != 0:
		kind = "c"
	case m&fs.ModeDevice != 0:
		kind = "b"
	}
	b := []byte(kind + m.Perm().String()[1:])
	if m&fs.ModeSetuid != 0 {
		b[3] = 's'
	}
	if m&fs.ModeSticky != 0 {
		b[9] = map[bool]byte{true: 't', false: 'T'}[b[9] == 'x']
	}
	return string(b)
}

type listed struct {
	name string
	info memfs.Info
}

func ls(p *program) int {
	o := p.parse("IwT")
	names := o.rest
	if len(names) == 0 {
		names = []string{"."}
	}
	status := 0
	var files, dirs []listed
	for _, n := range names {
		i, err := p.cfg.FS.Lstat(p.user(), p.abs(n))
		if err == nil && i.Mode&fs.ModeSymlink != 0 && !o.is("l", "d") {
			if t, err := p.cfg.FS.Stat(p.user(), p.abs(n)); err == nil {
				i = t
			}
		}
		switch {
		case err != nil:
			status = 2
			p.fail("cannot access '%s': %s", printable(n), err)
		case i.Mode.IsDir() && !o.is("d", "directory"):
			dirs = append(dirs, listed{n, i})
		default:
			files = append(files, listed{n, i})
		}
	}
	p.list(files, o)
	for i, d := range dirs {
		if len(names) > 1 || o.is("R") {
			if i > 0 || len(files) > 0 {
				p.print("\n")
			}
			p.print("%s:\n", d.name)
		}
		if p.listDir(d.name, o, 0) != 0 {
			status = 2
		}
	}
	return status
}

func (p *program) listDir(name string, o options, depth int) int {
	names, err := p.cfg.FS.ReadDir(p.user(), p.abs(name))
	if err != nil {
		p.fail("cannot open directory '%s': %s", printable(name), err)
		return 2
	}
	var all []listed
	if o.is("a", "all") {
		names = append([]string{".", ".."}, names...)
	}
	for _, n := range names {
		if strings.HasPrefix(n, ".") && !o.is("a", "all", "A") {
			continue
		}
		if i, err := p.cfg.FS.Lstat(p.user(), p.abs(name+"/"+n)); err == nil {
			all = append(all, listed{n, i})
		}
	}
	if o.is("l", "n", "o", "g") {
		total := int64(0)
		for _, l := range all {
			total += (l.info.Size() + 4095) / 4096 * 4
		}
		p.print("total %d\n", total)
	}
	p.list(all, o)
	if o.is("R") && depth < 8 {
		for _, l := range all {
			if l.info.Mode.IsDir() && l.name != "." && l.name != ".." && p.step() {
				p.print("\n%s/%s:\n", strings.TrimSuffix(name, "/"), l.name)
				p.listDir(strings.TrimSuffix(name, "/")+"/"+l.name, o, depth+1)
			}
		}
	}
	return 0
}

func (p *program) list(all []listed, o options) {
	switch {
	case o.is("t"):
		slices.SortStableFunc(all, func(a, b listed) int { return b.info.Modified.Compare(a.info.Modified) })
	case o.is("S"):
		slices.SortStableFunc(all, func(a, b listed) int { return cmp.Compare(b.info.Size(), a.info.Size()) })
	}
	if o.is("r") {
		slices.Reverse(all)
	}
	if o.is("l", "n", "o", "g") {
		p.listLong(all, o)
		return
	}
	if len(all) == 0 {
		return
	}
	if !p.cfg.Terminal || o.is("1") {
		for _, l := range all {
			if !p.line(l.name) {
				return
			}
		}
		return
	}
	width := 0
	for _, l := range all {
		width = max(width, len(l.name)+2)
	}
	columns := max(max(p.cfg.Columns, 80)/width, 1)
	rows := (len(all) + columns - 1) / columns
	for r := range rows {
		var line strings.Builder
		for c := r; c < len(all); c += rows {
			fmt.Fprintf(&line, "%-*s", width, all[c].name)
		}
		if !p.line(strings.TrimRight(line.String(), " ")) {
			return
		}
	}
}

func (p *program) listLong(all []listed, o options) {
	for _, l := range all {
		name := l.name
		if l.info.Mode&fs.ModeSymlink != 0 {
			name += " -> " + l.info.Target
		}
		size := strconv.FormatInt(l.info.Size(), 10)
		if o.is("h") {
			size = human(l.info.Size())
		}
		if l.info.Mode&fs.ModeDevice != 0 {
			size = "1, 3"
		}
		links := 1
		if l.info.Mode.IsDir() {
			links = 2
		}
		owner, group := p.userName(l.info.UID), p.groupName(l.info.GID)
		if o.is("n") {
			owner, group = fmt.Sprint(l.info.UID), fmt.Sprint(l.info.GID)
		}
		if !p.line(fmt.Sprintf("%s %2d %-8s %-8s %8s %s %s", modeText(l.info.Mode), links, owner, group, size, p.when(l.info.Modified), name)) {
			return
		}
	}
}

func (p *program) when(t time.Time) string {
	if p.cfg.Now().Sub(t) > 180*24*time.Hour {
		return t.Format("Jan _2  2006")
	}
	return t.Format("Jan _2 15:04")
}

func human(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	f := float64(n)
	for _, u := range "KMGT" {
		if f /= 1024; f < 1024 {
			if f < 10 {
				return fmt.Sprintf("%.1f%c", f, u)
			}
			return fmt.Sprintf("%.0f%c", f, u)
		}
	}
	return fmt.Sprintf("%.0fP", f)
}

func mkdir(p *program) int {
	o := p.parse("m")
	status := 0
	for _, n := range o.rest {
		err := p.makeDir(n, o.is("p"))
		if err != nil {
			status = p.fail("cannot create directory ‘%s’: %s", printable(n), err)
		}
	}
	if len(o.rest) == 0 {
		return p.fail("missing operand")
	}
	return status
}

func (p *program) makeDir(name string, parents bool) error {
	at := p.abs(name)
	if !parents {
		return p.cfg.FS.Mkdir(p.user(), at, 0o755)
	}
	parts := strings.Split(strings.Trim(at, "/"), "/")
	for i := range parts {
		if i > 64 {
			return memfs.ErrName
		}
		err := p.cfg.FS.Mkdir(p.user(), "/"+strings.Join(parts[:i+1], "/"), 0o755)
		if err != nil && err != memfs.ErrExist { //nolint:errorlint // memfs returns its own values
			if i2, e := p.cfg.FS.Stat(p.user(), "/"+strings.Join(parts[:i+1], "/")); e != nil || !i2.Mode.IsDir() {
				return err
			}
		}
	}
	return nil
}

func rmdir(p *program) int {
	status := 0
	for _, n := range p.parse("").rest {
		i, err := p.cfg.FS.Lstat(p.user(), p.abs(n))
		if err == nil && !i.Mode.IsDir() {
			err = memfs.ErrNotDir
		}
		if err == nil {
			err = p.cfg.FS.Remove(p.user(), p.abs(n))
		}
		if err != nil {
			status = p.fail("failed to remove '%s': %s", printable(n), err)
		}
	}
	return status
}

func rm(p *program) int {
	o := p.parse("n")
	if len(o.rest) == 0 && !o.is("f", "force") {
		return p.fail("missing operand")
	}
	status := 0
	for _, n := range o.rest {
		at := p.abs(n)
		i, err := p.cfg.FS.Lstat(p.user(), at)
		switch {
		case at == "/" && !o.is("no-preserve-root"):
			status = p.fail("it is dangerous to operate recursively on '/'\nrm: use --no-preserve-root to override this failsafe")
		case err != nil:
			if !o.is("f", "force") {
				status = p.fail("cannot remove '%s': %s", printable(n), err)
			}
		case i.Mode.IsDir() && !o.is("r", "R", "recursive"):
			status = p.fail("cannot remove '%s': Is a directory", printable(n))
		default:
			if err := p.removeAll(at, 0); err != nil {
				status = p.fail("cannot remove '%s': %s", printable(n), err)
			}
		}
	}
	return status
}

func (p *program) removeAll(at string, depth int) error {
	if !p.step() || depth > 64 {
		return memfs.ErrPermitted
	}
	i, err := p.cfg.FS.Lstat(p.user(), at)
	if err != nil {
		return err
	}
	if i.Mode.IsDir() {
		names, err := p.cfg.FS.ReadDir(p.user(), at)
		if err != nil {
			return err
		}
		var failed error
		for _, n := range names {
			if err := p.removeAll(path.Join(at, n), depth+1); err != nil {
				failed = err
			}
		}
		if failed != nil {
			return failed
		}
	} else if b := p.cfg.FS.Written(at); len(b) > 0 {
		p.cfg.Observer.Kept("removed", at, b)
	}
	return p.cfg.FS.Remove(p.user(), at)
}

// into is where a file goes that is copied or moved to a name: into it if it is a folder.
func (p *program) into(from, to string) string {
	if i, err := p.cfg.FS.Stat(p.user(), p.abs(to)); err == nil && i.Mode.IsDir() {
		return path.Join(p.abs(to), path.Base(p.abs(from)))
	}
	return p.abs(to)
}

// sources splits the operands of cp, mv and ln.
func (p *program) sources(o options) (from []string, to string, ok bool) {
	if t := o.value("t", "target-directory"); t != "" {
		return o.rest, t, len(o.rest) > 0
	}
	if len(o.rest) < 2 {
		p.fail("missing file operand")
		return nil, "", false
	}
	to = o.rest[len(o.rest)-1]
	from = o.rest[:len(o.rest)-1]
	if len(from) > 1 {
		if i, err := p.cfg.FS.Stat(p.user(), p.abs(to)); err != nil || !i.Mode.IsDir() {
			p.fail("target '%s' is not a directory", printable(to))
			return nil, "", false
		}
	}
	return from, to, true
}

func cp(p *program) int {
	o := p.parse("tSmog", "target-directory")
	from, to, ok := p.sources(o)
	if !ok {
		return 1
	}
	status := 0
	for _, f := range from {
		if err := p.copyAll(p.abs(f), p.into(f, to), o.is("r", "R", "a", "recursive"), 0); err != nil {
			status = p.fail("cannot stat '%s': %s", printable(f), err)
		}
	}
	return status
}

func (p *program) copyAll(from, to string, deep bool, depth int) error {
	if !p.step() || depth > 32 {
		return memfs.ErrNoSpace
	}
	i, err := p.cfg.FS.Stat(p.user(), from)
	if err != nil {
		return err
	}
	if !i.Mode.IsDir() {
		b, err := p.cfg.FS.Read(p.user(), from, maxPipe)
		if err != nil {
			return err
		}
		return p.cfg.FS.Write(p.user(), to, b, false, i.Mode.Perm())
	}
	if !deep {
		return memfs.ErrIsDir
	}
	if err := p.cfg.FS.Mkdir(p.user(), to, i.Mode.Perm()); err != nil && err != memfs.ErrExist { //nolint:errorlint // memfs returns its own values
		return err
	}
	names, err := p.cfg.FS.ReadDir(p.user(), from)
	for _, n := range names {
		if e := p.copyAll(path.Join(from, n), path.Join(to, n), deep, depth+1); e != nil && err == nil {
			err = e
		}
	}
	return err
}

func mv(p *program) int {
	from, to, ok := p.sources(p.parse("tS", "target-directory"))
	if !ok {
		return 1
	}
	status := 0
	for _, f := range from {
		if err := p.cfg.FS.Rename(p.user(), p.abs(f), p.into(f, to)); err != nil {
			status = p.fail("cannot move '%s' to '%s': %s", printable(f), printable(to), err)
		}
	}
	return status
}

func ln(p *program) int {
	o := p.parse("t")
	if len(o.rest) == 1 {
		o.rest = append(o.rest, ".")
	}
	from, to, ok := p.sources(o)
	if !ok {
		return 1
	}
	for _, f := range from {
		at := p.into(f, to)
		if o.is("f") {
			_ = p.cfg.FS.Remove(p.user(), at)
		}
		var err error
		if o.is("s") {
			err = p.cfg.FS.Symlink(p.user(), f, at)
		} else {
			err = p.copyAll(p.abs(f), at, false, 0)
		}
		if err != nil {
			return p.fail("failed to create link '%s': %s", printable(to), err)
		}
	}
	return 0
}

// newMode reads chmod's first operand.
