package linuxaudit

import (
	"bytes"
	"fmt"
)

const (
	window    = 64       // events that may be open at a time; what is interleaved further apart is taken for complete
	maxOpen   = 2000     // milliseconds an event may lag behind the newest but one before it is taken for complete
	maxEvent  = 32 << 20 // bytes of one event
	keep      = 1 << 20  // memory of an event that is kept for the next
	maxRecord = 4096     // records of one event: a call has few, a command line of many arguments some hundreds
	ended     = 64       // events remembered after their end, so that a late end mark isn't one of its own
)

// Stats counts what a Reassembler has seen.
type Stats struct {
	Lines, Events uint64
	Malformed     uint64 // lines that are no audit records
	Missing       uint64 // serials that never came, of those between the first and the last: records were lost, or another program takes them
	Cut           uint64 // events too large, or of too many records, to be kept whole
}

// Reassembler puts the records of events together. Not for concurrent use; one per machine, as serials are the machine's own. The zero value doesn't work.
type Reassembler struct {
	handle func(*Event)
	open   []*pending // in the order they began
	free   []*pending
	ended  [ended]key
	next   int
	newest int64
	gaps   gaps
	stats  Stats
	exec   command
	dec    []byte
	before stamp // of the last line
}

type key struct {
	millis int64
	serial uint64
	node   uint64 // hash of its name
}

type record struct {
	typ           Type
	from, mid, to int // body is buf[from:mid], what auditd appended buf[mid:to]
}

// pending is an event of which records may still come.
type pending struct {
	key
	event Event
}

// NewReassembler calls handle with each event, as soon as it is complete, in the call that completes it.
func NewReassembler(handle func(*Event)) *Reassembler { return &Reassembler{handle: handle} }

// Stats is what was seen so far.
func (r *Reassembler) Stats() Stats {
	s := r.stats
	s.Missing = r.gaps.missing
	return s
}

// Line takes a line of text. It keeps nothing of it.
func (r *Reassembler) Line(line []byte) {
	l, ok := parseLine(line, &r.before)
	if !ok && len(bytes.TrimSpace(line)) == 0 {
		return
	}
	if r.stats.Lines++; !ok {
		r.stats.Malformed++
		return
	}
	r.add(l)
}

// Message takes a netlink message of the audit system. It keeps nothing of it.
func (r *Reassembler) Message(t Type, payload []byte) {
	l, ok := ParseMessage(t, payload)
	if r.stats.Lines++; !ok {
		r.stats.Malformed++
		return
	}
	r.add(l)
}

func (r *Reassembler) add(l Line) {
	k := key{millis: l.Millis, serial: l.Serial, node: hash(l.Node)}
	p := r.find(k)
	if p == nil {
		if l.Type == EOE || r.wasEnded(k) && l.Type == Proctitle {
			return
		}
		p = r.begin(k, l.Node)
	}
	if l.Type != EOE {
		r.keep(p, l)
	}
	switch {
	case l.Type == EOE, l.Type == Proctitle, l.Type.alone():
		r.finish(p, true)
	case l.Millis > r.newest:
		// Not by the newest itself: its first record may have overtaken the last one of the event before it.
		before := r.newest
		r.newest = l.Millis
		r.Expire(before - maxOpen)
	}
}

// find looks for an open event, the latest first: most records follow another of the same event.
func (r *Reassembler) find(k key) *pending {
	for i := len(r.open) - 1; i >= 0; i-- {
		if r.open[i].key == k {
			return r.open[i]
		}
	}
	return nil
}

func (r *Reassembler) wasEnded(k key) bool {
	for i := range r.ended {
		if r.ended[i] == k {
			return true
		}
	}
	return false
}

func (r *Reassembler) begin(k key, node []byte) *pending {
	if len(r.open) == window {
		r.finish(r.open[0], false)
	}
	var p *pending
	if n := len(r.free); n > 0 {
		p, r.free = r.free[n-1], r.free[:n-1]
	} else {
		p = &pending{}
	}
	p.key = k
	e := &p.event
	e.Millis, e.Serial = k.millis, k.serial
	if e.Node = nil; len(node) > 0 {
		e.buf = append(e.buf, node...)
		e.Node = e.buf // only how long it is matters until the end: buf may move
	}
	r.open = append(r.open, p)
	r.gaps.add(k)
	return p
}

