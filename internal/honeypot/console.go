package honeypot

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
)

// console is a terminal's line discipline: it echoes, edits, keeps a history, and turns ^C into the end of a running command.
type console struct {
	out  io.Writer
	cast castAdder
	keys chan byte
	gone chan struct{} // the visitor's side has ended
	stop chan struct{} // ours has

	mu        sync.Mutex
	interrupt context.CancelFunc
	ctx       context.Context // of the running command

	hidden  bool
	pending []byte // of a line that a command has begun to read
	history []string
	lastCR  bool
	closed  sync.Once
}

const (
	maxLine    = 16 << 10
	maxRecalls = 100
)

var errInterrupted = errors.New("interrupted")

// newConsole reads keys until in ends or the console is closed; whoever owns in ends it.
func newConsole(in io.Reader, out io.Writer, cast castAdder) *console {
	c := &console{out: out, cast: cast, keys: make(chan byte, 4096), gone: make(chan struct{}), stop: make(chan struct{})}
	go c.pump(in) // ends with in, or by close
	return c
}

func (c *console) pump(in io.Reader) {
	defer close(c.gone)
	buf := make([]byte, 1024)
	for {
		n, err := in.Read(buf)
		for _, b := range buf[:n] {
			if b == 3 {
				c.mu.Lock()
				running := c.interrupt
				c.mu.Unlock()
				if running != nil {
					c.print("^C\n")
					running()
					continue
				}
			}
			select {
			case c.keys <- b:
			case <-c.stop:
				return
			}
		}
		if err != nil {
			c.mu.Lock()
			if c.interrupt != nil {
				c.interrupt()
			}
			c.mu.Unlock()
			return
		}
	}
}

func (c *console) close() { c.closed.Do(func() { close(c.stop) }) }

// run runs a command, which ^C and the visitor's leaving end.
func (c *console) run(ctx context.Context, fn func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	c.interrupt, c.ctx = cancel, ctx
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.interrupt, c.ctx = nil, nil
		c.mu.Unlock()
		cancel()
		c.pending = nil
	}()
	fn(ctx)
}

// Write prints, with a terminal's line ends.
func (c *console) Write(b []byte) (int, error) {
	text := bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
	c.cast.Add("o", text)
	if _, err := c.out.Write(text); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *console) print(s string) { _, _ = c.Write([]byte(s)) }

// Interactive tells the shell that a person may sit here.
func (c *console) Interactive() bool { return true }

// Hide turns the echo off, for passwords.
func (c *console) Hide(hidden bool) {
	c.hidden = hidden
}

// Read gives a command the lines that are typed while it runs.
func (c *console) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(c.pending) == 0 {
		c.mu.Lock()
		ctx := c.ctx
		c.mu.Unlock()
		if ctx == nil {
			return 0, io.EOF
		}
		line, err := c.edit(ctx, nil)
		if err != nil {
			return 0, io.EOF
		}
		c.pending = []byte(line + "\n")
	}
	n := copy(b, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// line asks for a command. ^C gives an empty one; ^D, or the visitor's leaving, an error.
func (c *console) line(ctx context.Context, prompt string) (string, error) {
	c.print(prompt)
	line, err := c.edit(ctx, &c.history)
	if errors.Is(err, errInterrupted) {
		return "", nil
	}
	if err == nil && strings.TrimSpace(line) != "" {
		if c.history = append(c.history, line); len(c.history) > maxRecalls {
			c.history = c.history[1:]
		}
	}
	return line, err
}

// key waits for one.
func (c *console) key(ctx context.Context) (byte, error) {
	select {
	case b := <-c.keys:
		return b, nil
	default:
	}
	select {
	case b := <-c.keys:
		return b, nil
	case <-c.gone:
		select {
		case b := <-c.keys: // what came before the end
			return b, nil
		default:
			return 0, io.EOF
		}
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// edit reads one line: erasing, recalling, as a terminal in front of bash does it.
func (c *console) edit(ctx context.Context, history *[]string) (string, error) {
	var line []byte
	recalled := 0
	if history != nil {
		recalled = len(*history)
	}
	echo := func(s string) {
		if !c.hidden {
			c.cast.Add("o", []byte(s))
			_, _ = io.WriteString(c.out, s)
		}
	}
	replace := func(with string) {
		echo(strings.Repeat("\b \b", len(line)) + with)
		line = []byte(with)
	}
	for {
		b, err := c.key(ctx)
		if err != nil {
			return string(line), err
		}
		wasCR := c.lastCR
		c.lastCR = b == '\r'
		switch {
		case b == '\n' && wasCR, b == 0 && wasCR: // the second half of a telnet client's line end
		case b == '\r' || b == '\n':
			c.print("\n")
			c.cast.Add("i", append(line, '\n'))
			return string(line), nil
		case b == 3:
			c.print("^C\n")
			return "", errInterrupted
		case b == 4:
			if len(line) == 0 {
				return "", io.EOF
			}
		case b == 0x7f || b == 8:
			if len(line) > 0 {
				line = line[:len(line)-1]
				echo("\b \b")
			}
		case b == 21: // ^U
			replace("")
		case b == 23: // ^W
			i := bytes.LastIndexByte(bytes.TrimRight(line, " "), ' ')
			replace(string(line[:i+1]))
		case b == 12: // ^L
			echo("\x1b[H\x1b[2J" + string(line))
		case b == 27:
			up, ok := c.arrow(ctx)
			if !ok || history == nil {
				continue
			}
			if up && recalled > 0 {
				recalled--
				replace((*history)[recalled])
			} else if !up && recalled < len(*history) {
				if recalled++; recalled < len(*history) {
					replace((*history)[recalled])
				} else {
					replace("")
				}
			}
		case b >= 0x20 && len(line) < maxLine:
			line = append(line, b)
			echo(string([]byte{b}))
		}
	}
}

// arrow reads the rest of an escape sequence: whether it was up or down.
func (c *console) arrow(ctx context.Context) (up, ok bool) {
	b, err := c.key(ctx)
	if err != nil || b != '[' && b != 'O' {
		return false, false
	}
	for range 16 {
		b, err = c.key(ctx)
		if err != nil {
			return false, false
		}
		if b >= 0x40 && b <= 0x7e {
			return b == 'A', b == 'A' || b == 'B'
		}
	}
	return false, false
}
