package web

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// publishAction is what a caller with an ARM token needs at the site, to deploy to it and to read its logs.
const publishAction = "Microsoft.Web/sites/publish/action"

// kuduRoutes are what {site}.scm.azurewebsites.net serves.
func (s *Service) kuduRoutes() []wire.Route {
	route := func(method, pattern, operation string) wire.Route {
		return wire.Route{
			Host: wire.HostSCM, Method: method, Pattern: pattern, Operation: operation, Network: s.admitToSCM,
			Auth: wire.Authenticator{Name: "publishing credentials or ARM token", Check: s.authenticatePublisher}, Authorize: s.authorizePublisher,
		}
	}
	handler := func(r wire.Route, h wire.Handler) wire.Route { r.Handler = h; return r }
	raw := func(r wire.Route, h func(http.ResponseWriter, *wire.Request) error) wire.Route {
		r.Raw, r.BodyLimit = h, -1
		return r
	}
	return []wire.Route{
		raw(route(http.MethodPost, "/api/zipdeploy", "ZipDeploy"), s.zipDeploy),
		raw(route(http.MethodPut, "/api/zipdeploy", "ZipDeploy"), s.zipDeploy),
		raw(route(http.MethodPost, "/api/publish", "Publish"), s.publish),
		handler(route(http.MethodGet, "/api/deployments", "ListDeployments"), s.listDeployments),
		handler(route(http.MethodGet, "/api/deployments/{id}", "GetDeployment"), s.getDeployment),
		handler(route(http.MethodGet, "/api/logs/docker", "ListLogs"), s.listLogs),
		handler(route(http.MethodGet, "/api/vfs/LogFiles", "ListLogFiles"), s.listLogFiles),
		handler(route(http.MethodGet, "/api/vfs/LogFiles/{name}", "GetLogFile"), s.getLogFile),
		raw(route(http.MethodGet, "/api/logstream", "StreamLog"), s.streamLog),
	}
}

// publishTarget is what the stages of an scm request hand on.
type publishTarget struct {
	d    *desired
	user string // publishing user, "" for a caller with a token
}

func (s *Service) admitToSCM(ctx context.Context, r *wire.Request) error {
	e, err := s.siteEntry(ctx, r)
	if err != nil {
		return err
	}
	d, err := s.load(ctx, e.ResourceID)
	if err != nil {
		return err
	}
	if d == nil { // moved since the first look, or deleted
		if at, err := s.standing(ctx, e.GUID, e.ResourceID); err != nil {
			return err
		} else if d, err = s.load(ctx, at); err != nil {
			return err
		}
	}
	if d == nil || d.site.GUID != e.GUID {
		return fault.New(fault.NotFound, "SiteNotFound", "404 Web Site not found: there is no site named %q.", r.Host.Name)
	}
	r.State = &publishTarget{d: d}
	return s.admit(ctx, d.scmAccess, r.Client)
}

func unauthorized(host string) error {
	f := fault.New(fault.Unauthenticated, "Unauthorized", "Sign in with the site's publishing credentials or an ARM token.")
	f.Header = http.Header{"Www-Authenticate": {`Basic realm="` + host + `"`, "Bearer"}}
	return f
}

// authenticatePublisher accepts the site's own publishing user, or a token for ARM.
func (s *Service) authenticatePublisher(ctx context.Context, r *wire.Request) error {
	t := r.State.(*publishTarget)
	if user, password, ok := r.HTTP.BasicAuth(); ok {
		return s.checkPassword(ctx, r, t, user, password)
	}
	scheme, raw, _ := strings.Cut(r.HTTP.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return unauthorized(r.Host.Name)
	}
	p, err := s.deps.Verifier.Verify(ctx, strings.TrimSpace(raw))
	if err != nil || !s.armAudience(p.Audience) {
		return unauthorized(r.Host.Name)
	}
	r.Principal = p
	return nil
}

func (s *Service) checkPassword(ctx context.Context, r *wire.Request, t *publishTarget, user, password string) error {
	user = user[strings.LastIndexByte(user, '\\')+1:] // site\$site is the older form
	site := t.d.site
	shard, err := shardOf(site.ID)
	if err != nil {
		return err
	}
	have, err := s.loadRows(ctx, shard, site.GUID)
	if err != nil {
		return err
	}
	want, err := openRow(s, publishingCodec, shard, site.GUID, have, nounPublishing)
	if err != nil {
		return err
	}
	same := subtle.ConstantTimeCompare([]byte(password), []byte(want.Password)) == 1
	if !same || want.Password == "" || !strings.EqualFold(user, "$"+site.Name) {
		return unauthorized(r.Host.Name)
	}
	t.user = "$" + site.Name
	return nil
}

// armAudience tells whether a token's audience is ARM, by Azure's names for it or by this platform's own.
func (s *Service) armAudience(aud string) bool {
	switch aud = strings.TrimSuffix(aud, "/"); aud {
	case "https://management.core.windows.net", "https://management.azure.com":
		return true
	}
	own := s.deps.Hosts.URL(wire.Host{}, wire.HostARM, "")
	bare := s.deps.Hosts
	bare.Port = 0
	return aud == own || aud == bare.URL(wire.Host{}, wire.HostARM, "")
}

