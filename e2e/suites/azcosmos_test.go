// Package suites runs the test suites that SDKs bring along against the platform. Nothing of them is kept here: they come with the SDK's own package.
package suites

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const azcosmos = "github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"

// The emulator's tests of azcosmos look for it at these ports, and at no other.
const emulatorAddresses = "127.0.0.1:8081,127.0.0.1:8903"

// minTests is how many there are in v1.4.0: fewer would mean that they were not found.
const minTests = 26

func TestAzcosmosEmulatorSuite(t *testing.T) {
	for addr := range strings.SplitSeq(emulatorAddresses, ",") {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Skipf("the suite needs %s, which is taken: %v", addr, err)
		}
		l.Close()
	}
	dir, names := copySuite(t)
	p := harness.Start(t, harness.Options{Flags: []string{"--cosmos-emulator=" + emulatorAddresses}})
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "-count=1", "-timeout=5m", "-run=^("+strings.Join(names, "|")+")$", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "EMULATOR=true", "SSL_CERT_FILE="+p.Run.Bundle, "GOWORK=off", "NO_PROXY=localhost,127.0.0.1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	results, said := verdicts(out)
	passed := 0
	for _, name := range names {
		if results[name] != "pass" {
			t.Errorf("%s: got %q, want pass\n%s", name, results[name], said[name])
			continue
		}
		passed++
	}
	if err != nil && passed == len(names) || passed == 0 {
		t.Errorf("go test: %v\n%s", err, stderr.String())
	}
	t.Logf("%d of %d of azcosmos's emulator tests pass", passed, len(names))
}

// copySuite copies the module of azcosmos out of the module cache, which is read only, and names the tests that are for the emulator.
func copySuite(t *testing.T) (dir string, names []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", azcosmos).Output()
	from := strings.TrimSpace(string(out))
	if err != nil || from == "" {
		t.Skipf("%s is not in the module cache: %v", azcosmos, err)
	}
	dir = filepath.Join(t.TempDir(), "azcosmos")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	tests, err := filepath.Glob(filepath.Join(dir, "emulator_*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tests {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
	}
	if len(names) == 0 {
		t.Skipf("%s has no emulator tests in this version", azcosmos)
	}
	if len(names) < minTests {
		t.Errorf("found %d tests for the emulator, want %d or more", len(names), minTests)
	}
	return dir, names
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// verdicts reads the events of go test: how each test ended, and what it said.
func verdicts(out []byte) (results, said map[string]string) {
	results, said = map[string]string{}, map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" {
			continue
		}
		switch e.Action {
		case "pass", "fail", "skip":
			results[e.Test] = e.Action
		case "output":
			said[e.Test] += e.Output
		}
	}
	return results, said
}
