package harness

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Intrude lets a machine of a new resource group report the intrusion of the post of 24 November 2018: its logs are written by examples/intrusion and read by the real agent.
// It returns the group's and the machine's id, once there are alerts of the last of it.
func (p *Platform) Intrude(t testing.TB) (group, machine string) {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	group = p.PutGroup(t)
	name, dir := Name("cassandra"), t.TempDir()
	logs, state := filepath.Join(dir, "logs"), filepath.Join(dir, "agent")
	write := exec.Command("go", "run", "./examples/intrusion", "-dir", logs)
	write.Dir = root
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("examples/intrusion: %v\n%s", err, out)
	}
	p.Output(t, "agent", "enrol", "--state", state, "--resource-group", filepath.Base(group), "--name", name)
	agent := exec.Command(p.bin, "agent", "--state", state, "--audit-log", filepath.Join(logs, "audit.log"), "--from-start", "--inventory=false")
	said, err := os.Create(filepath.Join(dir, "agent.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	agent.Env, agent.Stdout, agent.Stderr = cleanEnv(), said, said
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	}()
	for end := time.Now().Add(30 * time.Second); ; {
		a := p.TryARM(t, http.MethodGet, group+"/providers/Microsoft.Security/alerts?api-version=2022-01-01", nil)
		if a.Status == http.StatusOK && strings.Contains(string(a.Body), `"BH_ResultsRead"`) && strings.Contains(string(a.Body), `"BH_NewSource"`) {
			return group, group + "/providers/Microsoft.HybridCompute/machines/" + name
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(said.Name())
			t.Fatalf("the intrusion's last alerts are not there after 30 s; the agent said:\n%s", log)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
