package app

import (
	"context"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// FirstStart tells what a first start made.
type FirstStart struct{ Domain string }

// installation is what the first start made. The record is written last: a start that crashed before begins anew, in a tenant of its own.
type installation struct {
	TenantID       string `json:"tenantId"`
	Domain         string `json:"domain"`
	SubscriptionID string `json:"subscriptionId"`
	AppID          string `json:"appId"`
	ObjectID       string `json:"objectId"` // of the administrator's service principal
}

const platformShard = "platform"

var (
	installKey   = []byte("i|installation")
	installCodec = store.Codec[installation]{Kind: 'i', Version: 1}
)

// operatorSecretLife outlives the installation: nobody would be there to renew the one credential that renews others.
const operatorSecretLife = 50 * 365 * 24 * time.Hour

func secretKey(appID string) []byte { return []byte("c|" + appID) }

// ensureInstalled reads the installation record or makes a tenant, a subscription and an administrator.
func (p *Platform) ensureInstalled(ctx context.Context) error {
	var raw []byte
	err := p.store.View(ctx, platformShard, func(s store.Snapshot) error {
		b, err := s.Get(installKey)
		raw = append([]byte(nil), b...)
		return err
	})
	if err != nil {
		return err
	}
	if len(raw) > 0 {
		p.install, err = installCodec.Decode(raw)
		return err
	}
	tenant, err := p.tenants.Create(ctx, "Default Directory", "default.onmicrosoft.com")
	if err != nil {
		return err
	}
	app, sp, err := p.directory.CreateApplication(ctx, directory.AppSpec{
		TenantID: tenant.ID, DisplayName: "Bulkhead administrator", Principal: true, Administrator: true,
	})
	if err != nil {
		return err
	}
	owner := authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenant.ID, ObjectID: sp.ObjectID, AppID: app.AppID}
	sub, err := p.arm.CreateSubscription(ctx, tenant.ID, "Default Subscription", owner.ObjectID)
	if err != nil {
		return err
	}
	if _, err := p.clientSecret(ctx, app); err != nil {
		return err
	}
	p.install = installation{TenantID: tenant.ID, Domain: tenant.Domains[0], SubscriptionID: sub, AppID: app.AppID, ObjectID: sp.ObjectID}
	if raw, err = installCodec.Encode(p.install); err != nil {
		return err
	}
	p.first = &FirstStart{Domain: p.install.Domain}
	_, err = p.store.Update(ctx, platformShard, func(tx store.Tx) error { return tx.Put(installKey, raw) })
	return err
}

// clientSecret returns the secret with which the operator's own shell signs in as the application: one per application, made when first asked for and kept
// sealed. The directory keeps only what recognises it.
func (p *Platform) clientSecret(ctx context.Context, app *directory.Application) (string, error) {
	key := secretKey(app.AppID)
	var sealed []byte
	err := p.store.View(ctx, platformShard, func(s store.Snapshot) error {
		b, err := s.Get(key)
		sealed = append([]byte(nil), b...)
		return err
	})
	if err != nil {
		return "", err
	}
	if len(sealed) > 0 {
		plain, err := p.sealer.Open(platformShard, key, sealed)
		if err != nil {
			return "", fmt.Errorf("kept secret of application %s: %w", app.AppID, err)
		}
		return string(plain), nil
	}
	_, secret, err := p.directory.AddSecret(ctx, app.TenantID, app.ObjectID, directory.CredentialSpec{
		DisplayName: "bulkhead env", End: p.clock.Now().Add(operatorSecretLife),
	})
	if err != nil {
		return "", err
	}
	if sealed, err = p.sealer.Seal(platformShard, key, []byte(secret)); err != nil {
		return "", err
	}
	_, err = p.store.Update(ctx, platformShard, func(tx store.Tx) error { return tx.Put(key, sealed) })
	return secret, err
}
