// Package agent runs the agent against the platform as two processes: what Azure's clients see of its machine, what becomes of secrets, and how its enrolment ends.
package agent

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const hybridVersion = "2024-07-10"

// started is a running agent and what it wrote.
type started struct {
	cmd  *exec.Cmd
	done chan error
	log  string
}

// start runs the agent on a folder.
func start(t *testing.T, state string, args ...string) *started {
	t.Helper()
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &started{cmd: exec.Command(bin, append([]string{"agent", "--state", state, "--inventory=false"}, args...)...), done: make(chan error, 1), log: filepath.Join(t.TempDir(), "agent.log")}
	f, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s.cmd.Stdout, s.cmd.Stderr = f, f
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

func (s *started) said(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// until waits for something to become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("after 30 s it isn't so: ", what)
		}
	}
}

// The machine is a resource like any other to the Azure SDK for Go: connected while its agent runs, with what that says. What was a secret on it is on no disk. Once the resource is
// deleted, the agent is refused and says so.
func TestMachine(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	group := p.PutGroup(t)
	state, log := filepath.Join(t.TempDir(), "agent"), filepath.Join(t.TempDir(), "audit.log")
	said := string(p.Output(t, "agent", "enrol", "--state", state, "--resource-group", filepath.Base(group), "--name", "web-1"))
	id := group + "/providers/Microsoft.HybridCompute/machines/web-1"
	if !strings.Contains(said, id) {
		t.Fatalf("enrol said %s", said)
	}
	const record = `type=SYSCALL msg=audit(1700000000.000:1): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=1 ppid=1 pid=20 auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=2 comm="mysql" exe="/usr/bin/mysql" key="exec"
type=EXECVE msg=audit(1700000000.000:1): argc=3 a0="mysql" a1="-uroot" a2="-pS3cr3tWord"
type=CWD msg=audit(1700000000.000:1): cwd="/srv"
type=PROCTITLE msg=audit(1700000000.000:1): proctitle=6D7973716C
type=EOE msg=audit(1700000000.000:1):
`
	if err := os.WriteFile(log, []byte(record), 0o600); err != nil {
		t.Fatal(err)
	}
	way := p.SuffixWay(t)
	env := p.Env(t, "")
	c, err := armresources.NewClient(p.Run.SubscriptionID, way.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), way.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	get := func() (armresources.GenericResource, map[string]any) {
		t.Helper()
		r, err := c.GetByID(t.Context(), id, hybridVersion, nil)
		if err != nil {
			t.Fatal(err)
		}
		properties, _ := r.Properties.(map[string]any)
		return r.GenericResource, properties
	}
	r, properties := get()
	if *r.Type != "Microsoft.HybridCompute/machines" || r.Identity == nil || *r.Identity.Type != armresources.ResourceIdentityTypeSystemAssigned || properties["status"] != "Disconnected" {
		t.Errorf("before the agent runs: %+v, %v", r, properties)
	}
	a := start(t, state, "--audit-log", log, "--from-start")
	until(t, "the machine is connected", func() bool { _, properties = get(); return properties["status"] == "Connected" })
	if properties["agentVersion"] == nil || properties["osName"] == nil || properties["detectedProperties"] == nil {
		t.Errorf("the agent said %v", properties)
	}
	found := false
	for pager := c.NewListByResourceGroupPager(filepath.Base(group), nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range page.Value {
			found = found || *x.ID == id
		}
	}
	if !found {
		t.Error("the group's list doesn't have the machine")
	}
	until(t, "the event is in the queue", func() bool { return inQueue(t, state) })
	if hit := grep(t, "S3cr3tWord", state, p.Data); hit != "" {
		t.Errorf("the password is in %s", hit)
	}
	if strings.Contains(a.said(t), "S3cr3tWord") {
		t.Error("the password is in the agent's log")
	}

	// A second machine can't take the name by chance, and another key ends the first one's.
	other := filepath.Join(t.TempDir(), "agent")
	again := p.Command("agent", "enrol", "--state", other, "--resource-group", filepath.Base(group), "--name", "web-1")
	if out, err := again.CombinedOutput(); err == nil || !strings.Contains(string(out), "--replace") {
		t.Errorf("a second machine of that name: %v %s", err, out)
	}
	// Its agent says each minute at least that it is there; here it is asked to, by a new start.
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-a.done; err != nil {
		t.Errorf("stopped, it ended with %v:\n%s", err, a.said(t))
	}
	poller, err := c.BeginDeleteByID(t.Context(), id, hybridVersion, nil)
	if err == nil {
		_, err = poller.PollUntilDone(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	gone := start(t, state, "--audit-log", log)
	select {
	case err := <-gone.done:
		var exit *exec.ExitError
		if ok := errors.As(err, &exit); !ok || exit.ExitCode() != 1 || !strings.Contains(gone.said(t), "refuses this machine") || !strings.Contains(gone.said(t), "bulkhead agent enrol") {
			t.Errorf("of a deleted machine it ended with %v:\n%s", err, gone.said(t))
		}
	case <-time.After(30 * time.Second):
		t.Errorf("of a deleted machine it goes on:\n%s", gone.said(t))
	}
	p.Output(t, "agent", "enrol", "--state", state, "--resource-group", filepath.Base(group), "--name", "web-1")
	start(t, state, "--audit-log", log)
	until(t, "the machine made anew is connected", func() bool { _, properties = get(); return properties["status"] == "Connected" })
}

// An agent acts as a virtual machine of Azure's that was registered; its token opens nothing but the agent's own routes.
func TestVirtualMachine(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	group := p.PutGroup(t)
	id := group + "/providers/Microsoft.Compute/virtualMachines/vm1"
	enrol := func() (string, error) {
		out, err := p.Command("agent", "enrol", "--state", filepath.Join(t.TempDir(), "agent"), "--vm", id).CombinedOutput()
		return string(out), err
	}
	if out, err := enrol(); err == nil || !strings.Contains(out, "register it first") {
		t.Errorf("of none: %v %s", err, out)
	}
	p.ARM(t, http.MethodPut, id+"?api-version=2024-07-01", map[string]any{"location": "westeurope", "properties": map[string]any{"hardwareProfile": map[string]any{"vmSize": "Standard_B1s"}}})
	if out, err := enrol(); err != nil || !strings.Contains(out, id) {
		t.Errorf("%v %s", err, out)
	}
	w := p.SuffixWay(t)
	for _, path := range []string{"activity?sequence=1", "heartbeat"} {
		a := w.Do(t, http.MethodPost, w.ARM()+"/bulkhead/agent/"+path, harness.Bearer(p.AdminToken(t, harness.ARMResource)), "{}")
		if a.Status != http.StatusForbidden || !strings.Contains(string(a.Body), "NotAMachine") {
			t.Errorf("%s as the administrator: %d %s", path, a.Status, a.Body)
		}
	}
}

// inQueue tells whether the agent's queue ever got a batch.
func inQueue(t *testing.T, state string) bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(state, "queue", "*.batches"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			return true
		}
	}
	return false
}

