package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// DefaultCosmosEmulator is where clients look for the Cosmos DB emulator.
const DefaultCosmosEmulator = "127.0.0.1:8081"

// emulatorAddresses are the addresses cosmosEmulator names, in order. Its key is known to everybody, so that none but loopback ones will do.
func emulatorAddresses(text string) ([]string, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "false", "off", "no":
		return nil, nil
	case "true", "on", "yes":
		return []string{DefaultCosmosEmulator}, nil
	}
	var out []string
	for addr := range strings.SplitSeq(text, ",") {
		addr = strings.TrimSpace(addr)
		host, port, err := net.SplitHostPort(addr)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return nil, fmt.Errorf("cosmosEmulator %q: want true, or IP:PORT on loopback, such as %s; several with commas between them", addr, DefaultCosmosEmulator)
		}
		if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("cosmosEmulator %q: the emulator's key is known to everybody, so it listens on loopback only: want 127.0.0.1:%s", addr, port)
		}
		out = append(out, addr)
	}
	return out, nil
}

// ensureEmulator makes the account that the emulator's clients find, in the default subscription, as its administrator.
func (p *Platform) ensureEmulator(ctx context.Context) error {
	group, account := cosmos.EmulatorResource(p.install.SubscriptionID)
	have, err := p.cosmos.HasEmulator(ctx, account)
	if err != nil {
		return err
	}
	if !have {
		if err := p.putResource(ctx, group+"?api-version=2021-04-01", map[string]any{"location": "southcentralus"}); err != nil {
			return err
		}
		if err := p.putResource(ctx, account+"?api-version=2024-11-15", cosmos.EmulatorBody()); err != nil {
			return err
		}
	}
	return p.cosmos.GiveEmulatorKey(ctx, account)
}

// putResource puts a resource through the control plane as the installation's administrator, with every check and record of any other caller.
func (p *Platform) putResource(ctx context.Context, target string, body any) error {
	token, err := p.tokens.Issue(ctx, authn.Claims{
		Principal: authn.Principal{Kind: authn.ServicePrincipal, TenantID: p.install.TenantID, ObjectID: p.install.ObjectID, AppID: p.install.AppID},
		Audience:  "https://management.azure.com",
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	url := (wire.Hosts{}).URL(wire.Host{Public: true}, wire.HostARM, "") + target
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token.Raw)
	req.Header.Set("Content-Type", "application/json")
	resp, err := reach.InProcess{Handler: p.mux}.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("put %s: %s: %s", target, resp.Status, text)
	}
	return nil
}

// emulator is the listener of the Cosmos DB emulator's clients. Its certificate is that of localhost and the loopback addresses.
func (p *Platform) emulator() *reach.FrontDoor {
	return reach.NewFrontDoor(p.emulatorHandler(), p.ca.TLS(func(string) bool { return false }), p.log)
}

func (p *Platform) emulatorHandler() http.Handler {
	return p.mux.Loopback(wire.HostCosmos, gateway.EmulatorAccount)
}

// emulatorURLs are the endpoints as clients are given them.
func emulatorURLs(ls []net.Listener) string {
	var out []string
	for _, l := range ls {
		out = append(out, "https://localhost:"+strconv.Itoa(port(l.Addr().String())))
	}
	return strings.Join(out, ",")
}
