package rules

import (
	"hash/maphash"
	"math/bits"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/sigma"
)

const (
	maxHidden = 16 // commands hidden in base64 that are asked about of one event
	maxFiles  = 32 // files of one event

	remembered = 4096 // values that no rule matches

	late = 10 * time.Second // what an event may lag behind another; so long the end of a correlation's time span waits
)

// Matcher asks a set's rules about events, in memory of its own. The zero value doesn't work. Not for concurrent use.
type Matcher struct {
	scratch sigma.Scratch
	values  [][]byte
	set     []int // fields that have a value now
	buf     []byte
	line    []byte
	seen    []int32 // rules told of the event that is looked at
	seed    maphash.Seed
	quiet   [remembered]uint64 // hashes of values that no rule matches; machines say the same again and again
	quietOf *Set

	// of the call of Apply
	rules   *Set
	state   *State
	machine *detect.Machine
	event   *activity.Event
	report  func(*detect.Finding)
}

// State is what correlations remember of one machine. The zero value is ready. With another set, correlations that are the same in both go on.
type State struct {
	of         *Set
	correlator *sigma.Correlator
	kept       []byte // where to go on, until there is a set
}

// Restored is a State that goes on where a Snapshot was made. What can't be read is forgotten.
func Restored(snapshot []byte) State { return State{kept: snapshot} }

// Snapshot is what is remembered, in about so many bytes at most; nil is nothing. What was not used for longest is left out first.
func (s *State) Snapshot(most int) []byte {
	if s.correlator == nil {
		return s.kept
	}
	return s.correlator.Snapshot(most)
}

// maxMoved bounds what goes from one set to the next, in bytes.
const maxMoved = 8 << 20

// moveTo goes on with another set.
func (s *State) moveTo(set *Set) {
	kept := s.Snapshot(maxMoved)
	*s = State{of: set, correlator: sigma.NewCorrelator(set.sigma, sigma.CorrelatorLimits{Groups: 4096, Entries: 1 << 16})}
	_ = s.correlator.Restore(kept) // else it begins anew
}

// NewMatcher makes a Matcher for any sets.
func NewMatcher() *Matcher {
	return &Matcher{values: make([][]byte, len(sigma.LinuxSchema().Fields)), seed: maphash.MakeSeed()}
}

// Apply asks a set's rules about an event of a machine, which has been told of it before. A rule is told once of an event.
func (x *Matcher) Apply(set *Set, state *State, m *detect.Machine, e *activity.Event, report func(*detect.Finding)) {
	if set == nil || set.Len() == 0 {
		return
	}
	x.rules, x.state, x.machine, x.event, x.report = set, state, m, e, report
	if x.quietOf != set {
		x.quiet, x.quietOf = [remembered]uint64{}, set
	}
	x.seen, x.buf = x.seen[:0], x.buf[:0]
	if state.of == set && state.correlator != nil {
		x.fired(state.correlator.Advance(time.UnixMilli(e.Millis).Add(-late)), func(t *told, key, why string) { // the event only told the time
			report(&detect.Finding{Alert: t.alert, Rule: "sigma", Millis: e.Millis, Why: t.why + why, Confidence: t.confidence, Key: "sigma|" + t.key + key})
		})
	}
	switch {
	case len(e.Message) > 0:
		x.logged()
	case e.Kind == activity.Exec && e.Success && e.Call != "":
		x.started()
	case e.Success && (e.Kind == activity.Write || e.Kind == activity.Rename):
		x.written()
	case e.Kind == activity.Connect && e.Remote.Addr.IsValid():
		x.connected()
	}
	if set.any[sigma.SourceAuditd] && len(e.Message) == 0 {
		x.records()
	}
	x.rules, x.state, x.machine, x.event, x.report = nil, nil, nil, nil, nil
}

// put gives a field a value, where rules for the source look at it.
func (x *Matcher) put(source, field int, value []byte) {
	if value != nil && x.rules.uses[source][field] {
		x.values[field] = value
		x.set = append(x.set, field)
	}
}

// number is a number as text.
func (x *Matcher) number(n uint64) []byte {
	from := len(x.buf)
	x.buf = strconv.AppendUint(x.buf, n, 10)
	return x.buf[from:len(x.buf):len(x.buf)]
}

// text is a text that is given as a string.
func (x *Matcher) text(s string) []byte {
	if s == "" {
		return nil
	}
	from := len(x.buf)
	x.buf = append(x.buf, s...)
	return x.buf[from:len(x.buf):len(x.buf)]
}

