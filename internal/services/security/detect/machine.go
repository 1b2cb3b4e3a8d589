package detect

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/shingle"
)

// Bounds of what is kept of a machine.
const (
	maxProcesses = 16384
	maxSessions  = 512
	maxFiles     = 4096
	maxSources   = 4096
	maxKept      = 4096 // bytes of a command line that are kept
	maxAncestors = 64
	maxNames     = 4096
)

// Process is a program that was started. Programs that ran before the machine was watched are known as far as their children told.
type Process struct {
	PID     uint32
	UID     uint32
	Parent  *Process // nil if unknown
	Millis  int64    // when it was started
	Session *Session
	Image   string // the running file; a script's interpreter
	File    string // the file that was started; a script's own
	Line    string // at most maxKept bytes
	Dir     string
	TTY     bool // it has a terminal
	under   under
	depth   uint8
	parent  bool       // it started others
	daemon  bool       // init, or the kernel, started it
	piped   *piped     // nil: nothing
	asked   *questions // about the host, below one connection; nil: the session's
}

// Session is what belongs together: a sign-in, or a service and what it started.
type Session struct {
	ID      string // "session 7", or "service 812"
	Login   bool   // a sign-in
	AUID    uint32
	Account string // if it was told
	From    string // the address it came from, if it was told
	First   int64
	Last    int64

	number  uint32 // of a sign-in, by the kernel
	swept   int64  // when programs of it were remembered at a sweep
	asked   questions
	fetched int64 // when something was fetched last, 0 for never
	sprayed map[string]*repetition
	removed removal
	window  shingle.Window

	stopped   stops // services
	entered   stops // machines
	locked    stops // accounts
	encrypted tally
	decoded   stops // ways in which texts were
	agents    stops // what fetchers said they are
}

// fileNote is what became of a file.
type fileNote struct {
	fetched, made, ran, attack int64 // when it was last fetched, made executable, started, started as a tool of attack
	typed                      int64 // when a shell's echo last wrote it
	copied                     int64 // when a program may have been copied there
	by                         *Session
	fetchedFrom                string
	listed                     bool // it is among Machine.programs
}

// Machine is one machine's state. Not for concurrent use.
type Machine struct {
	params    Params
	intel     Intel
	report    func(*Finding)
	processes *lru[uint32, *Process]
	sessions  *lru[string, *Session]
	files     *lru[string, *fileNote]
	programs  []string // names of those files that were made executable or started, in order: what lies in a folder stands together
	access    access
	fanOut    *lru[fanKey, *fan]
	args      []string
	commands  []Command
	step      step // of the event that is looked at
	analytics []analytic
	names     map[string]string // of files and folders, so that each is kept once
	dir       string            // of the last program that was started
	swept     int64             // when processes were forgotten last
	shells    [16]recentShell
	shell     int
	latest    *Session // that was asked for last, and so is the last to be forgotten
	attacks   bool     // a tool of attack ran ever
}

// Intel is what is known of others' machines. All methods are called with lower-case text.
type Intel interface {
	// Domain reports whether a host name, or one it lies below, is known to be malicious.
	Domain(name string) bool
	// Addr reports whether an address is.
	Addr(addr string) bool
}

type analytic struct {
	name string
	exec func(m *Machine, s *step)
}

// step is one started program, and what is known around it.
type step struct {
	m        *Machine
	rule     string
	event    *activity.Event
	process  *Process
	session  *Session
	args     []string
	commands []Command // what it really runs
	clues    clues     // of the commands' arguments
}

// New makes the state of a machine of which nothing is known. Findings go to report, in the call that shows them.
func New(p Params, intel Intel, report func(*Finding)) *Machine {
	m := &Machine{params: p, intel: intel, report: report, names: map[string]string{}}
	m.processes = newLRU[uint32, *Process](maxProcesses, hashPID(), nil)
	m.sessions = newLRU[string, *Session](maxSessions, seeded[string](), nil)
	m.files = newLRU(maxFiles, seeded[string](), m.unlist)
	m.fanOut = newLRU[fanKey, *fan](maxSources, seeded[fanKey](), nil)
	m.access = newAccess()
	m.analytics = []analytic{
		{"service-account", onServiceShell},
		{"download", onDownload},
		{"enumeration", onEnumeration},
		{"speed-test", onSpeedTest},
		{"kit", onKit},
		{"scan-prefix", onPrefix},
		{"spray", onSpray},
		{"denial-of-service", onDenial},
		{"masquerade", onMasquerade},
		{"hidden-run", onHiddenRun},
		{"mining", onMining},
		{"cleanup", onCleanup},
		{"results", onResults},
		{"packed", onPacked},
		{"known-commands", onKnownCommands},
		{"run", onRun}, // last: what the others ask is what was before this start
	}
	return m
}

