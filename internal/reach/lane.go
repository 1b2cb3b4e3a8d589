package reach

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// The lane answers short requests beside net/http's server, which takes a third of their processor time: it starts a goroutine for each request that watches for
// the client to hang up, sets five deadlines, and copies and sorts the answer's headers. A connection of HTTP/1.1 is net/http's; where it waits for the next
// request, the lane looks at what arrives first. A request that is there as a whole, framed in the plainest way, and for a route that answers at once, is parsed by
// http.ReadRequest, given to the same handler and answered; net/http goes on waiting. All else is handed to net/http as it came. Whatever
// is unusual about its framing, from where the next request begins might be argued about, hands it the connection for good.

// A Briefer is a handler that tells which requests it answers at once: those whose caller need not be watched while they run.
type Briefer interface {
	http.Handler
	Brief(r *http.Request) bool
}

// Bounds of the lane.
const (
	laneRoom = 4 << 10  // bytes of a connection's buffer
	laneMost = 32 << 10 // it grows to for a request; what is longer is net/http's
)

// Who has a laneConn's request under way.
const (
	laneWaits  = iota // net/http, or nobody
	laneServes        // the lane
	laneCloses        // the connection is to be closed once it is answered, or is
)

// laneConn is a TLS connection as net/http's server sees it. All but state and Close is used by one goroutine at a time: net/http reads by one at a time, and
// tells of a state between reads.
type laneConn struct {
	net.Conn // the TLS connection
	raw      net.Conn
	door     *FrontDoor
	ctx      context.Context
	stop     context.CancelFunc
	tls      *tls.ConnectionState
	from     string // the client's address

	buf       []byte // read from the connection and not yet taken
	given     int    // bytes at its begin that are net/http's
	between   bool   // net/http has all of the requests given to it behind it, and waits for one
	off       bool   // the connection is net/http's for good
	part      bool   // the rest of a request is waited for
	posted    int    // line ends that may follow: some clients send them after the body of a POST
	until     time.Time
	requests  *bufio.Reader
	unread    bytes.Reader
	condition atomic.Int32

	mu        sync.Mutex // guards what follows
	past      bool       // the deadline of reads is one that calls them off
	calledOff chan struct{}
	idle      atomic.Bool // it has had a request, and waits for another
}

// newLaneConn makes c, which is state over raw, a connection for net/http, and counts it among the lane's.
func (f *FrontDoor) newLaneConn(c, raw net.Conn, state tls.ConnectionState) *laneConn {
	l := &laneConn{Conn: c, raw: raw, door: f, tls: &state, from: c.RemoteAddr().String(), between: true}
	l.ctx, l.stop = context.WithCancel(connContext(context.Background(), l))
	f.lane.add(l)
	return l
}

// NetConn is the connection below TLS.
func (c *laneConn) NetConn() net.Conn { return c.raw }

