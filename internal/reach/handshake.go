package reach

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// handshakes are the connections that are not yet known to speak TLS.
type handshakes struct {
	mu      sync.Mutex
	running sync.WaitGroup
	conns   map[net.Conn]struct{}
	stopped bool
}

// begin adds a connection, unless it is too late for one.
func (h *handshakes) begin(c net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return false
	}
	if h.conns == nil {
		h.conns = map[net.Conn]struct{}{}
	}
	h.conns[c] = struct{}{}
	h.running.Add(1)
	return true
}

func (h *handshakes) end(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	h.running.Done()
}

// stop ends those under way; none begins from then on.
func (h *handshakes) stop() {
	h.mu.Lock()
	h.stopped = true
	for c := range h.conns {
		_ = c.Close()
	}
	h.mu.Unlock()
	h.running.Wait()
}

// Pauses after an error of Accept that may pass, such as too many open files.
const (
	firstPause = 5 * time.Millisecond
	longPause  = time.Second
)

// accept shakes hands with the connections of l, each in a goroutine of its own, and hands them on.
func (f *FrontDoor) accept(l net.Listener) error {
	pause := firstPause
	for {
		c, err := l.Accept()
		if err != nil {
			var ne net.Error
			//lint:ignore SA1019 net/http's server asks the same: there is no other way to know
			if errors.As(err, &ne) && ne.Temporary() {
				time.Sleep(pause)
				pause = min(2*pause, longPause)
				continue
			}
			return err
		}
		pause = firstPause
		if !f.shaking.begin(c) {
			_ = c.Close()
			continue
		}
		go f.shake(c)
	}
}

// shake makes a connection ready for HTTP.
func (f *FrontDoor) shake(raw net.Conn) {
	defer f.shaking.end(raw)
	c := tls.Server(raw, f.conf)
	deadline := time.Now().Add(headerTimeout)
	_ = raw.SetDeadline(deadline)
	if err := c.HandshakeContext(context.Background()); err != nil {
		var record tls.RecordHeaderError
		if errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
			_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		}
		f.server.ErrorLog.Printf("http: TLS handshake error from %s: %v", raw.RemoteAddr(), err)
		_ = c.Close()
		return
	}
	_ = raw.SetDeadline(time.Time{})
	if c.ConnectionState().NegotiatedProtocol == "h2" {
		f.ready.give(c)
		return
	}
	l := f.newLaneConn(c, raw, c.ConnectionState())
	if !f.ready.give(l) {
		f.lane.forget(l)
	}
}

// looksLikeHTTP tells whether what came instead of a TLS record is a request in plain HTTP.
func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}