// ask asks the rules for a source about the values that were put, and takes these back.
func (x *Matcher) ask(source int) {
	hash := x.hash(source)
	if x.quiet[hash%remembered] == hash {
		x.clear()
		return
	}
	found := x.rules.sigma.Match(&x.scratch, source, x.values)
	if len(found) == 0 {
		x.quiet[hash%remembered] = hash
	}
	for _, n := range found {
		if !slices.Contains(x.seen, n) {
			x.seen = append(x.seen, n)
			x.matched(n)
		}
	}
	x.clear()
}

// hash tells values apart from others. Its seed is chosen by chance, so that nobody can make values that look like harmless ones.
func (x *Matcher) hash(source int) uint64 {
	hash := uint64(source) + 1
	for _, f := range x.set {
		hash = (bits.RotateLeft64(hash, 23) ^ maphash.Bytes(x.seed, x.values[f]) ^ uint64(f)) * 0x9e3779b97f4a7c15
	}
	return hash | 1
}

func (x *Matcher) clear() {
	for _, f := range x.set {
		x.values[f] = nil
	}
	x.set = x.set[:0]
}

// matched tells of one rule.
func (x *Matcher) matched(n int32) {
	s := x.rules
	if !s.sigma.Silent[n] {
		x.find(&s.rules[n], "", "")
	}
	if len(s.correlations) == 0 {
		return
	}
	if x.state.of != s {
		x.state.moveTo(s)
	}
	x.fired(x.state.correlator.Feed(sigma.Hit{Rule: n, Time: time.UnixMilli(x.event.Millis), Values: x.values}), x.find)
}

// fired tells of correlations.
func (x *Matcher) fired(all []sigma.Firing, find func(t *told, key, why string)) {
	for _, f := range all {
		if f.Silent {
			continue
		}
		group := strings.Join(f.Group, ", ")
		why := " with " + strconv.FormatFloat(f.Measure, 'g', -1, 64) + " since " + f.First.UTC().Format(time.RFC3339)
		if group != "" {
			why += " of " + group
		}
		find(&x.rules.correlations[f.Correlation], "|"+group, why)
	}
}

func (x *Matcher) find(t *told, key, why string) {
	e := x.event
	f := &detect.Finding{Alert: t.alert, Rule: "sigma", Millis: e.Millis, Why: t.why + why, Confidence: t.confidence}
	if e.SignIn.Addr.IsValid() {
		f.Addrs = append(f.Addrs, e.SignIn.Addr)
	}
	f.Account = string(e.SignIn.Account)
	if at := e.Remote.Addr; at.IsValid() {
		f.Addrs = []netip.Addr{at.Addr()}
	}
	for i := range e.Files[:min(len(e.Files), maxFiles)] {
		if e.Kind != activity.Exec {
			f.Files = append(f.Files, string(e.Files[i].Name))
		}
	}
	f.Key = "sigma|" + t.key
	if p := x.process(); p != nil {
		f.Process, f.Session = p, p.Session
		f.Key += "|" + p.Session.ID
		f.Commands = []detect.Evidence{{Millis: e.Millis, PID: p.PID, Line: p.Line}}
		if f.Account == "" {
			f.Account = p.Session.Account
		}
	} else if len(e.Message) > 0 {
		f.Key += "|" + string(e.Process.Comm)
		f.Commands = []detect.Evidence{{Millis: e.Millis, PID: e.Process.PID, Line: string(e.Message[:min(len(e.Message), 4096)])}}
	}
	f.Key += key
	x.report(f)
}

// process is who did it, if it was seen to start.
func (x *Matcher) process() *detect.Process {
	if x.event.Process.PID == 0 || len(x.event.Message) > 0 {
		return nil
	}
	return x.machine.Process(x.event.Process.PID)
}

// started asks about a program that was started.
func (x *Matcher) started() {
	e := x.event
	if !x.rules.any[sigma.SourceProcessCreation] {
		return
	}
	x.start(e.Process.Image, e.Command.Line)
	// By another name: a link, an applet. Of a script, the arguments begin with its interpreter.
	if args := e.Command.Args; len(e.Command.File) > 0 && len(args) > 0 {
		name := base(e.Command.File)
		if string(name) != string(base(e.Process.Image)) && string(base(args[0])) == string(name) {
			x.start(e.Command.File, e.Command.Line)
		}
	}
	n := 0
	for _, c := range x.machine.Commands() {
		if c.Via != "base64" || n >= maxHidden {
			continue
		}
		n++
		image := c.Path
		if !strings.Contains(image, "/") {
			image = "/usr/bin/" + image
		}
		line := x.text(strings.Join(append([]string{c.Path}, c.Args...), " "))
		x.start(x.text(path.Clean(image)), line)
	}
}

