package alerts

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// TestNewName: the number is that of Azure's example of 2018, and later alerts come first.
func TestNewName(t *testing.T) {
	t.Parallel()
	at := time.Date(2018, 5, 1, 19, 50, 47, 83633000, time.UTC)
	name := NewName(at, "6f6bdd1e-6b3b-4a3e-8a4e-5a1a0a0a0a0a")
	if want := "2518770965529163669_6f6bdd1e-6b3b-4a3e-8a4e-5a1a0a0a0a0a"; name != want {
		t.Errorf("NewName(%s) = %s, want %s", at, name, want)
	}
	if later := NewName(at.Add(time.Second), "0"); later >= name {
		t.Errorf("the name of a later alert, %s, sorts behind %s", later, name)
	}
	for _, odd := range []time.Time{{}, time.UnixMilli(1 << 62), time.UnixMilli(-1 << 62), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		if n, _, ok := strings.Cut(NewName(odd, "g"), "_"); !ok || len(n) != 19 || strings.Contains(n, "-") {
			t.Errorf("NewName(%v) has the number %q, want 19 digits", odd, n)
		}
	}
}

var (
	source = Source{Machine: "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/machines/db1", Subscription: "s", Host: "cassandra1"}
	kind   = detect.Alert{Type: "VM_SuspectDownload", Name: "Detected", Severity: detect.Medium, Intent: "CommandAndControl", Techniques: []string{"T1105"}, Remedy: []string{"Look."}}
)

func finding(at int64) *detect.Finding {
	session := &detect.Session{ID: "session 3", Account: "cassandra", From: "203.0.113.7", First: 1000}
	shell := &detect.Process{PID: 10, Millis: 1000, File: "/bin/bash", Image: "/bin/bash", Line: "-bash", Session: session}
	return &detect.Finding{
		Alert: &kind, Rule: "download", Key: "download|session 3|example.org", Millis: at, Why: "it is among the indicators", Confidence: 0.9, Session: session, Account: "cassandra",
		Process:  &detect.Process{PID: 11, Millis: at, Parent: shell, File: "/usr/bin/wget", Line: "wget http://example.org/a", Session: session},
		Commands: []detect.Evidence{{Millis: at, PID: 11, Line: "wget http://example.org/a"}},
		Files:    []string{"/tmp/a"}, URLs: []string{"http://example.org/a"}, Domains: []string{"Example.org"}, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.9")}, Prefixes: []string{"10.31"},
	}
}

