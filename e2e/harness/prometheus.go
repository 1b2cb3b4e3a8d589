package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Prometheus is a running Prometheus of Debian's package, in a folder of its own. Started and stopped by the test that has it.
type Prometheus struct {
	URL string // its address on loopback

	dir     string
	flags   []string
	process *os.Process
	ended   chan struct{}
}

// StartPrometheus starts one with the files, of which "prometheus.yml" is its configuration; names in it are relative to its folder. Where it is not installed the test skips.
func StartPrometheus(t testing.TB, files map[string]string, flags ...string) *Prometheus {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("prometheus is not installed (Debian's package prometheus)")
	}
	p := &Prometheus{dir: t.TempDir(), flags: flags}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.Start(t)
	t.Cleanup(func() { p.end(syscall.SIGKILL) })
	return p
}

// Start starts it again, over what it has stored.
func (p *Prometheus) Start(t testing.TB) {
	t.Helper()
	c := exec.Command("prometheus", append([]string{"--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"}, p.flags...)...)
	c.Dir, c.Env = p.dir, cleanEnv()
	out, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p.process, p.ended = c.Process, make(chan struct{})
	address := make(chan string, 1)
	log := &strings.Builder{}
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			line := lines.Text()
			if log.Len() < 1<<16 {
				fmt.Fprintln(log, line)
			}
			if _, at, ok := strings.Cut(line, `msg="Listening on" address=`); ok {
				select {
				case address <- at:
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = c.Wait()
	}()
	select {
	case at := <-address:
		p.URL = "http://" + at
	case <-p.ended:
		t.Fatalf("prometheus ended: %s", log)
	case <-time.After(time.Minute):
		t.Fatal("prometheus said no address within a minute")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if status, _ := p.get("/-/ready"); status == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			t.Fatal("prometheus is not ready within a minute")
		}
	}
}

// Kill9 kills it; Start starts it again.
func (p *Prometheus) Kill9() { p.end(syscall.SIGKILL) }

// Stop ends it as a service manager does; what it has still to send is sent before.
func (p *Prometheus) Stop() { p.end(syscall.SIGTERM) }

func (p *Prometheus) end(s os.Signal) {
	select {
	case <-p.ended:
	default:
		_ = p.process.Signal(s)
		<-p.ended
	}
}

func (p *Prometheus) get(path string) (int, []byte) {
	resp, err := http.Get(p.URL + path) //nolint:noctx,gosec // a test's own server
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, b
}

// API reads an answer's data.
func (p *Prometheus) API(t testing.TB, path string, data any) {
	t.Helper()
	status, b := p.get("/api/v1/" + path)
	var out struct {
		Status string
		Data   json.RawMessage
	}
	if err := json.Unmarshal(b, &out); err != nil || out.Status != "success" || json.Unmarshal(out.Data, data) != nil {
		t.Fatalf("prometheus: %s: %d %s", path, status, b)
	}
}

// Query is what an expression gives now: the value of each series by its labels, as JSON in the order of their names.
func (p *Prometheus) Query(t testing.TB, expression string) map[string]string {
	t.Helper()
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
	p.API(t, "query?query="+url.QueryEscape(expression), &data)
	out := map[string]string{}
	for _, r := range data.Result {
		labels, _ := json.Marshal(r.Metric)
		out[string(labels)], _ = r.Value[1].(string)
	}
	return out
}

// Get is the body of a page.
func (p *Prometheus) Get(t testing.TB, path string) string {
	t.Helper()
	status, b := p.get(path)
	if status != http.StatusOK {
		t.Fatalf("prometheus: %s: %d %s", path, status, b)
	}
	return string(b)
}

// Targets is what the last scrape of each target that failed said.
func (p *Prometheus) Targets(t testing.TB) (out []string) {
	t.Helper()
	var data struct {
		ActiveTargets []struct{ ScrapeURL, LastError string }
	}
	p.API(t, "targets?state=active", &data)
	for _, one := range data.ActiveTargets {
		if one.LastError != "" {
			out = append(out, one.ScrapeURL+": "+one.LastError)
		}
	}
	return out
}
