package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// frontRoute is the site itself: every method and path goes to its process.
func (s *Service) frontRoute() wire.Route {
	return wire.Route{
		Host: wire.HostSite, Method: "*", Pattern: "/{path*}", Operation: "SiteRequest", BodyLimit: -1,
		Network: s.admitToSite, Auth: wire.Anonymous, Raw: s.forward,
	}
}

// siteEntry finds the site behind a host name.
func (s *Service) siteEntry(ctx context.Context, r *wire.Request) (*names.Entry, error) {
	e, err := s.deps.Names.Lookup(ctx, wire.HostSite, r.Host.Name)
	if err != nil {
		return nil, err
	}
	if e == nil || !e.Confirmed || e.Deleted {
		return nil, fault.New(fault.NotFound, "SiteNotFound", "404 Web Site not found: there is no site named %q.", r.Host.Name)
	}
	r.Resource = e.ResourceID
	return e, nil
}

// admitToSite finds the site's instance, leaves it in r.State, and applies the access restrictions.
func (s *Service) admitToSite(ctx context.Context, r *wire.Request) error {
	e, err := s.siteEntry(ctx, r)
	if err != nil {
		return err
	}
	i, err := s.host.find(ctx, e.GUID, e.ResourceID)
	if err != nil {
		return err
	}
	if i == nil {
		return fault.New(fault.Unavailable, "SiteUnavailable", "The site can't be started now: the platform is starting or stopping.")
	}
	d := i.desired.Load()
	if d == nil { // being removed
		return fault.New(fault.NotFound, "SiteNotFound", "404 Web Site not found: there is no site named %q.", r.Host.Name)
	}
	if err := s.admit(ctx, d.access, r.Client); err != nil {
		return err
	}
	if d.stopped {
		return fault.New(fault.Forbidden, "SiteStopped", "This web app is stopped.")
	}
	r.State = i
	return nil
}

// forward hands the request to the site's process and its answer back, both as streams. A site with httpsOnly sends who came by plain HTTP to HTTPS.
func (s *Service) forward(w http.ResponseWriter, r *wire.Request) error {
	i := r.State.(*instance)
	d := i.desired.Load()
	if d.httpsOnly && !secure(r.HTTP) {
		w.Header().Set("Location", r.URL(wire.HostSite, r.Host.Name)+r.HTTP.URL.RequestURI())
		w.WriteHeader(http.StatusMovedPermanently)
		return nil
	}
	ex := &exchange{to: i}
	defer ex.release()
	var failed error
	p := httputil.ReverseProxy{
		Rewrite:       func(pr *httputil.ProxyRequest) { rewrite(pr, r, d, s.deps.Hosts) },
		Transport:     ex,
		FlushInterval: -1,
		BufferPool:    &s.buffers,
		ErrorLog:      slog.NewLogLogger(s.deps.Log.Handler(), slog.LevelDebug),
		ErrorHandler:  func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
	}
	p.ServeHTTP(w, r.HTTP)
	var f *fault.Error
	switch {
	case failed == nil, errors.As(failed, &f):
		return failed
	default:
		return fault.New(fault.BadGateway, "BadGateway", "The site's process did not answer properly.").WithCause(failed)
	}
}

// secure tells whether a request came over TLS; the other way to a site is the proxy, or the loopback listener, by plain HTTP.
func secure(r *http.Request) bool { return r.TLS != nil }

// platformHeaders are those the platform alone says; what a client sends under these names, or under names that some frameworks take for the
// same (with underscores), is removed.
var platformHeaders = []string{
	"x-arr-log-id", "x-arr-ssl", "x-original-url", "x-waws-unencoded-url", "x-site-deployment-id", "disguised-host", "was-default-hostname", "client-ip",
	"x-client-ip", "x-client-port", "x-appservice-proto", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-tlsversion",
	"x-forwarded-port", "x-identity-header", "x-arr-clientcert", "x-ms-correlation-request-id", "forwarded",
}

var platformPrefixes = []string{"x-ms-client-principal", "x-ms-token-"}

// isPlatformHeader tells whether a header's value must not come from outside.
func isPlatformHeader(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	for _, p := range platformPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	for _, h := range platformHeaders {
		if name == h {
			return true
		}
	}
	return false
}

