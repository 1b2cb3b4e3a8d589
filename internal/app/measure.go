package app

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/services/mysql"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// measureEvery is how often what was counted goes to the store: soon enough for rules that look at the minute that just ended.
const measureEvery = 5 * time.Second

// maxCounted bounds what is counted between two of these times; more is left out.
const maxCounted = 20_000

// meter counts requests to vaults, accounts and sites, which become these resources' metrics. Safe for concurrent use.
type meter struct {
	store *metrics.Store
	names *names.Registry
	all   arm.Reader // tells where resources are; nil: nobody does
	log   *slog.Logger

	mu  sync.Mutex
	had map[counted]*figures
}

// counted is what requests are told apart by.
type counted struct {
	kind                      wire.HostKind
	host, operation, resource string
	status                    int
	minute                    int64
}

// figures are of requests that are alike.
type figures struct {
	ms    metrics.Cell // how long each took
	bytes metrics.Cell // of each answer
	sent  metrics.Cell // bytes of each request
	units metrics.Cell // request units that each was charged
}

// request counts a finished request.
func (m *meter) request(e *wire.Event) {
	r := e.Request
	if r == nil || r.Host.Name == "" {
		return
	}
	k := counted{kind: r.Host.Kind, host: r.Host.Name, status: e.Status, minute: e.Time.Unix() / 60}
	switch r.Host.Kind {
	case wire.HostVault, wire.HostCosmos:
		if r.Route == nil {
			return
		}
		k.operation = r.Route.Operation
		if r.Host.Kind == wire.HostCosmos {
			k.resource = r.Resource
		}
	case wire.HostSite:
	default:
		return
	}
	ms, bytes := metrics.Of(float64(e.Duration.Microseconds())/1000), metrics.Of(float64(e.Bytes))
	sent := metrics.Of(float64(max(r.HTTP.ContentLength, 0)))
	charge, err := strconv.ParseFloat(r.AnswerHeader("X-Ms-Request-Charge"), 64)
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.had[k]
	if f == nil {
		if len(m.had) >= maxCounted {
			return
		}
		f = &figures{}
		m.had[k] = f
	}
	f.ms.Merge(ms)
	f.bytes.Merge(bytes)
	f.sent.Merge(sent)
	if err == nil {
		f.units.Merge(metrics.Of(charge))
	}
}

// run brings what was counted to the store until ctx ends, and what is left then.
func (m *meter) run(ctx context.Context) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			m.flush(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			m.flush(ctx)
		}
	}
}

// flush stores what was counted. What can't be stored is lost: metrics are no books.
func (m *meter) flush(ctx context.Context) {
	m.mu.Lock()
	had := m.had
	m.had = map[counted]*figures{}
	m.mu.Unlock()
	var samples []metrics.Sample
	ids := map[counted]string{} // by kind and host
	for k, f := range had {
		id, known := ids[counted{kind: k.kind, host: k.host}]
		if !known {
			if e, err := m.names.Lookup(ctx, k.kind, k.host); err == nil && e.Served() {
				id = e.ResourceID
			}
			ids[counted{kind: k.kind, host: k.host}] = id
		}
		if id != "" {
			samples = k.samples(samples, id, m.region(ctx, &k, id), f)
		}
	}
	refused, err := m.store.Add(ctx, samples)
	if err != nil || len(refused) > 0 {
		m.log.Warn("metrics of requests were not stored", "samples", len(samples), "refused", len(refused), "error", err)
	}
}

// region is where an account is, "" if that is not known or of no interest.
func (m *meter) region(ctx context.Context, k *counted, id string) string {
	if k.kind != wire.HostCosmos || m.all == nil {
		return ""
	}
	r, _, err := m.all.Resource(ctx, id)
	if err != nil || r == nil {
		return ""
	}
	return r.Location
}

