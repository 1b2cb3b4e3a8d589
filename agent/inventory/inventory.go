// Package inventory tells which programs run already when an agent begins to look, so that what they start has a parent.
package inventory

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

const (
	clockTicks = 100       // a second, on every Linux that Go knows
	maxLine    = 128 << 10 // of a command line; what a running program shows of it may be anything
)

// Source tells of all processes once, parents before their children, and ends. Kernel threads are left out.
type Source struct {
	root   string
	counts source.Figures
}

// New makes the source of a /proc.
func New(root string) *Source { return &Source{root: root} }

// Name implements source.Source.
func (*Source) Name() string { return "inventory" }

// Figures implements source.Source. They are those of a run that has ended.
func (s *Source) Figures() source.Figures { return s.counts }

// Run implements source.Source.
func (s *Source) Run(ctx context.Context, _ []byte, out *source.Out) error {
	events, err := s.processes()
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(events, 500) {
		if ctx.Err() != nil {
			return nil
		}
		err := out.Turn(func(emit func(*activity.Event)) []byte {
			for i := range chunk {
				emit(&chunk[i])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	s.counts.Events = uint64(len(events))
	return nil
}

// processes are the events, by the time processes were started. One that ends meanwhile is left out.
func (s *Source) processes() ([]activity.Event, error) {
	fs, err := procfs.NewFS(s.root)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	stat, err := fs.Stat()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all, err := fs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var out []activity.Event
	for _, p := range all {
		if e, ok := s.process(p, int64(stat.BootTime)*1000); ok {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b activity.Event) int {
		if a.Millis != b.Millis {
			return int(min(max(a.Millis-b.Millis, -1), 1))
		}
		return int(a.Process.PID) - int(b.Process.PID)
	})
	return out, nil
}

func (s *Source) process(p procfs.Proc, boot int64) (activity.Event, bool) {
	var e activity.Event
	args, err := p.CmdLine()
	if err != nil || len(args) == 0 { // a kernel thread has none
		return e, false
	}
	stat, err := p.Stat()
	if err != nil {
		return e, false
	}
	status, err := p.NewStatus()
	if err != nil {
		return e, false
	}
	e.Kind, e.Success, e.Millis = activity.Running, true, boot+int64(stat.Starttime)*1000/clockTicks
	e.Process = activity.Process{
		PID: uint32(p.PID), Parent: uint32(stat.PPID), AUID: s.number(p.PID, "loginuid"), UID: id(status.UIDs[0]), EUID: id(status.UIDs[1]), GID: id(status.GIDs[0]),
		Session: s.number(p.PID, "sessionid"), Comm: []byte(stat.Comm),
	}
	if stat.TTY != 0 {
		e.Process.TTY = []byte(terminal(stat.TTY))
	}
	// Without the right to look at it, a process has neither program nor folder.
	if image, err := p.Executable(); err == nil {
		e.Process.Image = []byte(strings.TrimSuffix(image, " (deleted)"))
		e.Command.File = e.Process.Image
	}
	if dir, err := p.Cwd(); err == nil {
		e.Command.Dir = []byte(dir)
	}
	room := maxLine
	for i, a := range args {
		if room -= len(a) + 1; room < 0 {
			e.Command.Missing = len(args) - i
			break
		}
		e.Command.Args = append(e.Command.Args, []byte(a))
	}
	e.Command.Line = bytes.Join(e.Command.Args, []byte{' '})
	return e, true
}

// number is the number in a file of a process; unset if there is none.
func (s *Source) number(pid int, name string) uint32 {
	b, err := os.ReadFile(filepath.Join(s.root, strconv.Itoa(pid), name))
	if err != nil {
		return linuxaudit.Unset
	}
	return id(strings.TrimSpace(string(b)))
}

func id(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return linuxaudit.Unset
	}
	return uint32(n)
}

// terminal names a terminal by its device number, as audit records do.
func terminal(dev int) string {
	major, minor := dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
	switch {
	case major >= 136 && major <= 143:
		return "pts" + strconv.Itoa((major-136)<<8|minor)
	case major == 4 && minor < 64:
		return "tty" + strconv.Itoa(minor)
	case major == 4:
		return "ttyS" + strconv.Itoa(minor-64)
	}
	return "tty"
}
