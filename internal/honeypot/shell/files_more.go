package shell

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

func find(p *program) int {
	var roots, tests []string
	for i, a := range p.args[1:] {
		if strings.HasPrefix(a, "-") || a == "(" || a == "!" {
			tests = p.args[1+i:]
			break
		}
		roots = append(roots, a)
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	f := finder{p: p, most: 64}
	for i := 0; i < len(tests); i++ {
		arg := func() string {
			if i++; i < len(tests) {
				return tests[i]
			}
			return ""
		}
		switch tests[i] {
		case "-name", "-iname":
			fold := tests[i] == "-iname"
			f.name = arg()
			f.fold = fold
		case "-type":
			f.kind = arg()
		case "-maxdepth":
			f.most = min(int(numberOf(arg())), 64)
		case "-delete":
			f.remove = true
		case "-exec":
			for i++; i < len(tests) && tests[i] != ";" && tests[i] != "+"; i++ {
				f.exec = append(f.exec, tests[i])
			}
		case "-perm", "-user", "-group", "-size", "-mtime", "-mmin", "-newer", "-path", "-not":
			if tests[i] == "-perm" {
				f.suid = strings.Contains(arg(), "4")
			} else if tests[i] != "-not" {
				arg()
			}
		}
	}
	status := 0
	for _, r := range roots {
		if _, err := p.cfg.FS.Lstat(p.user(), p.abs(r)); err != nil {
			status = p.fail("‘%s’: %s", printable(r), err)
			continue
		}
		f.walk(r, 0)
	}
	return status
}

type finder struct {
	p          *program
	name, kind string
	fold       bool
	suid       bool
	most       int
	remove     bool
	exec       []string
}

func (f *finder) walk(name string, depth int) {
	p := f.p
	if !p.step() {
		return
	}
	i, err := p.cfg.FS.Lstat(p.user(), p.abs(name))
	if err != nil {
		return
	}
	if f.hit(name, i) {
		switch {
		case len(f.exec) > 0:
			args := make([]string, len(f.exec))
			for j, a := range f.exec {
				args[j] = strings.ReplaceAll(a, "{}", name)
			}
			p.again(args, strings.NewReader(""))
		case f.remove:
			_ = p.removeAll(p.abs(name), 0)
			return
		default:
			p.line(name)
		}
	}
	if i.Mode.IsDir() && depth < f.most {
		names, err := p.cfg.FS.ReadDir(p.user(), p.abs(name))
		if err != nil {
			p.fail("‘%s’: %s", printable(name), err)
		}
		for _, n := range names {
			f.walk(strings.TrimSuffix(name, "/")+"/"+n, depth+1)
		}
	}
}

func (f *finder) hit(name string, i memfs.Info) bool {
	base := path.Base(name)
	if f.fold {
		base, f.name = strings.ToLower(base), strings.ToLower(f.name)
	}
	switch {
	case f.name != "" && !globbed(f.name, base), f.suid && i.Mode&fs.ModeSetuid == 0:
		return false
	case f.kind == "f":
		return i.Mode.IsRegular()
	case f.kind == "d":
		return i.Mode.IsDir()
	case f.kind == "l":
		return i.Mode&fs.ModeSymlink != 0
	}
	return true
}

func stat(p *program) int {
	o := p.parse("c", "format")
	status := 0
	for _, n := range o.rest {
		i, err := p.cfg.FS.Lstat(p.user(), p.abs(n))
		if err != nil {
			status = p.fail("cannot statx '%s': %s", printable(n), err)
			continue
		}
		if f := o.value("c", "format"); f != "" {
			p.line(strings.NewReplacer("%s", fmt.Sprint(i.Size()), "%n", n, "%a", fmt.Sprintf("%o", i.Mode.Perm()), "%U", p.userName(i.UID), "%Y", fmt.Sprint(i.Modified.Unix())).Replace(f))
			continue
		}
		kind := map[bool]string{true: "directory", false: "regular file"}[i.Mode.IsDir()]
		when := i.Modified.Format("2006-01-02 15:04:05.000000000 -0700")
		p.print("  File: %s\n  Size: %d\tBlocks: %d\tIO Block: 4096   %s\nAccess: (%04o/%s)  Uid: (%5d/%8s)   Gid: (%5d/%8s)\nAccess: %s\nModify: %s\nChange: %s\n",
			n, i.Size(), (i.Size()+511)/512, kind, i.Mode.Perm(), modeText(i.Mode), i.UID, p.userName(i.UID), i.GID, p.groupName(i.GID), when, when, when)
	}
	return status
}

func fileType(p *program) int {
	for _, n := range p.parse("").rest {
		i, err := p.cfg.FS.Stat(p.user(), p.abs(n))
		var what string
		switch {
		case err != nil:
			what = "cannot open `" + printable(n) + "' (" + err.Error() + ")"
		case i.Mode.IsDir():
			what = "directory"
		case bytes.HasPrefix(i.Bytes(), []byte("\x7fELF")):
			what = "ELF 64-bit LSB pie executable, x86-64, version 1 (SYSV), dynamically linked, interpreter /lib64/ld-linux-x86-64.so.2, for GNU/Linux 3.2.0, stripped"
		case bytes.HasPrefix(i.Bytes(), []byte("#!")):
			what = "POSIX shell script, ASCII text executable"
		case len(i.Bytes()) == 0:
			what = "empty"
		case bytes.HasPrefix(i.Bytes(), []byte{0x1f, 0x8b}):
			what = "gzip compressed data"
		case bytes.IndexByte(i.Bytes(), 0) >= 0:
			what = "data"
		default:
			what = "ASCII text"
		}
		p.print("%s: %s\n", n, what)
	}
	return 0
}

func mktemp(p *program) int {
	o := p.parse("p")
	name := fmt.Sprintf("/tmp/tmp.%010X", uint32(p.newPID())*2654435761)
	var err error
	if o.is("d") {
		err = p.cfg.FS.Mkdir(p.user(), name, 0o700)
	} else {
		err = p.cfg.FS.Write(p.user(), name, nil, false, 0o600)
	}
	if err != nil {
		return p.fail("failed to create file via template: %s", err)
	}
	p.line(name)
	return 0
}

func readlink(p *program) int {
	o := p.parse("")
	for _, n := range o.rest {
		i, err := p.cfg.FS.Lstat(p.user(), p.abs(n))
		switch {
		case p.args[0] == "realpath" || o.is("f", "e", "m"):
			if s, err := p.cfg.FS.Stat(p.user(), p.abs(n)); err == nil {
				p.line(s.Path)
			} else if !o.is("e") && path.Dir(p.abs(n)) != "" {
				p.line(p.abs(n))
			}
		case err == nil && i.Mode&fs.ModeSymlink != 0:
			p.line(i.Target)
		default:
			return 1
		}
	}
	return 0
}

func basename(p *program) int {
	if len(p.args) < 2 {
		return p.fail("missing operand")
	}
	b := path.Base(p.args[1])
	if len(p.args) > 2 && b != p.args[2] {
		b = strings.TrimSuffix(b, p.args[2])
	}
	p.line(b)
	return 0
}

func dirname(p *program) int {
	if len(p.args) < 2 {
		return p.fail("missing operand")
	}
	p.line(path.Dir(strings.TrimRight(p.args[1], "/")))
	return 0
}

func du(p *program) int {
	o := p.parse("d", "max-depth")
	if len(o.rest) == 0 {
		o.rest = []string{"."}
	}
	for _, n := range o.rest {
		size := p.weigh(p.abs(n), 0)
		shown := fmt.Sprint((size + 1023) / 1024)
		if o.is("h") {
			shown = human(size)
		}
		p.print("%s\t%s\n", shown, n)
	}
	return 0
}

func (p *program) weigh(at string, depth int) int64 {
	i, err := p.cfg.FS.Lstat(p.user(), at)
	if err != nil || !p.step() || depth > 32 {
		return 0
	}
	size := (i.Size() + 4095) / 4096 * 4096
	if i.Mode.IsDir() {
		names, _ := p.cfg.FS.ReadDir(p.user(), at)
		for _, n := range names {
			size += p.weigh(path.Join(at, n), depth+1)
		}
	}
	return size
}

// unpack opens a compressed stream by what it begins with. What comes out of it is bounded by whoever reads it.
func unpack(b []byte) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		return gzip.NewReader(bytes.NewReader(b))
	case bytes.HasPrefix(b, []byte("BZh")):
		return bzip2.NewReader(bytes.NewReader(b)), nil
	}
	return bytes.NewReader(b), nil
}

