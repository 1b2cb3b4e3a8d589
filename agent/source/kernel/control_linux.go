package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	wantBacklog  = 8192
	stateVersion = 1
)

// state is what the audit system was before, as the state file has it.
type state struct {
	Kind    string   `json:"kind"` // "kernel audit"
	Version int      `json:"version"`
	Boot    string   `json:"boot"` // the kernel's id of this boot: a later one began without our changes
	Key     string   `json:"key"`
	Was     Status   `json:"was"`
	Set     Status   `json:"set"`
	Mask    uint32   `json:"mask"`
	Rules   int      `json:"rules"`             // how many rules there were
	Removed [][]byte `json:"removed,omitempty"` // rules of others', in the kernel's form
}

// Installed is a kernel with our rules in it.
type Installed struct {
	conn *conn
	file string
	lock *os.File
	key  string
	log  *slog.Logger
}

// Install puts the rules of a configuration into the kernel and switches auditing on. file is where it notes what to put back; if an earlier agent left one, that is put
// back first. The caller calls Restore. Errors are ErrRefused where the kernel can't, or may not, be changed.
func Install(c Config, file string, log *slog.Logger) (in *Installed, err error) {
	lock, err := lockFile(file)
	if err != nil {
		return nil, err
	}
	in = &Installed{file: file, lock: lock, key: c.key(), log: log}
	defer func() {
		if err != nil {
			in.release()
		}
	}()
	if in.conn, err = dial(); err != nil {
		return nil, err
	}
	if err := putBack(in.conn, file, log); err != nil {
		return nil, fmt.Errorf("put back what an earlier agent changed: %w", err)
	}
	was, err := in.conn.status()
	if err != nil {
		return nil, err
	}
	if was.Enabled == enabledLocked {
		return nil, fmt.Errorf("install audit rules: %w: its rules are locked until the next boot (auditctl -e 2); listen without rules of our own, or add them to the machine's and boot", ErrRefused)
	}
	rules, err := rules(c, runtime.GOARCH, uint32(os.Getpid()), homes(c))
	if err != nil {
		return nil, err
	}
	s := state{Kind: "kernel audit", Version: stateVersion, Boot: bootID(), Key: in.key, Was: was}
	s.Set, s.Mask = changed(was, log)
	if err := in.change(&s, rules); err != nil {
		return nil, errors.Join(err, putBack(in.conn, file, log))
	}
	return in, nil
}

// changed is what the status is to be, and what of it has to be set.
func changed(was Status, log *slog.Logger) (set Status, mask uint32) {
	set = was
	if was.Enabled == 0 {
		set.Enabled, mask = 1, mask|setEnabled
	}
	if was.Backlog != 0 && was.Backlog < wantBacklog { // 0 is no limit
		set.Backlog, mask = wantBacklog, mask|setBacklog
	}
	switch {
	case was.Failure == failurePanics:
		log.Warn("audit_panics", "why", "the machine is set to stop when it loses audit records (auditctl -f 2): processes are left to wait for room in the queue")
	case was.BacklogWait != 0:
		set.BacklogWait, mask = 0, mask|setBacklogWait
	}
	return set, mask
}

// change notes what it is going to do, then does it.
func (in *Installed) change(s *state, rules []wanted) error {
	have, raw, err := in.conn.rules()
	if err != nil {
		return err
	}
	s.Rules = len(have)
	for i, r := range have {
		if r.everything() {
			s.Removed = append(s.Removed, raw[i])
		}
	}
	if err := writeState(in.file, s); err != nil {
		return err
	}
	for _, r := range s.Removed {
		in.log.Info("audit_rule_removed", "rule", "-a never,task", "why", "nothing could be audited with it")
		if err := in.conn.ask(delRule, r, nil); err != nil {
			return refused("remove the rule that forbids auditing", err)
		}
	}
	if err := in.conn.set(s.Mask, s.Set); err != nil {
		return err
	}
	return in.add(rules)
}

