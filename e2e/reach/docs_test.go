package reach

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// example is a shell block of a page and, right behind it, what its output holds.
var example = regexp.MustCompile("(?s)```sh\n(.*?)```\n```text\n(.*?)\n```")

// Every example of docs/reach.md runs as it stands; only the front door's port is the test's.
func TestDocs_ExamplesOfReach(t *testing.T) {
	for _, tool := range []string{"curl", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "reach.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := example.FindAllStringSubmatch(string(page), -1)
	if blocks := strings.Count(string(page), "```sh\n"); len(examples) < 6 || len(examples) != blocks {
		t.Fatalf("%d examples with their output in %d blocks", len(examples), blocks)
	}
	p := shared.Platform(t)
	allowed(t, p)
	bin := t.TempDir()
	real, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, filepath.Join(bin, "bulkhead")); err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		script, want := strings.ReplaceAll(e[1], ":8443", ":"+p.Port()), strings.ReplaceAll(e[2], ":8443", ":"+p.Port())
		c := p.Command("env") // for its environment alone
		c.Path, c.Args = "/bin/sh", []string{"sh", "-eu", "-c", script}
		c.Env = append(c.Env, "PATH="+bin+":"+os.Getenv("PATH"), "BULKHEAD_DATA="+p.Data, "AZURE_SUBSCRIPTION_ID="+p.Run.SubscriptionID)
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s\n%v, printed %s\nwant %s in it", script, err, out, want)
		}
	}
}
