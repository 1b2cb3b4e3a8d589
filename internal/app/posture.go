package app

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos"
	"github.com/bulkheadhq/bulkhead/internal/services/machines"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
)

// posture makes the part of Microsoft.Security that judges what the other services hold.
func (p *Platform) posture(accounts *cosmos.Service, watched *machines.Service) *posture.Service {
	usage := posture.NewUsage(p.store, p.clock, p.log)
	p.tokens.OnIssue(func(ctx context.Context, who *authn.Principal) {
		if who.Kind == authn.ManagedIdentity {
			usage.Got(context.WithoutCancel(ctx), who.ObjectID)
		}
	})
	return posture.New(posture.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Outbox: drainer{p}, Inventory: p.arm, Resources: p.arm, Access: p.arm, SignedIn: p.arm.Authenticator(),
		FrontDoor: &http.Client{Transport: reach.InProcess{Handler: frontDoor{p}}}, Usage: usage,
		Keys: func(ctx context.Context, account *arm.Resource) ([]assess.Key, error) {
			ages, err := accounts.KeyAges(ctx, account)
			out := make([]assess.Key, 0, len(ages))
			for _, a := range ages {
				out = append(out, assess.Key(a))
			}
			return out, err
		},
		Machines: func(ctx context.Context, subscription string) (map[string]assess.Hardening, error) {
			all, err := watched.Reported(ctx, subscription)
			out := make(map[string]assess.Hardening, len(all))
			for _, m := range all {
				out[strings.ToLower(m.Machine)] = hardening(m.Facts)
			}
			return out, err
		},
	})
}

// hardening is what a machine's facts mean (package agent/host lists them). What they don't say stays unknown.
func hardening(facts map[string]string) assess.Hardening {
	var h assess.Hardening
	var why []string
	if v, ok := facts["sshd.passwordauthentication"]; ok {
		open := v == "yes"
		if h.PasswordLogin = &open; open {
			why = append(why, "sshd takes passwords.")
		}
	}
	empty, known := facts["accounts.emptypasswords"]
	service := facts["accounts.servicepasswords"]
	if known {
		bad := empty != "" || service != ""
		h.DefaultCredentials = &bad
	}
	if empty != "" {
		why = append(why, "Accounts without a password: "+empty+".")
	}
	if service != "" {
		why = append(why, "Accounts of services that can sign in with a password: "+service+".")
	}
	h.Why = strings.Join(why, " ")
	return h
}

// addresses are those that a machine's facts name.
func addresses(facts map[string]string) (out []netip.Addr) {
	for _, text := range strings.Fields(facts["network.addresses"]) {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, a)
		}
	}
	return out
}
