package monitor

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// What tokens for sending metrics name as their audience, as a resource and as an application.
const (
	monitoringAudience = "https://monitoring.azure.com"
	monitoringApp      = "035f9e1d-4f00-4419-bf50-bf2d87eb4878"
)

const writeMetrics = "Microsoft.Insights/Metrics/Write"

// Bounds of what is sent at a time, packed and unpacked, and of active series per subscription and region, as on Azure.
const (
	maxSent     = 4 << 20
	maxUnpacked = 16 << 20
	maxActive   = 50_000
)

// dataRoutes are those at {region}.monitoring.azure.com.
func (s *Service) dataRoutes() []wire.Route {
	auth := wire.Authenticator{Name: "bearer token (monitoring)", Check: s.authenticate}
	publish := func(ctx context.Context, r *wire.Request) error { return s.judge(ctx, r, writeMetrics, true) }
	return []wire.Route{
		{
			Host: wire.HostMetrics, Method: http.MethodPost, Pattern: "/{scope*}/metrics", Operation: writeMetrics, BodyLimit: maxSent, Encodings: []string{"gzip"},
			Auth: auth, Authorize: publish, Handler: s.postCustom, Quiet: true,
		},
		{
			Host: wire.HostMetrics, Method: http.MethodPost, Pattern: "/{scope*}/api/v1/write", Operation: writeMetrics, BodyLimit: maxSent, Encodings: []string{"snappy"},
			Auth: auth, Authorize: publish, Handler: s.postRemoteWrite, Quiet: true,
		},
		{
			Host: wire.HostMetrics, Method: http.MethodGet, Pattern: "/{scope*}/metrics", Operation: readMetrics,
			Auth: auth, Authorize: s.mayRead(readMetrics), Handler: s.expose, Quiet: true,
		},
	}
}

// authenticate demands a bearer token for Azure Monitor.
func (s *Service) authenticate(ctx context.Context, r *wire.Request) error {
	return s.authenticateFor(ctx, r, monitoringAudience, func(audience string) bool { return forMonitoring(r, audience) })
}

// authenticateFor demands a bearer token for an audience that fits.
func (s *Service) authenticateFor(ctx context.Context, r *wire.Request, audience string, fits func(audience string) bool) error {
	refuse := func(code, format string, args ...any) error {
		f := fault.New(fault.Unauthenticated, code, format, args...)
		f.Header = http.Header{"Www-Authenticate": {`Bearer authorization_uri="` + r.URL(wire.HostLogin, "") + `/common", resource_id="` + audience + `/"`}}
		return f
	}
	scheme, token, _ := strings.Cut(r.HTTP.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return refuse("Unauthorized", "A bearer token for %s/ is missing.", audience)
	}
	who, err := s.deps.Verifier.Verify(ctx, token)
	var bad *authn.VerifyError
	switch {
	case errors.As(err, &bad):
		return refuse("InvalidToken", "The token is not valid: %s.", bad.Detail)
	case err != nil:
		return err
	case !fits(who.Audience):
		return refuse("InvalidAudience", "The token is for '%.100s', not for %s/.", who.Audience, audience)
	}
	r.Principal = who
	return nil
}

func forMonitoring(r *wire.Request, audience string) bool {
	audience = strings.TrimSuffix(audience, "/")
	if audience == monitoringAudience || audience == monitoringApp {
		return true
	}
	own, _, _ := strings.Cut(strings.TrimPrefix(r.Hosts.Authority(wire.Host{}, wire.HostMetrics, ""), "."), ":")
	return r.Hosts.Suffix != "" && audience == "https://"+own
}

// customMetric is one object of a custom metrics request (facts 1.5).
type customMetric struct {
	Time string `json:"time"`
	Data struct {
		Base *struct {
			Metric    string         `json:"metric"`
			Namespace string         `json:"namespace"`
			Dims      []string       `json:"dimNames"`
			Series    []customSeries `json:"series"`
		} `json:"baseData"`
	} `json:"data"`
}

type customSeries struct {
	Dims  []string `json:"dimValues"`
	Min   float64  `json:"min"`
	Max   float64  `json:"max"`
	Sum   float64  `json:"sum"`
	Count float64  `json:"count"`
}