// samples appends the metrics that k's requests are of the resource id, which is in a region.
func (k *counted) samples(out []metrics.Sample, id, region string, f *figures) []metrics.Sample {
	at := time.Unix(k.minute*60, 0)
	n := metrics.Cell{Sum: f.ms.Count, Min: 1, Max: 1, Count: f.ms.Count}
	add := func(namespace, name string, c metrics.Cell, dims ...metrics.Dimension) {
		out = append(out, metrics.Sample{Series: metrics.Series{Resource: id, Namespace: namespace, Name: name, Dimensions: dims}, Time: at, Cell: c})
	}
	status := metrics.Dimension{Name: "StatusCode", Value: strconv.Itoa(k.status)}
	class := strconv.Itoa(k.status/100) + "xx"
	switch k.kind {
	case wire.HostVault:
		dims := []metrics.Dimension{{Name: "ActivityType", Value: activityType(k.operation)}, {Name: "ActivityName", Value: k.operation}}
		add(vaultType, "ServiceApiHit", n, dims...)
		dims = append(dims, status, metrics.Dimension{Name: "StatusCodeClass", Value: class})
		add(vaultType, "ServiceApiLatency", f.ms, dims...)
		add(vaultType, "ServiceApiResult", n, dims...)
		up := metrics.Cell{Count: n.Count} // in percent: 0 for an answer that is the service's fault
		if k.status < 500 {
			up = metrics.Cell{Sum: 100 * n.Count, Min: 100, Max: 100, Count: n.Count}
		}
		add(vaultType, "Availability", up, dims...)
	case wire.HostCosmos:
		dims := []metrics.Dimension{status, {Name: "Status", Value: outcomeOf(k.status)}, {Name: "OperationType", Value: operationType(k.operation)}}
		if region != "" {
			dims = append(dims, metrics.Dimension{Name: "Region", Value: region})
		}
		if db, coll := container(k.resource); db != "" {
			dims = append(dims, metrics.Dimension{Name: "DatabaseName", Value: db})
			if coll != "" {
				dims = append(dims, metrics.Dimension{Name: "CollectionName", Value: coll})
			}
		}
		add(accountType, "TotalRequests", n, dims...)
		if f.units.Count > 0 {
			add(accountType, "TotalRequestUnits", f.units, dims...)
		}
		add(accountType, "ServerSideLatency", f.ms, dims[2:]...)
	case wire.HostSite:
		add(siteType, "Requests", n)
		if k.status >= 200 && k.status < 600 {
			add(siteType, "Http"+class, n)
		}
		switch k.status {
		case 101, 401, 403, 404, 406:
			add(siteType, "Http"+strconv.Itoa(k.status), n)
		}
		seconds := f.ms
		seconds.Sum, seconds.Min, seconds.Max = seconds.Sum/1000, seconds.Min/1000, seconds.Max/1000
		add(siteType, "HttpResponseTime", seconds)
		add(siteType, "AverageResponseTime", seconds)
		add(siteType, "BytesSent", f.bytes)
		add(siteType, "BytesReceived", f.sent)
	}
	return out
}

// outcomeOf is the dimension Status of a Cosmos DB account's request.
func outcomeOf(status int) string {
	switch {
	case status == 429:
		return "ClientThrottlingError"
	case status >= 500:
		return "ServerError"
	case status >= 400:
		return "ClientOtherError"
	}
	return "Success"
}

// operationType is the dimension OperationType of a Cosmos DB account's request: what is done, whatever with.
func operationType(operation string) string {
	for verb, t := range map[string]string{
		"Create": "Create", "Read": "Read", "Get": "Read", "List": "ReadFeed", "Query": "Query", "Replace": "Replace", "Upsert": "Upsert", "Delete": "Delete", "Patch": "Patch",
		"Execute": "Execute", "Batch": "Batch",
	} {
		if strings.HasPrefix(operation, verb) {
			return t
		}
	}
	return operation
}

// activityType is what kind of object an operation of Key Vault is about.
func activityType(operation string) string {
	for _, t := range []string{"secret", "key", "certificate"} {
		if strings.HasPrefix(strings.ToLower(operation), t) {
			return t
		}
	}
	return "vault"
}

// container takes database and container out of a resource of Cosmos DB's: "{account id}/dbs/x/colls/y".
func container(resource string) (db, coll string) {
	_, rest, ok := strings.Cut(resource, "/dbs/")
	if !ok {
		return "", ""
	}
	db, rest, _ = strings.Cut(rest, "/colls/")
	db, _, _ = strings.Cut(db, "/")
	coll, _, _ = strings.Cut(rest, "/")
	return db, coll
}

