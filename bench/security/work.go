package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/bench/machine"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules/rulestest"
	"github.com/bulkheadhq/bulkhead/internal/services/security/scan"
)

// work is what is measured on.
type work struct {
	lines [][]byte // of a machine on which programs are built
	day   [][]byte // of one on which little happens
	sets  []set
	logs  []logFile
	intel *detect.Indicators
}

type set struct {
	name, aim string
	set       *rules.Set
}

type logFile struct{ name, file string }

func newWork(dir string, o options) (*work, error) {
	at := time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC)
	programs := 40_000
	if o.brief {
		programs = 10_000
	}
	ordinary, day := &replay.Log{Now: at, Host: "build1"}, &replay.Log{Now: at, Host: "idle1"}
	replay.Benign(ordinary, programs, 1)
	replay.Day(day)
	text := []byte(ordinary.Audit())
	w := &work{lines: bytes.SplitAfter(text, []byte{'\n'}), day: bytes.SplitAfter([]byte(day.Audit()), []byte{'\n'}), intel: detect.ShippedIndicators()}
	w.sets = []set{{"events through analytics, no rules", "", &rules.Set{}}}
	some, err := folder(o.rules)
	if err != nil {
		return nil, err
	}
	for _, n := range []int{250, 2000} {
		if some == nil {
			break
		}
		compiled, err := compile(some, n)
		if err != nil {
			return nil, err
		}
		aim := ""
		if n == 250 {
			aim = ">= 200,000, aim 400,000"
		}
		w.sets = append(w.sets, set{fmt.Sprintf("events through %d Sigma rules and analytics", compiled.Len()), aim, compiled})
	}
	name := filepath.Join(dir, "audit.log")
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for left := o.size * 1_000_000; left > 0; left -= len(text) {
		if _, err := f.Write(text); err != nil {
			return nil, err
		}
	}
	w.logs = []logFile{{"scan of a generated log", name}}
	if o.log != "" {
		w.logs = append(w.logs, logFile{"scan of a recorded log", o.log})
	}
	return w, f.Close()
}

// compile makes n rules that can be used: some of a folder can't be.
func compile(some fs.FS, n int) (*rules.Set, error) {
	var set *rules.Set
	for more := n; more < 2*n && (set == nil || set.Len() < n); {
		many, err := rulestest.Many(some, more)
		if err != nil {
			return nil, err
		}
		set, _ = rules.Compile(many)
		more += max(n-set.Len(), 1)
	}
	return set, nil
}

// timed is how many things happened in how much time.
func timed(do func() float64) measured {
	runtime.GC()
	from, began := machine.Spent(), time.Now()
	n := do()
	return measured{best: n / (machine.Spent() - from).Seconds(), clock: n / time.Since(began).Seconds()}
}

func (w *work) reassemble() measured {
	r := linuxaudit.NewReassembler(func(*linuxaudit.Event) {})
	for _, l := range w.lines { // its memory has its size then
		r.Line(l)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m := timed(func() float64 {
		for range 3 {
			for _, l := range w.lines {
				r.Line(l)
			}
		}
		return 3 * float64(len(w.lines)) / 1e6
	})
	runtime.ReadMemStats(&after)
	m.note = fmt.Sprintf("%.3f allocations/record", float64(after.Mallocs-before.Mallocs)/3/float64(len(w.lines)))
	return m
}

// events is what an event costs once it is put together.
func (w *work) events(s *rules.Set) measured {
	m := detect.New(detect.DefaultParams(), w.intel, func(*detect.Finding) {})
	x, state := rules.NewMatcher(), &rules.State{}
	var norm activity.Normalizer
	n, spent, clock := 0, time.Duration(0), time.Duration(0)
	r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
		ev := norm.Audit(e)
		m.Apply(ev)
		x.Apply(s, state, m, ev, func(*detect.Finding) {})
		n++
	})
	bare := linuxaudit.NewReassembler(func(*linuxaudit.Event) {})
	pass := func(r *linuxaudit.Reassembler) (cpu, wall time.Duration) {
		from, began := machine.Spent(), time.Now()
		for _, l := range w.lines {
			r.Line(l)
		}
		return machine.Spent() - from, time.Since(began)
	}
	pass(r) // what is remembered has its size then
	pass(bare)
	n = 0
	runtime.GC()
	for range 3 { // parsing is measured elsewhere: what it takes is taken off
		c, t := pass(r)
		spent, clock = spent+c, clock+t
		c, t = pass(bare)
		spent, clock = spent-c, clock-t
	}
	return measured{best: float64(n) / spent.Seconds(), clock: float64(n) / clock.Seconds()}
}

func (w *work) scan(ctx context.Context, name string) (m measured, err error) {
	set, _ := rules.Compile(rules.Shipped())
	shown := 0
	m = timed(func() float64 {
		s := scan.New(scan.Options{Params: detect.DefaultParams(), Intel: w.intel, Rules: set, Zone: time.UTC, Progress: func(string, int64, int64) { shown++ }})
		if err = s.File(ctx, name); err != nil {
			return 0
		}
		return float64(s.Report().Bytes) / 1e6
	})
	if err == nil && shown < 2 {
		err = fmt.Errorf("%s: no progress was shown", name)
	}
	return m, err
}

// idle is the memory of a machine, in KiB.
func (w *work) idle() float64 {
	const machines = 20
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	var all []*detect.Machine
	for range machines {
		m := detect.New(detect.DefaultParams(), w.intel, func(*detect.Finding) {})
		var norm activity.Normalizer
		r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) { m.Apply(norm.Audit(e)) })
		for _, l := range w.day {
			r.Line(l)
		}
		r.Flush()
		all = append(all, m)
	}
	each := float64(heap()-before) / machines / 1024
	runtime.KeepAlive(all)
	return each
}
