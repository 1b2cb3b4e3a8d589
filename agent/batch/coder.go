package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// coder writes or reads: the fields are walked by the same code in both directions, so that they can't come apart.
type coder struct {
	writing bool
	buf     []byte // written so far, or still to be read
	last    int64  // milliseconds of the event before
	items   int    // how many more arguments and files there may be
	old     bool   // version 1, whose events have no Key
	err     error
}

// smallest is what an event takes at least, so that a count is believed only as far as its events could follow.
const smallest = 35

func (c *coder) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
	if !c.writing {
		c.buf = nil // nothing more is read
	}
}

func (c *coder) number(v *uint64) {
	if c.writing {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	n, size := binary.Uvarint(c.buf)
	if size <= 0 {
		c.fail("%w: it ends in a number", ErrMalformed)
		*v = 0
		return
	}
	*v, c.buf = n, c.buf[size:]
}

func (c *coder) signed(v *int64) {
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	c.number(&u)
	*v = int64(u>>1) ^ -int64(u&1)
}

func (c *coder) uint32(v *uint32) {
	u := uint64(*v)
	c.number(&u)
	if u>>32 != 0 {
		c.fail("%w: a number of more than 32 bits", ErrMalformed)
	}
	*v = uint32(u)
}

// unsettable is a number that is often linuxaudit.Unset, which takes one byte so.
func (c *coder) unsettable(v *uint32) {
	*v++
	c.uint32(v)
	*v--
}

func (c *coder) int(v *int) {
	s := int64(*v)
	c.signed(&s)
	*v = int(s)
}

// bytes keeps nil and empty apart.
func (c *coder) bytes(v *[]byte) {
	var n uint64
	if *v != nil {
		n = uint64(len(*v)) + 1
	}
	c.number(&n)
	switch {
	case c.writing:
		c.buf = append(c.buf, *v...)
	case n == 0:
		*v = nil
	case n-1 > uint64(len(c.buf)):
		c.fail("%w: it ends in a text of %d bytes", ErrMalformed, n-1)
	default:
		*v, c.buf = c.buf[:n-1:n-1], c.buf[n-1:]
	}
}

func (c *coder) string(v *string) {
	b := []byte(*v)
	c.bytes(&b)
	*v = string(b)
}

func (c *coder) flags(v ...*bool) {
	var n uint64
	for i, f := range v {
		if *f {
			n |= 1 << i
		}
	}
	c.number(&n)
	if n>>len(v) != 0 {
		c.fail("%w: unknown flags", ErrMalformed)
	}
	for i, f := range v {
		*f = n>>i&1 != 0
	}
}

// count is the length of a list whose members take at least size bytes each; nil and empty lists are one.
func (c *coder) count(have, size int) int {
	n := uint64(have)
	c.number(&n)
	if !c.writing && n > uint64(len(c.buf)/size) {
		c.fail("%w: it ends in a list of %d", ErrMalformed, n)
		return 0
	}
	return int(n)
}

func (c *coder) list(have, size int) int {
	n := c.count(have, size)
	if c.items -= n; c.items < 0 {
		c.fail("%w: more than %d arguments and files", ErrTooLarge, MaxItems)
		return 0
	}
	return n
}

func (c *coder) counters(k *Counters) {
	for _, v := range []*uint64{&k.Lost, &k.Missing, &k.Malformed, &k.Cut} {
		c.number(v)
	}
	for i := range k.Dropped {
		c.number(&k.Dropped[i])
	}
}

// read reads a whole batch.
func (c *coder) read(b *Batch) {
	c.counters(&b.Counters)
	n := c.count(0, smallest)
	if n > MaxEvents {
		c.fail("%w: %d events, %d at most", ErrTooLarge, n, MaxEvents)
		return
	}
	if n > 0 {
		b.Events = make([]activity.Event, n)
	}
	for i := range b.Events {
		if c.err != nil {
			return
		}
		c.event(&b.Events[i])
	}
}

func (c *coder) event(e *activity.Event) {
	kind := uint64(e.Kind)
	c.number(&kind)
	if kind > 0xff {
		c.fail("%w: an event of kind %d", ErrMalformed, kind)
	}
	e.Kind = activity.Kind(kind)
	c.bytes(&e.Node)
	since := e.Millis - c.last
	c.signed(&since)
	e.Millis = c.last + since
	c.last = e.Millis
	c.flags(&e.Success, &e.Began, &e.SignIn.Unknown)
	c.process(&e.Process)
	c.string(&e.Call)
	c.command(&e.Command)
	n := c.list(len(e.Files), 5)
	if !c.writing && n > 0 {
		e.Files = make([]activity.File, n)
	}
	for i := range n {
		f := &e.Files[i]
		if c.writing {
			own := *f
			f = &own
		}
		c.bytes(&f.Name)
		c.uint32(&f.Mode)
		c.uint32(&f.Owner)
		c.number(&f.Inode)
		c.flags(&f.New)
	}
	c.uint32(&e.Mode)
	c.addrPort(&e.Remote.Addr)
	c.bytes(&e.Remote.Path)
	c.access(&e.SignIn)
	c.bytes(&e.Op)
	c.bytes(&e.Subject)
	c.number(&e.Lost)
	c.bytes(&e.Message)
	if !c.old {
		c.bytes(&e.Key)
	}
	e.Source = nil
}

func (c *coder) process(p *activity.Process) {
	c.uint32(&p.PID)
	c.uint32(&p.Parent)
	c.unsettable(&p.AUID)
	c.unsettable(&p.UID)
	c.unsettable(&p.EUID)
	c.unsettable(&p.GID)
	c.unsettable(&p.Session)
	c.bytes(&p.TTY)
	c.bytes(&p.Comm)
	c.bytes(&p.Image)
}

func (c *coder) command(m *activity.Command) {
	n := c.list(len(m.Args), 1)
	if !c.writing && n > 0 {
		m.Args = make([][]byte, n)
	}
	for i := range n {
		a := &m.Args[i]
		if c.writing {
			own := *a
			a = &own
		}
		c.bytes(a)
	}
	joined := c.writing && n > 0 && len(m.Line) > 0 && isJoined(m.Line, m.Args)
	if c.flags(&joined); !joined {
		c.bytes(&m.Line)
	} else if !c.writing {
		m.Line = bytes.Join(m.Args, []byte{' '})
	}
	c.bytes(&m.Dir)
	c.bytes(&m.File)
	c.int(&m.Missing)
	c.bytes(&m.Packed)
}

// isJoined reports whether a line is its arguments with blanks between, which it mostly is.
func isJoined(line []byte, args [][]byte) bool {
	for i, a := range args {
		if i > 0 {
			if len(line) == 0 || line[0] != ' ' {
				return false
			}
			line = line[1:]
		}
		if !bytes.HasPrefix(line, a) {
			return false
		}
		line = line[len(a):]
	}
	return len(line) == 0
}

func (c *coder) access(a *activity.Access) {
	c.bytes(&a.Account)
	c.addr(&a.Addr)
	c.bytes(&a.Host)
	c.bytes(&a.Method)
	c.bytes(&a.Terminal)
	c.int(&a.Count)
}

// addr is an address as its own package writes it, its zone included.
func (c *coder) addr(a *netip.Addr) {
	var b []byte
	if c.writing && a.IsValid() {
		b, _ = a.MarshalBinary() // never fails
	}
	c.bytes(&b)
	if c.writing {
		return
	}
	if err := a.UnmarshalBinary(b); err != nil {
		c.fail("%w: an address of %d bytes", ErrMalformed, len(b))
	}
}

func (c *coder) addrPort(a *netip.AddrPort) {
	addr, port := a.Addr(), uint32(a.Port())
	c.addr(&addr)
	c.uint32(&port)
	if port > 0xffff {
		c.fail("%w: port %d", ErrMalformed, port)
	}
	*a = netip.AddrPortFrom(addr, uint16(port))
}
