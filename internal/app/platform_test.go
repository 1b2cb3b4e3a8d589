package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func openPlatform(t *testing.T, dir string) *Platform {
	t.Helper()
	cfg := Defaults()
	cfg.Data = dir
	p, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler), Addresses{Proxy: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func adminGet(t testing.TB, p *Platform, path string, out any) {
	t.Helper()
	resp, err := (&http.Client{Transport: reach.InProcess{Handler: p.Admin()}}).Get("http://admin" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 {
		t.Fatalf("GET %s = %d %s", path, resp.StatusCode, b)
	}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_SecondStartIsTheSameInstallation(t *testing.T) {
	dir := t.TempDir()
	p := openPlatform(t, dir)
	if p.first == nil {
		t.Error("the first start does not know it is one")
	}
	var before, after reach.Environment
	adminGet(t, p, "/environment", &before)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openPlatform(t, dir)
	defer p.Close()
	adminGet(t, p, "/environment", &after)
	if p.first != nil || before != after || before.ClientSecret == "" {
		t.Errorf("second start: first %v, same environment %v", p.first, before == after)
	}
}

func TestOpen_RefusesAnotherMasterKey(t *testing.T) {
	dir := t.TempDir()
	if err := openPlatform(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "master.key")); err != nil {
		t.Fatal(err)
	}
	cfg := Defaults()
	cfg.Data = dir
	p, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler), Addresses{})
	if err == nil {
		p.Close()
		t.Fatal("a folder without its master key was opened")
	}
	if !strings.Contains(err.Error(), "put that file back") {
		t.Errorf("error %q does not say what to do", err)
	}
}

func TestOpen_OneAtATime(t *testing.T) {
	dir := t.TempDir()
	p := openPlatform(t, dir)
	defer p.Close()
	cfg := Defaults()
	cfg.Data = dir
	if q, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler), Addresses{}); err == nil {
		q.Close()
		t.Error("the same folder was opened twice")
	}
}

// Every route of the whole platform obeys the rules of all: no token is 401 or 403, a bad version or body is a 4xx in the plane's shape.
func TestRoutes(t *testing.T) {
	p := openPlatform(t, t.TempDir())
	defer p.Close()
	for _, kind := range []wire.HostKind{wire.HostARM, wire.HostGraph, wire.HostLogin} {
		var routes []wire.Route
		for _, r := range p.mux.Routes() {
			if r.Host == kind {
				routes = append(routes, r)
			}
		}
		if len(routes) == 0 {
			t.Errorf("no routes for %s", kind)
		}
		wiretest.CheckRoutes(t, p.mux, routes, wiretest.Check{
			Version: "2024-01-01", Params: map[string]string{"subscriptionId": p.install.SubscriptionID, "tenant": p.install.TenantID},
		})
	}
}

func TestUp_ServesAndStops(t *testing.T) {
	cfg := Defaults()
	cfg.Data, cfg.Listen, cfg.Proxy, cfg.Identity = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := make(chan Run, 1)
	done := make(chan error, 1)
	go func() {
		done <- Up(ctx, cfg, slog.New(slog.DiscardHandler), func(r Run, _ *FirstStart) { ready <- r })
	}()
	select {
	case r := <-ready:
		if again, err := ReadRun(cfg.Data); err != nil || again != r {
			t.Errorf("run.json says %+v, %v; want %+v", again, err, r)
		}
		if info, err := os.Stat(r.Admin); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("admin socket: %v, %v; want mode 600", info, err)
		}
	case err := <-done:
		t.Fatal(err)
	case <-time.After(30 * time.Second):
		t.Fatal("not ready")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, "run.json")); !os.IsNotExist(err) {
		t.Errorf("run.json stayed: %v", err)
	}
}
