package shell

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

func touch(p *program) int {
	status := 0
	for _, n := range p.parse("drt").rest {
		at := p.abs(n)
		var err error
		if _, e := p.cfg.FS.Stat(p.user(), at); e != nil {
			err = p.cfg.FS.Write(p.user(), at, nil, false, 0o644)
		} else {
			err = p.cfg.FS.Change(p.user(), at, func(f *memfs.Node) { f.Modified = p.cfg.Now() })
		}
		if err != nil {
			status = p.fail("cannot touch '%s': %s", printable(n), err)
		}
	}
	return status
}

func newMode(spec string, was fs.FileMode) (fs.FileMode, bool) {
	if n, err := strconv.ParseUint(spec, 8, 32); err == nil && n <= 0o7777 {
		m := fs.FileMode(n & 0o777)
		if n&0o4000 != 0 {
			m |= fs.ModeSetuid
		}
		if n&0o1000 != 0 {
			m |= fs.ModeSticky
		}
		return m, true
	}
	m := was &^ fs.ModeType
	for _, clause := range strings.Split(spec, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 || strings.Trim(clause[:i], "ugoa") != "" {
			return 0, false
		}
		who, bits := fs.FileMode(0), fs.FileMode(0)
		for _, c := range clause[:i] {
			who |= map[rune]fs.FileMode{'u': 0o700, 'g': 0o070, 'o': 0o007, 'a': 0o777}[c]
		}
		if i == 0 {
			who = 0o777
		}
		for _, c := range clause[i+1:] {
			b, ok := map[rune]fs.FileMode{'r': 0o444, 'w': 0o222, 'x': 0o111, 'X': 0o111, 's': 0, 't': 0}[c]
			if !ok {
				return 0, false
			}
			bits |= b
		}
		switch clause[i] {
		case '+':
			m |= bits & who
		case '-':
			m &^= bits & who
		default:
			m = m&^who | bits&who
		}
	}
	return m, true
}

func chmod(p *program) int {
	var spec string
	var names []string
	deep, quiet := false, false
	for _, a := range p.args[1:] {
		switch {
		case a == "-R" || a == "--recursive":
			deep = true
		case a == "-f" || a == "-v" || a == "-c" || a == "--":
			quiet = quiet || a == "-f"
		case spec == "":
			spec = a
		default:
			names = append(names, a)
		}
	}
	if spec == "" || len(names) == 0 {
		return p.fail("missing operand")
	}
	if _, ok := newMode(spec, 0); !ok {
		return p.fail("invalid mode: ‘%s’", printable(spec))
	}
	status := 0
	for _, n := range names {
		if err := p.changeMode(p.abs(n), spec, deep, 0); err != nil {
			status = 1
			if !quiet {
				p.fail("cannot access '%s': %s", printable(n), err)
			}
		}
	}
	return status
}

func (p *program) changeMode(at, spec string, deep bool, depth int) error {
	if !p.step() || depth > 32 {
		return memfs.ErrPermitted
	}
	err := p.cfg.FS.Change(p.user(), at, func(f *memfs.Node) { f.Mode, _ = newMode(spec, f.Mode) })
	if err != nil {
		return err
	}
	i, err := p.cfg.FS.Stat(p.user(), at)
	if err != nil {
		return err
	}
	if b := p.cfg.FS.Written(i.Path); len(b) > 0 && i.Mode&0o111 != 0 {
		p.cfg.Observer.Kept("executable", i.Path, b)
	}
	if deep && i.Mode.IsDir() {
		names, _ := p.cfg.FS.ReadDir(p.user(), at)
		for _, n := range names {
			if e := p.changeMode(path.Join(at, n), spec, deep, depth+1); e != nil {
				err = e
			}
		}
	}
	return err
}

func chown(p *program) int {
	o := p.parse("")
	if len(o.rest) < 2 {
		return p.fail("missing operand")
	}
	for _, n := range o.rest[1:] {
		if _, err := p.cfg.FS.Stat(p.user(), p.abs(n)); err != nil {
			return p.fail("cannot access '%s': %s", printable(n), err)
		}
		if p.user().UID != 0 {
			return p.fail("changing ownership of '%s': Operation not permitted", printable(n))
		}
		name, _, _ := strings.Cut(o.rest[0], ":")
		if a, ok := p.lookup(name); ok && p.args[0] == "chown" {
			_ = p.cfg.FS.Change(p.user(), p.abs(n), func(f *memfs.Node) { f.UID, f.GID = a.User.UID, a.User.GID })
		}
	}
	return 0
}

func dd(p *program) int {
	arg := map[string]string{}
	for _, a := range p.args[1:] {
		k, v, _ := strings.Cut(a, "=")
		arg[k] = v
	}
	size, count := sizeOf(arg["bs"], 512), sizeOf(arg["count"], -1)
	want := int64(maxPipe)
	if count >= 0 && size*count < want {
		want = size * count
	}
	var in []byte
	if f := arg["if"]; f != "" {
		b, err := p.cfg.FS.Read(p.user(), p.abs(f), int(want))
		if err != nil {
			return p.fail("failed to open '%s': %s", printable(f), err)
		}
		in = b[:min(int64(len(b)), want)]
	} else {
		in, _ = io.ReadAll(io.LimitReader(p.io.in, want))
	}
	if f := arg["of"]; f != "" {
		if err := p.cfg.FS.Write(p.user(), p.abs(f), in, false, 0o644); err != nil {
			return p.fail("error writing '%s': %s", printable(f), err)
		}
	} else {
		p.write(in)
	}
	blocks := (int64(len(in)) + size - 1) / size
	shown := int64(len(in))
	if count >= 0 && shown == maxPipe { // the rest is as if it had been copied
		blocks, shown = count, count*size
	}
	fmt.Fprintf(p.io.err, "%d+0 records in\n%d+0 records out\n%d bytes copied, %.5f s, %.1f MB/s\n", blocks, blocks, shown, float64(shown)/4.1e8+0.0003, 312.4)
	return 0
}

func sizeOf(s string, otherwise int64) int64 {
	if s == "" {
		return otherwise
	}
	unit := int64(1)
	switch s[len(s)-1] {
	case 'k', 'K':
		unit = 1 << 10
	case 'M':
		unit = 1 << 20
	case 'G':
		unit = 1 << 30
	}
	n, err := strconv.ParseInt(strings.TrimRight(s, "kKMG"), 10, 32)
	if err != nil || n < 1 {
		return max(otherwise, 1)
	}
	return n * unit
}
