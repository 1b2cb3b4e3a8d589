// Package cognitive runs Cognitive Services containers as processes, and Azure's clients and a browser against them and against accounts.
package cognitive

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
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

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

const (
	version  = "?api-version=2023-05-01"
	region   = "westeurope"
	endpoint = "https://" + region + ".api.cognitive.microsoft.com/"
)

// account is one that was made for a test.
type account struct {
	id, endpoint string
	key          string
}

// put makes an account; named gives it a custom subdomain.
func put(t *testing.T, p *harness.Platform, kind, sku string, named bool) account {
	t.Helper()
	name := harness.Name("cog")
	a := account{id: p.PutGroup(t) + "/providers/Microsoft.CognitiveServices/accounts/" + name}
	properties := map[string]any{}
	if named {
		properties["customSubDomainName"] = name
	}
	made := p.ARM(t, "PUT", a.id+version, map[string]any{"location": region, "kind": kind, "sku": map[string]any{"name": sku}, "properties": properties})
	shown, _ := made["properties"].(map[string]any)
	a.endpoint, _ = shown["endpoint"].(string)
	a.key, _ = p.ARM(t, "POST", a.id+"/listKeys"+version, nil)["key1"].(string)
	if a.key == "" || a.endpoint == "" {
		t.Fatalf("the account is %v", made)
	}
	return a
}

// usages gives an account's usage by name.
func (a account) usages(t *testing.T, p *harness.Platform) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	list, _ := p.ARM(t, "GET", a.id+"/usages"+version, nil)["value"].([]any)
	for _, u := range list {
		m, _ := u.(map[string]any)
		name, _ := m["name"].(map[string]any)
		value, _ := name["value"].(string)
		out[value], _ = m["currentValue"].(float64)
	}
	return out
}

// process is a container that runs.
type process struct {
	url string
	cmd *exec.Cmd
	out *lines
}

// lines keeps what a process prints.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(s + "\n")
}

// Write keeps what comes, so that a command can write to it.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// run starts a container below `bulkhead exec`, as anybody would who has Azure's names through the platform, and waits for it to listen.
func run(t *testing.T, p *harness.Platform, name string, args ...string) *process {
	t.Helper()
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	words := append([]string{"exec", "--", bin, "cognitive", name, "--listen", "127.0.0.1:0"}, args...)
	c := &process{cmd: p.Command(words...), out: &lines{}}
	r, w := io.Pipe()
	c.cmd.Stdout, c.cmd.Stderr = w, w
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			c.out.add(s.Text())
			if at, ok := strings.CutPrefix(s.Text(), "Now listening on: "); ok {
				listening <- at
			}
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait(); _ = w.Close() }()
	t.Cleanup(func() {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = c.cmd.Process.Kill()
		}
	})
	select {
	case c.url = <-listening:
	case err := <-ended:
		t.Fatalf("the container ended: %v\n%s", err, c.out)
	case <-time.After(time.Minute):
		t.Fatalf("the container does not listen within a minute\n%s", c.out)
	}
	return c
}

// built tells whether an engine is in the program: a container without it doesn't start, and says so.
func built(t *testing.T, p *harness.Platform, a account, names ...string) {
	t.Helper()
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		c := exec.CommandContext(ctx, bin, "cognitive", name, "eula=accept", "apikey="+a.key, "billing=http://127.0.0.1:1", "--listen", "256.0.0.1:0")
		out, _ := c.CombinedOutput() // the address makes sure that it ends
		if strings.Contains(string(out), "isn't built into this program") {
			t.Skipf("the engine of %s isn't built in", name)
		}
	}
}

func within(t *testing.T, what string, fn func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if fn() {
			return
		}
	}
	t.Fatalf("%s: not within a minute", what)
}

func read(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d %v %s", url, resp.StatusCode, err, b)
	}
	return string(b)
}

// program is the command line of a script of e2e/node or e2e/python.
func program(t *testing.T, name string) (words, env []string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) == ".py" {
		return []string{harness.Installed(t, "venv/bin/python"), filepath.Join(root, "e2e", "python", name)}, nil
	}
	return []string{"node", filepath.Join(root, "e2e", "node", name)}, []string{"NODE_MODULES=" + harness.Installed(t, "node")}
}

// script runs a script against an endpoint and gives what it printed.
func script(t *testing.T, p *harness.Platform, name, at, key string, operations ...string) map[string]json.RawMessage {
	t.Helper()
	words, env := program(t, name)
	env = append(env, "ENDPOINT="+strings.TrimSuffix(at, "/"), "KEY="+key, "OPERATIONS="+strings.Join(operations, ","))
	var out map[string]json.RawMessage
	b := p.Exec(t, "", env, words...)
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s printed %s", name, b)
	}
	return out
}

// want demands the printed values.
func want(t *testing.T, got map[string]json.RawMessage, values map[string]string) {
	t.Helper()
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if string(got[k]) != values[k] {
			t.Errorf("%s: got %s, want %s", k, got[k], values[k])
		}
	}
}
