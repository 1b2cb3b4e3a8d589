package container

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Options are what a container needs besides its Config. API, Config, Listen, Version and Console are required.
type Options struct {
	API     api.API
	Config  *Config
	Listen  string      // address and port; port 0 takes a free one
	TLS     *tls.Config // nil: plain HTTP
	Version string      // of the program, for usage reports
	Console io.Writer
	Clock   clock.Clock // nil: the machine's
	// Client sends usage reports; nil: one that goes by Config.Proxy.
	Client *http.Client
	// Listening, if set, is told the address once the container serves.
	Listening func(addr net.Addr)
}

// Host is a container. Safe for concurrent use.
type Host struct {
	o     Options
	log   *slog.Logger
	meter *meter
	mux   http.Handler
	stop  func() // of the log

	mu    sync.Mutex
	ready error // nil once the API is ready
}

var errLoading = errors.New("the model is being loaded")

// New makes a container that does not serve yet.
func New(o Options) (*Host, error) {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Client == nil {
		o.Client = reporting(o.Config)
	}
	h := &Host{o: o, ready: errLoading}
	var err error
	if h.log, h.stop, err = o.Config.logger(o.Console); err != nil {
		return nil, err
	}
	h.meter = &meter{
		api: &h.o.API, key: o.Config.APIKey, url: o.Config.Billing.String() + usagePath, version: o.Version, id: ids.New(), clock: o.Clock, client: o.Client, log: h.log,
	}
	if h.mux, err = h.handler(); err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

// reporting is the client that reaches the billing endpoint. It follows no redirect: the key is for that endpoint alone.
func reporting(c *Config) *http.Client {
	t := &http.Transport{
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		MaxIdleConns: 1, IdleConnTimeout: time.Minute,
	}
	if c.Proxy != nil {
		t.Proxy = http.ProxyURL(c.Proxy)
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// handler makes the mux of all that the container serves.
func (h *Host) handler() (http.Handler, error) {
	routes, err := h.Routes()
	if err != nil {
		return nil, err
	}
	mux, err := wire.NewMux([]wire.Service{{Name: h.o.API.Name, Routes: routes}}, wire.Options{Clock: h.o.Clock, Log: slog.New(calm{h.log.Handler()})})
	if err != nil {
		return nil, err
	}
	return mux.For(wire.HostCognitive), nil
}

// Routes are all that the container serves.
func (h *Host) Routes() ([]wire.Route, error) {
	page, err := home(h.o.API.Title)
	if err != nil {
		return nil, err
	}
	ui := swagger(&h.o.API)
	plain := func(pattern, operation string, raw func(http.ResponseWriter, *wire.Request) error) wire.Route {
		return wire.Route{Host: wire.HostCognitive, Method: http.MethodGet, Pattern: pattern, Operation: operation, Auth: wire.Anonymous, BodyLimit: -1, Raw: raw, Quiet: true}
	}
	routes := []wire.Route{
		plain("/", "Home", page),
		plain("/swagger/{path*}", "Swagger", ui),
		{Host: wire.HostCognitive, Method: http.MethodGet, Pattern: "/ready", Operation: "Ready", Auth: wire.Anonymous, Handler: h.showReady, Quiet: true},
		{Host: wire.HostCognitive, Method: http.MethodGet, Pattern: "/status", Operation: "Status", Auth: wire.Anonymous, Handler: h.showStatus, Quiet: true},
	}
	for i := range h.o.API.Routes {
		routes = append(routes, h.route(&h.o.API.Routes[i]))
	}
	return routes, nil
}

// route hangs one operation of the API in: no key, but the meter.
func (h *Host) route(r *api.Route) wire.Route {
	limit := r.BodyLimit
	if limit == 0 {
		limit = api.DefaultBodyLimit
	}
	return wire.Route{
		Host: wire.HostCognitive, Method: r.Method, Pattern: r.Pattern, Operation: r.Operation, Versions: r.Versions, BodyLimit: limit, Auth: wire.Anonymous,
		Network: h.serving,
		Handler: func(ctx context.Context, req *wire.Request) (any, error) {
			c := api.Call{Request: req}
			v, err := r.Handler(ctx, &c)
			if err == nil {
				h.meter.add(c.Units())
			}
			return v, err
		},
	}
}

// serving refuses requests while the model is being loaded or usage can't be reported.
func (h *Host) serving(context.Context, *wire.Request) error {
	if h.meter.stopped.Load() {
		s, _ := h.meter.state()
		f := fault.New(fault.Unavailable, "503", "The container does not serve requests until its usage can be reported to the billing endpoint: %s", s.explained())
		f.RetryAfter = h.meter.wait()
		return f
	}
	if err := h.loaded(); err != nil {
		f := fault.New(fault.Unavailable, "503", "The container isn't ready: %s.", err)
		f.RetryAfter = time.Second
		return f
	}
	return nil
}

func (h *Host) loaded() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready
}

type shownReady struct {
	Service string `json:"service"`
	Ready   string `json:"ready"`
	Message string `json:"message,omitempty"`
}

func (h *Host) showReady(context.Context, *wire.Request) (any, error) {
	if err := h.loaded(); err != nil {
		return wire.Reply{Status: http.StatusServiceUnavailable, Body: shownReady{h.o.API.Name, "notReady", err.Error()}}, nil
	}
	return shownReady{Service: h.o.API.Name, Ready: "ready"}, nil
}

type shownStatus struct {
	Service string   `json:"service"`
	Status  Standing `json:"apiStatus"`
	Message string   `json:"apiStatusMessage"`
}

func (h *Host) showStatus(context.Context, *wire.Request) (any, error) {
	s, retry := h.meter.state()
	reply := wire.Reply{Status: http.StatusOK, Body: shownStatus{h.o.API.Name, s, s.explained()}}
	if s == CouldNotConnect {
		retry = h.meter.wait()
	}
	if retry > 0 {
		reply.Header = http.Header{"Retry-After": {fmt.Sprint(int(retry.Seconds()))}}
	}
	return reply, nil
}

// ServeHTTP implements http.Handler.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// firstWait is how long the first report may hold up the start: an endpoint that is there refuses a wrong key meanwhile, one that isn't doesn't keep the container from
// serving.
const firstWait = 5 * time.Second

// Open loads the model and has the key judged, at the same time; Run does it first. The error is of a container that can not start.
func (h *Host) Open(ctx context.Context) error {
	loading := make(chan error, 1)
	go func() {
		if h.o.API.Open == nil {
			loading <- nil
			return
		}
		loading <- h.o.API.Open(ctx)
	}()
	first, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	refused := h.meter.first(first)
	err := <-loading
	if refused != nil {
		return refused
	}
	h.mu.Lock()
	h.ready = err
	h.mu.Unlock()
	if err != nil {
		return fmt.Errorf("the %s container can't start: %w", h.o.API.Name, reason(err))
	}
	return nil
}

// reason takes the words for a caller out of an error.
func reason(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return errors.New(f.Message)
	}
	return err
}

// Run serves until ctx ends, then reports what is left. The error is of a container that could not start, or not go on.
func (h *Host) Run(ctx context.Context) error {
	defer h.stop()
	for _, k := range h.o.Config.Unknown {
		h.log.Warn("an argument means nothing to the container", "argument", clip(k))
	}
	for _, why := range h.o.Config.Ignored {
		h.log.Warn("an argument has no effect", "argument", why)
	}
	if err := h.Open(ctx); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.o.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	scheme := "http"
	if h.o.TLS != nil {
		scheme, listener = "https", tls.NewListener(listener, h.o.TLS)
	}
	fmt.Fprintf(h.o.Console, "Now listening on: %s://%s\nApplication started. Press Ctrl+C to shut down.\n", scheme, listener.Addr())
	if h.o.Listening != nil {
		h.o.Listening(listener.Addr())
	}
	return h.serve(ctx, listener)
}

func (h *Host) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 20 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 3 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(calm{h.log.Handler()}, slog.LevelDebug),
	}
	reports, stopReports := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { h.meter.run(reports) })
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = server.Shutdown(drain)
	}
	stopReports() // the last report counts what the drained requests did
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
