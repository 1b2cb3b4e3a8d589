package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/bulkheadhq/bulkhead/agent/inventory"
	"github.com/bulkheadhq/bulkhead/agent/source"
	"github.com/bulkheadhq/bulkhead/agent/source/audisp"
	"github.com/bulkheadhq/bulkhead/agent/source/kernel"
	"github.com/bulkheadhq/bulkhead/agent/source/tail"
)

// sourceFlags say where events come from.
type sourceFlags struct {
	audit, signIns, sockets []string
	syslogs                 []string
	kernel, fromStart, all  bool
	connects, keepRules     bool
	uid                     int64
}

func (f *sourceFlags) add(p *pflag.FlagSet) {
	p.StringArrayVar(&f.audit, "audit-log", nil, "a log of auditd to follow; may be given several times")
	p.StringArrayVar(&f.signIns, "auth-log", nil, "a log of sign-ins to follow; may be given several times")
	p.StringArrayVar(&f.syslogs, "syslog", nil, "a log of any programs to follow (syslog, messages, cron), about whose lines rules are asked; may be given several times")
	p.StringArrayVar(&f.sockets, "audisp", nil, "a socket of auditd's af_unix plugin to read from, such as "+audisp.DefaultSocket+"; may be given several times")
	p.BoolVar(&f.kernel, "kernel", false, "listen to the kernel's audit system, with rules of the agent's own, instead of reading audit.log")
	p.BoolVar(&f.connects, "connections", false, "with --kernel: also tell connections, which costs a busy machine something")
	p.BoolVar(&f.keepRules, "keep-rules", false, "with --kernel: leave the kernel's audit rules as they are, and listen to what they ask for")
	p.Int64Var(&f.uid, "uid", everybody, "with --kernel: audit only what runs as the account with this number; -1 is everybody")
	p.BoolVar(&f.fromStart, "from-start", false, "at the first start, read what the logs have already")
	p.BoolVar(&f.all, "inventory", true, "tell at each start which programs run already")
}

// everybody is no account's number.
const everybody = -1

// scope narrows what the kernel is asked for.
func (f *sourceFlags) scope() (s kernel.Scope, err error) {
	switch {
	case f.uid == everybody:
	case !f.kernel || f.keepRules:
		return s, errors.New("--uid narrows the agent's own rules in the kernel: it goes with --kernel, and without --keep-rules")
	case f.uid < 0 || f.uid >= math.MaxUint32:
		return s, fmt.Errorf("--uid %d is no account's number", f.uid)
	default:
		id := uint32(f.uid)
		s.UID = &id
	}
	return s, nil
}

// sources makes them. Without any named, those that this machine has.
func (f *sourceFlags) sources(state string, log *slog.Logger) ([]source.Source, error) {
	var out []source.Source
	if f.all {
		if _, err := os.Stat("/proc/self/stat"); err == nil {
			out = append(out, inventory.New("/proc"))
		}
	}
	own := len(out)
	if len(f.audit) == 0 && len(f.signIns) == 0 {
		if !f.kernel && len(f.sockets) == 0 {
			f.audit = present("/var/log/audit/audit.log")
		}
		if f.signIns = present("/var/log/auth.log"); len(f.signIns) == 0 {
			f.signIns = present("/var/log/secure", "/var/log/messages")
		}
	}
	only, err := f.scope()
	if err != nil {
		return nil, err
	}
	if f.kernel {
		out = append(out, kernel.New(kernel.Options{
			Config: kernel.Config{Connects: f.connects, Scope: only}, ListenOnly: f.keepRules, StateFile: kernelState(state), Log: log,
		}))
	}
	for _, name := range f.sockets {
		out = append(out, audisp.New(audisp.Options{Socket: name, Log: log}))
	}
	for _, name := range f.audit {
		out = append(out, tail.New(tail.Options{File: name, Lines: tail.Audit, FromStart: f.fromStart, Log: log}))
	}
	for _, name := range slices.Concat(f.signIns, f.syslogs) {
		if slices.ContainsFunc(out, func(s source.Source) bool { return s.Name() == "file:"+filepath.Clean(name) }) {
			continue // it is the log of sign-ins, too
		}
		out = append(out, tail.New(tail.Options{File: name, Lines: tail.Log(time.Local, time.Now), FromStart: f.fromStart, Log: log}))
	}
	if len(out) == own {
		return nil, errors.New("this machine has neither /var/log/audit/audit.log nor a log of sign-ins: name them (--audit-log, --auth-log), or listen to the kernel (--kernel)")
	}
	return out, nil
}

// present is the first of the files that is there.
func present(names ...string) []string {
	for _, name := range names {
		if _, err := os.Stat(name); err == nil {
			return []string{name}
		}
	}
	return nil
}