func (in *Installed) add(rules []wanted) error {
	for _, w := range rules {
		b, err := w.rule.encode()
		if err != nil {
			return err
		}
		err = in.conn.ask(addRule, b, nil)
		switch {
		case err == nil:
		case w.optional && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EINVAL)):
			in.log.Debug("audit_rule_left_out", "rule", w.rule.String(), "why", err.Error())
		case errors.Is(err, unix.EEXIST):
		default:
			return refused("add the audit rule "+w.rule.String(), err)
		}
	}
	return nil
}

// Restore removes our rules and puts back what was changed.
func (in *Installed) Restore() error {
	defer in.release()
	return putBack(in.conn, in.file, in.log)
}

func (in *Installed) release() {
	if in.conn != nil {
		in.conn.close()
	}
	in.lock.Close()
}

// Restore puts back what an agent that was killed has changed, and noted in a file; done is false if there is nothing to put back. While that agent runs it is an error.
func Restore(file string, log *slog.Logger) (done bool, err error) {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	lock, err := lockFile(file)
	if err != nil {
		return false, err
	}
	defer lock.Close()
	c, err := dial()
	if err != nil {
		return false, err
	}
	defer c.close()
	return true, putBack(c, file, log)
}

// Look is how the audit system stands, and the rules it has.
func Look() (Status, []*Rule, error) {
	c, err := dial()
	if err != nil {
		return Status{}, nil, err
	}
	defer c.close()
	s, err := c.status()
	if err != nil {
		return Status{}, nil, err
	}
	all, _, err := c.rules()
	return s, all, err
}

// putBack undoes what a state file tells of, and removes it.
func putBack(c *conn, file string, log *slog.Logger) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%s is damaged; look at \"auditctl -s\" and \"auditctl -l\", put them right and remove the file: %w", file, err)
	}
	if s.Kind != "kernel audit" || s.Version > stateVersion {
		return fmt.Errorf("%s is of the kind %q, version %d; this program knows \"kernel audit\" until %d", file, s.Kind, s.Version, stateVersion)
	}
	if s.Boot != bootID() {
		return os.Remove(file)
	}
	all, raw, err := c.rules()
	if err != nil {
		return err
	}
	var errs []error
	others := len(s.Removed)
	for i, r := range all {
		if r.Key() != s.Key {
			others++
			continue
		}
		if err := c.ask(delRule, raw[i], nil); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, refused("remove the audit rule "+r.String(), err))
		}
	}
	for _, r := range s.Removed {
		if err := c.ask(addRule, r, nil); err != nil && !errors.Is(err, unix.EEXIST) {
			errs = append(errs, refused("put back an audit rule", err))
		}
	}
	now, err := c.status()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	// What somebody else has set meanwhile stays.
	mask := s.Mask
	if others > s.Rules { // somebody has come who wants it to be on
		mask &^= setEnabled
	}
	for bit, same := range map[uint32]bool{setEnabled: now.Enabled == s.Set.Enabled, setBacklog: now.Backlog == s.Set.Backlog, setBacklogWait: now.BacklogWait == s.Set.BacklogWait} {
		if !same {
			mask &^= bit
		}
	}
	if err := errors.Join(append(errs, c.set(mask, s.Was))...); err != nil {
		return err
	}
	log.Info("audit_restored", "enabled", s.Was.Enabled, "backlog", s.Was.Backlog)
	return os.Remove(file)
}

// lockFile keeps two agents from using one state file.
func lockFile(file string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another agent audits this machine with %s: %w", file, err)
	}
	return f, nil
}

// writeState writes a file whole or not at all, and durably: it must be there before the kernel is changed.
func writeState(file string, s *state) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("note what the audit system was: %w", err)
	}
	return os.Rename(file+".new", file)
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

func homes(c Config) []string {
	if c.Homes != nil || c.ExecOnly {
		return c.Homes
	}
	b, _ := os.ReadFile("/etc/passwd")
	return homesOf(string(b))
}