const maxUnpacked = 8 << 20

func gzipProgram(p *program) int {
	o := p.parse("S")
	if len(o.rest) == 0 {
		in := p.readAll()
		if p.args[0] == "gzip" && !o.is("d") {
			var out bytes.Buffer
			w := gzip.NewWriter(&out)
			_, _ = w.Write(in)
			_ = w.Close()
			p.write(out.Bytes())
			return 0
		}
		r, err := unpack(in)
		if err != nil {
			return p.fail("stdin: not in gzip format")
		}
		_, _ = io.Copy(p.io.out, io.LimitReader(r, maxUnpacked))
		return 0
	}
	for _, n := range o.rest {
		b, err := p.cfg.FS.Read(p.user(), p.abs(n), maxPipe)
		if err != nil {
			return p.fail("%s: %s", printable(n), err)
		}
		var out []byte
		to := strings.TrimSuffix(n, ".gz")
		if p.args[0] == "gzip" && !o.is("d") {
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			_, _ = w.Write(b)
			_ = w.Close()
			out, to = z.Bytes(), n+".gz"
		} else {
			r, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				return p.fail("%s: not in gzip format", printable(n))
			}
			out, _ = io.ReadAll(io.LimitReader(r, maxUnpacked))
		}
		if p.args[0] == "zcat" || o.is("c") {
			p.write(out)
			continue
		}
		if err := p.cfg.FS.Write(p.user(), p.abs(to), out, false, 0o644); err != nil {
			return p.fail("%s: %s", printable(to), err)
		}
		if !o.is("k") {
			_ = p.cfg.FS.Remove(p.user(), p.abs(n))
		}
	}
	return 0
}

