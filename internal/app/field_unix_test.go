//go:build unix

package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/enrol"
)

// program is a child process of the built binary that is to be killed and started again.
type program struct {
	t    *testing.T
	bin  string
	args []string
	log  *os.File

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

func newProgram(t *testing.T, bin, log string, args ...string) *program {
	t.Helper()
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, bin: bin, args: args, log: f}
	t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		f.Close()
		if b, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("end of %s:\n%s", log, b[max(0, len(b)-6000):])
		}
	})
	return p
}

func (p *program) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Error(err)
		p.cmd = nil
		return
	}
	p.done = make(chan struct{})
	go func(c *exec.Cmd, done chan struct{}) { _ = c.Wait(); close(done) }(p.cmd, p.done)
}

// end ends the process by a signal and waits for it.
func (p *program) end(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(s)
	<-p.done
	p.cmd = nil
}

// signal tells the process something that doesn't end it.
func (p *program) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Error(err)
	}
}

// said is what it wrote so far.
func (p *program) said() string {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		p.t.Error(err)
	}
	return string(b)
}

// wireBetween forwards connections until it is cut.
type wireBetween struct {
	to string
	l  net.Listener

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]bool
}

func newWire(t *testing.T, to string) *wireBetween {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wireBetween{to: to, l: l, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); w.cut(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.forward(c)
		}
	}()
	return w
}

func (w *wireBetween) forward(c net.Conn) {
	defer c.Close()
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer out.Close()
	w.mu.Lock()
	if w.isCut {
		w.mu.Unlock()
		return
	}
	w.conns[c], w.conns[out] = true, true
	w.mu.Unlock()
	go func() { _, _ = io.Copy(out, c); out.Close() }()
	_, _ = io.Copy(c, out)
	w.mu.Lock()
	delete(w.conns, c)
	delete(w.conns, out)
	w.mu.Unlock()
}

// cut drops all connections, and lets none through until it is mended.
func (w *wireBetween) cut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut = cut; cut {
		for c := range w.conns {
			c.Close()
		}
		clear(w.conns)
	}
}

// field is a platform and a machine that is enrolled with it, as processes of the built binary. The agent isn't started.
type field struct {
	t                       *testing.T
	bin, dir, data, state   string
	front, group, machineID string
	platform                *program
	between                 *wireBetween // that the agent goes through
}

func newField(t *testing.T) *field {
	t.Helper()
	dir := t.TempDir()
	f := &field{t: t, bin: filepath.Join(dir, "bulkhead"), dir: dir, data: filepath.Join(dir, "data"), state: filepath.Join(dir, "agent"), front: freeAddress(t)}
	build := exec.Command("go", "build", "-o", f.bin, "../../cmd/bulkhead")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	f.platform = newProgram(t, f.bin, filepath.Join(dir, "platform.log"), "up", "--data", f.data, "--listen", f.front, "--proxy", "127.0.0.1:0", "--identity", "127.0.0.1:0", "--log-level", "warn")
	f.platform.start()
	waitFor(t, f.front)
	run, err := ReadRun(f.data)
	for n := 0; err != nil && n < 500; n++ { // it is written once all listen
		time.Sleep(20 * time.Millisecond)
		run, err = ReadRun(f.data)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.group = "subscriptions/" + run.SubscriptionID + "/resourceGroups/rg1"
	f.do("armclient", "--data", f.data, "PUT", f.group+"?api-version=2021-04-01", "{'location':'westeurope'}")
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(adminToken(t, f.do, f.data)), 0o600); err != nil {
		t.Fatal(err)
	}
	f.between = newWire(t, f.front)
	said := f.do("agent", "enrol", "--state", f.state, "--resource-group", "rg1", "--name", "m1", "--platform", f.between.l.Addr().String(), "--ca", run.Root, "--subscription", run.SubscriptionID, "--token-file", token)
	if f.machineID = f.group + "/providers/Microsoft.HybridCompute/machines/m1"; !strings.Contains(said, f.machineID) {
		t.Fatalf("enrol said %s", said)
	}
	return f
}

// do runs the binary and gives what it prints.
func (f *field) do(args ...string) string {
	f.t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command(f.bin, args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		f.t.Fatalf("%v: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return strings.TrimSpace(out.String())
}

// agent is the machine's agent, not started yet.
func (f *field) agent(args ...string) *program {
	f.t.Helper()
	return newProgram(f.t, f.bin, filepath.Join(f.dir, "agent.log"), append([]string{"agent", "--state", f.state, "--inventory=false"}, args...)...)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitFor waits until somebody listens.
func waitFor(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the platform doesn't come up: ", err)
		}
	}
}

// adminToken is a token of the administrator's, as another host would be given it.
func adminToken(t *testing.T, do func(...string) string, data string) string {
	t.Helper()
	out := do("armclient", "--data", data, "token", "https://management.azure.com/")
	for _, word := range strings.FieldsFunc(out, func(r rune) bool { return strings.ContainsRune(" \n\t\",", r) }) {
		if strings.HasPrefix(word, "eyJ") {
			return word
		}
	}
	t.Fatalf("no token in %s", out)
	return ""
}

// shownAlert is of an alert what the tests look at, of either generation of the API.
type shownAlert struct {
	ID         string
	Name       string
	Properties struct {
		AlertType, AlertName               string
		IsIncident                         bool
		StartTimeUTC, EndTimeUTC           time.Time
		ExtendedProperties                 map[string]string
		SupportingEvidence                 json.RawMessage
		AssociatedResource, CorrelationKey string
	}
}

// reader reads the control plane as the administrator.
type reader struct {
	http  *http.Client
	token string
	group string
}

func (f *field) reader() *reader {
	f.t.Helper()
	run, err := ReadRun(f.data)
	if err != nil {
		f.t.Fatal(err)
	}
	root, err := os.ReadFile(run.Root)
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := os.ReadFile(filepath.Join(f.dir, "token"))
	if err != nil {
		f.t.Fatal(err)
	}
	client, err := enrol.HTTP(f.front, root)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(client.CloseIdleConnections)
	return &reader{client, string(token), f.group}
}

// alerts are the group's, by an api-version.
func (r *reader) alerts(version string) (list []shownAlert, err error) {
	q, err := http.NewRequest(http.MethodGet, "https://management.azure.com/"+r.group+"/providers/Microsoft.Security/alerts?api-version="+version, nil)
	if err != nil {
		return nil, err
	}
	for next := q; next != nil; {
		next.Header.Set("Authorization", "Bearer "+r.token)
		w, err := r.http.Do(next)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(w.Body)
		w.Body.Close()
		if err != nil || w.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%d %s %w", w.StatusCode, b, err)
		}
		var page struct {
			Value    []shownAlert
			NextLink string
		}
		if err := json.Unmarshal(b, &page); err != nil {
			return nil, err
		}
		list = append(list, page.Value...)
		if next = nil; page.NextLink != "" {
			if next, err = http.NewRequest(http.MethodGet, page.NextLink, nil); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// waitsFor reads alerts until there are some of all the types.
func (r *reader) waitsFor(t *testing.T, types ...string) map[string]shownAlert {
	t.Helper()
	by := map[string]shownAlert{}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		list, err := r.alerts("2022-01-01")
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			by[a.Properties.AlertType] = a
		}
		missing := slices.DeleteFunc(slices.Clone(types), func(typ string) bool { _, ok := by[typ]; return ok })
		if len(missing) == 0 {
			return by
		}
		if time.Now().After(end) {
			t.Fatalf("after two minutes there is no alert of %v, only %d others", missing, len(list))
		}
	}
}
