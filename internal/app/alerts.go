package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/services/monitor/alerts"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// actionGroupsApp is the application that Azure's action groups call secure webhooks as.
const actionGroupsApp = "461e8683-5575-4561-ac7f-899cc907d62a"

// alerts makes the part of Azure Monitor that watches.
func (p *Platform) alerts() *alerts.Service {
	table := metricTable()
	p.alarms = alerts.New(alerts.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Outbox: drainer{p}, Inventory: p.arm, Resources: p.arm, Source: alerts.NewSource(p.measured), Access: p.arm,
		SignedIn: p.arm.Authenticator(), Token: p.webhookToken, Mailer: &notify.Mailer{Server: p.cfg.SMTP, From: p.cfg.MailFrom}, Programs: p.cfg.AlertPrograms, Advise: p.advise,
		Known: func(resourceType, namespace, metric string) (has, known bool) {
			for _, d := range table.Of(resourceType) {
				if namespace != "" && !strings.EqualFold(namespace, d.Namespace) {
					continue
				}
				known = true
				has = has || strings.EqualFold(d.Name, metric)
			}
			return has, known
		},
	})
	return p.alarms
}

// webhookToken gives the action groups' application a token for a receiver's application, named by its identifier.
func (p *Platform) webhookToken(ctx context.Context, tenantID, resource string) (string, error) {
	if tenantID == "" {
		tenantID = p.install.TenantID
	}
	token, err := p.tokens.Issue(ctx, authn.Claims{
		Version: "1.0", Audience: resource, Principal: authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenantID, ObjectID: actionGroupsApp, AppID: actionGroupsApp, ClientAuth: "2"},
	})
	return token.Raw, err
}

// checkAlerts finds what is wrong with how alerts are to be told.
func (c *Config) checkAlerts() error {
	if c.SMTP != "" {
		if _, _, err := net.SplitHostPort(c.SMTP); err != nil {
			return fmt.Errorf("smtp %q: want HOST:PORT", c.SMTP)
		}
		if !notify.CheckAddress(c.MailFrom) {
			return fmt.Errorf("mailFrom %q: want a mail address", c.MailFrom)
		}
	}
	if c.AlertPrograms == "" {
		return nil
	}
	abs, err := filepath.Abs(c.AlertPrograms)
	if err != nil {
		return err
	}
	c.AlertPrograms = abs
	if i, err := os.Stat(abs); err != nil || !i.IsDir() {
		return fmt.Errorf("alertPrograms %q: want a folder", abs)
	}
	return nil
}

// tryAlert answers what a rule would have done in a span of time, over what is stored.
func (p *Platform) tryAlert(ctx context.Context, r *wire.Request) (any, error) {
	var span [2]time.Time
	for i, name := range []string{"from", "to"} {
		t, err := time.Parse(time.RFC3339, r.Query(name))
		if err != nil {
			return nil, fault.New(fault.Invalid, "BadRequest", "The query parameter %s is '%.60s'; it must be a time such as 2026-01-02T03:04:05Z.", name, r.Query(name))
		}
		span[i] = t
	}
	return p.alarms.Try(ctx, r.Query("rule"), span[0], span[1])
}
