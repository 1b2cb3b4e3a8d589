package reach

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// lane is what a front door's connections share.
type lane struct {
	writers  sync.Pool // of *laneWriter
	stopping atomic.Bool

	mu    sync.Mutex
	conns map[*laneConn]struct{}
}

func (l *lane) add(c *laneConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		l.conns = map[*laneConn]struct{}{}
	}
	l.conns[c] = struct{}{}
}

func (l *lane) forget(c *laneConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// shutdown closes connections without a request and waits for the answers under way until ctx ends, then cuts them off.
func (l *lane) shutdown(ctx context.Context) error {
	for _, c := range l.all() {
		if c.idle.Load() { // net/http would wait for a connection that it has had no request of
			_ = c.Close()
		}
	}
	for _, c := range l.all() {
		for c.condition.Load() == laneServes || c.condition.Load() == laneCloses && !c.closed() {
			select {
			case <-ctx.Done():
				l.cut()
				return ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil
}

// closed tells whether the connection was closed, not only asked to be.
func (c *laneConn) closed() bool { return c.ctx.Err() != nil }

func (l *lane) cut() {
	for _, c := range l.all() {
		c.stop()
		_ = c.raw.Close()
	}
}

func (l *lane) all() []*laneConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*laneConn, 0, len(l.conns))
	for c := range l.conns {
		all = append(all, c)
	}
	return all
}

// laneMostAnswer is how large an answer's buffer may be to be kept.
const laneMostAnswer = 64 << 10

func (l *lane) recycle(w *laneWriter) {
	if cap(w.out) > laneMostAnswer || cap(w.body) > laneMostAnswer || len(w.header) > 64 {
		return
	}
	clear(w.header)
	*w = laneWriter{header: w.header, out: w.out[:0], body: w.body[:0]}
	l.writers.Put(w)
}

// laneWriter is an answer. It is sent as a whole, in one piece. Only the handler's goroutine may use it.
type laneWriter struct {
	header http.Header
	status int
	body   []byte
	out    []byte
}

var _ http.ResponseWriter = (*laneWriter)(nil)

// Header implements http.ResponseWriter. Headers set after the status are sent, too: net/http's are not, but nothing here sets some.
func (w *laneWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *laneWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *laneWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.body = append(w.body, b...)
	return len(b), nil
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// finish makes the bytes of the answer.
func (w *laneWriter) finish(last bool) {
	w.WriteHeader(http.StatusOK)
	b := append(w.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(b, ' ')
	if text := http.StatusText(w.status); text != "" {
		b = append(b, text...)
	} else {
		b = append(append(b, "status code "...), strconv.Itoa(w.status)...)
	}
	b = append(b, "\r\n"...)
	if w.header["Date"] == nil {
		b = append(time.Now().UTC().AppendFormat(append(b, "Date: "...), http.TimeFormat), "\r\n"...)
	}
	for name, values := range w.header {
		switch name {
		case "Content-Length", "Connection", "Transfer-Encoding": // ours to say
			continue
		case "Content-Type":
			if !bodyAllowed(w.status) {
				continue
			}
		}
		b = appendHeader(b, name, values)
	}
	if bodyAllowed(w.status) {
		if len(w.body) > 0 && w.header["Content-Type"] == nil {
			b = append(append(append(b, "Content-Type: "...), http.DetectContentType(w.body)...), "\r\n"...)
		}
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(w.body)), 10), "\r\n"...)
	}
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	w.out = append(b, "\r\n"...)
}

// appendHeader adds a header's lines, with nothing in them that would end one.
func appendHeader(b []byte, name string, values []string) []byte {
	if !httpguts.ValidHeaderFieldName(name) {
		return b
	}
	for _, v := range values {
		if strings.ContainsAny(v, "\r\n") {
			v = strings.TrimSpace(strings.NewReplacer("\r", " ", "\n", " ").Replace(v))
		}
		b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
	}
	return b
}

// send writes the answer: in one piece, unless the body is so large that copying it is no gain.
func (w *laneWriter) send(to io.Writer) error {
	if len(w.body) <= laneRoom {
		w.out = append(w.out, w.body...)
		w.body = w.body[:0]
	}
	if _, err := to.Write(w.out); err != nil || len(w.body) == 0 {
		return err
	}
	_, err := to.Write(slices.Clip(w.body))
	return err
}
