package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// indicators are those of the post.
type indicators struct{}

func (indicators) Domain(name string) bool {
	return name == "nasapaul.com" || strings.HasSuffix(name, ".nasapaul.com")
}
func (indicators) Addr(string) bool { return false }

// watch feeds a log to a machine and returns what it reports.
func watch(log string) (found []*Finding) {
	m := New(DefaultParams(), indicators{}, func(f *Finding) { found = append(found, f) })
	var n activity.Normalizer
	r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) { m.Apply(n.Audit(e)) })
	for line := range strings.Lines(log) {
		r.Line([]byte(line))
	}
	r.Flush()
	return found
}

// expectedAlerts are the alerts that tell of each behaviour of the intrusion, by its number.
var expectedAlerts = map[int]*Alert{
	1: &serviceAccount, 2: &newSource, 3: &maliciousDownload, 4: &reconnaissance, 5: &speedTest, 6: &fileDownload, 7: &attackTool, 8: &portScan,
	9: &masquerade, 10: &denialOfService, 11: &kitRemoved, 12: &downloadAndRun, 13: &passwordSpray, 14: &resultsRead,
}

// TestIntrusion: every behaviour of the post's intrusion raises its alert within two seconds, and at least twelve of fourteen do in each disguise.
func TestIntrusion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		d     replay.Disguise
		least int
	}{
		{"as it was told", replay.Disguise{}, 14},
		{"tools renamed", replay.Disguise{Rename: true}, 12},
		{"in base64 and eval", replay.Disguise{Wrap: true}, 12},
		{"arguments longer than a record", replay.Disguise{Pad: true}, 12},
		{"through busybox", replay.Disguise{Through: "busybox"}, 12},
		{"through perl", replay.Disguise{Through: "perl"}, 12},
		{"through python", replay.Disguise{Through: "python"}, 12},
		{"other networks, ports and files", replay.Disguise{Other: true}, 12},
		{"everything at once", replay.Disguise{Rename: true, Wrap: true, Pad: true, Through: "perl", Other: true}, 11},
	} {
		for seed := range uint64(5) {
			c.d.Seed = seed
			log := &replay.Log{Now: time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC), Host: "cassandra1"}
			steps := replay.Intrusion(log, c.d)
			found := watch(log.Audit())
			seen := map[int]bool{}
			var missed []string
			for _, s := range steps {
				if seen[s.Row] = seen[s.Row] || inTime(found, expectedAlerts[s.Row], s.At); !seen[s.Row] {
					missed = append(missed, fmt.Sprintf("%d %s", s.Row, s.Name))
				}
			}
			n := 0
			for _, ok := range seen {
				if ok {
					n++
				}
			}
			if n < c.least || len(seen) != 14 {
				t.Errorf("%s, seed %d: %d of %d behaviours found, want %d; missed %v", c.name, seed, n, len(seen), c.least, missed)
			}
		}
	}
}

// inTime reports whether an alert was raised within two seconds after a behaviour began, beyond what the behaviour itself takes.
func inTime(found []*Finding, a *Alert, from time.Time) bool {
	const takes = 8 * time.Second
	for _, f := range found {
		if at := time.UnixMilli(f.Millis); f.Alert == a && !at.Before(from) && at.Sub(from) <= takes+2*time.Second {
			return true
		}
	}
	return false
}
