package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/reach"
)

// errNotRunning is answered where a command needs a running platform.
var errNotRunning = errors.New("no platform runs on this data folder: start it with bulkhead up")

// admin talks to the platform of a data folder: through its socket while it runs, else by opening the store here.
type admin struct {
	http    *http.Client
	data    string
	close   func()
	running bool
	here    *app.Platform // opened by this process; nil while running
}

// openAdmin connects. With mustRun it does not open the store itself.
func openAdmin(ctx context.Context, data string, mustRun bool) (*admin, error) {
	abs, err := filepath.Abs(data)
	if err != nil {
		return nil, err
	}
	socket := app.SocketPath(abs)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	if c, err := dial(ctx, "", ""); err == nil {
		c.Close()
		t := &http.Transport{DialContext: dial}
		return &admin{http: &http.Client{Transport: t}, data: abs, close: t.CloseIdleConnections, running: true}, nil
	}
	if mustRun {
		return nil, errNotRunning
	}
	cfg := app.Defaults()
	cfg.Data, cfg.MasterKey = abs, os.Getenv("BULKHEAD_MASTER_KEY")
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	p, err := app.Open(ctx, cfg, slog.New(slog.DiscardHandler), app.Addresses{})
	if err != nil {
		return nil, err
	}
	return &admin{
		http: &http.Client{Transport: reach.InProcess{Handler: p.Admin()}}, data: abs,
		close: func() { _ = p.Close() }, here: p,
	}, nil
}

// call sends in as JSON (nil: no body) and decodes the answer into out (nil: thrown away). An error answer becomes an error with its message.
func (a *admin) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	return a.send(ctx, method, path, body, out)
}

// send is call with a body that is sent as it is read.
func (a *admin) send(ctx context.Context, method, path string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 400 {
		var e struct {
			Error struct{ Code, Message string }
		}
		if json.Unmarshal(b, &e) == nil && e.Error.Message != "" {
			return fmt.Errorf("%s (%s)", e.Error.Message, e.Error.Code)
		}
		return fmt.Errorf("the platform answered %s", resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}
