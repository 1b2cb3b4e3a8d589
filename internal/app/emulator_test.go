package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
)

func TestConfig_CosmosEmulator(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "false": "", "true": "127.0.0.1:8081", "127.0.0.1:0": "127.0.0.1:0", "[::1]:8081": "[::1]:8081",
		"127.0.0.1:8081, 127.0.0.1:8903": "127.0.0.1:8081,127.0.0.1:8903",
	} {
		c := Defaults()
		c.CosmosEmulator = text
		if err := c.Check(); err != nil || c.CosmosEmulator != want {
			t.Errorf("%q: got %q, %v; want %q", text, c.CosmosEmulator, err, want)
		}
	}
	for _, text := range []string{"0.0.0.0:8081", ":8081", "10.0.0.1:8081", "[::]:8081", "localhost:8081", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:0,0.0.0.0:0", ","} {
		c := Defaults()
		c.CosmosEmulator = text
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%q: got error %v, want one that asks for loopback", text, err)
		}
	}
}

// emulatorRead reads the account with the emulator's key by way of a transport.
func emulatorRead(t *testing.T, rt http.RoundTripper, target string) (int, map[string]any) {
	t.Helper()
	k, err := masterkey.NewKey(gateway.EmulatorKey)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Ms-Date", time.Now().UTC().Format(http.TimeFormat))
	req.Header.Set("X-Ms-Version", "2018-12-31")
	text := masterkey.Request{Verb: http.MethodGet, XMSDate: req.Header.Get("X-Ms-Date")}.AppendText(nil)
	req.Header.Set("Authorization", url.QueryEscape("type=master&ver=1.0&sig="+k.Sign(text)))
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	_ = json.Unmarshal(b, &out)
	return resp.StatusCode, out
}

func TestUp_CosmosEmulator(t *testing.T) {
	cfg := Defaults()
	cfg.Data, cfg.Listen, cfg.Proxy, cfg.Identity, cfg.CosmosEmulator = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, done := make(chan Run, 1), make(chan error, 1)
	go func() {
		done <- Up(ctx, cfg, slog.New(slog.DiscardHandler), func(r Run, _ *FirstStart) { ready <- r })
	}()
	var run Run
	select {
	case run = <-ready:
	case err := <-done:
		t.Fatal(err)
	case <-time.After(30 * time.Second):
		t.Fatal("not ready")
	}
	root, err := os.ReadFile(run.Root)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer tr.CloseIdleConnections()
	byAddress := strings.Replace(run.CosmosEmulator, "localhost", "127.0.0.1", 1)
	for _, from := range []string{run.CosmosEmulator, byAddress} { // both names are in the certificate
		status, got := emulatorRead(t, tr, from+"/")
		if status != http.StatusOK || got["id"] != "localhost" {
			t.Fatalf("%s: got %d %v, want the account localhost", from, status, got)
		}
		at := got["writableLocations"].([]any)[0].(map[string]any)
		if at["databaseAccountEndpoint"] != byAddress+"/" || at["name"] != "South Central US" {
			t.Errorf("%s: the account says it is at %v, want %s/ in South Central US", from, at, byAddress)
		}
	}
	// The front door does not know the account, nor does the emulator's port know any other name.
	door := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, run.FrontDoor)
		},
	}
	defer door.CloseIdleConnections()
	if status, got := emulatorRead(t, door, "https://localhost.documents.azure.com/"); status != http.StatusForbidden || !strings.Contains(got["message"].(string), "does not exist") {
		t.Errorf("front door: got %d %v, want 403, the account does not exist", status, got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A later start without the flag leaves no way in with the well-known key; one with it finds the account and its key again.
func TestOpen_CosmosEmulatorTurnedOff(t *testing.T) {
	dir := t.TempDir()
	open := func(emulator string) *Platform {
		cfg := Defaults()
		cfg.Data, cfg.CosmosEmulator = dir, emulator
		p, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler), Addresses{Proxy: "127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, emulator := range []string{"127.0.0.1:0", "", "127.0.0.1:0"} {
		p := open(emulator)
		if status, got := emulatorRead(t, reach.InProcess{Handler: p.mux}, "https://localhost.documents.azure.com/"); status != http.StatusForbidden {
			t.Errorf("emulator %q: front door answers %d %v, want 403", emulator, status, got)
		}
		if status, got := emulatorRead(t, reach.InProcess{Handler: p.emulatorHandler()}, "https://localhost/"); status != http.StatusOK {
			t.Errorf("emulator %q: its listener answers %d %v, want 200", emulator, status, got)
		}
		if status, _ := emulatorRead(t, reach.InProcess{Handler: p.emulatorHandler()}, "https://rebound.example/"); status != http.StatusMisdirectedRequest {
			t.Errorf("another host name: got %d, want 421", status)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
