package reach

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// imdsHost is where virtual machines find their metadata service, by plain HTTP.
const imdsHost = "169.254.169.254"

const firstByteTimeout = 30 * time.Second

// Proxy is the HTTP CONNECT proxy on loopback.
type Proxy struct {
	Hosts     wire.Hosts
	Processes *Processes
	Door      *FrontDoor
	Plain     http.Handler // the plain HTTP endpoints: IMDS
	Sites     http.Handler // what sites answer by plain HTTP
	Pass      bool         // pass hosts that are not ours through, instead of refusing them
	Log       *slog.Logger

	server *http.Server
}

// Serve accepts on l until Shutdown, then returns nil.
func (p *Proxy) Serve(l net.Listener) error {
	p.server.ErrorLog = slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug)
	if err := p.server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// Prepare must be called once, before Serve and Shutdown.
func (p *Proxy) Prepare() *Proxy {
	p.server = &http.Server{
		Handler: p, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}
	return p
}

// Shutdown stops accepting. Tunnels belong to the front door and end with it.
func (p *Proxy) Shutdown(ctx context.Context) error { return p.server.Shutdown(ctx) }

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	identity, ok := p.caller(r)
	if !ok {
		p.refuse(w, http.StatusProxyAuthRequired, "Proxy credentials missing or unknown: run under bulkhead exec")
		return
	}
	// Neither routing nor a log or record shall see them.
	r.Header.Del("Proxy-Authorization")
	r.Header.Del("Proxy-Connection")
	if r.Method == http.MethodConnect {
		p.connect(w, r, identity)
		return
	}
	p.plain(w, r, identity)
}

func (p *Proxy) caller(r *http.Request) (identity string, ok bool) {
	scheme, cred, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(cred))
	if err != nil {
		return "", false
	}
	user, secret, _ := strings.Cut(string(raw), ":")
	return p.Processes.check(user, secret)
}

// connect opens a tunnel. A client may speak TLS inside it or, as some do for http:// too, plain HTTP: the first byte tells.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request, identity string) {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		p.refuse(w, http.StatusBadRequest, "CONNECT wants host:port")
		return
	}
	resolved, ours := p.Hosts.Resolve(host)
	imds := host == imdsHost && port == "80"
	site := ours && resolved.Kind == wire.HostSite && port == "80"
	if !ours && !imds {
		p.foreign(w, r)
		return
	}
	c, buffered, err := hijack(w)
	if err != nil {
		p.Log.Error("proxy hijack failed", "error", err)
		return
	}
	if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(firstByteTimeout))
	first, err := buffered.Peek(1)
	if err != nil {
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	conn := &tunnelConn{Conn: &peekedConn{Conn: c, r: buffered}, identity: identity}
	const tlsHandshake = 0x16
	switch {
	case first[0] == tlsHandshake && ours:
		p.Door.tunnel.give(conn)
	case first[0] != tlsHandshake && imds:
		p.serveOne(conn, identity, p.Plain)
	case first[0] != tlsHandshake && site:
		p.serveOne(conn, identity, p.Sites)
	default:
		_, _ = io.WriteString(c, "HTTP/1.1 400 Use TLS for this host\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		c.Close()
	}
}

// serveOne answers plain HTTP inside a tunnel, on this goroutine's own small server.
func (p *Proxy) serveOne(c net.Conn, identity string, handler http.Handler) {
	l := newTunnelListener()
	s := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return wire.WithProcess(ctx, identity) },
		ConnState: func(_ net.Conn, st http.ConnState) {
			if st == http.StateClosed || st == http.StateHijacked {
				l.Close()
			}
		},
	}
	go l.give(c)
	_ = s.Serve(l)
}

// plain answers an absolute-form request: IMDS and sites alone are reached by http.
func (p *Proxy) plain(w http.ResponseWriter, r *http.Request, identity string) {
	if host, _, _ := strings.Cut(r.Host, ":"); host == imdsHost {
		p.Plain.ServeHTTP(w, r.WithContext(wire.WithProcess(r.Context(), identity)))
		return
	}
	if host, ours := p.Hosts.Resolve(r.Host); ours {
		if host.Kind == wire.HostSite {
			r = r.WithContext(wire.WithProcess(r.Context(), identity))
			r.RequestURI, r.URL.Scheme, r.URL.Host = r.URL.RequestURI(), "", "" // as a request to the site itself
			p.Sites.ServeHTTP(w, r)
			return
		}
		p.refuse(w, http.StatusForbidden, "Use https for this host")
		return
	}
	p.forward(w, r)
}

// refuse answers on the raw connection, since several clients show their user only the reason phrase.
func (p *Proxy) refuse(w http.ResponseWriter, status int, reason string) {
	c, _, err := hijack(w)
	if err != nil {
		w.WriteHeader(status)
		return
	}
	defer c.Close()
	challenge := ""
	if status == http.StatusProxyAuthRequired {
		challenge = "Proxy-Authenticate: Basic realm=\"bulkhead\"\r\n"
	}
	fmt.Fprintf(c, "HTTP/1.1 %d %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", status, reason, challenge)
}

func hijack(w http.ResponseWriter) (net.Conn, *bufio.Reader, error) {
	h, ok := w.(http.Hijacker)
	if !ok {
		return nil, nil, http.ErrHijacked
	}
	c, rw, err := h.Hijack()
	if err != nil {
		return nil, nil, err
	}
	return c, rw.Reader, nil
}

// peekedConn reads first what was already buffered.
type peekedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *peekedConn) Read(b []byte) (int, error) {
	if c.r != nil {
		if c.r.Buffered() > 0 {
			return c.r.Read(b)
		}
		c.r = nil
	}
	return c.Conn.Read(b)
}