// TestOf: a finding becomes an alert with a graph that leads from the address of the sign-in to what was fetched.
func TestOf(t *testing.T) {
	t.Parallel()
	a := Of(source, finding(5000))
	s := Scope(strings.ToUpper(source.Machine))
	var got []string
	for _, e := range a.Edges {
		got = append(got, e.From+" "+string(e.Kind)+" "+e.To)
	}
	own := func(format string) string { return strings.ReplaceAll(format, "~", s) }
	slices.Sort(got)
	want := []string{
		own("account:~/cassandra on host:~"),
		own("process:~/10@1000 in session:~/session 3"),
		own("process:~/10@1000 started process:~/11@5000"),
		own("process:~/11@5000 attacked network:10.31"),
		own("process:~/11@5000 downloaded url:http://example.org/a"),
		own("process:~/11@5000 in session:~/session 3"),
		own("process:~/11@5000 ran file:~//usr/bin/wget"),
		own("process:~/11@5000 reached dns:example.org"),
		own("process:~/11@5000 reached ip:192.0.2.9"),
		own("process:~/11@5000 touched file:~//tmp/a"),
		own("session:~/session 3 as account:~/cassandra"),
		own("session:~/session 3 from ip:203.0.113.7"),
		own("session:~/session 3 on host:~"),
		"url:http://example.org/a served dns:example.org",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	if a.Key != s+"|VM_SuspectDownload|download|session 3|example.org" || a.Severity != Medium || a.Status != Active || a.Count != 1 || !a.First.Equal(time.UnixMilli(5000)) {
		t.Errorf("Of gives %+v", a)
	}
}

// TestMerge: repetitions count and keep the ends of the evidence; nothing grows without bound.
func TestMerge(t *testing.T) {
	t.Parallel()
	a := Of(source, finding(5000))
	a.Name, a.Status, a.Incident = "n", Dismissed, "i"
	for i := range 1000 {
		f := finding(int64(6000 + i))
		f.Files = []string{fmt.Sprintf("/tmp/%d", i)}
		f.Confidence = 0.5
		f.Why = "weaker"
		a.Merge(Of(source, f))
	}
	if a.Count != 1001 || a.Title() != "Detected [seen multiple times]" || a.Why != "it is among the indicators" || a.Name != "n" || a.Status != Dismissed || a.Incident != "i" {
		t.Errorf("after 1,000 repetitions: count %d, title %q, why %q, name %q, status %s, incident %q", a.Count, a.Title(), a.Why, a.Name, a.Status, a.Incident)
	}
	if got := a.Last.UnixMilli(); got != 6999 || a.First.UnixMilli() != 5000 {
		t.Errorf("from %v to %v", a.First, a.Last)
	}
	if len(a.Evidence) != MaxEvidence || a.Evidence[0].Time.UnixMilli() != 5000 || a.Evidence[MaxEvidence-1].Time.UnixMilli() != 6999 || a.Omitted != 1001-MaxEvidence {
		t.Errorf("%d rows of evidence, %d omitted, first %v, last %v", len(a.Evidence), a.Omitted, a.Evidence[0].Time, a.Evidence[len(a.Evidence)-1].Time)
	}
	if len(a.Entities) > MaxEntities || len(a.Edges) > MaxEdges {
		t.Errorf("%d entities, %d edges", len(a.Entities), len(a.Edges))
	}
	for _, e := range a.Edges {
		if a.Entity(e.From) == nil || a.Entity(e.To) == nil {
			t.Errorf("edge %v has an end that isn't there", e)
		}
	}
}

// TestAdd: a finding that is added gives what merging its alert gives, before and after the alert is full.
func TestAdd(t *testing.T) {
	t.Parallel()
	merged, added := Of(source, finding(5000)), Of(source, finding(5000))
	for i := range 1000 {
		f := finding(int64(6000 + i))
		f.Files = []string{fmt.Sprintf("/tmp/%d", i)}
		f.Confidence = float64(i) / 1000
		merged.Merge(Of(source, f))
		added.Add(source, f)
	}
	if len(added.Entities) != MaxEntities || len(added.Edges) != MaxEdges {
		t.Fatalf("%d entities and %d edges: it isn't full", len(added.Entities), len(added.Edges))
	}
	if diff := cmp.Diff(merged, added); diff != "" {
		t.Errorf("merged and added (-merged +added):\n%s", diff)
	}
}

// TestRepeats: what was resolved, or is too long ago, begins anew.
func TestRepeats(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		status Status
		after  time.Duration
		want   bool
	}{{Active, time.Hour, true}, {InProgress, 24 * time.Hour, true}, {Dismissed, time.Hour, true}, {Resolved, time.Hour, false}, {Active, 25 * time.Hour, false}, {Active, -25 * time.Hour, false}} {
		a := Alert{Status: c.status, First: at, Last: at}
		if got := a.Repeats(at.Add(c.after)); got != c.want {
			t.Errorf("%s, %s later: %t, want %t", c.status, c.after, got, c.want)
		}
	}
}

// TestRecord: what is stored reads back as it was.
func TestRecord(t *testing.T) {
	t.Parallel()
	a := Of(source, finding(5000))
	b, err := Record.Encode(*a)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Record.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*a, back); diff != "" {
		t.Error(diff)
	}
}
