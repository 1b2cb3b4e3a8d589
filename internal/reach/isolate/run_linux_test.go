package isolate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/pki"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// This program is also the first process inside, and the command that runs there.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "inside" {
		os.Exit(Inside(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == "get" {
		os.Exit(getAll(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// getAll prints the answers of the URLs, as any Go program would get them.
func getAll(urls []string) int {
	for _, u := range urls {
		resp, err := http.Get(u)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(string(b))
	}
	return 3
}

type keepSealer struct{}

func (keepSealer) Seal(_ string, _, b []byte) ([]byte, error) { return b, nil }
func (keepSealer) Open(_ string, _, b []byte) ([]byte, error) { return b, nil }

type testMAC struct{}

func (testMAC) MAC(_ string, parts ...string) []byte {
	return []byte(fmt.Sprintf("%-32.32s", strings.Join(parts, "|")))
}

// platform is a front door and proxy that echo what they saw. The options lack only the command.
func platform(t *testing.T) (Options, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var refused *Refused
	if err := Probe([]string{self, "inside"}); errors.As(err, &refused) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.Open(t.TempDir(), testHosts.Suffixes(), keepSealer{}, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := ca.WriteBundle(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "host=%s process=%s proxyauth=%q", r.Host, wire.ProcessFrom(r.Context()), r.Header.Get("Proxy-Authorization"))
	})
	log := slog.New(slog.DiscardHandler)
	door := reach.NewFrontDoor(echo, ca.TLS(func(n string) bool { _, ok := testHosts.Resolve(n); return ok }), log)
	processes := reach.NewProcesses(testMAC{})
	proxy := (&reach.Proxy{Hosts: testHosts, Processes: processes, Door: door, Plain: echo, Sites: echo, Log: log}).Prepare()
	doorL, proxyL := loopback(t), loopback(t)
	done := make(chan error, 2)
	go func() { done <- door.Serve(doorL) }()
	go func() { done <- proxy.Serve(proxyL) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = proxy.Shutdown(ctx)
		_ = door.Shutdown(ctx)
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	cred, release := processes.Start("/subscriptions/s/site1")
	t.Cleanup(release)
	var out bytes.Buffer
	return Options{
		Env: Environ(os.Environ()), Stdout: &out, Stderr: &out, Inside: []string{self, "inside"},
		Hosts: testHosts, Proxy: proxyL.Addr().String(), Credential: cred, Bundle: bundle,
	}, &out
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func run(t *testing.T, o Options, command ...string) int {
	t.Helper()
	o.Command = command
	code, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestRun_NamesLeadToThePlatform(t *testing.T) {
	if len(pki.SystemBundles()) == 0 {
		t.Skip("this system has no file of roots to mount over")
	}
	o, out := platform(t)
	code := run(t, o, o.Inside[0], "get", "https://kv1.vault.azure.net/x", "https://kv1.vault.own.test:8443/", "http://169.254.169.254/metadata",
		"http://app1.azurewebsites.net/", "https://example.com/")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		`host=kv1.vault.azure.net process=/subscriptions/s/site1 proxyauth=""`,
		`host=kv1.vault.own.test:8443 process=/subscriptions/s/site1 proxyauth=""`,
		`host=169.254.169.254 process=/subscriptions/s/site1 proxyauth=""`,
		`host=app1.azurewebsites.net process=/subscriptions/s/site1 proxyauth=""`,
	}
	if code != 3 || len(lines) != 5 {
		t.Fatalf("code %d, printed\n%s", code, out)
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("line %d is %s, want %s", i, lines[i], want[i])
		}
	}
	if !strings.Contains(lines[4], "no such host") {
		t.Errorf("a foreign host: %s, want no such host", lines[4])
	}
}

// Nothing of the outside is reachable, not even this machine's own loopback, and nothing outside is changed.
func TestRun_Hermetic(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	before, err := os.ReadFile(resolvPath)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	o, out := platform(t)
	l := loopback(t)
	defer l.Close()
	run(t, o, o.Inside[0], "get", "http://"+l.Addr().String()+"/")
	if !strings.Contains(out.String(), "connection refused") {
		t.Errorf("a server on this machine's loopback: %s", out)
	}
	out.Reset()
	run(t, o, "cat", resolvPath)
	if before != nil && !strings.HasPrefix(out.String(), "nameserver 127.0.0.1\n") {
		t.Errorf("%s inside: %s", resolvPath, out)
	}
	if after, _ := os.ReadFile(resolvPath); !bytes.Equal(before, after) {
		t.Errorf("%s outside is now %s", resolvPath, after)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "bulkhead-isolate-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestRun_ExitCodes(t *testing.T) {
	o, out := platform(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137, "kill -TERM $$": 143} {
		if got := run(t, o, "sh", "-c", script); got != want {
			t.Errorf("%s = %d, want %d: %s", script, got, want, out)
		}
	}
	o.Command = []string{"no-such-program-here"}
	if _, err := Run(o); err == nil || !strings.Contains(err.Error(), "no-such-program-here") {
		t.Errorf("a missing program: %v, want an error that names it", err)
	}
}

// A signal to the parent reaches the command, and what the command left in the background ends with it.
func TestRun_SignalsAndChildren(t *testing.T) {
	o, out := platform(t)
	fifo := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	up := filepath.Join(t.TempDir(), "up")
	go func() {
		for range 1000 {
			if _, err := os.Stat(up); err == nil {
				_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	// The background process holds the pipe open for as long as it lives, with a session of its own.
	code := run(t, o, "sh", "-c", `exec 9<>"$1"; setsid sleep 300 & trap 'exit 42' USR1; : >"$2"; while :; do sleep 0.05; done`, "sh", fifo, up)
	if code != 42 {
		t.Fatalf("exit code %d, want the trap's 42: %s", code, out)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		w, err := syscall.Open(fifo, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, syscall.ENXIO) {
			break // no reader is left
		}
		syscall.Close(w)
		if time.Now().After(deadline) {
			t.Fatal("a background process outlived the command")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestRun_PlatformGone(t *testing.T) {
	o, out := platform(t)
	l := loopback(t)
	o.Proxy = l.Addr().String()
	l.Close()
	var said []string // appended to before Run returns
	o.Failed = func(err error) { said = append(said, err.Error()) }
	run(t, o, o.Inside[0], "get", "https://kv1.vault.azure.net/", "https://kv1.vault.azure.net/")
	if len(said) != 1 || !strings.Contains(said[0], "the platform's proxy does not answer") {
		t.Errorf("said %q, want once that the platform is gone; the command printed %s", said, out)
	}
}

// The sockets work for any TLS client, with the roots the bundle has.
func TestRelay_ThroughTheProxy(t *testing.T) {
	o, _ := platform(t)
	l := loopback(t)
	r := newRelay(o.Proxy, o.Credential, func(err error) { t.Error(err) })
	done := make(chan struct{})
	go func() { r.serve(l, doorTarget); close(done) }()
	pem, err := os.ReadFile(o.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{ServerName: "acct.documents.azure.com", RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: acct.documents.azure.com:443\r\nConnection: close\r\n\r\n")
	b, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(b), "process=/subscriptions/s/site1") {
		t.Errorf("got %s, %v", b, err)
	}
	c.Close()
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	l.Close()
	r.close() // must not wait for the idle client
	<-done
}

func TestRefused_SaysWhatToDo(t *testing.T) {
	err := error(&Refused{syscall.EPERM})
	if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "Without --isolate") || !strings.Contains(err.Error(), "operation not permitted") {
		t.Errorf("error is %q", err)
	}
	if err := refusal(&os.PathError{Op: "fork/exec", Path: "/x", Err: syscall.ENOSPC}); !strings.Contains(err.Error(), "user.max_net_namespaces") || strings.Contains(err.Error(), "/x") {
		t.Errorf("a limit reached: %q", err)
	}
	var refused *Refused
	if err := refusal(&os.PathError{Op: "fork/exec", Path: "/x", Err: syscall.ENOENT}); errors.As(err, &refused) {
		t.Errorf("a missing program counts as a refusal: %v", err)
	}
}
