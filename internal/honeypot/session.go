package honeypot

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/record"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/shell"
)

// session is one channel of kind session: a shell, a command or sftp.
type session struct {
	v             *visit
	ch            ssh.Channel
	pty           bool
	term          string
	columns, rows int
	env           map[string]string
}

// serve answers requests until one starts something, and goes on answering while that runs.
func (s *session) serve(ctx context.Context, requests <-chan *ssh.Request) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var done chan struct{}
	for {
		select {
		case <-done:
			return
		case r, ok := <-requests:
			if !ok {
				cancel()
				if done != nil {
					<-done
				}
				return
			}
			run, reply := s.request(r)
			if run != nil && done != nil {
				run, reply = nil, false
			}
			if r.WantReply {
				_ = r.Reply(reply, nil)
			}
			if run != nil {
				done = make(chan struct{})
				go func(end chan struct{}) { // serve waits for it
					defer close(end)
					defer func() {
						if x := recover(); x != nil {
							s.v.h.cfg.Log.Error("honeypot session failed", "session", s.v.id, "error", fmt.Sprint(x))
						}
					}()
					run(ctx)
				}(done)
			}
		}
	}
}

// request reads one request: what it starts, if anything, and whether it is granted.
func (s *session) request(r *ssh.Request) (run func(context.Context), granted bool) {
	switch r.Type {
	case "pty-req":
		var p struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}
		if ssh.Unmarshal(r.Payload, &p) != nil {
			return nil, false
		}
		s.pty, s.term = true, p.Term[:min(len(p.Term), 64)]
		s.columns, s.rows = clamp(p.Columns, 80), clamp(p.Rows, 24)
		return nil, true
	case "env":
		var e struct{ Name, Value string }
		if ssh.Unmarshal(r.Payload, &e) != nil || len(s.env) > 32 {
			return nil, false
		}
		if s.env == nil {
			s.env = map[string]string{}
		}
		s.env[e.Name] = e.Value
		return nil, strings.HasPrefix(e.Name, "LC_") || e.Name == "LANG"
	case "window-change":
		return nil, true
	case "shell":
		return func(ctx context.Context) { s.exit(s.shell(ctx)) }, true
	case "exec":
		var e struct{ Command string }
		if ssh.Unmarshal(r.Payload, &e) != nil {
			return nil, false
		}
		return func(ctx context.Context) { s.exit(s.exec(ctx, e.Command)) }, true
	case "subsystem":
		var e struct{ Name string }
		if ssh.Unmarshal(r.Payload, &e) != nil || e.Name != "sftp" {
			return nil, false
		}
		return func(context.Context) { s.exit(s.v.sftp(s.ch)) }, true
	}
	return nil, false
}

func clamp(n uint32, otherwise int) int {
	if n < 1 || n > 1000 {
		return otherwise
	}
	return int(n)
}

func (s *session) exit(status int) {
	_, _ = s.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
	_ = s.ch.CloseWrite()
}

func (s *session) start(terminal bool) *shell.Shell {
	sh := s.v.shell(terminal, s.columns)
	for k, v := range s.env {
		sh.Setenv(k, v)
	}
	if s.term != "" {
		sh.Setenv("TERM", s.term)
	}
	p := s.v.h.persona
	sh.Setenv("SSH_CLIENT", fmt.Sprintf("%s %d 22", s.v.source, s.v.port))
	sh.Setenv("SSH_CONNECTION", fmt.Sprintf("%s %d %s 22", s.v.source, s.v.port, p.Address))
	return sh
}

// shell is an interactive one with a terminal; without, one that reads commands line by line.
func (s *session) shell(ctx context.Context) int {
	cast := s.v.cast(s.columns, s.rows, s.term)
	defer cast.Close()
	sh := s.start(s.pty)
	if !s.pty {
		return s.v.plain(ctx, sh, s.ch, io.MultiWriter(s.ch, casting{cast, "o"}), io.MultiWriter(s.ch.Stderr(), casting{cast, "o"}), cast)
	}
	return s.v.converse(ctx, sh, newConsole(s.ch, s.ch, cast), s.v.welcome())
}