// Apply looks at one event.
func (m *Machine) Apply(e *activity.Event) {
	switch e.Kind {
	case activity.Exec:
		if e.Success && e.Process.PID != 0 && len(e.Command.Args) > 0 && e.Call != "" {
			m.exec(e)
		}
	case activity.Running: // known, not judged: it tells whose children others are
		if _, known := m.processes.Get(e.Process.PID); !known && e.Process.PID != 0 {
			m.start(e, string(e.Command.Line))
		}
	case activity.SignIn:
		m.signIn(e)
	case activity.Auth:
		m.proved(e)
	case activity.Connect:
		m.connect(e)
	case activity.Delete:
		m.deleted(e)
		m.changed(e)
	case activity.Write, activity.Rename:
		m.changed(e)
	case activity.Session:
		if e.Process.Session != linuxaudit.Unset && e.Began {
			m.access.begun(e)
			s := m.login(e.Process.Session, e.Millis)
			s.AUID = e.Process.AUID
			if len(e.SignIn.Account) > 0 {
				s.Account = string(e.SignIn.Account)
			}
			if e.SignIn.Addr.IsValid() {
				s.From = e.SignIn.Addr.String()
			}
		}
	}
}

func sessionID(n uint32) string { return "session " + strconv.FormatUint(uint64(n), 10) }

// session is the session of a name, made if it isn't there.
func (m *Machine) session(id string, millis int64) *Session {
	s, ok := m.sessions.Get(id)
	if !ok {
		s = &Session{ID: id, First: millis, AUID: linuxaudit.Unset}
		m.sessions.Add(id, s)
	}
	s.Last = max(s.Last, millis)
	m.latest = s
	return s
}

// Process is the program that runs, or ran last, under a number; nil if it isn't known.
func (m *Machine) Process(pid uint32) *Process {
	p, _ := m.processes.Peek(pid)
	return p
}

// Commands are what the program really ran that was started last, once wrappers are taken off. They are valid until the next Apply.
func (m *Machine) Commands() []Command { return m.commands }

// login is the session that the kernel gave a number.
func (m *Machine) login(number uint32, millis int64) *Session {
	if s := m.latest; s != nil && s.Login && s.number == number {
		s.Last = max(s.Last, millis)
		return s
	}
	s := m.session(sessionID(number), millis)
	s.Login, s.number = true, number
	return s
}

func (m *Machine) exec(e *activity.Event) {
	line, args := m.text(&e.Command)
	p := m.start(e, line)
	s := &m.step
	*s = step{m: m, event: e, process: p, session: p.Session, args: args}
	if args[0] == "" { // whoever starts a program chooses what it is told to be called
		if args[0] = p.File; p.File == "" {
			args[0] = "?"
		}
	}
	m.commands = unwrap(m.commands[:0], s.args, "", 0)
	if len(m.commands) == 0 { // started without a name
		m.commands = append(m.commands, Command{Name: base(p.File), Path: p.File, Args: s.args[1:]})
	}
	s.commands = m.commands
	for i := range s.commands {
		for _, a := range s.commands[i].Args {
			s.clues.add(miningMarks, a)
		}
	}
	for i := range m.analytics {
		s.rule = m.analytics[i].name
		m.analytics[i].exec(m, s)
	}
	byName := commandAnalytics()
	for i := range s.commands {
		c := &s.commands[i]
		for _, a := range byName[c.Name] {
			s.rule = a.name
			a.exec(s, c)
		}
		if len(c.Env) > 0 {
			s.rule = "environment"
			s.environment(c.Env)
		}
		s.rule = "files"
		s.touches(c)
	}
}

// text is a command line and its arguments, which are parts of it wherever they can be. The arguments' slice is used again for the next event.
func (m *Machine) text(c *activity.Command) (line string, args []string) {
	line, args = string(c.Line), m.args[:0]
	at := 0
	for _, a := range c.Args {
		if end := at + len(a); end <= len(line) && line[at:end] == string(a) {
			args = append(args, line[at:end])
			at = end + 1
			continue
		}
		args = append(args, string(a)) // the line is not the arguments with a blank between
	}
	m.args = args
	return line, args
}

// name is a file's or folder's name as a string.
func (m *Machine) name(b []byte) string {
	if s, ok := m.names[string(b)]; ok {
		return s
	}
	if len(m.names) >= maxNames {
		clear(m.names)
	}
	s := string(b)
	m.names[s] = s
	return s
}

