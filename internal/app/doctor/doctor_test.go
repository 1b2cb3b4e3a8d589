package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/app"
)

// healthy is a data folder that a platform made and closed.
var healthy string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "doctor-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		cfg := app.Defaults()
		cfg.Data = filepath.Join(dir, "data")
		p, err := app.Open(context.Background(), cfg, slog.New(slog.DiscardHandler), app.Addresses{})
		if err != nil {
			panic(err)
		}
		if err := p.Close(); err != nil {
			panic(err)
		}
		healthy = cfg.Data
		return m.Run()
	}())
}

// duplicate copies a folder with its modes, which os.CopyFS does not keep.
func duplicate(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(filepath.Join(to, rel), info.Mode().Perm())
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// patient has a healthy data folder of its own, free ports, a quiet machine.
func patient(t *testing.T) Patient {
	t.Helper()
	cfg := app.Defaults()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	duplicate(t, healthy, cfg.Data)
	cfg.Listen, cfg.Proxy, cfg.Identity = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	return Patient{
		Config: cfg, Now: time.Now,
		Free:   func(string) (uint64, uint64, error) { return 1 << 40, 1 << 20, nil },
		Synced: func() (bool, bool) { return true, true },
		Probe:  func() error { return nil },
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExamine_Healthy(t *testing.T) {
	findings := Examine(patient(t))
	if len(findings) != 9 {
		t.Errorf("%d findings, want one of each of 9 checks", len(findings))
	}
	for _, f := range findings {
		if f.Level != OK || f.Mend != "" || f.What == "" {
			t.Errorf("%+v", f)
		}
	}
	if text, wrong := Print(findings); wrong != 0 || strings.Count(text, "\n") != len(findings) {
		t.Errorf("printed %d wrong:\n%s", wrong, text)
	}
}

func TestExamine_NothingThereYet(t *testing.T) {
	p := patient(t)
	p.Config.Data = filepath.Join(t.TempDir(), "not", "yet")
	for _, f := range Examine(p) {
		if f.Level != OK {
			t.Errorf("%+v", f)
		}
	}
	if _, err := os.Stat(p.Config.Data); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
}

// Each break is found by its check, at its level, in words that name it, with a way to mend it; all else stays as it should be.
func TestExamine_Broken(t *testing.T) {
	const year = 365 * 24 * time.Hour
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := func(p *Patient, parts ...string) string {
		return filepath.Join(append([]string{p.Config.Data}, parts...)...)
	}
	at := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	for _, tt := range []struct {
		name  string
		wreck func(t *testing.T, p *Patient)
		check string
		level Level
		what  string
		mend  string
	}{
		{"clock back", func(_ *testing.T, p *Patient) { p.Now = at(-time.Hour) }, "clock", Wrong, "went back", "timedatectl"},
		{"clock unsteered", func(_ *testing.T, p *Patient) { p.Synced = func() (bool, bool) { return false, true } }, "clock", Note, "no time server", "timedatectl"},
		{"folder open to others", func(t *testing.T, p *Patient) { chmod(t, p.Config.Data, 0o755) }, "permissions", Wrong, "mode 755", "chmod 700"},
		{"master key open to others", func(t *testing.T, p *Patient) { chmod(t, data(p, "master.key"), 0o640) }, "permissions", Wrong, "master.key (mode 640)", "chmod 600"},
		{"issuer's key open to others", func(t *testing.T, p *Patient) { chmod(t, data(p, "ca", "intermediate.key"), 0o604) }, "permissions", Wrong, "intermediate.key", "chmod 600"},
		{"disk full", func(_ *testing.T, p *Patient) {
			p.Free = func(string) (uint64, uint64, error) { return 100 << 20, 1 << 20, nil }
		}, "disk", Wrong, "100 MiB", "make room"},
		{"disk nearly full", func(_ *testing.T, p *Patient) {
			p.Free = func(string) (uint64, uint64, error) { return 1 << 30, 1 << 20, nil }
		}, "disk", Note, "1024 MiB", "make room"},
		{"no files left", func(_ *testing.T, p *Patient) {
			p.Free = func(string) (uint64, uint64, error) { return 1 << 40, 3, nil }
		}, "disk", Wrong, "3 more files", "make room"},
		{"disk unknown", func(_ *testing.T, p *Patient) {
			p.Free = func(string) (uint64, uint64, error) { return 0, 0, errors.New("no such call") }
		}, "disk", Note, "no such call", "look"},
		{"run.json left", func(t *testing.T, p *Patient) { write(t, data(p, "run.json"), `{"pid":2147483646}`) }, "run", Wrong, "without order", "run.json"},
		{"run.json left, number used again", func(t *testing.T, p *Patient) {
			b, _ := json.Marshal(app.Run{PID: os.Getpid()})
			write(t, data(p, "run.json"), string(b))
		}, "run", Wrong, "does not answer", "ps -p"},
		{"socket left", func(t *testing.T, p *Patient) {
			if err := os.MkdirAll(filepath.Dir(app.SocketPath(p.Config.Data)), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Remove(app.SocketPath(p.Config.Data)) })
			write(t, app.SocketPath(p.Config.Data), "")
		}, "run", Wrong, "without order", ".sock"},
		{"port taken", func(_ *testing.T, p *Patient) { p.Config.Proxy = taken.Addr().String() }, "ports", Wrong, taken.Addr().String(), "--proxy"},
		{"address of another machine", func(_ *testing.T, p *Patient) { p.Config.Listen = "192.0.2.1:443" }, "ports", Wrong, "192.0.2.1", "--listen"},
		{"authority ended", func(_ *testing.T, p *Patient) { p.Now = at(11 * year) }, "ca", Wrong, "ended on", "restart"},
		{"authority ends soon", func(_ *testing.T, p *Patient) { p.Now = at(10*year - 30*24*time.Hour) }, "ca", Note, "ends on", "plan"},
		{"root garbled", func(t *testing.T, p *Patient) { write(t, data(p, "ca", "root.pem"), "x") }, "ca", Wrong, "root.pem", "move that folder"},
		{"issuer gone", func(t *testing.T, p *Patient) { remove(t, data(p, "ca", "intermediate.pem")) }, "ca", Wrong, "intermediate.pem", "move that folder"},
		{"bundle gone", func(t *testing.T, p *Patient) { remove(t, data(p, "ca", "bundle.pem")) }, "ca", Wrong, "bundle.pem", "restart"},
		{"bundle without the root", func(t *testing.T, p *Patient) { write(t, data(p, "ca", "bundle.pem"), "") }, "ca", Wrong, "bundle.pem", "restart"},
		{"no namespaces", func(_ *testing.T, p *Patient) { p.Probe = func() error { return errors.New("not allowed") } }, "namespaces", Note, "not allowed", "--isolate"},
		{"a company's proxy", func(_ *testing.T, p *Patient) { p.Environ = []string{"https_proxy=http://proxy.example.com:3128"} }, "environment", Note, "proxy.example.com:3128", "bulkhead exec"},
		{"another start's shell", func(_ *testing.T, p *Patient) { p.Environ = []string{"HTTPS_PROXY=http://env:secret-text@127.0.0.1:1"} }, "environment", Wrong, "127.0.0.1:1", "bulkhead env"},
		{"Node without checks", func(_ *testing.T, p *Patient) { p.Environ = []string{"NODE_TLS_REJECT_UNAUTHORIZED=0"} }, "environment", Note, "no certificate", "unset"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := patient(t)
			tt.wreck(t, &p)
			found := false
			findings := Examine(p)
			for _, f := range findings {
				switch {
				case f.Check == tt.check && f.Level == tt.level && strings.Contains(f.What, tt.what) && strings.Contains(f.Mend, tt.mend):
					found = true
				case f.Level != OK && !(tt.check == "clock" && f.Check == "ca"):
					t.Errorf("found %+v too", f)
				}
			}
			if !found {
				t.Errorf("not found: %+v", findings)
			}
			text, wrong := Print(findings)
			if (wrong > 0) != (tt.level == Wrong) || !strings.Contains(text, "-> ") || strings.Contains(text, "secret-text") {
				t.Errorf("%d wrong:\n%s", wrong, text)
			}
		})
	}
}

func chmod(t *testing.T, file string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// With a running platform the ports must answer, and the front door's certificate be good.
func TestExamine_Running(t *testing.T) {
	p := patient(t)
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan app.Run, 1), make(chan error, 1)
	go func() {
		done <- app.Up(ctx, p.Config, slog.New(slog.DiscardHandler), func(r app.Run, _ *app.FirstStart) { ready <- r })
	}()
	var r app.Run
	select {
	case r = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	p.Environ = []string{"HTTPS_PROXY=http://env:x@" + r.Proxy, "NO_PROXY=localhost,127.0.0.1,::1"}
	findings := Examine(p)
	for _, f := range findings {
		if f.Level != OK {
			t.Errorf("%+v", f)
		}
	}
	if text, _ := Print(findings); !strings.Contains(text, "answer") || !strings.Contains(text, "runs as process") {
		t.Errorf("printed\n%s", text)
	}
	for _, entry := range []string{"*.azure.com", "vault.azure.net", ".net", "kv1.vault.azure.net"} {
		p.Environ[1] = "NO_PROXY=localhost," + entry
		if _, wrong := Print(Examine(p)); wrong != 1 {
			t.Errorf("NO_PROXY with %s: %d wrong, want 1", entry, wrong)
		}
	}
	p.Environ = nil

	file := filepath.Join(p.Config.Data, "run.json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		strings.Replace(string(good), r.FrontDoor, "127.0.0.1:1", 1): "the front door does not answer",
		strings.Replace(string(good), r.FrontDoor, r.Identity, 1):    "not good for management.azure.com",
		"{": "run.json",
	} {
		write(t, file, text)
		if text, wrong := Print(Examine(p)); wrong != 1 || !strings.Contains(text, want) {
			t.Errorf("%d wrong, want %q:\n%s", wrong, want, text)
		}
	}
	remove(t, file)
	if text, wrong := Print(Examine(p)); wrong == 0 || !strings.Contains(text, "run.json is gone") {
		t.Errorf("without run.json:\n%s", text)
	}
	write(t, file, string(good))
}
