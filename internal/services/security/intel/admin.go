package intel

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/report"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// maxImport is the largest file that is taken at once.
const maxImport = 64 << 20

// Service is what the platform mounts.
func (a *API) Service() wire.Service {
	admin := func(method, pattern, op string, limit int64, h wire.Handler) wire.Route {
		return wire.Route{Host: wire.HostAdmin, Method: method, Pattern: pattern, Operation: op, Auth: wire.Anonymous, BodyLimit: limit, Handler: h, Quiet: true}
	}
	routes := a.routes()
	if a.Reports != nil {
		routes = append(routes, admin("GET", "/honeypot/visits", "ListHoneypotVisits", 0, a.Reports.list), wire.Route{
			Host: wire.HostARM, Method: "POST", Pattern: "/bulkhead/honeypot/report", Operation: "Bulkhead/honeypot/report", BodyLimit: report.MaxBytes, Auth: a.Auth, Quiet: true,
			Authorize: func(ctx context.Context, r *wire.Request) error { return a.May(ctx, r, true) }, Handler: a.Reports.take,
		})
	}
	return wire.Service{Name: "intel", Run: a.Store.Run, Routes: append(routes,
		admin("GET", "/indicators", "ListIndicators", 0, a.list),
		admin("POST", "/indicators", "ImportIndicators", maxImport, a.take),
		admin("DELETE", "/indicators", "RemoveIndicator", 0, a.remove),
	)}
}

func (a *API) filter(r *wire.Request) (Filter, error) {
	var f Filter
	for _, k := range strings.FieldsFunc(r.Query("kind"), func(c rune) bool { return c == ',' }) {
		ok := false
		for _, known := range Kinds() {
			ok = ok || known == Kind(k)
		}
		if !ok {
			return f, fault.New(fault.Invalid, "InvalidKind", "%.40q is no kind of indicator; there are %v.", k, Kinds())
		}
		f.Kinds = append(f.Kinds, Kind(k))
	}
	if t := r.Query("least"); t != "" {
		var err error
		if f.Least, err = strconv.ParseFloat(t, 64); err != nil {
			return f, fault.New(fault.Invalid, "InvalidScore", "The score %.40q is no number.", t)
		}
	}
	return f, nil
}

// Listed is an indicator with its score at present.
type Listed struct {
	Indicator
	Now    float64 `json:"now"`
	Counts bool    `json:"counts"` // detection is told of it
}

// list answers indicators: as JSON with ?format=json (default), or as a file of the formats.
func (a *API) list(_ context.Context, r *wire.Request) (any, error) {
	f, err := a.filter(r)
	if err != nil {
		return nil, err
	}
	format := r.Query("format")
	if format == "" || format == "json" {
		found, _ := a.Store.List(f)
		now := a.Store.deps.Clock.Now()
		out := make([]Listed, 0, len(found))
		for _, i := range found {
			out = append(out, Listed{*i, i.Now(now), i.Now(now) >= Threshold})
		}
		return map[string]any{"value": out}, nil
	}
	if format != string(STIX) && format != string(List) && format != string(MISP) {
		return nil, fault.New(fault.Invalid, "InvalidFormat", "%.20q is no format: want json, stix, misp or list.", format)
	}
	var b bytes.Buffer
	if err := a.Store.Export(&b, Format(format), f); err != nil {
		return nil, err
	}
	contentType := map[string]string{string(STIX): stixType, string(MISP): "application/json", string(List): "text/plain; charset=utf-8"}[format]
	return wire.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {contentType}}, Body: b.Bytes()}, nil
}

func (a *API) take(ctx context.Context, r *wire.Request) (any, error) {
	format := Format(r.Query("format"))
	if format == "" {
		format = guessFormat(r.Body)
	}
	source := r.Query("source")
	if source == "" {
		source = "import"
	}
	weight := 0.8
	if t := r.Query("weight"); t != "" {
		var err error
		if weight, err = strconv.ParseFloat(t, 64); err != nil || weight <= 0 || weight > 1 {
			return nil, fault.New(fault.Invalid, "InvalidWeight", "The weight %.40q is no number between 0 and 1.", t)
		}
	}
	return a.Store.Import(ctx, format, r.Body, source[:min(len(source), 200)], weight)
}

func (a *API) remove(ctx context.Context, r *wire.Request) (any, error) {
	n, err := a.Store.Remove(ctx, Kind(r.Query("kind")), r.Query("value"))
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fault.New(fault.NotFound, "IndicatorNotFound", "There is no indicator of kind %.20q with that value.", r.Query("kind"))
	}
	return nil, nil
}
