package operate

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestStop_Drains: a request under way when SIGTERM comes is answered, the platform says meanwhile that it is not ready, then everything ends: the
// site's process too, and quickly.
func TestStop_Drains(t *testing.T) {
	p := harness.Start(t, harness.Options{})
	program, err := harness.Program("./operate/site")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	site := p.PutSite(t, p.PutGroup(t), "./site", nil)
	p.Deploy(t, site, map[string][]byte{"site": binary})
	way := p.SuffixWay(t)
	var pid int
	for end := time.Now().Add(20 * time.Second); pid == 0 && time.Now().Before(end); {
		if a := way.Do(t, "GET", way.Site(site.Name)+"/pid", nil, nil); a.Status == 200 {
			pid, _ = strconv.Atoi(string(a.Body))
		}
	}
	if pid == 0 || !runs(pid) {
		t.Fatalf("the site did not start: pid %d", pid)
	}
	if status, body := probe(t, p, "/readyz"); status != 200 {
		t.Errorf("before: readyz %d %s", status, body)
	}
	answer := make(chan harness.Answer, 1)
	go func() { answer <- way.Do(t, "GET", way.Site(site.Name)+"/slow?ms=2000", nil, nil) }()
	for string(way.Do(t, "GET", way.Site(site.Name)+"/under", nil, nil).Body) != "1" {
		time.Sleep(20 * time.Millisecond)
	}
	began := time.Now()
	stopped := make(chan struct{})
	go func() {
		p.Stop(t)
		close(stopped)
	}()
	for {
		status, body := probe(t, p, "/readyz")
		if status == http.StatusServiceUnavailable {
			break
		}
		if len(answer) > 0 {
			t.Fatalf("while it stops: readyz %d %s", status, body)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if a := <-answer; a.Status != 200 || string(a.Body) != "done" {
		t.Errorf("the request under way: %d %s", a.Status, a.Body)
	}
	<-stopped
	if took := time.Since(began); took > 8*time.Second { // 2 of them are the request's own
		t.Errorf("stopping with a site took %s, want some seconds", took)
	} else {
		t.Logf("stopped in %s", took)
	}
	if runs(pid) {
		t.Errorf("the site's process %d is still there", pid)
	}
}

// runs tells whether a process does. One that ended counts as gone although its new parent has not asked after it.
func runs(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(b), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}