func tarProgram(p *program) int {
	args := p.args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") { // the old form, without a dash
		p.args = append([]string{"tar", "-" + args[0]}, args[1:]...)
	}
	o := p.parse("fC", "file", "directory")
	dir := p.dir
	if d := o.value("C", "directory"); d != "" {
		dir = p.abs(d)
	}
	if o.is("c") {
		return p.pack(o, dir)
	}
	if !o.is("x", "t", "extract", "list") {
		fmt.Fprintln(p.io.err, "tar: You must specify one of the '-Acdtrux', '--delete' or '--test-label' options")
		return 2
	}
	var in []byte
	if f := o.value("f", "file"); f != "" && f != "-" {
		b, err := p.cfg.FS.Read(p.user(), p.abs(f), maxPipe)
		if err != nil {
			fmt.Fprintf(p.io.err, "tar: %s: Cannot open: %s\ntar: Error is not recoverable: exiting now\n", printable(f), err)
			return 2
		}
		in = b
	} else {
		in, _ = io.ReadAll(io.LimitReader(p.io.in, maxUnpacked))
	}
	r, err := unpack(in)
	if err != nil {
		fmt.Fprintln(p.io.err, "\ngzip: stdin: not in gzip format\ntar: Child returned status 1\ntar: Error is not recoverable: exiting now")
		return 2
	}
	return p.extract(tar.NewReader(io.LimitReader(r, maxUnpacked)), dir, o)
}

func (p *program) extract(t *tar.Reader, dir string, o options) int {
	for {
		h, err := t.Next()
		if err == io.EOF {
			return 0
		}
		if err != nil || !p.step() {
			fmt.Fprintln(p.io.err, "tar: This does not look like a tar archive\ntar: Exiting with failure status due to previous errors")
			return 2
		}
		if o.is("t", "list", "v") {
			p.line(h.Name)
		}
		if o.is("t", "list") {
			continue
		}
		at := memfs.Abs(dir, strings.TrimLeft(path.Clean("/"+h.Name), "/"))
		switch h.Typeflag {
		case tar.TypeDir:
			_ = p.makeDir(at, true)
		case tar.TypeSymlink:
			_ = p.cfg.FS.Symlink(p.user(), h.Linkname, at)
		case tar.TypeReg:
			b, err := io.ReadAll(io.LimitReader(t, maxUnpacked))
			if err == nil {
				_ = p.makeDir(path.Dir(at), true)
				err = p.cfg.FS.Write(p.user(), at, b, false, fs.FileMode(h.Mode)&0o777)
			}
			if err != nil {
				fmt.Fprintf(p.io.err, "tar: %s: Cannot open: %s\n", printable(h.Name), err)
				return 2
			}
			p.cfg.Observer.Kept("unpacked", at, b)
		}
	}
}

func (p *program) pack(o options, dir string) int {
	var out bytes.Buffer
	var w io.Writer = &out
	var z *gzip.Writer
	if o.is("z") {
		z = gzip.NewWriter(&out)
		w = z
	}
	t := tar.NewWriter(w)
	for _, n := range o.rest {
		p.packOne(t, dir, n, 0)
	}
	_ = t.Close()
	if z != nil {
		_ = z.Close()
	}
	if f := o.value("f", "file"); f != "" && f != "-" {
		if err := p.cfg.FS.Write(p.user(), p.abs(f), out.Bytes(), false, 0o644); err != nil {
			fmt.Fprintf(p.io.err, "tar: %s: Cannot write: %s\n", printable(f), err)
			return 2
		}
		return 0
	}
	p.write(out.Bytes())
	return 0
}

func (p *program) packOne(t *tar.Writer, dir, name string, depth int) {
	at := memfs.Abs(dir, name)
	i, err := p.cfg.FS.Stat(p.user(), at)
	if err != nil || !p.step() || depth > 16 {
		fmt.Fprintf(p.io.err, "tar: %s: Cannot stat: No such file or directory\n", printable(name))
		return
	}
	if i.Mode.IsDir() {
		_ = t.WriteHeader(&tar.Header{Name: strings.TrimLeft(name, "/") + "/", Mode: int64(i.Mode.Perm()), Typeflag: tar.TypeDir, ModTime: i.Modified})
		names, _ := p.cfg.FS.ReadDir(p.user(), at)
		for _, n := range names {
			p.packOne(t, dir, strings.TrimSuffix(name, "/")+"/"+n, depth+1)
		}
		return
	}
	b, err := p.cfg.FS.Read(p.user(), at, maxPipe)
	if err != nil {
		return
	}
	if t.WriteHeader(&tar.Header{Name: strings.TrimLeft(name, "/"), Mode: int64(i.Mode.Perm()), Size: int64(len(b)), ModTime: i.Modified}) == nil {
		_, _ = t.Write(b)
	}
}
