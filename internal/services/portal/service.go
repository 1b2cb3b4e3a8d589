package portal

import (
	"context"
	"embed"
	"log/slog"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Deps is what the portal needs.
type Deps struct {
	Clock clock.Clock
	Log   *slog.Logger
	// FrontDoor calls the platform's own services in process.
	FrontDoor *http.Client
	// Administrator gives the credential of the installation's administrator, for those whom `bulkhead portal` let in.
	Administrator func(ctx context.Context) (Credential, error)
}

// Credential is an application's way to sign in. It prints without its secret.
type Credential struct {
	TenantID, ClientID string
	Secret             Secret
}

// Secret is a text that no log shows.
type Secret string

// String implements fmt.Stringer.
func (Secret) String() string { return "(secret)" }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

// Service is the portal. Safe for concurrent use.
type Service struct {
	deps     Deps
	sessions *sessions
}

// New makes the portal.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	return &Service{deps: d, sessions: newSessions(d.Clock)}
}

//go:embed static
var static embed.FS

// formLimit bounds the forms of the pages.
const formLimit = 64 << 10

// Service tells the platform what the portal serves.
func (s *Service) Service() wire.Service {
	open := func(method, pattern, operation string, h wire.Handler) wire.Route {
		return wire.Route{
			Host: wire.HostPortal, Method: method, Pattern: pattern, Operation: operation, BodyLimit: formLimit, Auth: wire.Anonymous, Handler: h, Quiet: true,
		}
	}
	page := func(pattern, operation string, h pageHandler) wire.Route {
		return open(http.MethodGet, pattern, operation, s.signedIn(h))
	}
	form := func(pattern, operation string, h pageHandler) wire.Route {
		r := open(http.MethodPost, pattern, operation, s.signedIn(s.fromOwnPage(h)))
		r.Quiet = false
		return r
	}
	return wire.Service{Name: "portal", Routes: []wire.Route{
		open(http.MethodGet, "/signin/code", "PortalSignInCode", s.signInCode),
		open(http.MethodGet, "/signin/once", "PortalSignInOncePage", s.oncePage),
		open(http.MethodPost, "/signin/once", "PortalSignInOnce", s.once),
		open(http.MethodGet, "/signedout", "PortalSignedOut", s.signedOut),
		open(http.MethodGet, "/static/{file}", "PortalStatic", staticFile),
		form("/signout", "PortalSignOut", s.signOut),
		page("/", "PortalHome", s.home),
		page("/security", "PortalSecurity", s.overview),
		page("/security/alerts", "PortalAlerts", s.alertList),
		page("/security/alert", "PortalAlert", s.alertPage),
		page("/security/investigation", "PortalInvestigation", s.investigation),
		form("/security/alert/status", "PortalAlertStatus", s.changeStatus),
		page("/monitor/metrics", "PortalMetrics", s.metricsPage),
		page("/monitor/alerts", "PortalMetricAlerts", s.raisedList),
		page("/monitor/alert", "PortalMetricAlert", s.raisedPage),
		form("/monitor/alert/state", "PortalMetricAlertState", s.changeState),
		page("/monitor/rules", "PortalAlertRules", s.ruleList),
		form("/monitor/rules", "PortalAlertRuleChange", s.changeRule),
		page("/monitor/rule", "PortalNewAlertRule", s.newRule),
		form("/monitor/rule", "PortalPostAlertRule", s.postRule),
		page("/databases", "PortalDatabases", s.serverList),
		page("/database", "PortalDatabase", s.serverPage),
		form("/database/recommended", "PortalMakeRecommended", s.makeRecommended),
	}}
}

// staticFile answers a style sheet or a script.
func staticFile(_ context.Context, r *wire.Request) (any, error) {
	types := map[string]string{"portal.css": "text/css; charset=utf-8", "portal.js": "text/javascript; charset=utf-8", "graph.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
	kind, ok := types[r.Param("file")]
	if !ok {
		return nil, fault.New(fault.NotFound, "NotFound", "There is no file %q.", r.Param("file"))
	}
	b, err := static.ReadFile("static/" + r.Param("file"))
	if err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusOK, Body: b, Header: http.Header{"Content-Type": {kind}, "Cache-Control": {"no-cache"}, "X-Content-Type-Options": {"nosniff"}}}, nil
}