// exec runs one command line.
func (s *session) exec(ctx context.Context, line string) int {
	s.v.event(record.Event{Kind: "exec", Text: line})
	s.v.typed(line)
	cast := s.v.cast(s.columns, s.rows, s.term)
	defer cast.Close()
	cast.Add("i", []byte(line+"\n"))
	sh := s.start(s.pty)
	if s.pty {
		c := newConsole(s.ch, s.ch, cast)
		defer c.close()
		c.run(ctx, func(ctx context.Context) { sh.Run(ctx, line, c, c, c) })
		return sh.Status()
	}
	sh.Run(ctx, line, s.ch, &counted{w: s.ch, cast: cast}, &counted{w: s.ch.Stderr(), cast: cast})
	return sh.Status()
}

// casting writes into a recording.
type casting struct {
	cast castAdder
	kind string
}

type castAdder interface {
	Add(kind string, data []byte)
}

// Write implements io.Writer.
func (c casting) Write(b []byte) (int, error) {
	c.cast.Add(c.kind, b)
	return len(b), nil
}

// counted ends a command whose output is too much for one, and records the beginning of the output.
type counted struct {
	w    io.Writer
	cast castAdder
	n    int
}

// maxOutput is how much one command may print.
const maxOutput = 8 << 20

// Write implements io.Writer.
func (c *counted) Write(b []byte) (int, error) {
	if c.n += len(b); c.n > maxOutput {
		return 0, errBytes
	}
	if c.n < 64<<10 {
		c.cast.Add("o", b)
	}
	return c.w.Write(b)
}

// welcome is what stands before the first prompt.
func (v *visit) welcome() string {
	p := v.h.persona
	s := p.System
	text := "Linux " + p.Hostname + " " + s.Kernel + " " + s.Build + " x86_64\n\n"
	if s.ID == "ubuntu" {
		text = "Welcome to " + s.Pretty + " (GNU/Linux " + s.Kernel + " x86_64)\n\n"
	}
	return text + "Last login: " + p.Boot.AddDate(0, 0, 2).Format("Mon Jan _2 15:04:05 2006") + " from " + p.Gateway + "\n"
}

// converse is a conversation by prompt and line.
func (v *visit) converse(ctx context.Context, sh *shell.Shell, c *console, welcome string) int {
	defer c.close()
	c.print(welcome)
	for !sh.Ended() && ctx.Err() == nil {
		line, err := c.line(ctx, sh.Prompt())
		if err != nil {
			if ctx.Err() == nil {
				c.print("logout\n")
			}
			break
		}
		for shell.Incomplete(line) && len(line) < 32<<10 {
			more, err := c.line(ctx, "> ")
			if err != nil {
				break
			}
			line += "\n" + more
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		v.typed(line)
		c.run(ctx, func(ctx context.Context) { sh.Typed(ctx, line, c, &counted{w: c, cast: nothing{}}, c) })
	}
	return sh.Status()
}

type nothing struct{}

func (nothing) Add(string, []byte) {}

// plain runs commands as they come, without prompt or echo.
func (v *visit) plain(ctx context.Context, sh *shell.Shell, in io.Reader, out, errOut io.Writer, cast castAdder) int {
	lines := &lineReader{in: in}
	for !sh.Ended() && ctx.Err() == nil {
		line, err := lines.line()
		for err == nil && shell.Incomplete(line) && len(line) < 32<<10 {
			var more string
			more, err = lines.line()
			line += "\n" + more
		}
		if strings.TrimSpace(line) != "" {
			v.typed(line)
			cast.Add("i", []byte(line+"\n"))
			sh.Run(ctx, line, lines, &counted{w: out, cast: nothing{}}, errOut)
		}
		if err != nil {
			break
		}
	}
	return sh.Status()
}

// lineReader gives lines, and what is behind them to commands that read.
type lineReader struct {
	in  io.Reader
	one [1]byte
}

// Read implements io.Reader.
func (l *lineReader) Read(b []byte) (int, error) { return l.in.Read(b) }

func (l *lineReader) line() (string, error) {
	var b []byte
	for len(b) < 32<<10 {
		n, err := l.in.Read(l.one[:])
		if n == 1 {
			if l.one[0] == '\n' {
				return strings.TrimSuffix(string(b), "\r"), nil
			}
			b = append(b, l.one[0])
		}
		if err != nil {
			return string(b), err
		}
	}
	return string(b), nil
}