func (s *Service) authorizePublisher(ctx context.Context, r *wire.Request) error {
	t := r.State.(*publishTarget)
	if t.user != "" {
		r.AllowedBy = "publishing credentials of " + t.d.site.Name
		return nil
	}
	dec, err := s.deps.Access.Check(ctx, r.Principal, publishAction, false, t.d.site.ID)
	if err != nil {
		return err
	}
	if !dec.Allowed {
		return fault.New(fault.Forbidden, "AuthorizationFailed", "The client with object id '%s' does not have authorization to perform action '%s' over scope '%s'.",
			r.Principal.ObjectID, publishAction, t.d.site.ID)
	}
	r.AllowedBy = dec.By
	return nil
}

// publish is the newer form of zipDeploy.
func (s *Service) publish(w http.ResponseWriter, r *wire.Request) error {
	if kind := r.Query("type"); !strings.EqualFold(kind, "zip") {
		return notImplemented("Deployments of the type " + strings.ToValidUTF8(kind, "?") + " (zip is) are")
	}
	return s.zipDeploy(w, r)
}

// zipDeploy takes a zip as the site's new content. It answers when the content is durable and the site is being restarted, also to clients that would poll.
func (s *Service) zipDeploy(w http.ResponseWriter, r *wire.Request) error {
	t := r.State.(*publishTarget)
	ctx, guid := r.HTTP.Context(), t.d.site.GUID
	began := s.deps.Clock.Now()
	hash, size, err := s.packages.keep(r.HTTP.Body)
	if err != nil {
		return err
	}
	if _, err := s.packages.unpack(guid, hash, s.packages.blob(hash)); err != nil {
		return err
	}
	author := t.user
	if r.Principal != nil {
		author = r.Principal.ObjectID
	}
	dep := deployment{ID: ids.New(), Hash: hash, Bytes: size, Received: began, Author: author}
	if err := s.setPackage(ctx, t.d, dep); err != nil {
		return err
	}
	if err := s.host.changed(ctx, guid, t.d.site.ID); err != nil {
		return err
	}
	if strings.EqualFold(r.Query("isAsync"), "true") || strings.EqualFold(r.Query("async"), "true") {
		w.Header().Set("Location", "https://"+r.Host.Text+"/api/deployments/latest")
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// setPackage stores what the site runs from now on, if the site is still there.
func (s *Service) setPackage(ctx context.Context, d *desired, dep deployment) error {
	shard, err := shardOf(d.site.ID)
	if err != nil {
		return err
	}
	ch := &change{}
	if err := putPlain(ch, packageCodec, d.site.GUID, nounPackage, dep); err != nil {
		return err
	}
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		if err := arm.Settled(tx, d.site.ID); err != nil {
			return err
		}
		there, err := tx.Get(rowKey(d.site.GUID, nounSite))
		if err != nil {
			return err
		}
		if there == nil {
			return fault.New(fault.NotFound, "SiteNotFound", "The site %q was deleted meanwhile.", d.site.Name)
		}
		return ch.write(tx)
	})
	return err
}

// deploymentStatus is a deployment as Kudu shows it. Status 4 is success, the only one that is kept: a refused package changes nothing.
type deploymentStatus struct {
	ID                string    `json:"id"`
	Status            int       `json:"status"`
	StatusText        string    `json:"status_text"`
	Author            string    `json:"author"`
	Deployer          string    `json:"deployer"`
	Message           string    `json:"message"`
	Progress          string    `json:"progress"`
	ReceivedTime      time.Time `json:"received_time"`
	StartTime         time.Time `json:"start_time"`
	EndTime           time.Time `json:"end_time"`
	LastSuccess       time.Time `json:"last_success_end_time"`
	Complete          bool      `json:"complete"`
	Active            bool      `json:"active"`
	IsTemp            bool      `json:"is_temp"`
	IsReadonly        bool      `json:"is_readonly"`
	URL               string    `json:"url"`
	SiteName          string    `json:"site_name"`
	ProvisioningState string    `json:"provisioningState"`
}

func statusOf(r *wire.Request, d *desired) deploymentStatus {
	p := d.deployed
	return deploymentStatus{
		ID: p.ID, Status: 4, Author: p.Author, Deployer: "ZipDeploy", Message: "Created via a push deployment",
		ReceivedTime: p.Received, StartTime: p.Received, EndTime: p.Received, LastSuccess: p.Received,
		Complete: true, Active: true, IsReadonly: true, URL: "https://" + r.Host.Text + "/api/deployments/" + p.ID,
		SiteName: d.site.Name, ProvisioningState: "Succeeded",
	}
}

func (s *Service) listDeployments(_ context.Context, r *wire.Request) (any, error) {
	d := r.State.(*publishTarget).d
	if d.deployed.ID == "" {
		return []deploymentStatus{}, nil
	}
	return []deploymentStatus{statusOf(r, d)}, nil
}

func (s *Service) getDeployment(_ context.Context, r *wire.Request) (any, error) {
	d, id := r.State.(*publishTarget).d, r.Param("id")
	if d.deployed.ID == "" || !strings.EqualFold(id, "latest") && !strings.EqualFold(id, d.deployed.ID) {
		return nil, fault.New(fault.NotFound, "DeploymentNotFound", "The site has no deployment %q; only the last one is kept.", id)
	}
	return statusOf(r, d), nil
}
