package detect

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// TestIdleMemory: what is remembered of a machine that had an ordinary day and does little is at most 200 KiB.
func TestIdleMemory(t *testing.T) {
	const machines, most = 40, 200 << 10
	log := &replay.Log{Now: time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)}
	replay.Day(log)
	text := log.Audit()
	intel := ShippedIndicators()
	machine := func() *Machine {
		m := New(DefaultParams(), intel, func(*Finding) {})
		var norm activity.Normalizer
		r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) { m.Apply(norm.Audit(e)) })
		for line := range strings.Lines(text) {
			r.Line([]byte(line))
		}
		r.Flush()
		return m
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	machine() // what all have in common is there then
	before := heap()
	var all []*Machine
	for range machines {
		all = append(all, machine())
	}
	each := (heap() - before) / machines
	m := all[0]
	t.Logf("%d programs on each, %d of them and %d sessions remembered: %d KiB", log.Commands, m.processes.Len(), m.sessions.Len(), each>>10)
	if each > most {
		t.Errorf("a machine takes %d KiB; want at most %d", each>>10, most>>10)
	}
	if m.sessions.Len() == 0 || m.processes.Len() < 60 {
		t.Error("its services are forgotten")
	}
	runtime.KeepAlive(all)
}
