//go:build unix

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines is an output that others may look at meanwhile.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// up runs a platform in this process as the command line does, with a service manager that listens.
func TestUp_TellsTheManagerAndChangesItsLogLevel(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := manager.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		buf := make([]byte, 1024)
		n, err := manager.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	t.Setenv("NOTIFY_SOCKET", socket)
	data := filepath.Join(dir, "data")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log lines
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"up", "--data", data, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0", "--identity", "127.0.0.1:0", "--log-level", "warn"},
			&bytes.Buffer{}, &log)
	}()
	if got := read(); !strings.HasPrefix(got, "READY=1\nSTATUS=front door on 127.0.0.1:") {
		t.Errorf("the manager was told %q", got)
	}
	if v := os.Getenv("NOTIFY_SOCKET"); v != "" {
		t.Errorf("child processes would see NOTIFY_SOCKET=%s", v)
	}

	level := func(args ...string) string {
		out, errs, code := bulkhead(t, append([]string{"log-level", "--data", data}, args...)...)
		if code != 0 {
			return errs
		}
		return strings.TrimSpace(out)
	}
	environment := func() {
		if _, errs, code := bulkhead(t, "armclient", "--data", data, "GET", "subscriptions?api-version=2021-01-01"); code != 0 {
			t.Fatal(errs)
		}
	}
	if got := level(); got != "warn" {
		t.Errorf("the level is %s, want warn", got)
	}
	environment()
	if strings.Contains(log.String(), `"msg":"request"`) {
		t.Errorf("requests are logged at warn:\n%s", log.String())
	}
	if got := level("debug"); got != "debug" {
		t.Errorf("log-level debug: %s", got)
	}
	environment()
	if !strings.Contains(log.String(), `"msg":"request"`) || !strings.Contains(log.String(), `"msg":"log level changed"`) {
		t.Errorf("requests are not logged at debug:\n%s", log.String())
	}
	if got := level("loud"); !strings.Contains(got, "InvalidLogLevel") {
		t.Errorf("log-level loud: %s", got)
	}
	if got := level(); got != "debug" {
		t.Errorf("after a refused level it is %s", got)
	}

	profile := filepath.Join(dir, "cpu.pprof")
	if _, errs, code := bulkhead(t, "profile", "--data", data, "--for", "50ms", profile); code != 0 {
		t.Errorf("profile: %s", errs)
	}
	if b, err := os.ReadFile(profile); err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		t.Errorf("the profile begins with %x, %v; want a gzip header", b[:min(2, len(b))], err)
	}
	for _, refused := range [][]string{{"--kind", "secrets"}, {"--for", "-1s"}, {"--for", "1h"}} {
		if _, errs, code := bulkhead(t, append([]string{"profile", "--data", data, profile}, refused...)...); code != exitFailed || !strings.Contains(errs, "InvalidProfile") {
			t.Errorf("profile %v = %d %s", refused, code, errs)
		}
	}

	out, errs, code := bulkhead(t, "doctor", "--data", data)
	if code != 0 || !strings.Contains(out, "the platform runs as process") {
		t.Errorf("doctor = %d %s %s", code, out, errs)
	}
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, _, code = bulkhead(t, "doctor", "--data", data); code != exitFailed || !strings.Contains(out, "chmod 700 "+data) {
		t.Errorf("doctor of an open folder = %d\n%s", code, out)
	}

	stop()
	if got := read(); !strings.HasPrefix(got, "STOPPING=1\n") {
		t.Errorf("the manager was told %q", got)
	}
	if code := <-done; code != 0 {
		t.Errorf("up ended with %d:\n%s", code, log.String())
	}
}