// rewrite makes the request as the process sees it, with the headers App Service's front ends add.
func rewrite(pr *httputil.ProxyRequest, r *wire.Request, d *desired, hosts wire.Hosts) {
	out := pr.Out
	out.URL.Scheme = "http"
	out.URL.Host = "site" // the transport puts the process's address in its place
	out.URL.RawQuery = pr.In.URL.RawQuery
	out.Host = pr.In.Host
	for name := range out.Header {
		if isPlatformHeader(name) {
			delete(out.Header, name)
		}
	}
	uri := pr.In.URL.RequestURI()
	client := r.Client.String()
	_, port, _ := net.SplitHostPort(pr.In.RemoteAddr)
	h := out.Header
	h.Set("X-Forwarded-For", net.JoinHostPort(client, port))
	proto := "http"
	if secure(pr.In) {
		proto = "https"
	}
	h.Set("X-Forwarded-Proto", proto)
	h.Set("X-AppService-Proto", proto)
	h.Set("Client-Ip", net.JoinHostPort(client, port))
	h.Set("X-Client-Ip", client)
	h.Set("X-Client-Port", port)
	h.Set("X-Original-Url", uri)
	h.Set("X-Waws-Unencoded-Url", uri)
	h.Set("X-Arr-Log-Id", ids.New())
	h.Set("Disguised-Host", pr.In.Host)
	h.Set("Was-Default-Hostname", hosts.Authority(wire.Host{Public: true}, wire.HostSite, d.site.Name))
	h.Set("X-Site-Deployment-Id", d.site.Name)
	h.Set("Max-Forwards", "10")
	h.Set("X-Ms-Correlation-Request-Id", r.CorrelationID)
}

// coldStart is how long a request waits for the process to listen.
const coldStart = 30 * time.Second

// exchange sends one request to an instance's process, and holds on to that process until the answer was passed on.
type exchange struct {
	to   *instance
	with *backend // nil until there is one
}

// RoundTrip implements http.RoundTripper: it waits until the process listens and sends the request to it. A request that met a process on its way
// out, before anything was sent, goes to the next one.
func (e *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	deadline := time.Now().Add(coldStart)
	for {
		b, err := e.to.acquire(req.Context(), deadline)
		if err != nil {
			return nil, err
		}
		e.with = b
		req.URL.Host = b.address()
		resp, err := b.transport.RoundTrip(req)
		var op *net.OpError
		if err == nil || !errors.As(err, &op) || op.Op != "dial" || time.Now().After(deadline) {
			return resp, err
		}
		e.to.mu.Lock()
		b.serving = false
		e.to.mu.Unlock()
		e.release()
	}
}

// release lets the process go.
func (e *exchange) release() {
	if e.with == nil {
		return
	}
	e.to.mu.Lock()
	e.with.active--
	e.to.mu.Unlock()
	e.with = nil
}

// acquire returns the process once it listens. The caller must release it.
func (i *instance) acquire(ctx context.Context, deadline time.Time) (*backend, error) {
	pause := 5 * time.Millisecond
	for {
		i.mu.Lock()
		b, ph, detail, crashes := i.backend, i.phase, i.detail, i.crashes
		serving := b != nil && b.serving && ph == phaseRunning
		if serving {
			b.active++
		}
		i.mu.Unlock()
		switch {
		case serving:
			return b, nil
		case ph == phaseIdle, ph == phaseCrashed && crashes > 1:
			return nil, fault.New(fault.Unavailable, "SiteUnavailable", "The site is not running (%s). %s", ph, detail)
		case ph == phaseStopped:
			return nil, fault.New(fault.Forbidden, "SiteStopped", "This web app is stopped.")
		case time.Now().After(deadline):
			return nil, &fault.Error{
				Kind: fault.Unavailable, Code: "SiteUnavailable", RetryAfter: 5 * time.Second,
				Message: "The site's process (" + string(ph) + ") does not listen on the port it was given in PORT. " + detail,
			}
		case b != nil && ph == phaseRunning && listens(ctx, b.address()):
			i.mu.Lock()
			b.serving = true
			i.mu.Unlock()
			continue
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil, ctx.Err()
		case <-wait.C:
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

func listens(ctx context.Context, address string) bool {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// backend is one process as the front end sees it. Its fields that change are under the instance's lock.
type backend struct {
	port      int
	transport *http.Transport
	serving   bool // it was seen to listen
	active    int  // requests that are with it
}

func (b *backend) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// newTransport is the connections to one process.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
}

// bufferPool lends the buffers that answers are copied with.
type bufferPool struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }
