package intel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/honeypot"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/report"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// atHome has one machine of ours, and keeps what is reported of it.
type atHome struct {
	told []string
	fail error
}

const ourMachine = "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/machines/web1"

func (*atHome) MachineAt(_ context.Context, addr netip.Addr) (string, error) {
	if addr == netip.MustParseAddr("198.51.100.40") {
		return ourMachine, nil
	}
	return "", nil
}

func (h *atHome) Report(_ context.Context, machineID, id string, found []*detect.Finding) error {
	if h.fail == nil {
		h.told = append(h.told, fmt.Sprint(machineID[len(machineID)-4:], " ", id, " ", found[0].Alert.Type, " ", len(found[0].Commands)))
	}
	return h.fail
}

// tell sends a report of the writer's, and gives the answer.
func tell(t *testing.T, h http.Handler, stream string, seq int, what *report.Report) (int, string) {
	t.Helper()
	b, err := report.Encode(what)
	if err != nil {
		t.Fatal(err)
	}
	q := httptest.NewRequest("POST", fmt.Sprint("https://management.azure.com/bulkhead/honeypot/report?stream=", stream, "&sequence=", seq), strings.NewReader(string(b)))
	q.Header.Set("Authorization", "Bearer writer")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// TestReports: observations count at once; our own machines and private addresses are accused of nothing, a visit by one of them is an alert; a number counts once in its
// stream, also where the platform failed amid it.
func TestReports(t *testing.T) {
	t.Parallel()
	r, home, mux := servedAt(t)
	const one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	var told report.Report
	for _, o := range [][2]string{
		{"ip", "198.51.100.7"}, {"ip", "198.51.100.40"}, {"ip", "10.1.2.3"}, {"ip", "127.0.0.1"}, {"url", "http://198.51.100.9/kit.sh"}, {"nonsense", "x"}, {"sha256", "short"},
		{"credential", "pi:raspberry"},
	} {
		told.Observations = append(told.Observations, report.Observation{
			Kind: honeypot.Kind(o[0]), Value: o[1], Session: "s1", Source: "198.51.100.7", Time: r.clock.Now().Add(time.Hour), // its clock is wrong
		})
	}
	told.Visits = []report.Visit{
		{Session: "s1", Protocol: "ssh", Source: netip.MustParseAddr("198.51.100.7"), First: r.clock.Now(), Last: r.clock.Now(), Tries: 1, Ended: true},
		{Session: "s2", Protocol: "ssh", Source: netip.MustParseAddr("::ffff:198.51.100.40"), First: r.clock.Now().Add(time.Minute), Last: r.clock.Now(), Tries: 1, Lines: []string{"id", "wget x"}, Ended: true},
		{Session: "s3", Protocol: "ssh", Source: netip.MustParseAddr("198.51.100.40"), First: r.clock.Now(), Last: r.clock.Now(), Tries: 1},
	}
	home.fail = errors.New("the disk is full")
	if status, body := tell(t, mux, one, 1, &told); status != 500 {
		t.Fatalf("amid a failure: %d %s", status, body)
	}
	home.fail = nil
	for _, again := range []int{1, 1} {
		if status, body := tell(t, mux, one, again, &told); status != 200 || body != `{"acknowledged":1}` {
			t.Fatalf("%d %s", status, body)
		}
	}
	for what, got := range map[string]bool{
		"the visitor": r.Addr("198.51.100.7"), "the address of the download": r.URL("http://198.51.100.9/kit.sh"), "the credential": r.Get(Credential, "pi:raspberry") != nil,
		"not our machine": !r.Addr("198.51.100.40"), "no private address": r.Get(Address, "10.1.2.3") == nil, "not loopback": r.Get(Address, "127.0.0.1") == nil,
	} {
		if !got {
			t.Errorf("not so: %s", what)
		}
	}
	if i := r.Get(Address, "198.51.100.7"); i.Last.After(r.clock.Now()) || !slices.Equal(i.Sources, []string{"honeypot 198.51.100.7"}) || i.Score != 0.6 {
		t.Errorf("the visitor is %+v", i)
	}
	if want := []string{"web1 s2-end BH_HoneypotAttacked 2", "web1 s3 BH_HoneypotAttacked 0"}; !slices.Equal(home.told, want) {
		t.Errorf("alerts %q, want %q", home.told, want)
	}
	// Another stream counts by itself; of an earlier number nothing is taken.
	for _, c := range []struct {
		stream string
		seq    int
		want   string
	}{{two, 5, `{"acknowledged":5}`}, {two, 4, `{"acknowledged":5}`}, {one, 2, `{"acknowledged":2}`}} {
		if status, body := tell(t, mux, c.stream, c.seq, &report.Report{}); status != 200 || body != c.want {
			t.Errorf("number %d: %d %s, want %s", c.seq, status, body, c.want)
		}
	}
	w := httptest.NewRecorder()
	mux.For("admin").ServeHTTP(w, httptest.NewRequest("GET", "http://admin/honeypot/visits", nil))
	if a, b := strings.Index(w.Body.String(), `"session":"s2"`), strings.Index(w.Body.String(), `"session":"s1"`); a < 0 || b < a || strings.Contains(w.Body.String(), `"s3"`) || !strings.Contains(w.Body.String(), `"by":"writer"`) {
		t.Errorf("the visits are %s", w.Body)
	}
}

// TestReports_Bounded: the oldest visits make room, and no more streams are remembered than there is room for.
func TestReports_Bounded(t *testing.T) {
	t.Parallel()
	r, _, mux := servedAt(t)
	n := 0
	for seq := 1; n < maxVisits+maxVisits/5; seq++ {
		var told report.Report
		for range 1500 {
			told.Visits = append(told.Visits, report.Visit{Session: fmt.Sprint("s", n), Source: netip.MustParseAddr("198.51.100.7"), First: r.clock.Now().Add(time.Duration(n) * time.Second), Ended: true})
			n++
		}
		if status, body := tell(t, mux, "11111111-1111-4111-8111-111111111111", seq, &told); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	reports := &Reports{Store: r.st, Clock: r.clock}
	all, err := reports.Visits(t.Context(), 2*maxVisits)
	if err != nil || len(all) > maxVisits || len(all) < maxVisits/2 || all[0].Session != fmt.Sprint("s", n-1) {
		t.Errorf("%d visits are kept of %d, the newest %s, %v", len(all), n, all[0].Session, err)
	}
}
