package reach

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
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
	server *http.Server
	tunnel *tunnelListener
}

// NewFrontDoor returns a front door that answers with handler over conf.
func NewFrontDoor(handler http.Handler, conf *tls.Config, log *slog.Logger) *FrontDoor {
	return &FrontDoor{
		server: &http.Server{
			Handler: handler, TLSConfig: conf, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
			ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
			ConnContext: connContext,
		},
		tunnel: newTunnelListener(),
	}
}

// connContext marks the requests of a tunnelled connection with the process behind it.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*tunnelConn); ok && t.identity != "" {
		return wire.WithProcess(ctx, t.identity)
	}
	return ctx
}

// Serve accepts on l, and from the proxy, until Shutdown. It returns nil after Shutdown.
func (f *FrontDoor) Serve(l net.Listener) error {
	errs := make(chan error, 2)
	go func() { errs <- f.server.ServeTLS(f.tunnel, "", "") }()
	go func() { errs <- f.server.ServeTLS(l, "", "") }()
	first := <-errs
	f.tunnel.Close()
	l.Close()
	second := <-errs
	for _, err := range []error{first, second} {
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	return nil
}

// Shutdown stops accepting and waits for running requests until ctx ends, then cuts them off.
func (f *FrontDoor) Shutdown(ctx context.Context) error {
	if err := f.server.Shutdown(ctx); err != nil {
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

// give passes c on, or closes it when the listener is closed.
func (l *tunnelListener) give(c net.Conn) {
	select {
	case l.conns <- c:
	case <-l.done:
		c.Close()
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
