package alerts

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
)

// TestTake: rules are found by slice and GUID, say what they said before, and hold texts that others have, too, once.
func TestTake(t *testing.T) {
	var rules []*compiled
	want := map[string]string{}
	for i := range 300 {
		guid := fmt.Sprintf("guid-%03d", (i*7)%300)
		r := &compiled{resource: named{ID: "/rules/" + guid, Name: guid, GUID: guid}, state: lives{Generation: "generation of " + guid}, telling: &telling{description: strings.Repeat("d", i%3), severity: i % 3}}
		r.ID, r.Resources = r.resource.ID, []string{strings.Clone("/Servers/one")}
		r.Criteria = []alerting.Criterion{{Name: strings.Clone("high"), Metric: strings.Clone("cpu")}}
		if i == 0 {
			r.description = strings.Repeat("long", pieceSize)
		}
		r.Compile()
		want[guid] = fmt.Sprint(r.ID, r.resource, r.state, r.description, r.severity, r.Resources, r.Criteria)
		rules = append(rules, r)
	}
	var w watched
	w.take(rules)
	tellings := map[*telling]bool{}
	n := 0
	for slice, list := range w.rules {
		for _, r := range list {
			n++
			tellings[r.telling] = true
			guid := r.resource.GUID
			if got := fmt.Sprint(r.ID, r.resource, r.state, r.description, r.severity, r.Resources, r.Criteria); got != want[guid] {
				t.Fatalf("%s is now\n%s\nwant\n%s", guid, got, want[guid])
			}
			if sliceOf(guid) != slice || w.rule(slice, guid) != r {
				t.Errorf("%s is in slice %d, and found as %p, not %p", guid, slice, w.rule(slice, guid), r)
			}
			for _, pair := range [][2]string{{r.Resources[0], rules[0].Resources[0]}, {r.Criteria[0].Metric, rules[0].Criteria[0].Metric}} {
				if unsafe.StringData(pair[0]) != unsafe.StringData(pair[1]) {
					t.Errorf("%s has a %q of its own", guid, pair[0])
				}
			}
		}
	}
	if len(tellings) != 4 {
		t.Errorf("300 rules of four kinds have %d tellings", len(tellings))
	}
	if n != len(rules) {
		t.Errorf("%d rules, want %d", n, len(rules))
	}
	for slice := range w.rules {
		if r := w.rule(slice, "guid-none"); r != nil {
			t.Errorf("a rule that is not there is found as %+v", r)
		}
	}
}

// What is counted of fired instances by rule is what there is, through firing and resolving, and after a start.
func TestWatched_Fired(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"windowSize":"PT5M"`, `"windowSize":"PT1M"`), 200)
	p.ok("PUT", p.insights("metricAlerts/reasons"), p.rule(`"windowSize":"PT5M"`, `"windowSize":"PT1M"`, `"metricName":"cpu_percent"`, `"metricName":"connections_failed"`,
		`"dimensions":[]`, `"dimensions":[{"name":"reason","operator":"Include","values":["*"]}]`), 200)
	most := 0
	for minute, v := range []float64{10, 90, 90, 10, 90, 10, 10, 10, 10, 10, 90, 10} {
		for k := range 3 {
			high := 1.0
			if (minute+k)%7 < 3 {
				high = 100
			}
			p.measure("connections_failed", high, metrics.Dimension{Name: "reason", Value: fmt.Sprint(k)})
		}
		p.minutes(v)
		if minute == 5 {
			p.begin()
			p.judge()
		}
		for _, w := range p.s.engine.subs {
			want := map[string]int{}
			for _, i := range w.states {
				want[i.RuleGUID]++
			}
			if d := cmp.Diff(want, w.fired); d != "" {
				t.Fatalf("minute %d (-want +got):\n%s", minute, d)
			}
			most = max(most, len(w.states))
		}
	}
	if most < 3 {
		t.Errorf("no more than %d instances were fired at a time", most)
	}
}
