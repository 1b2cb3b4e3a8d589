package alerts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// A change of a rule is one rule's work, however many there are; and what is judged is what is stored.
func TestFollow_ReadsWhatChanged(t *testing.T) {
	p := openPlane(t)
	p.setUp()
	named := func() string {
		p.t.Helper()
		var names []string
		for _, list := range p.s.engine.subs[fold(p.sub)].rules {
			for _, r := range list {
				names = append(names, fmt.Sprintf("%s/%d", r.resource.Name, r.severity))
			}
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	const n = 40
	for i := range n {
		p.ok("PUT", p.insights(fmt.Sprintf("metricAlerts/r%02d", i)), p.rule(), 200)
		p.judge()
	}
	if got := p.s.engine.compilations; got != n {
		t.Errorf("%d rules made one after the other were compiled %d times, want %d", n, got, n)
	}
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("r%02d/2", i))
	}
	if got := named(); got != strings.Join(all, " ") {
		t.Errorf("judged are %s", got)
	}
	p.judge() // nothing changed
	p.ok("PUT", p.insights("metricAlerts/r03"), p.rule(`"severity":2`, `"severity":4`), 200)
	p.ok("PUT", p.insights("metricAlerts/r04"), p.rule(`"enabled":true`, `"enabled":false`), 200)
	p.ok("DELETE", p.insights("metricAlerts/r05"), "", 200)
	p.ok("DELETE", p.insights("metricAlerts/r06"), "", 200)
	p.ok("PUT", p.insights("metricAlerts/r06"), p.rule(`"severity":2`, `"severity":0`), 200) // another one by that name
	p.judge()
	if got := p.s.engine.compilations; got != n+3 {
		t.Errorf("after changes of three and the end of two: compiled %d times, want %d", got, n+3)
	}
	all[3], all[6] = "r03/4", "r06/0"
	all = slices.Delete(all, 4, 6)
	if got := named(); got != strings.Join(all, " ") {
		t.Errorf("judged are %s", got)
	}
	// What the shard no longer tells of is read as a whole.
	w := p.s.engine.subs[fold(p.sub)]
	old := w.version
	p.ok("PUT", p.insights("metricAlerts/r07"), p.rule(`"severity":2`, `"severity":1`), 200)
	p.judge()
	if err := p.s.engine.forget(t.Context(), w, w.version); err != nil {
		t.Fatal(err)
	}
	w.version = old
	p.s.engine.compilations = 0
	p.judge()
	if got := p.s.engine.compilations; got != len(all)+1 { // and the one that is turned off
		t.Errorf("without what changed: compiled %d times, want all %d", got, len(all)+1)
	}
	left := 0
	if err := p.st.View(t.Context(), subShard(p.sub), func(s store.Snapshot) error {
		return s.Scan(store.Prefix([]byte(keyChanged)), func(_, _ []byte) bool { left++; return true })
	}); err != nil || left != 0 {
		t.Errorf("%d changes are told of that are forgotten, %v", left, err)
	}
}
