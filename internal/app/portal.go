package app

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/portal"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// portalLink is the answer of the admin route /portal/links.
type portalLink struct {
	URL string `json:"url"`
}

// createPortalLink makes a link that signs a browser in as the administrator, once. The admin socket is open to the platform's own user alone.
func (p *Platform) createPortalLink(context.Context, *wire.Request) (any, error) {
	return portalLink{p.hosts.URL(wire.Host{}, wire.HostPortal, "") + p.portal.Link()}, nil
}

// administrator is the credential of the installation's administrator, for the portal.
func (p *Platform) administrator(ctx context.Context) (portal.Credential, error) {
	app, err := p.directory.FindApplication(ctx, p.install.AppID)
	if err != nil {
		return portal.Credential{}, err
	}
	if app == nil {
		return portal.Credential{}, fault.New(fault.NotFound, "ApplicationNotFound", "The installation's administrator is not there any more.")
	}
	secret, err := p.clientSecret(ctx, app)
	if err != nil {
		return portal.Credential{}, err
	}
	return portal.Credential{TenantID: app.TenantID, ClientID: app.AppID, Secret: portal.Secret(secret)}, nil
}
