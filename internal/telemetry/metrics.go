package telemetry

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// statuses that have a label of their own; any other is "other".
var statuses = [...]int{
	101, 200, 201, 202, 204, 206, 207, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 421, 423, 424, 429, 449,
	499, 500, 501, 502, 503, 504, 507,
}

// Metrics are a process's figures. Safe for concurrent use.
type Metrics struct {
	reg      *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	commits  prometheus.Histogram
	groups   prometheus.Histogram

	index  [600]uint8 // status -> place in statuses plus 1; 0 is "other"
	routes sync.Map   // *wire.Route -> *route
	mu     sync.RWMutex
	none   map[wire.HostKind]*route // of requests no route matched
}

// route counts one route's requests.
type route struct {
	plane, operation string
	latency          prometheus.Observer
	byStatus         [len(statuses) + 1]atomic.Pointer[counter]
}

// counter is made when a status is first seen, so that no series stands at 0.
type counter struct{ prometheus.Counter }

// New returns the figures with those of the Go runtime and the process.
func New() *Metrics {
	m := &Metrics{
		reg: prometheus.NewRegistry(), none: map[wire.HostKind]*route{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bulkhead_requests_total", Help: "Requests answered, by plane, operation and status.",
		}, []string{"plane", "operation", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bulkhead_request_duration_seconds", Help: "Time from a request's arrival to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"plane"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bulkhead_store_commit_duration_seconds", Help: "Time from the start of a group of transactions until it is durable.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
		}),
		groups: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bulkhead_store_commit_transactions", Help: "Transactions made durable by one commit.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64},
		}),
	}
	for i, s := range statuses {
		m.index[s] = uint8(i + 1)
	}
	m.reg.MustRegister(m.requests, m.latency, m.commits, m.groups, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Request counts a finished request; it is a wire.Options.Event.
func (m *Metrics) Request(e *wire.Event) {
	r := m.routeOf(e.Request)
	r.latency.Observe(e.Duration.Seconds())
	i := 0
	if e.Status >= 0 && e.Status < len(m.index) {
		i = int(m.index[e.Status])
	}
	c := r.byStatus[i].Load()
	if c == nil {
		status := "other"
		if i > 0 {
			status = strconv.Itoa(statuses[i-1])
		}
		c = &counter{m.requests.WithLabelValues(r.plane, r.operation, status)}
		r.byStatus[i].Store(c)
	}
	c.Inc()
}

func (m *Metrics) routeOf(req *wire.Request) *route {
	if req.Route != nil {
		if r, ok := m.routes.Load(req.Route); ok {
			return r.(*route)
		}
		r, _ := m.routes.LoadOrStore(req.Route, m.newRoute(req.Route.Host, req.Route.Operation))
		return r.(*route)
	}
	m.mu.RLock()
	r := m.none[req.Host.Kind]
	m.mu.RUnlock()
	if r != nil {
		return r
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r = m.newRoute(req.Host.Kind, "none")
	m.none[req.Host.Kind] = r
	return r
}

func (m *Metrics) newRoute(kind wire.HostKind, operation string) *route {
	plane := string(kind)
	if plane == "" {
		plane = "none" // a host name nobody serves
	}
	return &route{plane: plane, operation: operation, latency: m.latency.WithLabelValues(plane)}
}

// Commit counts one commit of the store.
func (m *Metrics) Commit(took time.Duration, transactions int) {
	m.commits.Observe(took.Seconds())
	m.groups.Observe(float64(transactions))
}

// Gauge adds a figure that is read when it is asked for.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "bulkhead_" + name, Help: help}, read))
}

// Counter is Gauge for a figure that only grows.
func (m *Metrics) Counter(name, help string, read func() float64) {
	m.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "bulkhead_" + name, Help: help}, read))
}

// Handler answers all figures as Prometheus reads them.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
