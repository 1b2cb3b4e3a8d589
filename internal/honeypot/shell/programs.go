package shell

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

// programs are the files of /usr/bin and /usr/sbin that do something.
func programs() map[string]command {
	all := map[string]command{}
	for _, group := range []map[string]command{filePrograms(), textPrograms(), systemPrograms(), networkPrograms(), accountPrograms(), runPrograms()} {
		maps.Copy(all, group)
	}
	b := builtins()
	for _, name := range []string{"echo", "printf", "test", "[", "true", "false", "pwd", "kill"} {
		all[name] = b[name]
	}
	return all
}

// Programs lists their names, for the persona's disk.
func Programs() []string { return slices.Sorted(maps.Keys(programs())) }

// which finds a program in PATH.
func (s *Shell) which(name string) string {
	if name == "" || strings.Contains(name, "/") {
		if name != "" && s.cfg.FS.Can(s.user(), memfs.Abs(s.dir, name), 1) {
			return name
		}
		return ""
	}
	for i, dir := range strings.Split(s.vars["PATH"].Str, ":") {
		if i > 32 {
			break
		}
		at := memfs.Abs(s.dir, dir+"/"+name)
		if info, err := s.cfg.FS.Stat(s.user(), at); err == nil && info.Mode.IsRegular() && s.cfg.FS.Can(s.user(), at, 1) {
			return dir + "/" + name
		}
	}
	return ""
}

// own is the program that a file of the system stands for; nil for others, such as those a visitor brought.
func (s *Shell) own(at string) command {
	i, err := s.cfg.FS.Stat(s.user(), at)
	if err != nil || s.cfg.FS.Written(i.Path) != nil {
		return nil
	}
	switch path.Dir(i.Path) {
	case "/usr/bin", "/usr/sbin":
		return s.programs[path.Base(i.Path)]
	}
	return nil
}

// file runs a file: a program of the system, a script, or something foreign that is only pretended to run.
func (s *Shell) file(name string, args []string, io streams) {
	at := memfs.Abs(s.dir, name)
	info, err := s.cfg.FS.Stat(s.user(), at)
	switch {
	case err != nil:
		fmt.Fprintf(io.err, "-bash: %s: %s\n", printable(name), err)
		s.status = 127
		return
	case info.Mode.IsDir():
		fmt.Fprintf(io.err, "-bash: %s: Is a directory\n", printable(name))
		s.status = 126
		return
	case !s.cfg.FS.Can(s.user(), at, 1):
		fmt.Fprintf(io.err, "-bash: %s: Permission denied\n", printable(name))
		s.status = 126
		return
	}
	if fn := s.own(at); fn != nil {
		s.status = fn(&program{s, append([]string{path.Base(info.Path)}, args[1:]...), io})
		return
	}
	content := info.Bytes()
	s.cfg.Observer.Kept("run", info.Path, content)
	switch {
	case len(content) >= 20 && bytes.HasPrefix(content, []byte("\x7fELF")):
		if machine := content[18]; content[5] != 1 || machine != 62 && machine != 3 {
			fmt.Fprintf(io.err, "-bash: %s: cannot execute binary file: Exec format error\n", printable(name))
			s.status = 126
			return
		}
		s.status = 0
	case bytes.HasPrefix(content, []byte("#!")) && !bytes.Contains(firstLine(content), []byte("sh")):
		s.status = 0 // perl and the like: nothing is printed
	case bytes.IndexByte(content[:min(len(content), 256)], 0) >= 0:
		fmt.Fprintf(io.err, "-bash: %s: cannot execute binary file: Exec format error\n", printable(name))
		s.status = 126
	default:
		s.script(string(content), name, args[1:], io)
	}
}

func firstLine(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i]
	}
	return b
}

// script runs text as a shell of its own.
func (s *Shell) script(text, name string, params []string, io streams) {
	if !s.enter() {
		s.status = 254
		return
	}
	defer s.leave()
	c := s.sub()
	c.name, c.params, c.pid, c.errexit = name, params, s.newPID(), false
	c.funcs = map[string]*syntax.Stmt{}
	c.source(text, path.Base(name), io)
	s.status = c.status
}

// options are a program's arguments taken apart.
type options struct {
	has  map[string]string
	rest []string
}

func (o options) is(names ...string) bool {
	for _, n := range names {
		if _, ok := o.has[n]; ok {
			return true
		}
	}
	return false
}

func (o options) value(names ...string) string {
	for _, n := range names {
		if v, ok := o.has[n]; ok {
			return v
		}
	}
	return ""
}

// parse takes options apart. valued are the letters, and the long names, that are followed by a value. A number such as -5 is the option "#".
func (p *program) parse(valued string, long ...string) options {
	o := options{has: map[string]string{}}
	args := p.args[1:]
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			o.rest = append(o.rest, args[i+1:]...)
			return o
		case strings.HasPrefix(a, "--"):
			name, value, given := strings.Cut(a[2:], "=")
			if !given && slices.Contains(long, name) && i+1 < len(args) {
				i++
				value = args[i]
			}
			o.has[name] = value
		case len(a) > 1 && a[0] == '-' && isNumber(a[1:]):
			o.has["#"] = a[1:]
		case len(a) > 1 && a[0] == '-':
			for j := 1; j < len(a); j++ {
				letter := a[j : j+1]
				if !strings.Contains(valued, letter) {
					o.has[letter] = ""
					continue
				}
				if o.has[letter] = a[j+1:]; j+1 == len(a) && i+1 < len(args) {
					i++
					o.has[letter] = args[i]
				}
				break
			}
		default:
			o.rest = append(o.rest, a)
		}
	}
	return o
}

// input is one file that a program reads.
type input struct {
	name string
	data []byte
}

// inputs reads the files named, or what is piped in. What can't be read is told, and makes the status 1.
func (p *program) inputs(names []string) (list []input, status int) {
	if len(names) == 0 {
		return []input{{"-", p.readAll()}}, 0
	}
	total := 0
	for _, n := range names {
		if n == "-" {
			list = append(list, input{n, p.readAll()})
			continue
		}
		b, err := p.cfg.FS.Read(p.user(), p.abs(n), maxPipe)
		if err != nil {
			status = p.fail("%s: %s", printable(n), err)
			continue
		}
		if total += len(b); total > 4*maxPipe {
			break
		}
		list = append(list, input{n, b})
	}
	return list, status
}

func (p *program) abs(name string) string { return memfs.Abs(p.dir, name) }

// write prints bytes; false means that nobody reads any more.
func (p *program) write(b []byte) bool {
	_, err := p.io.out.Write(b)
	return err == nil && p.stop == nil && p.ctx.Err() == nil
}

func (p *program) line(s string) bool { return p.write([]byte(s + "\n")) }

// again runs another command line as this program's child.
func (p *program) again(args []string, in io.Reader) int {
	if len(args) == 0 || !p.enter() {
		return 126
	}
	defer p.leave()
	if !p.step() {
		return 126
	}
	streams := p.io
	if in != nil {
		streams.in = in
	}
	c := p.sub()
	name := args[0]
	if _, isBuiltin := c.builtins[name]; isBuiltin && c.programs[name] == nil {
		fmt.Fprintf(p.io.err, "%s: failed to run command '%s': No such file or directory\n", p.args[0], printable(name))
		return 127
	}
	c.run(args, streams)
	return c.status
}