// grep looks for a text in all files of folders.
func grep(t *testing.T, text string, dirs ...string) string {
	t.Helper()
	for _, dir := range dirs {
		hit := ""
		err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil //nolint:nilerr // files come and go while the platform runs
			}
			if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte(text)) {
				hit = name
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if hit != "" {
			return hit
		}
	}
	return ""
}

// A rule with words of a log's line, in a user's folder, is asked about what any program writes to the logs that the agent was given; it is an alert with the line as evidence, and what was a secret
// in the line is on no disk.
func TestLogLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules, logs := filepath.Join(dir, "rules"), filepath.Join(dir, "syslog")
	const rule = `title: A pump was overrun
id: 5f6f2c3e-4d0c-4d70-9d2e-0d6f6a3c1b11
level: high
logsource:
  product: linux
  service: syslog
detection:
  keywords:
    - 'pump overrun'
  condition: keywords
`
	stamp := time.Now().UTC().Format(time.RFC3339)
	lines := stamp + " web-1 plantd[7]: all is well\n" + stamp + " web-1 plantd[7]: pump overrun, told https://ops:S3cr3tWord@hall.example/x\n" + stamp + " web-1 plantd[7]: and it ends\n"
	if err := errors.Join(os.Mkdir(rules, 0o700), os.WriteFile(filepath.Join(rules, "pump.yml"), []byte(rule), 0o600), os.WriteFile(logs, []byte(lines), 0o600)); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, harness.Options{Flags: []string{"--security-rules", rules}})
	group, state := p.PutGroup(t), filepath.Join(dir, "agent")
	p.Output(t, "agent", "enrol", "--state", state, "--resource-group", filepath.Base(group), "--name", "web-1")
	start(t, state, "--syslog", logs, "--from-start")
	var said string
	until(t, "there is an alert of the rule", func() bool {
		said = string(p.TryARM(t, http.MethodGet, group+"/providers/Microsoft.Security/alerts?api-version=2022-01-01", nil).Body)
		return strings.Contains(said, "A pump was overrun")
	})
	if !strings.Contains(said, "plantd[7]: pump overrun, told https://ops:***@hall.example/x") || strings.Contains(said, "all is well") || !strings.Contains(said, `"High"`) {
		t.Errorf("the alerts are %s", said)
	}
	if hit := grep(t, "S3cr3tWord", state, p.Data); hit != "" {
		t.Errorf("the password is in %s", hit)
	}
}
