package scan

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/authlog"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
)

const (
	buffer     = 1 << 20 // longer lines are no records: the kernel's have 8 KiB at most
	checkEvery = 4096    // lines between two looks at the context
	maxShown   = 20      // commands kept of one result
	maxResults = 100_000
)

// Options is what to look with.
type Options struct {
	Params detect.Params
	Intel  detect.Intel
	Rules  *rules.Set // asked beside the analytics, or nil
	// Countries tells where sign-ins come from, or nil.
	Countries detect.Countries
	Zone      *time.Location // of syslog's lines that have none
	Now       func() time.Time
	// Progress is called now and then with how many bytes have been read of how many; total is 0 if unknown. It may be nil.
	Progress func(name string, read, total int64)
}

// Result is a suspicion with all its repetitions.
type Result struct {
	Machine     string            `json:"machine,omitempty"`
	Type        string            `json:"alertType"`
	Name        string            `json:"alertDisplayName"`
	Severity    string            `json:"severity"`
	Intent      string            `json:"intent"`
	Techniques  []string          `json:"techniques"`
	Rule        string            `json:"rule"`
	Session     string            `json:"session,omitempty"`
	Account     string            `json:"account,omitempty"`
	First       time.Time         `json:"startTimeUtc"`
	Last        time.Time         `json:"endTimeUtc"`
	Count       int               `json:"count"`
	Confidence  float64           `json:"confidenceScore"`
	Description string            `json:"description"`
	Commands    []detect.Evidence `json:"commands,omitempty"`
	Files       []string          `json:"files,omitempty"`
	Addresses   []netip.Addr      `json:"addresses,omitempty"`
	Networks    []string          `json:"networks,omitempty"`
	Domains     []string          `json:"domains,omitempty"`
	URLs        []string          `json:"urls,omitempty"`
	Remedy      []string          `json:"remediationSteps"`
	Incident    string            `json:"incident,omitempty"` // the name of the one it is part of

	severity detect.Severity
	alert    *alerts.Alert // the same, as correlation sees it
	machine  *machine
}

// Report is what was found, and in what.
type Report struct {
	Results   []*Result
	Incidents []*Incident
	Bytes     int64
	Audit     linuxaudit.Stats
	SignIns   int // lines of a sign-in log that told something
	Logged    int // other lines of logs, which rules alone are asked about
	Skipped   int // lines that are neither
	Dropped   int // findings beyond maxResults
}

// Scanner takes logs.
type Scanner struct {
	o        Options
	machines map[string]*machine
	last     *machine // whose event came last
	lastNode string
	rules    *rules.Matcher
	results  map[string]*Result
	kept     int // results that are correlated
	report   Report
	audit    *linuxaudit.Reassembler
	norm     activity.Normalizer
	auth     authlog.Parser
}

// machine is what is known of one machine.
type machine struct {
	name   string
	number int
	state  *detect.Machine
	rules  rules.State
	report func(*detect.Finding)
}

// New makes a Scanner that has seen nothing.
func New(o Options) *Scanner {
	s := &Scanner{o: o, machines: map[string]*machine{}, rules: rules.NewMatcher(), results: map[string]*Result{}}
	s.auth = authlog.Parser{Zone: o.Zone, Now: o.Now}
	s.audit = linuxaudit.NewReassembler(func(e *linuxaudit.Event) { s.apply(s.norm.Audit(e)) })
	return s
}

// File reads a file; "-" is standard input.
func (s *Scanner) File(ctx context.Context, name string) error {
	if name == "-" {
		return s.Read(ctx, name, os.Stdin, 0)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder; name the files in it", name)
	}
	return s.Read(ctx, name, f, info.Size())
}

// Read reads a log to its end. size is that of what is read, 0 if unknown.
func (s *Scanner) Read(ctx context.Context, name string, in io.Reader, size int64) error {
	counted := &counter{in: in}
	r := bufio.NewReaderSize(counted, buffer)
	if magic, err := r.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer z.Close()
		r = bufio.NewReaderSize(z, buffer)
	}
	for n := 0; ; n++ {
		if n%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if s.o.Progress != nil {
				s.o.Progress(name, counted.n, size)
			}
		}
		line, err := r.ReadSlice('\n')
		s.report.Bytes += int64(len(line))
		if errors.Is(err, bufio.ErrBufferFull) {
			s.report.Skipped++
			for errors.Is(err, bufio.ErrBufferFull) {
				line, err = r.ReadSlice('\n')
				s.report.Bytes += int64(len(line))
			}
			line = nil
		}
		if len(line) > 0 {
			s.line(line)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	s.audit.Flush()
	if s.o.Progress != nil {
		s.o.Progress(name, counted.n, counted.n)
	}
	return nil
}