func base(name []byte) []byte {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[i+1:]
		}
	}
	return name
}

func (x *Matcher) start(image, line []byte) {
	const s = sigma.SourceProcessCreation
	e, uses := x.event, x.rules.uses[s]
	x.put(s, sigma.FieldImage, image)
	x.put(s, sigma.FieldCommandLine, line)
	x.put(s, sigma.FieldCurrentDirectory, e.Command.Dir)
	if p := x.process(); p != nil && p.Parent != nil {
		if uses[sigma.FieldParentImage] {
			x.put(s, sigma.FieldParentImage, x.text(p.Parent.Image))
		}
		if uses[sigma.FieldParentCommandLine] {
			x.put(s, sigma.FieldParentCommandLine, x.text(p.Parent.Line))
		}
	}
	if uses[sigma.FieldProcessID] {
		x.put(s, sigma.FieldProcessID, x.number(uint64(e.Process.PID)))
	}
	if uses[sigma.FieldParentProcessID] {
		x.put(s, sigma.FieldParentProcessID, x.number(uint64(e.Process.Parent)))
	}
	if uses[sigma.FieldLogonID] && e.Process.Session != linuxaudit.Unset {
		x.put(s, sigma.FieldLogonID, x.number(uint64(e.Process.Session)))
	}
	x.user(s)
	x.put(s, sigma.FieldHostname, e.Node)
	x.ask(s)
}

// user puts the name of the account that does something.
func (x *Matcher) user(source int) {
	if !x.rules.uses[source][sigma.FieldUser] {
		return
	}
	e := x.event
	if e.Source != nil && e.Source.Len() > 0 {
		f := linuxaudit.FieldsOf(e.Source.Record(0).Enriched)
		for f.Next() {
			if string(f.Key) == "UID" {
				x.put(source, sigma.FieldUser, f.Value)
				return
			}
		}
	}
	if e.Process.UID == 0 {
		x.put(source, sigma.FieldUser, []byte("root"))
		return
	}
	if p := x.process(); p != nil && p.Session.Login && p.Session.AUID == e.Process.UID {
		x.put(source, sigma.FieldUser, x.text(p.Session.Account))
	}
}

// written asks about files that were made, written or got their name.
func (x *Matcher) written() {
	const s = sigma.SourceFileEvent
	if !x.rules.any[s] {
		return
	}
	e := x.event
	for i := range e.Files[:min(len(e.Files), maxFiles)] {
		f := &e.Files[i]
		if e.Kind == activity.Rename && !f.New {
			continue
		}
		x.put(s, sigma.FieldTargetFilename, f.Name)
		x.put(s, sigma.FieldImage, e.Process.Image)
		if x.rules.uses[s][sigma.FieldProcessID] {
			x.put(s, sigma.FieldProcessID, x.number(uint64(e.Process.PID)))
		}
		x.user(s)
		x.put(s, sigma.FieldHostname, e.Node)
		x.ask(s)
	}
}

// connected asks about a connection that was opened.
func (x *Matcher) connected() {
	const s = sigma.SourceNetworkConnection
	if !x.rules.any[s] {
		return
	}
	e := x.event
	at := e.Remote.Addr
	x.put(s, sigma.FieldImage, e.Process.Image)
	if p := x.process(); p != nil && x.rules.uses[s][sigma.FieldCommandLine] {
		x.put(s, sigma.FieldCommandLine, x.text(p.Line))
	}
	from := len(x.buf)
	x.buf = at.Addr().Unmap().AppendTo(x.buf)
	x.put(s, sigma.FieldDestinationIP, x.buf[from:len(x.buf):len(x.buf)])
	x.put(s, sigma.FieldDestinationPort, x.number(uint64(at.Port())))
	x.put(s, sigma.FieldInitiated, []byte("true"))
	if x.rules.uses[s][sigma.FieldProcessID] {
		x.put(s, sigma.FieldProcessID, x.number(uint64(e.Process.PID)))
	}
	x.user(s)
	x.put(s, sigma.FieldHostname, e.Node)
	x.ask(s)
}
