package honeypot

import (
	"context"
	"io"
	"strings"
	"time"
)

// The commands and options of telnet that are spoken (RFC 854, 857, 858, 1091, 1073).
const (
	iacSE   = 240
	iacSB   = 250
	iacWILL = 251
	iacWONT = 252
	iacDO   = 253
	iacDONT = 254
	iac     = 255

	optEcho   = 1
	optSGA    = 3
	optTType  = 24
	optNAWS   = 31
	optTSpeed = 32
)

// negotiator takes telnet's commands out of a stream, and answers them. Each option is answered once, so that two sides can't go on for ever.
type negotiator struct {
	state         int
	verb          byte
	sub           []byte
	answered      map[[2]byte]bool
	term          string
	columns, rows int
}

const maxSub = 256

// offer is what the server says first, as telnetd of Linux does.
func offer() []byte { return []byte{iac, iacDO, optTType, iac, iacDO, optTSpeed} }

// takeOver is what it says before the login prompt.
func takeOver() []byte {
	return []byte{iac, iacWILL, optSGA, iac, iacDO, optEcho, iac, iacDO, optNAWS, iac, iacWILL, optEcho}
}

// feed gives the data in what has come, and what is to be answered.
func (n *negotiator) feed(in []byte) (data, reply []byte) {
	for _, b := range in {
		switch n.state {
		case 0:
			if b == iac {
				n.state = 1
			} else {
				data = append(data, b)
			}
		case 1: // a command
			switch {
			case b == iac:
				data = append(data, b)
				n.state = 0
			case b == iacSB:
				n.sub, n.state = n.sub[:0], 3
			case b >= iacWILL:
				n.verb, n.state = b, 2
			default:
				n.state = 0
			}
		case 2: // its option
			n.state = 0
			reply = append(reply, n.answer(n.verb, b)...)
		case 3: // inside of a subnegotiation
			if b == iac {
				n.state = 4
			} else if len(n.sub) < maxSub {
				n.sub = append(n.sub, b)
			}
		case 4:
			switch b {
			case iac:
				if len(n.sub) < maxSub {
					n.sub = append(n.sub, b)
				}
				n.state = 3
			case iacSE:
				n.subnegotiated()
				n.state = 0
			default:
				n.state = 0
			}
		}
	}
	return data, reply
}

func (n *negotiator) answer(verb, option byte) []byte {
	key := [2]byte{verb, option}
	if n.answered[key] {
		return nil
	}
	if n.answered == nil {
		n.answered = map[[2]byte]bool{}
	}
	n.answered[key] = true
	switch {
	case verb == iacDO && option != optEcho && option != optSGA:
		return []byte{iac, iacWONT, option}
	case verb == iacWILL && option == optTType:
		return []byte{iac, iacSB, optTType, 1, iac, iacSE}
	case verb == iacWILL && option == optEcho:
		return []byte{iac, iacDONT, option}
	case verb == iacWILL && option != optNAWS && option != optTSpeed && option != optSGA:
		return []byte{iac, iacDONT, option}
	}
	return nil
}

func (n *negotiator) subnegotiated() {
	switch {
	case len(n.sub) >= 5 && n.sub[0] == optNAWS:
		n.columns, n.rows = clamp(uint32(n.sub[1])<<8|uint32(n.sub[2]), 80), clamp(uint32(n.sub[3])<<8|uint32(n.sub[4]), 24)
	case len(n.sub) > 2 && n.sub[0] == optTType && n.sub[1] == 0:
		n.term = strings.ToLower(strings.Map(func(r rune) rune {
			if r < '!' || r > '~' {
				return -1
			}
			return r
		}, string(n.sub[2:min(len(n.sub), 40)])))
	}
}

// telnetReader is a connection's data.
type telnetReader struct {
	v    *visit
	n    negotiator
	left []byte
}

// Read implements io.Reader.
func (t *telnetReader) Read(b []byte) (int, error) {
	buf := make([]byte, 1024)
	for len(t.left) == 0 {
		n, err := t.v.conn.Read(buf)
		data, reply := t.n.feed(buf[:n])
		if len(reply) > 0 {
			if _, err := t.v.conn.Write(reply); err != nil {
				return 0, err
			}
		}
		t.left = data
		if err != nil && len(data) == 0 {
			return 0, err
		}
	}
	n := copy(b, t.left)
	t.left = t.left[n:]
	return n, nil
}

// telnetWriter doubles the byte that begins commands.
type telnetWriter struct{ w io.Writer }

// Write implements io.Writer.
func (t telnetWriter) Write(b []byte) (int, error) {
	if _, err := t.w.Write([]byte(strings.ReplaceAll(string(b), "\xff", "\xff\xff"))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// telnet talks to one visitor: login, three times at most, then a shell.
func (h *Honeypot) telnet(ctx context.Context, v *visit) {
	if _, err := v.conn.Write(append(offer(), takeOver()...)); err != nil {
		return
	}
	in := &telnetReader{v: v}
	out := telnetWriter{v.conn}
	c := newConsole(in, out, nothing{})
	defer c.close()
	c.print(h.persona.Issue() + "\n")
	for range min(h.cfg.Limits.Tries, 3) {
		user, err := c.line(ctx, h.persona.Hostname+" login: ")
		if err != nil {
			return
		}
		c.history = nil
		if user = strings.TrimSpace(user); user == "" {
			continue
		}
		c.Hide(true)
		password, err := c.line(ctx, "Password: ")
		c.Hide(false)
		c.history = nil
		if err != nil {
			return
		}
		if !v.login(user, password) {
			if h.cfg.FailDelay > 0 {
				time.Sleep(h.cfg.FailDelay)
			}
			c.print("\nLogin incorrect\n")
			continue
		}
		v.conn.until(time.Now().Add(h.cfg.Limits.Session))
		h.telnetShell(ctx, v, c, in)
		return
	}
}

func (h *Honeypot) telnetShell(ctx context.Context, v *visit, c *console, in *telnetReader) {
	columns, rows, term := in.n.columns, in.n.rows, in.n.term
	if columns == 0 {
		columns, rows = 80, 24
	}
	cast := v.cast(columns, rows, term)
	defer cast.Close()
	if cast != nil {
		c.cast = cast
	}
	v.converse(ctx, v.shell(true, columns), c, "\n"+v.welcome())
}
