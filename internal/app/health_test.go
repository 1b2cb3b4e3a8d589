package app

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/telemetry"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func probe(t *testing.T, p *Platform, path string) (int, string) {
	t.Helper()
	resp, err := (&http.Client{Transport: reach.InProcess{Handler: p.mux.For(wire.HostMachine)}}).Get("http://127.0.0.1" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestHealth(t *testing.T) {
	p := openPlatform(t, t.TempDir())
	defer p.Close()
	s := makeSample(t, p)
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body := probe(t, p, path); status != 200 || !strings.Contains(body, `"status":"ok"`) || !strings.Contains(body, `"name":"store","ok":true`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	p.stopping.Store(true)
	status, body := probe(t, p, "/readyz")
	var h telemetry.Health
	if err := json.Unmarshal([]byte(body), &h); err != nil || status != 503 || h.Status != "failing" || h.Checks[2].Message != "the platform is stopping" {
		t.Errorf("readyz while stopping: %d %s", status, body)
	}
	if status, _ := probe(t, p, "/livez"); status != 200 {
		t.Errorf("livez while stopping: %d", status)
	}
	p.stopping.Store(false)

	status, text := probe(t, p, "/metrics")
	if status != 200 {
		t.Fatalf("metrics: %d %s", status, text)
	}
	for _, want := range []string{
		`bulkhead_requests_total{operation="SecretSet",plane="vault",status="200"} 1`, `plane="documents"`, `plane="management"`, `plane="login"`,
		"bulkhead_store_commit_duration_seconds_count ", "bulkhead_store_shards ", "bulkhead_store_writable 1", "bulkhead_audit_buffered_records ",
		"bulkhead_outbox_rows 0", "bulkhead_store_cache_hits_total ", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics: no %s", want)
		}
	}
	// No name of anything becomes a label.
	for _, name := range []string{s.Vault, s.Account, s.Site, "rg1", s.TenantID, s.SubscriptionID, "s1\"", s.AppID} {
		if strings.Contains(text, name) {
			t.Errorf("metrics name %s", name)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestHealth_Log: a probe that fails is told once, as a warning, however often it is asked, and once that it is well again.
func TestHealth_Log(t *testing.T) {
	var log lockedBuffer
	cfg := Defaults()
	cfg.Data = t.TempDir()
	p, err := Open(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)), Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	probe(t, p, "/readyz")
	for range 2 {
		p.stopping.Store(true)
		for range 3 {
			if status, _ := probe(t, p, "/readyz"); status != 503 {
				t.Fatalf("readyz while stopping: %d", status)
			}
		}
		p.stopping.Store(false)
		for range 3 {
			probe(t, p, "/readyz")
		}
	}
	text := log.String()
	for what, want := range map[string]int{
		"level=ERROR": 0, "level=WARN": 2, `msg="probe fails" probe=readyz checks="[serving: the platform is stopping]"`: 2, `msg="probe passes again" probe=readyz`: 2, "status=503": 0,
	} {
		if got := strings.Count(text, what); got != want {
			t.Errorf("%s: %d times, want %d", what, got, want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestConfig_Check(t *testing.T) {
	file := func(text string) string {
		name := t.TempDir() + "/bulkhead.yaml"
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct{ text, want string }{
		{"data: /tmp/x\nlisten: 127.0.0.1:0\nproxy: 127.0.0.1:0\nidentity: 127.0.0.1:0\nsuffix: a.test\npassThrough: true\nlogLevel: debug\n", ""},
		{"# nothing\n", ""},
		{"data: /tmp/x\n\nlisen: 127.0.0.1:0\nporxy: a\n", "line 3: unknown key lisen"},
		{"data: /tmp/x\nlisen: 127.0.0.1:0\nporxy: a\n", "line 3: unknown key porxy"},
		{"passThrough: maybe\n", "line 1: cannot unmarshal"},
		{"data: [\n", "did not find"},
		{"data: a\n---\ndata: b\n", "more than one document"},
		{"listen: 127.0.0.1\n", `listen "127.0.0.1": want HOST:PORT`},
		{"listen: 127.0.0.1:99999\n", "want HOST:PORT"},
		{"suffix: \"a b\"\n", "suffix"},
		{"logLevel: loud\n", `logLevel "loud"`},
		{"packageRoots: [/nowhere-at-all]\n", "is not a folder"},
	} {
		cfg := Defaults()
		err := cfg.LoadFile(file(c.text))
		if err == nil {
			err = cfg.Check()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "app.Config") {
			t.Errorf("%q: the error %v speaks of the program's insides", c.text, err)
		}
	}
}