type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.n += int64(n)
	return n, err
}

func (s *Scanner) line(line []byte) {
	if bytes.HasPrefix(line, []byte("type=")) || bytes.HasPrefix(line, []byte("node=")) {
		s.audit.Line(line)
		return
	}
	if e, told := s.auth.Any(line); e != nil {
		if told {
			s.report.SignIns++
		} else {
			s.report.Logged++
		}
		s.apply(e)
		return
	}
	if len(bytes.TrimSpace(line)) > 0 {
		s.report.Skipped++
	}
}

func (s *Scanner) apply(e *activity.Event) {
	m := s.last
	if m == nil || s.lastNode != string(e.Node) {
		m = s.machine(e.Node)
		s.last, s.lastNode = m, string(e.Node)
	}
	m.state.Apply(e)
	s.rules.Apply(s.o.Rules, &m.rules, m.state, e, m.report)
}

// machine is the one that a log names. audit.log names none, as a rule, and sshd's log does: if there is but one machine, both are of it.
func (s *Scanner) machine(node []byte) *machine {
	m, ok := s.machines[string(node)]
	if !ok && len(s.machines) == 1 {
		for name, only := range s.machines {
			if name == "" || len(node) == 0 {
				only.name = name + string(node)
				s.machines[string(node)] = only
				return only
			}
		}
	}
	if !ok {
		m = &machine{name: string(node), number: len(s.machines)}
		m.report = func(f *detect.Finding) { s.found(m, f) }
		m.state = detect.New(s.o.Params, s.o.Intel, m.report)
		if s.o.Countries != nil {
			m.state.Locate(s.o.Countries)
		}
		s.machines[m.name] = m
	}
	return m
}

// found adds a finding to the result it repeats, or begins one.
func (s *Scanner) found(m *machine, f *detect.Finding) {
	key := strconv.Itoa(m.number) + "|" + f.Alert.Type + "|" + f.Key
	at := time.UnixMilli(f.Millis).UTC()
	r, ok := s.results[key]
	if !ok {
		if len(s.results) >= maxResults {
			s.report.Dropped++
			return
		}
		r = &Result{
			machine: m, Type: f.Alert.Type, Name: f.Alert.Name, Severity: f.Alert.Severity.String(), Intent: f.Alert.Intent, Techniques: f.Alert.Techniques, Rule: f.Rule,
			Account: f.Account, First: at, Last: at, Remedy: f.Alert.Remedy, severity: f.Alert.Severity,
		}
		if f.Session != nil {
			r.Session = f.Session.ID
		}
		s.results[key] = r
	}
	s.keep(r, m, f)
	r.Count++
	r.First, r.Last = earlier(r.First, at), later(r.Last, at)
	if f.Confidence >= r.Confidence {
		r.Confidence, r.Description = f.Confidence, f.Why
	}
	for _, c := range f.Commands {
		if len(r.Commands) < maxShown && !slices.Contains(r.Commands, c) {
			r.Commands = append(r.Commands, c)
		}
	}
	r.Files = union(r.Files, f.Files)
	r.Networks = union(r.Networks, f.Prefixes)
	r.Domains = union(r.Domains, f.Domains)
	r.URLs = union(r.URLs, f.URLs)
	for _, a := range f.Addrs {
		if len(r.Addresses) < maxShown && !slices.Contains(r.Addresses, a) {
			r.Addresses = append(r.Addresses, a)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

const maxNames = 64 // files, networks and the like kept of one result

func union(have, more []string) []string {
	for _, m := range more {
		if len(have) < maxNames && !slices.Contains(have, m) {
			have = append(have, m)
		}
	}
	return have
}

// Report is what was found so far, by time.
func (s *Scanner) Report() Report {
	r := s.report
	r.Audit = s.audit.Stats()
	for _, x := range s.results {
		x.Machine = x.machine.name
		r.Results = append(r.Results, x)
	}
	slices.SortFunc(r.Results, func(a, b *Result) int {
		if c := a.First.Compare(b.First); c != 0 {
			return c
		}
		return strings.Compare(a.Rule+a.Session+a.Description, b.Rule+b.Session+b.Description)
	})
	r.Incidents = incidents(r.Results)
	return r
}

// AtLeast are the results of a severity or a worse one.
func AtLeast(results []*Result, least detect.Severity) []*Result {
	return slices.DeleteFunc(slices.Clone(results), func(r *Result) bool { return r.severity < least })
}

// IncidentsAtLeast are the incidents of a severity or a worse one.
func IncidentsAtLeast(all []*Incident, least detect.Severity) []*Incident {
	return slices.DeleteFunc(slices.Clone(all), func(x *Incident) bool { return x.severity < least })
}
