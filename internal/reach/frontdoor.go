package reach

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Server time limits: a client may be slow, but not for ever. Bodies have no limit of their own: sites stream.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 3 * time.Minute
	maxHeader     = 64 << 10 // bytes
)

// FrontDoor is the HTTPS listener that serves every service by host name. Connections come from its own listener and, already accepted, from the proxy.
type FrontDoor struct {
	server  *http.Server
	handler http.Handler
	brief   func(*http.Request) bool // which requests the lane may answer
	conf    *tls.Config
	tunnel  *tunnelListener
	ready   *tunnelListener // connections whose handshake is done
	lane    lane
	shaking handshakes
}

// NewFrontDoor returns a front door that answers with handler over conf. What a handler that is a Briefer calls brief is answered by the lane.
func NewFrontDoor(handler http.Handler, conf *tls.Config, log *slog.Logger) *FrontDoor {
	f := &FrontDoor{handler: handler, tunnel: newTunnelListener(), ready: newTunnelListener(), brief: func(*http.Request) bool { return false }}
	if b, ok := handler.(Briefer); ok {
		f.brief = b.Brief
	}
	f.conf = conf.Clone()
	for _, proto := range []string{"http/1.1", "h2"} {
		if !slices.Contains(f.conf.NextProtos, proto) {
			f.conf.NextProtos = append(slices.Clone(f.conf.NextProtos), proto)
		}
	}
	f.server = &http.Server{
		Handler: handler, TLSConfig: f.conf.Clone(), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ConnContext: connContext,
		ConnState: func(c net.Conn, s http.ConnState) {
			if l, ok := c.(*laneConn); ok {
				l.state(s)
			}
		},
	}
	return f
}

// connContext marks the requests of a tunnelled connection with the process behind it.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*tunnelConn); ok && t.identity != "" {
		return wire.WithProcess(ctx, t.identity)
	}
	return ctx
}

// Serve accepts on l, and from the proxy, until Shutdown. It returns nil after Shutdown.
func (f *FrontDoor) Serve(l net.Listener) error {
	errs := make(chan error, 3)
	go func() { errs <- f.accept(f.tunnel) }()
	go func() { errs <- f.accept(l) }()
	go func() { errs <- f.server.Serve(f.ready) }()
	first := <-errs
	f.tunnel.Close()
	f.ready.Close()
	l.Close()
	for _, err := range []error{first, <-errs, <-errs} {
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	return nil
}

// Shutdown stops accepting and waits for running requests until ctx ends, then cuts them off.
func (f *FrontDoor) Shutdown(ctx context.Context) error {
	f.lane.stopping.Store(true)
	f.shaking.stop()
	drained := make(chan error, 1)
	go func() { drained <- f.lane.shutdown(ctx) }()
	err := f.server.Shutdown(ctx)
	if late := <-drained; err == nil {
		err = late
	}
	if err != nil {
		return f.server.Close()
	}
	return nil
}

// tunnelConn is a connection the proxy accepted, with the identity its credentials stand for.
type tunnelConn struct {
	net.Conn
	identity string
}

// tunnelListener hands the proxy's connections to the HTTPS server as if it had accepted them.
type tunnelListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newTunnelListener() *tunnelListener {
	return &tunnelListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// give passes c on, or closes it when the listener is closed. It reports whether c was passed on.
func (l *tunnelListener) give(c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.done:
		c.Close()
		return false
	}
}

// Accept implements net.Listener.
func (l *tunnelListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *tunnelListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *tunnelListener) Addr() net.Addr { return tunnelAddr{} }

type tunnelAddr struct{}

func (tunnelAddr) Network() string { return "tunnel" }
func (tunnelAddr) String() string  { return "proxy" }
