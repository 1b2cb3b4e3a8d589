package harness

import (
	"bufio"
	_ "embed" // for az.py
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

//go:embed az.py
var azDriver []byte

// azLongest is how long one az command may take before the test gives up.
const azLongest = 3 * time.Minute

// AZ is Azure's command line, installed as binary, under `bulkhead exec` with a configuration folder of its own. Every command is a process of its own that runs az as it
// is; only what az imports is imported once (az.py). Safe for concurrent use.
type AZ struct {
	folder string
	stderr string

	mu    sync.Mutex
	stdin io.WriteCloser
	next  int
	ended chan struct{} // closed when the driver has ended
}

// NewAZ starts a command line that nobody has signed in with. It ends with the test.
func (p *Platform) NewAZ(t testing.TB, binary string) *AZ {
	t.Helper()
	python, err := shebang(binary)
	if err != nil {
		t.Fatal(err)
	}
	config := t.TempDir()
	a := &AZ{folder: t.TempDir(), ended: make(chan struct{})}
	driver := filepath.Join(a.folder, "az.py")
	if err := os.WriteFile(driver, azDriver, 0o600); err != nil {
		t.Fatal(err)
	}
	// HOME is its own, too: some commands write files there.
	c := p.Command("exec", "--", "env", "AZURE_CONFIG_DIR="+config, "HOME="+config, python, driver, a.folder)
	c.Env = append(c.Env, "AZURE_CORE_COLLECT_TELEMETRY=0", "PYTHONWARNINGS=ignore", "AZ_INSTALLER=PIP", "PYTHONPATH="+filepath.Join(filepath.Dir(binary), "src"))
	a.stderr = filepath.Join(a.folder, "driver.err")
	stderr, err := os.Create(a.stderr)
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = stderr
	if a.stdin, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(a.ended)
		_ = c.Wait()
		_ = stderr.Close()
	}()
	t.Cleanup(func() {
		_ = a.stdin.Close()
		<-a.ended
	})
	return a
}

// shebang is the interpreter a script names in its first line.
func shebang(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("az is not installed (scripts/clients does that): %w", err)
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	python, ok := strings.CutPrefix(strings.TrimSpace(line), "#!")
	if err != nil || !ok {
		return "", fmt.Errorf("%s is no script: it begins with %q", file, line)
	}
	return exec.LookPath(python)
}

// Run runs az with these arguments and returns what it printed. The error of a command that failed holds what it wrote to stderr.
func (a *AZ) Run(args ...string) ([]byte, error) {
	base, err := a.ask(args)
	if err != nil {
		return nil, err
	}
	code, err := a.wait(base + ".code")
	if err != nil {
		return nil, fmt.Errorf("az %s: %w", strings.Join(args, " "), err)
	}
	out, err := os.ReadFile(base + ".out")
	if err != nil {
		return nil, err
	}
	stderr, err := os.ReadFile(base + ".err")
	if err == nil && code != "0" {
		err = fmt.Errorf("az %s: exit status %s\n%s%s", strings.Join(args, " "), code, out, stderr)
	}
	return out, err
}

// ask gives the driver a command and returns what the names of its results begin with.
func (a *AZ) ask(args []string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	line, err := json.Marshal(map[string]any{"id": a.next, "args": args})
	if err != nil {
		return "", err
	}
	_, err = a.stdin.Write(append(line, '\n'))
	return filepath.Join(a.folder, strconv.Itoa(a.next)), err
}

// wait reads the file once it is there.
func (a *AZ) wait(file string) (string, error) {
	for end := time.Now().Add(azLongest); time.Now().Before(end); {
		if b, err := os.ReadFile(file); err == nil {
			return string(b), nil
		}
		select {
		case <-a.ended:
			b, _ := os.ReadFile(a.stderr)
			return "", fmt.Errorf("the process that starts az has ended: %s", b)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return "", fmt.Errorf("not done after %s", azLongest)
}