func (r *Reassembler) keep(p *pending, l Line) {
	e := &p.event
	if len(e.records) >= maxRecord || len(e.buf)+len(l.Body)+len(l.Enriched) > maxEvent {
		r.stats.Cut++
		return
	}
	rec := record{typ: l.Type, from: len(e.buf)}
	e.buf = append(e.buf, l.Body...)
	rec.mid = len(e.buf)
	e.buf = append(e.buf, l.Enriched...)
	rec.to = len(e.buf)
	e.records = append(e.records, rec)
}

// Expire takes for complete what began at or before a time, in milliseconds since 1970. A live source calls it now and then: the last event before a pause has
// no later one to end it.
func (r *Reassembler) Expire(millis int64) {
	for i := 0; i < len(r.open); {
		if p := r.open[i]; p.millis <= millis {
			r.finish(p, false)
		} else {
			i++
		}
	}
}

// Settle gives up serials that did not come, though later ones did. A live source calls it when nothing came for some seconds: else a gap is judged only when a thousand
// later serials have come.
func (r *Reassembler) Settle() { r.gaps.flush() }

// Skip tells of serials that came but were not given to it, so that they aren't counted as missing.
func (r *Reassembler) Skip(from, to uint64) {
	if from+horizon < to { // as far as it matters to what is judged
		r.gaps.add(key{serial: from, node: r.gaps.node})
		r.gaps.flush()
		r.gaps.started = false
		from = to
	}
	for s := from; s <= to; s++ {
		r.gaps.add(key{serial: s, node: r.gaps.node})
	}
}

// Open appends, as lines of text, the records of events whose end hasn't come, in the order the events began. Given to a new Reassembler they make it go on where this one is.
func (r *Reassembler) Open(dst []byte) []byte {
	for _, p := range r.open {
		e := &p.event
		for i, rec := range e.records {
			if len(e.Node) > 0 {
				dst = append(dst, "node="...)
				dst = append(dst, e.buf[:len(e.Node)]...)
				dst = append(dst, ' ')
			}
			dst = fmt.Appendf(dst, "type=%s msg=audit(%d.%03d:%d): ", rec.typ, e.Millis/1000, e.Millis%1000, e.Serial)
			dst = append(dst, e.Record(i).Body...)
			if rec.to > rec.mid {
				dst = append(dst, separator)
				dst = append(dst, e.buf[rec.mid:rec.to]...)
			}
			dst = append(dst, '\n')
		}
	}
	return dst
}

// Flush takes everything for complete, at a source's end.
func (r *Reassembler) Flush() {
	for len(r.open) > 0 {
		r.finish(r.open[0], false)
	}
	r.gaps.flush()
}

// finish decodes an event, hands it out, and takes its memory back.
func (r *Reassembler) finish(p *pending, whole bool) {
	for i := range r.open {
		if r.open[i] == p {
			r.open = append(r.open[:i], r.open[i+1:]...)
			break
		}
	}
	r.ended[r.next] = p.key
	r.next = (r.next + 1) % ended
	e := &p.event
	e.Whole = whole
	if cap(r.dec) < len(e.buf) {
		r.dec = make([]byte, 0, max(2*len(e.buf), 16<<10))
	}
	if e.Node != nil {
		e.Node = e.buf[:len(e.Node)]
	}
	r.decode(e)
	r.stats.Events++
	r.handle(e)
	r.release(p)
}

func (r *Reassembler) decode(e *Event) {
	dec := r.dec[:0]
	r.exec.reset()
	for _, rec := range e.records {
		if rec.typ == Execve {
			e.HasExec = true
			dec = r.exec.add(e.buf[rec.from:rec.mid], dec)
		}
	}
	if e.HasExec {
		r.exec.result(dec, &e.Exec)
	}
	e.decode(dec)
}

func (r *Reassembler) release(p *pending) {
	e := &p.event
	if cap(e.buf) > keep {
		*e = Event{}
		r.dec, r.exec = nil, command{}
	}
	args, paths, records, buf := e.Exec.Args[:0], e.Paths[:0], e.records[:0], e.buf[:0]
	*e = Event{Exec: Exec{Args: args}, Paths: paths, records: records, buf: buf}
	r.free = append(r.free, p)
}

// hash is FNV-1a; 0 for no name.
func hash(name []byte) (h uint64) {
	if len(name) == 0 {
		return 0
	}
	h = 14695981039346656037
	for _, c := range name {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