// postCustom takes custom metrics: one JSON object, or several one after the other.
func (s *Service) postCustom(ctx context.Context, r *wire.Request) (any, error) {
	sc, err := s.destination(r)
	if err != nil {
		return nil, err
	}
	body := r.Body
	if strings.EqualFold(r.HTTP.Header.Get("Content-Encoding"), "gzip") {
		if body, err = gunzip(body); err != nil {
			return nil, err
		}
	}
	samples, err := parseCustom(sc.resource.ID, body)
	if err != nil {
		return nil, err
	}
	for _, d := range s.deps.Definitions.Of(sc.resource.Type) {
		for i := range samples {
			if strings.EqualFold(samples[i].Namespace, d.Namespace) {
				return nil, badRequest("The namespace '%s' is of the platform's own metrics of %s; choose another.", d.Namespace, sc.resource.Type)
			}
		}
	}
	if err := s.add(ctx, sc, r.Host.Name, samples); err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusOK}, nil
}

// destination is the resource that metrics are sent for; it must be in the region of the host's name.
func (s *Service) destination(r *wire.Request) (*scope, error) {
	sc := r.State.(*scope)
	if sc.resource == nil {
		return nil, badRequest("'%s' is no resource; metrics are sent for one.", sc.id)
	}
	if where := region(sc.resource.Location); where != "" && where != "global" && where != r.Host.Name {
		return nil, fault.New(fault.Invalid, "RegionMismatch", "The resource '%s' is in the region %s, but the metrics were sent to %s.", sc.resource.ID, where, r.Host.Name)
	}
	return sc, nil
}

func gunzip(b []byte) ([]byte, error) {
	bad := func(err error) error {
		return badRequest("The body is no gzip of at most %d bytes: %v.", maxUnpacked, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, bad(err)
	}
	out, err := io.ReadAll(io.LimitReader(z, maxUnpacked+1))
	if err == nil && len(out) > maxUnpacked {
		err = errors.New("it is larger")
	}
	if err != nil {
		return nil, bad(err)
	}
	return out, nil
}

// parseCustom reads the objects of a custom metrics request.
func parseCustom(resource string, body []byte) ([]metrics.Sample, error) {
	var out []metrics.Sample
	dec := json.NewDecoder(bytes.NewReader(body))
	for n := 1; ; n++ {
		var m customMetric
		err := dec.Decode(&m)
		if errors.Is(err, io.EOF) && n > 1 {
			return out, nil
		}
		if err != nil {
			return nil, badRequest("Object %d of the body is no JSON object of a custom metric: %s.", n, why(err))
		}
		at, err := parseTime(m.Time)
		switch {
		case err != nil:
			return nil, badRequest("Object %d has no time that can be read: '%.60s'.", n, m.Time)
		case m.Data.Base == nil:
			return nil, badRequest("Object %d has no data.baseData.", n)
		case len(m.Data.Base.Series) == 0:
			return nil, badRequest("Object %d has no series.", n)
		}
		for i, in := range m.Data.Base.Series {
			if len(in.Dims) != len(m.Data.Base.Dims) {
				return nil, badRequest("Series %d of object %d has %d dimValues for %d dimNames.", i+1, n, len(in.Dims), len(m.Data.Base.Dims))
			}
			sample := metrics.Sample{
				Series: metrics.Series{Resource: resource, Namespace: m.Data.Base.Namespace, Name: m.Data.Base.Metric}, Time: at,
				Cell: metrics.Cell{Sum: in.Sum, Min: in.Min, Max: in.Max, Count: in.Count},
			}
			for k, name := range m.Data.Base.Dims {
				sample.Dimensions = append(sample.Dimensions, metrics.Dimension{Name: name, Value: in.Dims[k]})
			}
			out = append(out, sample)
		}
	}
}

// why words a JSON error without the reader's own type names.
func why(err error) string {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Sprintf("the property '%s' is of the wrong type", typ.Field)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// add stores samples within the region's quota. What is refused is said, the rest is kept.
func (s *Service) add(ctx context.Context, sc *scope, where string, samples []metrics.Sample) error {
	refused, err := s.deps.Metrics.AddWithin(ctx, samples, metrics.Quota{Group: strings.ToLower(sc.id.Subscription) + "/" + where, Max: maxActive})
	if err != nil || len(refused) == 0 {
		return err
	}
	f := fault.New(fault.Invalid, refused[0].Code, "%d of %d samples were not taken, the others were. The first: %s", len(refused), len(samples), refused[0].Text)
	const most = 20
	for _, one := range refused[:min(len(refused), most)] {
		f.Details = append(f.Details, *fault.New(fault.Invalid, one.Code, "%s", one.Text))
	}
	return f
}

// stale is how old a series' newest cell may be for it to be shown to scrapers.
const stale = 10 * time.Minute