// start enters a started program into the tree.
func (m *Machine) start(e *activity.Event, line string) *Process {
	if e.Millis-m.swept >= sweepEvery {
		m.sweep(e.Millis)
	}
	was, known := m.processes.Get(e.Process.PID)
	image, dir := m.name(e.Process.Image), m.dir
	file := image
	if string(e.Command.File) != image {
		file = m.name(e.Command.File)
	}
	if string(e.Command.Dir) != dir {
		dir = m.name(e.Command.Dir)
		m.dir = dir
	}
	p := &Process{
		PID: e.Process.PID, Millis: e.Millis, Image: image, File: file, Dir: dir, UID: e.Process.UID,
		TTY: len(e.Process.TTY) > 0, Line: line, daemon: e.Process.Parent <= 2,
	}
	if len(line) > maxKept {
		p.Line = strings.Clone(line[:maxKept])
	}
	parent, found := m.processes.Get(e.Process.Parent)
	switch {
	case known && was.Parent != nil && was.Parent.PID == e.Process.Parent:
		p.Parent = was.Parent // the same process runs another program now
	case found:
		p.Parent = parent
	}
	if p.Parent != nil {
		p.Parent.parent = true
		if p.depth = p.Parent.depth + 1; p.depth > maxAncestors {
			p.Parent, p.depth = nil, 0
		}
	}
	above := p.Parent
	if above == nil {
		if shellName(base(p.File)) && len(e.Command.Args) > 1 && string(e.Command.Args[1]) == "-c" { // what a server starts, not a shell's own fork
			p.asked = &questions{}
		} else {
			above = m.forker(e)
		}
	}
	if above != nil {
		p.asked = above.asked
		if base(above.File) == "sshd" || base(above.File) == "sshd-session" { // another connection, whatever session it is in
			p.asked = &questions{}
		}
	}
	p.under = inherit(p, above, e.Command.Args)
	if known && p.Parent != nil && was.Parent == p.Parent && !talkedTo(p, e.Command.Args) { // what ran in this process before hands down too
		p.under |= was.under
	}
	p.Session = m.belongs(e, p)
	if known {
		m.processes.Add(p.PID, p)
	} else {
		m.processes.begin(p.PID, p)
	}
	m.keepShell(e, p.Parent)
	m.keepShell(e, p)
	return p
}

// belongs finds the session of a process: the sign-in that the kernel names, else that of its parent, else the service it is, or is below.
func (m *Machine) belongs(e *activity.Event, p *Process) *Session {
	if e.Process.Session != linuxaudit.Unset {
		s := m.login(e.Process.Session, e.Millis)
		s.AUID = e.Process.AUID
		return s
	}
	if p.Parent != nil {
		p.Parent.Session.Last = max(p.Parent.Session.Last, e.Millis)
		return p.Parent.Session
	}
	root := e.Process.Parent
	if root <= 2 { // it is a service itself: init, or the kernel, started it
		root = e.Process.PID
	}
	return m.session("service "+strconv.FormatUint(uint64(root), 10), e.Millis)
}

// file is the note of a file, made if it isn't there.
func (m *Machine) file(name string) *fileNote {
	f, ok := m.files.Get(name)
	if !ok {
		f = &fileNote{}
		m.files.Add(name, f)
	}
	return f
}

// list notes that a file was made executable, or started.
func (m *Machine) list(name string, f *fileNote) {
	if f.listed {
		return
	}
	f.listed = true
	i, _ := slices.BinarySearch(m.programs, name)
	m.programs = slices.Insert(m.programs, i, name)
}

// unlist is told of each file that is forgotten.
func (m *Machine) unlist(name string, f *fileNote) {
	if !f.listed {
		return
	}
	if i, ok := slices.BinarySearch(m.programs, name); ok {
		m.programs = slices.Delete(m.programs, i, i+1)
	}
}

// recent reports whether something was at a time, and no longer before now than d.
func recent(then, now int64, d time.Duration) bool { return then != 0 && now-then <= d.Milliseconds() }

// find reports a finding about a started program. key tells repetitions apart, within the session and the rule.
func (s *step) find(a *Alert, confidence float64, key, why string) *Finding {
	f := &Finding{
		Alert: a, Rule: s.rule, Key: s.rule + "|" + s.session.ID + "|" + key, Millis: s.event.Millis, Why: why, Process: s.process, Session: s.session,
		Confidence: confidence, Commands: []Evidence{s.evidence()}, Account: s.session.Account,
	}
	return f
}

func (s *step) evidence() Evidence {
	return Evidence{Millis: s.event.Millis, PID: s.process.PID, Line: s.process.Line}
}
