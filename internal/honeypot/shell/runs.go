package shell

import (
	"fmt"
	"iter"
	"maps"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

func mapsKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

func runPrograms() map[string]command {
	return map[string]command{
		"sh": bash, "bash": bash, "dash": bash, "rbash": bash, "busybox": busybox, "nohup": prefixed(0), "nice": prefixed(0), "ionice": prefixed(0), "setsid": prefixed(0), "stdbuf": prefixed(0), "timeout": prefixed(1), "time": prefixed(0),
		"unbuffer": prefixed(0), "chroot": prefixed(1), "taskset": prefixed(1), "perl": interpreter("perl"), "python3": interpreter("python3"), "openssl": openssl,
	}
}

func bash(p *program) int {
	args := p.args[1:]
	for len(args) > 0 {
		a := args[0]
		switch {
		case a == "--version":
			p.print("GNU bash, version %s (x86_64-pc-linux-gnu)\n", p.cfg.Persona.System.Bash)
			return 0
		case strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "c"):
			if len(args) < 2 {
				fmt.Fprintf(p.io.err, "%s: -c: option requires an argument\n", p.args[0])
				return 2
			}
			name := p.args[0]
			var params []string
			if len(args) > 2 {
				name, params = args[2], args[3:]
			}
			return p.runScript(args[1], name, params)
		case a == "-o" && len(args) > 1:
			args = args[2:]
		case a == "-" || a == "-s":
			return p.fromInput(args[1:])
		case strings.HasPrefix(a, "-") || strings.HasPrefix(a, "+"):
			args = args[1:]
		default:
			b, err := p.cfg.FS.Read(p.user(), memfs.Abs(p.dir, a), maxScript)
			if err != nil {
				fmt.Fprintf(p.io.err, "%s: %s: %s\n", p.args[0], printable(a), err)
				return 127
			}
			p.cfg.Observer.Kept("run", p.abs(a), b)
			return p.runScript(string(b), a, args[1:])
		}
	}
	return p.fromInput(nil)
}

func (p *program) runScript(text, name string, params []string) int {
	p.script(text, name, params, p.io)
	return p.Shell.status
}

// fromInput runs what is piped in. At a terminal the shell that would be started looks like the one that is there.
func (p *program) fromInput(params []string) int {
	if t, ok := p.io.in.(interface{ Interactive() bool }); ok && t.Interactive() {
		return 0
	}
	b := p.readAll()
	if len(b) > 0 {
		p.cfg.Observer.Kept("piped", "-", b)
	}
	return p.runScript(string(b), p.args[0], params)
}

func busybox(p *program) int {
	if len(p.args) < 2 {
		p.print("BusyBox v1.30.1 (Ubuntu 1:1.30.1-7ubuntu3) multi-call binary.\nBusyBox is copyrighted by many authors between 1998-2015.\n\nUsage: busybox [function [arguments]...]\n   or: busybox --list[-full]\n")
		return 0
	}
	if _, ok := p.programs[p.args[1]]; !ok || strings.Contains("apt apt-get dpkg systemctl sudo gcc", p.args[1]) {
		fmt.Fprintf(p.io.err, "%s: applet not found\n", printable(p.args[1]))
		return 127
	}
	return p.again(p.args[1:], nil)
}

// prefixed runs the rest of its arguments, after options and so many operands.
func prefixed(operands int) command {
	return func(p *program) int {
		args := p.args[1:]
		for len(args) > 0 && strings.HasPrefix(args[0], "-") {
			if (args[0] == "-n" || args[0] == "-c" || args[0] == "-s" || args[0] == "-k") && len(args) > 1 {
				args = args[1:]
			}
			args = args[1:]
		}
		args = args[min(operands, len(args)):]
		if len(args) == 0 {
			return 0
		}
		if p.args[0] == "nohup" && p.cfg.Terminal {
			fmt.Fprintln(p.io.err, "nohup: ignoring input and appending output to 'nohup.out'")
		}
		return p.again(args, nil)
	}
}

// interpreter has its version, and runs nothing: a program that is given to it ends in silence, and is kept.
func interpreter(name string) command {
	return func(p *program) int {
		o := p.parse("emMIc")
		switch {
		case o.is("v", "V", "version") && name == "perl":
			p.print("\nThis is perl 5, version 34, subversion 0 (v5.34.0) built for x86_64-linux-gnu-thread-multi\n\nCopyright 1987-2021, Larry Wall\n")
		case o.is("V", "version"):
			p.print("Python 3.10.12\n")
		case o.is("e", "c"):
			p.cfg.Observer.Kept("run", name, []byte(o.value("e", "c")))
		case len(o.rest) > 0:
			b, err := p.cfg.FS.Read(p.user(), p.abs(o.rest[0]), maxPipe)
			if err != nil {
				fmt.Fprintf(p.io.err, "Can't open %s script \"%s\": %s\n", name, printable(o.rest[0]), err)
				return 2
			}
			p.cfg.Observer.Kept("run", p.abs(o.rest[0]), b)
		default:
			if b := p.readAll(); len(b) > 0 {
				p.cfg.Observer.Kept("piped", name, b)
			}
		}
		return 0
	}
}

func openssl(p *program) int {
	if len(p.args) > 1 && p.args[1] == "version" {
		p.print("OpenSSL 3.0.2 15 Mar 2022 (Library: OpenSSL 3.0.2 15 Mar 2022)\n")
	}
	return 0
}