const (
	vaultType   = "Microsoft.KeyVault/vaults"
	accountType = "Microsoft.DocumentDB/databaseAccounts"
	siteType    = "Microsoft.Web/sites"
	serverType  = "Microsoft.DBforMySQL/servers"
)

// metricTable has the metrics of all services' resource types.
func metricTable() *metrics.Table {
	var t metrics.Table
	activity := []string{"ActivityType", "ActivityName"}
	outcome := append(activity[:2:2], "StatusCode", "StatusCodeClass")
	t.Define(vaultType,
		metrics.Definition{Name: "Availability", DisplayName: "Overall Vault Availability", Description: "Vault requests availability", Unit: "Percent", Primary: metrics.Average, Dimensions: outcome},
		metrics.Definition{Name: "ServiceApiHit", DisplayName: "Total Service Api Hits", Description: "Number of total service api hits", Unit: "Count", Primary: metrics.Count, Dimensions: activity},
		metrics.Definition{Name: "ServiceApiLatency", DisplayName: "Overall Service Api Latency", Description: "Overall latency of service api requests", Unit: "MilliSeconds", Primary: metrics.Average, Dimensions: outcome},
		metrics.Definition{Name: "ServiceApiResult", DisplayName: "Total Service Api Results", Description: "Number of total service api results", Unit: "Count", Primary: metrics.Count, Dimensions: outcome},
	)
	where := []string{"DatabaseName", "CollectionName", "Region", "OperationType"}
	t.Define(accountType,
		metrics.Definition{Name: "TotalRequests", DisplayName: "Total Requests", Description: "Number of requests made", Unit: "Count", Primary: metrics.Count, Dimensions: append(where[:4:4], "StatusCode", "Status")},
		metrics.Definition{Name: "TotalRequestUnits", DisplayName: "Total Request Units", Description: "Request Units consumed", Unit: "Count", Primary: metrics.Total, Dimensions: append(where[:4:4], "StatusCode", "Status")},
		metrics.Definition{Name: "ServerSideLatency", DisplayName: "Server Side Latency", Description: "Server side latency", Unit: "MilliSeconds", Primary: metrics.Average, Dimensions: where},
	)
	site := func(name, display, description, unit string, primary metrics.Aggregation) metrics.Definition {
		return metrics.Definition{Name: name, DisplayName: display, Description: description, Unit: unit, Primary: primary}
	}
	t.Define(siteType,
		site("Requests", "Requests", "Requests, whatever their answer", "Count", metrics.Total),
		site("Http2xx", "Http 2xx", "Requests answered with a status from 200 to 299", "Count", metrics.Total),
		site("Http3xx", "Http 3xx", "Requests answered with a status from 300 to 399", "Count", metrics.Total),
		site("Http4xx", "Http 4xx", "Requests answered with a status from 400 to 499", "Count", metrics.Total),
		site("Http5xx", "Http Server Errors", "Requests answered with a status from 500 to 599", "Count", metrics.Total),
		site("Http101", "Http 101", "Requests answered with the status 101", "Count", metrics.Total),
		site("Http401", "Http 401", "Requests answered with the status 401", "Count", metrics.Total),
		site("Http403", "Http 403", "Requests answered with the status 403", "Count", metrics.Total),
		site("Http404", "Http 404", "Requests answered with the status 404", "Count", metrics.Total),
		site("Http406", "Http 406", "Requests answered with the status 406", "Count", metrics.Total),
		site("AverageResponseTime", "Average Response Time", "Time that the app took to answer; HttpResponseTime by its earlier name", "Seconds", metrics.Average),
		site("BytesReceived", "Data In", "Bytes that the app was sent, as far as requests say their length", "Bytes", metrics.Total),
		site("HttpResponseTime", "Response Time", "Time that the app took to answer", "Seconds", metrics.Average),
		site("BytesSent", "Data Out", "Bytes that the app answered", "Bytes", metrics.Total),
	)
	t.Define(serverType, mysql.Definitions()...)
	return &t
}
