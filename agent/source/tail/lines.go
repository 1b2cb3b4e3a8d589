package tail

import (
	"bytes"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/authlog"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

// Reader makes events of lines, one after the other. Not for concurrent use.
type Reader interface {
	// Line takes a line without its end and emits the events that it completes.
	Line(line []byte, emit func(*activity.Event))
	// Idle is called when nothing has come for a while: what began before a time is complete. settled says that nothing has come for long.
	Idle(before time.Time, settled bool, emit func(*activity.Event))
	// Open appends what is needed to go on, and Restore takes it.
	Open(dst []byte) []byte
	Restore(open []byte)
	// Count fills in the figures that the reader knows.
	Count(f *source.Figures)
}

// Audit reads audit.log, or what else has its form.
func Audit() Reader {
	a := &auditReader{}
	a.r = linuxaudit.NewReassembler(func(e *linuxaudit.Event) { a.emit(a.n.Audit(e)) })
	return a
}

type auditReader struct {
	r    *linuxaudit.Reassembler
	n    activity.Normalizer
	emit func(*activity.Event)
}

func (a *auditReader) Line(line []byte, emit func(*activity.Event)) {
	a.emit = emit
	a.r.Line(line)
}

func (a *auditReader) Idle(before time.Time, settled bool, emit func(*activity.Event)) {
	a.emit = emit
	a.r.Expire(before.UnixMilli())
	if settled {
		a.r.Settle()
	}
}

// Open has a bound, which one event could pass that has a command line of more than a megabyte: after a restart that one is told from what came behind.
func (a *auditReader) Open(dst []byte) []byte {
	if dst = a.r.Open(dst); len(dst) > maxOpen {
		return dst[:0]
	}
	return dst
}

func (a *auditReader) Restore(open []byte) {
	a.emit = func(*activity.Event) {}
	for line := range bytes.Lines(open) {
		a.r.Line(line)
	}
}

func (a *auditReader) Count(f *source.Figures) {
	s := a.r.Stats()
	f.Records, f.Events, f.Malformed, f.Lost[source.AtSocket] = s.Lines, s.Events, s.Malformed, s.Missing
}

// Log reads a log that syslog keeps, of sign-ins or of anything else: what its lines tell is told, and of the others each is told as it is, for rules to be asked about. What the kernel writes
// there of its audit records isn't, nor what an agent says: these would be told of for ever. zone is that of the machine, for lines that don't tell it; now says which year it is.
func Log(zone *time.Location, now func() time.Time) func() Reader {
	return func() Reader { return &logReader{p: authlog.Parser{Zone: zone, Now: now}} }
}

// maxMessage is how much of a line is told as it is.
const maxMessage = 16 << 10

// ownEcho reports whether a line is there because of an agent.
func ownEcho(e *activity.Event) bool {
	switch string(e.Process.Comm) {
	case "kernel":
		return bytes.Contains(e.Message[:min(len(e.Message), 64)], []byte("audit: ")) // with the time since the start of the machine before it
	case "bulkhead":
		return true
	}
	return false
}

type logReader struct {
	p             authlog.Parser
	lines, events uint64
}

func (s *logReader) Line(line []byte, emit func(*activity.Event)) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	s.lines++
	e, told := s.p.Any(line)
	if e == nil || !told && ownEcho(e) {
		return
	}
	s.events++
	e.Message = e.Message[:min(len(e.Message), maxMessage)]
	emit(e)
}

func (*logReader) Idle(time.Time, bool, func(*activity.Event)) {}
func (*logReader) Open(dst []byte) []byte                      { return dst }
func (*logReader) Restore([]byte)                              {}
func (s *logReader) Count(f *source.Figures)                   { f.Records, f.Events = s.lines, s.events }
