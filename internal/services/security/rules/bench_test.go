package rules

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// many gives folders of about so many rules: those there are, of processes, files, connections, audit records and logs, and copies of them in which the words are other ones.
func many(b *testing.B, n int) fs.FS {
	dir := os.DirFS(folder(b))
	out := fstest.MapFS{}
	names, err := fs.Glob(dir, "*.yml")
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		name := names[i%len(names)]
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			b.Fatal(err)
		}
		if copies := i / len(names); copies > 0 {
			text = []byte(vary(string(text), copies))
		}
		out[path.Join(fmt.Sprint(i/len(names)), name)] = &fstest.MapFile{Data: text}
	}
	return out
}

// vary makes another rule of one: other ids, and in the detection other letters behind the first of each value's words.
func vary(text string, n int) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "id:"):
			line = strings.TrimRight(line, "\n") + fmt.Sprint("-", n, "\n")
		case strings.HasPrefix(line, "name:"):
			continue
		case strings.HasPrefix(line, "detection:"):
			inside = true
		case line[0] != ' ' && line[0] != '\n' && line[0] != '#':
			inside = false
		}
		if i := strings.LastIndexAny(line, "-:"); inside && !strings.Contains(line, "condition") && !strings.Contains(line, "|re") && !strings.Contains(line, "cidr") && !strings.Contains(line, "type:") && i >= 0 && strings.Count(line, ": ")+strings.Count(line, "- ") == 1 {
			at := strings.Index(line, ": ") + strings.Index(line, "- ") + 3
			value := []byte(line[at:])
			for j := 1; j+1 < len(value); j++ {
				if value[j] >= 'a' && value[j] <= 'z' && value[j-1] >= 'a' && value[j-1] <= 'z' {
					value[j] = 'a' + (value[j]-'a'+byte(n*7+j*3))%26
				}
			}
			line = line[:at] + string(value)
		}
		b.WriteString(line)
	}
	return b.String()
}

// BenchmarkEvents is what an event of a benign machine costs once it is put together: analytics and rules. The rules are SigmaHQ's, where they are, and variations of them.
func BenchmarkEvents(b *testing.B) {
	log := &replay.Log{Now: time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC), Host: "build1"}
	replay.Benign(log, 40_000, 1)
	for _, n := range []int{0, 250, 2000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			set := &Set{}
			if n > 0 {
				set, _ = Compile(many(b, n))
				b.ReportMetric(float64(set.Len()), "rules")
			}
			found := 0
			report := func(*detect.Finding) { found++ }
			m := detect.New(detect.DefaultParams(), detect.ShippedIndicators(), report)
			x, state := NewMatcher(), &State{}
			var norm activity.Normalizer
			events, spent := 0, time.Duration(0)
			r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
				from := time.Now()
				ev := norm.Audit(e)
				m.Apply(ev)
				x.Apply(set, state, m, ev, report)
				spent += time.Since(from)
				events++
			})
			lines := strings.SplitAfter(strings.TrimSuffix(log.Audit(), "\n"), "\n")
			raw := make([][]byte, len(lines))
			for i, l := range lines {
				raw[i] = []byte(l)
				r.Line(raw[i])
			}
			events, spent = 0, 0
			b.ResetTimer()
			bar := benchbar.Start(b)
			for i := range b.N {
				r.Line(raw[i%len(raw)])
			}
			bar.Allocs(3)
			b.ReportMetric(float64(events)/spent.Seconds(), "events/s")
			b.ReportMetric(float64(found)/float64(events), "findings/event")
		})
	}
}