// CloseWrite is what net/http ends its side with before it closes.
func (c *laneConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// ConnectionState is what net/http sets Request.TLS by.
func (c *laneConn) ConnectionState() tls.ConnectionState { return *c.tls }

// state is told of net/http's view of the connection.
func (c *laneConn) state(s http.ConnState) {
	switch s {
	case http.StateIdle:
		if c.between = !c.off && c.given == 0; !c.between {
			c.off = true // it left bytes of a request unread
		}
		c.idle.Store(true)
	case http.StateActive:
		c.between = false
	case http.StateHijacked: // the handler's own from here on
		c.between, c.off = false, true
		c.door.lane.forget(c)
	case http.StateClosed:
		c.stop()
		c.door.lane.forget(c)
	case http.StateNew:
	}
}

// Close closes the connection, after the answer that is under way.
func (c *laneConn) Close() error {
	if c.condition.Swap(laneCloses) == laneServes {
		return nil
	}
	c.stop()
	return c.Conn.Close()
}

// Read gives net/http what is its own.
func (c *laneConn) Read(p []byte) (int, error) {
	if c.given > 0 {
		return c.take(p, c.given), nil
	}
	switch {
	case c.off:
		return c.through(p)
	case !c.between:
		return 0, c.watch()
	}
	for {
		n, req := c.next()
		switch {
		case req != nil:
			if err := c.serve(req, n); err != nil {
				return 0, err
			}
			continue
		case n > 0:
			c.hand()
			c.given = n
			return c.take(p, n), nil
		case c.off:
			c.hand()
			return c.through(p)
		}
		if err := c.more(); err != nil {
			if len(c.buf) == 0 || len(c.buf) < 4 && c.idle.Load() { // net/http takes so few bytes after an answer for none
				return 0, err
			}
			c.off = true // net/http finds out the same
			return c.through(p)
		}
	}
}

// hand leaves the request that has begun to net/http, with the time it gives for one.
func (c *laneConn) hand() {
	c.between, c.part = false, false
	c.idle.Store(false)
	_ = c.SetReadDeadline(time.Now().Add(headerTimeout))
}

// through reads past the lane, on a connection that is net/http's.
func (c *laneConn) through(p []byte) (int, error) {
	if len(c.buf) > 0 {
		return c.take(p, len(c.buf)), nil
	}
	return c.Conn.Read(p)
}

// watch is net/http's read while a request is under way that it has all of: it watches for the client to hang up, until it is called off by a deadline in the past.
// What comes instead is the next request, which often is there before net/http has called off the watch, as it answers first. It is kept for the lane.
func (c *laneConn) watch() error {
	if len(c.buf) == 0 {
		if err := c.more(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	if c.past {
		c.mu.Unlock()
		return os.ErrDeadlineExceeded
	}
	off := make(chan struct{})
	c.calledOff = off
	c.mu.Unlock()
	select {
	case <-off:
		return os.ErrDeadlineExceeded
	case <-c.ctx.Done():
		return net.ErrClosed
	}
}

// SetReadDeadline implements net.Conn.
func (c *laneConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.past = !t.IsZero() && t.Before(time.Unix(1<<20, 0)) // as net/http calls off a read
	if c.past && c.calledOff != nil {
		close(c.calledOff)
		c.calledOff = nil
	}
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

// take moves at most n bytes of the buffer to p.
func (c *laneConn) take(p []byte, n int) int {
	n = copy(p, c.buf[:n])
	c.drop(n)
	c.given = max(c.given-n, 0)
	return n
}

func (c *laneConn) drop(n int) {
	rest := copy(c.buf, c.buf[n:])
	c.buf = c.buf[:rest]
	if rest == 0 && cap(c.buf) > laneRoom {
		c.buf = nil
	}
}

// more reads. For the rest of a request it waits as long as net/http does.
func (c *laneConn) more() error {
	if len(c.buf) > 0 && c.between && !c.part {
		c.part = true
		_ = c.SetReadDeadline(time.Now().Add(headerTimeout))
		c.until = time.Time{}
	}
	if len(c.buf) == cap(c.buf) {
		grown := make([]byte, len(c.buf), max(laneRoom, min(2*cap(c.buf), laneMost)))
		copy(grown, c.buf)
		c.buf = grown
	}
	n, err := c.Conn.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

// next looks at the request that the buffer begins with. A request that comes back is the lane's, and n bytes long; else n bytes are net/http's. 0 without c.off
// asks for more.
func (c *laneConn) next() (n int, req *http.Request) {
	for ; c.posted > 0 && len(c.buf) > 0 && (c.buf[0] == '\r' || c.buf[0] == '\n'); c.posted-- {
		c.drop(1)
	}
	if len(c.buf) == 0 {
		return 0, nil
	}
	head := bytes.Index(c.buf, []byte("\r\n\r\n")) + 4
	if head < 4 {
		c.off = len(c.buf) >= laneMost
		return 0, nil
	}
	c.unread.Reset(c.buf)
	if c.requests == nil {
		c.requests = bufio.NewReaderSize(&c.unread, 512)
	}
	c.requests.Reset(&c.unread)
	req, err := http.ReadRequest(c.requests)
	if err != nil || len(c.buf)-c.unread.Len()-c.requests.Buffered() != head || !plain(req) || head+int(req.ContentLength) > laneMost {
		c.off = true
		return 0, nil
	}
	n = head + int(req.ContentLength)
	switch {
	case n > len(c.buf):
		return 0, nil
	case !c.door.brief(req):
		return n, nil
	}
	return n, req
}

// plain tells whether there can be no two minds about a request: where it ends, whose it is, and that the connection stays.
func plain(r *http.Request) bool {
	if r.Method == http.MethodHead || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Close || len(r.TransferEncoding) > 0 || len(r.Trailer) > 0 || r.ContentLength < 0 || r.ContentLength > laneMost ||
		r.Host == "" || r.URL.Host != "" || !httpguts.ValidHostHeader(r.Host) {
		return false
	}
	for name, values := range r.Header {
		switch name {
		case "Expect", "Upgrade", "Te", "Trailer", "Transfer-Encoding", "Http2-Settings":
			return false
		case "Connection":
			if len(values) != 1 || values[0] != "keep-alive" && values[0] != "Keep-Alive" {
				return false
			}
		case "Content-Length":
			if len(values) != 1 {
				return false
			}
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return false
			}
		}
	}
	return true
}

// serve answers a request of n bytes.
func (c *laneConn) serve(req *http.Request, n int) (err error) {
	if !c.condition.CompareAndSwap(laneWaits, laneServes) {
		return net.ErrClosed
	}
	defer func() {
		if !c.condition.CompareAndSwap(laneServes, laneWaits) { // it is to be closed
			c.stop()
			err = errors.Join(net.ErrClosed, c.Conn.Close())
		}
	}()
	req = req.WithContext(c.ctx)
	req.RemoteAddr, req.TLS = c.from, c.tls
	w, _ := c.door.lane.writers.Get().(*laneWriter)
	if w == nil {
		w = &laneWriter{header: http.Header{}}
	}
	c.door.handler.ServeHTTP(w, req)
	last := c.door.lane.stopping.Load()
	w.finish(last)
	err = w.send(c.Conn)
	c.door.lane.recycle(w)
	c.drop(n)
	if err == nil && last {
		err = net.ErrClosed
	}
	if err != nil {
		return err
	}
	c.part, c.posted = false, 0
	if req.Method == http.MethodPost {
		c.posted = 4 // as net/http allows
	}
	c.idle.Store(true)
	// net/http sets a deadline for each request. Here it is moved on once in a while.
	if now := time.Now(); now.After(c.until) {
		c.until = now.Add(idleTimeout / 16)
		return c.SetReadDeadline(now.Add(idleTimeout))
	}
	return nil
}
