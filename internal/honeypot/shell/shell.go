package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/persona"
)

// Limits of what one Run may take.
const (
	maxSteps      = 20_000
	maxBackground = 500
	maxDepth      = 24
	maxScript     = 64 << 10 // bytes of source
	maxNesting    = 1000     // of its syntax tree
	maxValue      = 16 << 10 // bytes of a variable
	maxVariables  = 512
	maxElements   = 1024 // of an array
	maxExpansion  = 1 << 20
	maxPipe       = 1 << 20
	maxWords      = 4096
	maxHistory    = 500
	maxFunctions  = 128
)

// Observer is told what a visitor does. Calls come from the goroutine that runs the shell.
type Observer interface {
	// Ran is a program that was run, after expansion; builtin tells that a real shell would have started no process.
	Ran(args []string, builtin bool)
	// Fetched is an address that was to be downloaded, and never was.
	Fetched(tool, url, file string)
	// Kept is a file as it was when it mattered: made executable, run, removed, or copied in.
	Kept(how, path string, content []byte)
	// Noted is anything else worth a record: a password that was set, an address that was to be connected to.
	Noted(kind, text string)
}

// Config is what a shell is started with.
type Config struct {
	Persona  *persona.Persona
	FS       *memfs.FS
	Now      func() time.Time
	Account  Account
	From     string // the visitor's address
	Terminal bool
	Columns  int
	Observer Observer
}

// Account is who is signed in.
type Account struct {
	Name  string
	User  memfs.User
	Home  string
	Shell string
}

// Shell is one visitor's shell. Not for concurrent use.
type Shell struct {
	cfg     Config
	account Account
	vars    map[string]expand.Variable
	funcs   map[string]*syntax.Stmt
	params  []string
	name    string // $0
	dir     string
	old     string
	status  int
	pid     int
	history []string
	began   time.Time
	locals  []map[string]expand.Variable // what a function's own variables hide
	*shared
	ctl     control
	turns   int // of loops to leave
	loops   int // loops around the present command
	depth   int
	back    bool // in the background: nothing waits
	errexit bool
	ended   bool
}

// shared is what subshells have in common with their shell.
type shared struct {
	ctx      context.Context // of the present Run
	steps    int
	expanded int   // bytes read by the expansions of the present command
	stop     error // why the present Run ends early
	nextPID  int
	builtins map[string]command
	programs map[string]command
}

// control is how a command ends other than by going on.
type control uint8

const (
	goOn control = iota
	breaking
	continuing
	returning
	exiting
)

var (
	errSteps     = errors.New("too many commands")
	errExpansion = errors.New("cannot allocate memory")
	errPipe      = errors.New("too much through a pipe")
)

// streams are a command's three files.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// New starts a shell in the account's home.
func New(c Config) *Shell {
	s := &Shell{
		cfg: c, account: c.Account, vars: map[string]expand.Variable{}, funcs: map[string]*syntax.Stmt{}, name: "-bash", dir: c.Account.Home, began: c.Now(),
		shared: &shared{ctx: context.Background(), nextPID: 21000 + int(c.Now().UnixNano()/1000)%9000, builtins: builtins(), programs: programs()},
	}
	if _, err := c.FS.Stat(s.user(), s.dir); err != nil {
		s.dir = "/"
	}
	s.pid = s.newPID()
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	if c.Account.User.UID != 0 {
		path = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
	}
	for name, v := range map[string]string{
		"HOME": c.Account.Home, "USER": c.Account.Name, "LOGNAME": c.Account.Name, "SHELL": "/bin/bash", "PATH": path, "LANG": "en_US.UTF-8", "PWD": s.dir, "SHLVL": "1", "MAIL": "/var/mail/" + c.Account.Name,
	} {
		s.vars[name] = expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: v}
	}
	if c.Terminal {
		s.export("TERM", "xterm-256color")
	}
	for name, v := range map[string]string{"PS1": `\u@\h:\w\$ `, "IFS": " \t\n", "BASH": "/bin/bash", "BASH_VERSION": c.Persona.System.Bash, "HISTFILE": c.Account.Home + "/.bash_history", "HISTSIZE": "500", "OSTYPE": "linux-gnu", "MACHTYPE": "x86_64-pc-linux-gnu", "HOSTTYPE": "x86_64"} {
		s.vars[name] = expand.Variable{Set: true, Kind: expand.String, Str: v}
	}
	return s
}

func (s *Shell) export(name, value string) {
	s.vars[name] = expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: value}
}

