package app

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/pki"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// adminService is what the command line asks a running platform. Its routes are reachable by the admin socket alone, which only
// the platform's own user may open.
func (p *Platform) adminService() wire.Service {
	route := func(method, pattern, op string, h wire.Handler) wire.Route {
		return wire.Route{Host: wire.HostAdmin, Method: method, Pattern: pattern, Operation: op, Auth: wire.Anonymous, Handler: h, Quiet: true}
	}
	return wire.Service{Name: "admin", Routes: []wire.Route{
		route("GET", "/environment", "GetEnvironment", p.getEnvironment),
		route("POST", "/processes", "StartProcess", p.startProcess),
		route("DELETE", "/processes/{user}", "EndProcess", p.endProcess),
		route("GET", "/verify", "Verify", func(ctx context.Context, _ *wire.Request) (any, error) { return p.Verify(ctx) }),
		p.stream("/backup", "Backup", func(w io.Writer, r *wire.Request) error {
			_, err := p.Backup(r.HTTP.Context(), w, r.Query("withKey") == "true")
			return err
		}),
		p.stream("/export", "Export", func(w io.Writer, r *wire.Request) error { return p.ExportKeys(r.HTTP.Context(), w) }),
		p.stream("/profile", "Profile", p.profile),
		route("GET", "/log-level", "GetLogLevel", p.getLogLevel),
		route("POST", "/portal/links", "CreatePortalLink", p.createPortalLink),
		route("GET", "/alerts/try", "TryAlert", p.tryAlert),
		route("PUT", "/log-level", "PutLogLevel", p.putLogLevel),
	}}
}

// stream is a route whose answer is written as it is made. One that fails midway is cut off, which its reader sees.
func (p *Platform) stream(pattern, op string, write func(w io.Writer, r *wire.Request) error) wire.Route {
	return wire.Route{
		Host: wire.HostAdmin, Method: "GET", Pattern: pattern, Operation: op, Auth: wire.Anonymous, BodyLimit: -1, Quiet: true,
		Raw: func(w http.ResponseWriter, r *wire.Request) error {
			var wrote counter
			err := write(io.MultiWriter(w, &wrote), r)
			if err == nil || wrote == 0 {
				return err
			}
			p.log.Error("answer cut off", "operation", op, "error", err)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	}
}

// counter counts bytes.
type counter int

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// getEnvironment answers what `bulkhead env` prints: the administrator's, or with ?as= an application's by its client id.
func (p *Platform) getEnvironment(ctx context.Context, r *wire.Request) (any, error) {
	return p.environment(ctx, r.Query("as"), p.processes.Environment())
}

// startProcess answers the environment of one process tree, with proxy credentials of its own.
func (p *Platform) startProcess(ctx context.Context, r *wire.Request) (any, error) {
	var in struct {
		As       string `json:"as"`
		Identity string `json:"identity"`
	}
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	var res *arm.Resource
	var tenant string
	if in.Identity != "" {
		var err error
		if res, tenant, err = p.arm.Resource(ctx, in.Identity); err != nil {
			return nil, err
		}
		if _, user := arm.UserIdentityOf(res); !user && (res == nil || res.Identity == nil) {
			return nil, fault.New(fault.NotFound, "IdentityNotFound", "There is no resource with a managed identity at %q.", in.Identity)
		}
	}
	cred, release := p.processes.Start(in.Identity)
	env, err := p.environment(ctx, in.As, cred)
	if err != nil {
		release()
		return nil, err
	}
	if res == nil || in.As != "" {
		return env, nil
	}
	// It is to sign in as that identity. Clients prefer a secret they are given, and take AZURE_CLIENT_ID for the identity they are to ask for.
	env.TenantID, env.ClientID, env.ClientSecret = tenant, "", ""
	env.AzureDir = p.cfg.path("azure", res.GUID)
	return env, os.MkdirAll(env.AzureDir, 0o700)
}

func (p *Platform) endProcess(_ context.Context, r *wire.Request) (any, error) {
	p.processes.End(r.Param("user"))
	return nil, nil
}

// environment is what a client process of the application as (a client id; "" for the administrator) needs.
func (p *Platform) environment(ctx context.Context, as string, cred reach.Credential) (reach.Environment, error) {
	env := p.proxyEnvironment(cred)
	id := as
	if id == "" {
		id = p.install.AppID
	}
	app, err := p.directory.FindApplication(ctx, id)
	if err != nil {
		return env, err
	}
	if app == nil {
		return env, fault.New(fault.NotFound, "ApplicationNotFound", "There is no application with the client id %q.", id)
	}
	env.TenantID, env.ClientID = app.TenantID, app.AppID
	if app.TenantID == p.install.TenantID {
		env.SubscriptionID = p.install.SubscriptionID
	}
	if env.ClientSecret, err = p.clientSecret(ctx, app); err != nil {
		return env, err
	}
	env.AzureDir = p.cfg.path("azure", env.ClientID)
	return env, os.MkdirAll(env.AzureDir, 0o700)
}

func (p *Platform) proxyEnvironment(cred reach.Credential) reach.Environment {
	return reach.Environment{Proxy: p.addr.Proxy, Credential: cred, Root: pki.RootPath(p.cfg.path("ca")), Bundle: p.bundle}
}

// processEnv is what the app host gives a site's process: the way to the platform, no credential of anyone but itself.
func (p *Platform) processEnv(resourceID string) (env []string, release func()) {
	cred, release := p.processes.Start(resourceID)
	for _, v := range p.proxyEnvironment(cred).Vars() {
		if !strings.HasPrefix(v.Name, "AZURE_CORE_") {
			env = append(env, v.Name+"="+v.Value)
		}
	}
	return env, release
}

var _ http.Handler = frontDoor{}
