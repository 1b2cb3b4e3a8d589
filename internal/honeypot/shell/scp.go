package shell

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

// scp is the far side of the old copy protocol (scp -O): -t takes files, -f gives them. Without either it is a client, which reaches nobody.
func scp(p *program) int {
	o := p.parse("SPcFioJl")
	if !o.is("t", "f") {
		return ssh(p)
	}
	if len(o.rest) == 0 {
		return 1
	}
	c := &copier{p: p, in: bufio.NewReader(p.io.in), at: p.abs(o.rest[0])}
	if o.is("f") {
		return c.send(o.rest)
	}
	return c.take()
}

type copier struct {
	p  *program
	in *bufio.Reader
	at string
}

func (c *copier) ok() { _, _ = c.p.io.out.Write([]byte{0}) }

func (c *copier) fail(format string, args ...any) int {
	_, _ = fmt.Fprintf(c.p.io.out, "\x01scp: "+format+"\n", args...)
	return 1
}

const maxCopied = 8 << 20

func (c *copier) take() int {
	c.ok()
	dirs := []string{c.at}
	for c.p.step() {
		head, err := c.in.ReadString('\n')
		if err != nil {
			return 0
		}
		head = strings.TrimSuffix(cut(head, 4096), "\n")
		switch {
		case head == "":
			return 0
		case head[0] == 'T':
			c.ok()
		case head[0] == 'E':
			if len(dirs) > 1 {
				dirs = dirs[:len(dirs)-1]
			}
			c.ok()
		case head[0] == 'C' || head[0] == 'D':
			f := strings.SplitN(head[1:], " ", 3)
			if len(f) != 3 || f[2] == "" || f[2] == "." || f[2] == ".." || strings.Contains(f[2], "/") {
				return c.fail("protocol error: bad control line")
			}
			mode, _ := strconv.ParseUint(f[0], 8, 32)
			size, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil || size < 0 || size > maxCopied {
				return c.fail("%s: No space left on device", f[2])
			}
			to := dirs[len(dirs)-1]
			if i, err := c.p.cfg.FS.Stat(c.p.user(), to); err == nil && i.Mode.IsDir() {
				to = path.Join(to, f[2])
			}
			if head[0] == 'D' {
				if err := c.p.cfg.FS.Mkdir(c.p.user(), to, fs.FileMode(mode)&0o777); err != nil && err != memfs.ErrExist { //nolint:errorlint // memfs returns its own values
					return c.fail("%s: %s", to, err)
				}
				if dirs = append(dirs, to); len(dirs) > 32 {
					return 1
				}
				c.ok()
				continue
			}
			c.ok()
			b := make([]byte, size)
			if _, err := io.ReadFull(c.in, b); err != nil {
				return 1
			}
			_, _ = c.in.ReadByte() // the sender's own status
			if err := c.p.cfg.FS.Write(c.p.user(), to, b, false, fs.FileMode(mode)&0o777); err != nil {
				return c.fail("%s: %s", to, err)
			}
			c.p.cfg.Observer.Kept("scp", to, b)
			c.ok()
		default:
			return c.fail("protocol error: unexpected <newline>")
		}
	}
	return 1
}

func (c *copier) send(names []string) int {
	answered := func() bool {
		b, err := c.in.ReadByte()
		return err == nil && b == 0
	}
	if !answered() {
		return 1
	}
	for _, n := range names {
		b, err := c.p.cfg.FS.Read(c.p.user(), c.p.abs(n), maxPipe)
		if err != nil {
			return c.fail("%s: %s", n, err)
		}
		fmt.Fprintf(c.p.io.out, "C0644 %d %s\n", len(b), path.Base(n))
		if !answered() {
			return 1
		}
		c.p.write(b)
		c.ok()
		if !answered() {
			return 1
		}
	}
	return 0
}