// Setenv sets a variable as a client may, before the first command.
func (s *Shell) Setenv(name, value string) {
	if strings.HasPrefix(name, "LC_") || name == "LANG" || name == "TERM" || strings.HasPrefix(name, "SSH_") {
		s.export(name, cut(value, 256))
	}
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

func (s *Shell) user() memfs.User { return s.account.User }

func (s *Shell) newPID() int {
	s.nextPID += 1 + s.nextPID%3
	return s.nextPID
}

// Ended tells that exit or logout was run; Status is what the last command answered.
func (s *Shell) Ended() bool { return s.ended }

// Status is the last command's.
func (s *Shell) Status() int { return s.status }

// Prompt is what stands before a command line.
func (s *Shell) Prompt() string {
	mark := "$"
	if s.user().UID == 0 {
		mark = "#"
	}
	dir := s.dir
	if h := s.account.Home; h != "/" && (dir == h || strings.HasPrefix(dir, h+"/")) {
		dir = "~" + dir[len(h):]
	}
	return fmt.Sprintf("%s@%s:%s%s ", s.account.Name, s.cfg.Persona.Hostname, dir, mark)
}

// Incomplete tells that a command goes on in the next line.
func Incomplete(src string) bool {
	if len(src) > maxScript {
		return false
	}
	_, err := parse(src)
	return err != nil && syntax.IsIncomplete(err)
}

// Typed is Run of a line that was typed: it goes into the history.
func (s *Shell) Typed(ctx context.Context, line string, in io.Reader, out, errOut io.Writer) {
	if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(line, " ") && len(s.history) < maxHistory {
		s.history = append(s.history, cut(t, 4096))
	}
	s.Run(ctx, line, in, out, errOut)
}

// Run evaluates a script. It returns when it is done, at a limit, or when ctx ends.
func (s *Shell) Run(ctx context.Context, src string, in io.Reader, out, errOut io.Writer) {
	s.ctx, s.steps, s.stop, s.ctl, s.depth = ctx, 0, nil, goOn, 0
	s.source(src, "bash", streams{in, out, errOut})
	if s.ctl == exiting {
		s.ended = true
	}
	if s.stop != nil && ctx.Err() == nil {
		fmt.Fprintf(errOut, "-bash: fork: %s\n", "Resource temporarily unavailable")
		s.status = 254
	}
	if ctx.Err() != nil {
		s.status = 130
	}
}

func parse(src string) (*syntax.File, error) {
	return syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(src), "")
}

// tooDeep tells that a script is nested deeper than is run: evaluating it recurses as deep.
func tooDeep(f *syntax.File) bool {
	depth, most := 0, 0
	syntax.Walk(f, func(n syntax.Node) bool {
		if n == nil {
			depth--
			return false
		}
		depth++
		most = max(most, depth)
		return true
	})
	return most > maxNesting
}

// source evaluates text in the present shell.
func (s *Shell) source(src, name string, io streams) {
	if len(src) > maxScript {
		src = src[:maxScript]
	}
	f, err := parse(src)
	if err == nil && tooDeep(f) {
		fmt.Fprintf(io.err, "-%s: memory exhausted\n", name)
		s.status = 2
		return
	}
	if err != nil {
		s.status = 2
		fmt.Fprintf(io.err, "-%s: %s\n", name, complaint(src, err))
		// What stands before the mistake was run already by a real shell, line by line.
		if head, _, many := strings.Cut(src, "\n"); many && s.enter() {
			defer s.leave()
			if _, err := parse(head); err == nil {
				s.source(head, name, io)
			}
		}
		return
	}
	s.guarded(func() { s.statements(f.Stmts, io) }, io)
}

// complaint words a parser's error as bash would.
func complaint(src string, err error) string {
	var wrong syntax.ParseError
	if !errors.As(err, &wrong) {
		return "syntax error"
	}
	if wrong.Incomplete {
		return "syntax error: unexpected end of file"
	}
	at := int(wrong.Pos.Offset())
	if at >= 0 && at < len(src) {
		token := src[at:]
		if i := strings.IndexAny(token, " \t\n"); i > 0 {
			token = token[:i]
		}
		return "syntax error near unexpected token `" + cut(token, 60) + "'"
	}
	return "syntax error near unexpected token `newline'"
}

// guarded runs fn. The expander answers what it doesn't know by a panic: to a visitor that is one more command that failed.
func (s *Shell) guarded(fn func(), io streams) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintln(io.err, "-bash: bad substitution")
			s.status = 1
		}
	}()
	fn()
}

// enter counts a level of calls; false is too deep.
func (s *Shell) enter() bool {
	if s.depth++; s.depth > maxDepth {
		s.depth--
		s.stop = errSteps
		return false
	}
	return true
}

func (s *Shell) leave() { s.depth-- }

// step counts one command or turn. false: it is over.
func (s *Shell) step() bool {
	if s.stop == nil && s.ctx.Err() != nil {
		s.stop = s.ctx.Err()
	}
	if s.steps++; s.steps > maxSteps && s.stop == nil {
		s.stop = errSteps
	}
	return s.stop == nil
}

// sub is a subshell: what it changes ends with it.
func (s *Shell) sub() *Shell {
	c := *s
	c.vars, c.funcs = maps.Clone(s.vars), maps.Clone(s.funcs)
	c.params = append([]string(nil), s.params...)
	c.locals, c.loops, c.ctl = nil, 0, goOn
	return &c
}
