package mysql

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups are control groups (version 2) below one that was delegated to the platform, by which the kernel holds each server to its SKU: processors, memory, and reads and
// writes a second. Safe for concurrent use.
type cgroups struct {
	base string   // "": there are none
	has  []string // of controllers()
	why  string   // what is missing, "" for nothing
}

// ownGroup is where the platform itself goes: a group with groups below it may hold no process.
const ownGroup = "platform"

func controllers() []string { return []string{"cpu", "memory", "io"} }

// openCgroups looks where this process is and takes the group if it was delegated (systemd's Delegate=, which marks it with an attribute).
func openCgroups() *cgroups {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return &cgroups{why: "this machine has no control groups"}
	}
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
			return takeCgroup(root, groupIn(string(b)), os.Getpid())
		}
	}
	return &cgroups{why: "this machine has no control groups of version 2"}
}

// groupIn takes the group of version 2 out of /proc/PID/cgroup; "" if there is none.
func groupIn(s string) string {
	for line := range strings.Lines(s) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return path
		}
	}
	return ""
}

// takeCgroup prepares the group at path below root, in which the process is, for groups below it.
func takeCgroup(root, path string, pid int) *cgroups {
	if path == "" {
		return &cgroups{why: "this machine has no control groups of version 2"}
	}
	own := filepath.Join(root, path)
	base := own
	if filepath.Base(own) == ownGroup { // systemd's DelegateSubgroup=, or an earlier look
		base = filepath.Dir(own)
	}
	if !delegated(base) {
		return &cgroups{why: "the platform was given no control group of its own (systemd's Delegate=)"}
	}
	if base == own {
		mine := filepath.Join(base, ownGroup)
		if err := os.Mkdir(mine, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return &cgroups{why: "the platform's control group can't be divided: " + cause(err)}
		}
		if err := writeControl(mine, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return &cgroups{why: "the platform's control group can't be divided: " + cause(err)}
		}
	}
	there, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
	if err != nil {
		return &cgroups{why: "the platform's control group can't be read: " + cause(err)}
	}
	c := &cgroups{base: base}
	var missing []string
	for _, name := range controllers() {
		if !slices.Contains(strings.Fields(string(there)), name) || writeControl(base, "cgroup.subtree_control", "+"+name) != nil {
			missing = append(missing, name)
			continue
		}
		c.has = append(c.has, name)
	}
	if missing != nil {
		c.why = "the platform's control group has no controller " + strings.Join(missing, ", ")
	}
	return c
}

// delegated tells whether systemd handed the group over.
func delegated(dir string) bool {
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		b := make([]byte, 8)
		if n, err := unix.Getxattr(dir, name, b); err == nil && string(b[:n]) == "1" {
			return true
		}
	}
	return false
}

func writeControl(dir, file, value string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644)
}

// cause is an error without the path in it.
func cause(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

func (c *cgroups) of(guid string) string { return filepath.Join(c.base, "mysql-"+guid) }

// hold puts a server's process (0: none runs) into the server's group and gives that the SKU's limits. It returns what the kernel holds it to, and why not to the rest.
func (c *cgroups) hold(guid string, pid int, l Limits, folder string) (held []string, why string) {
	if c.base == "" {
		return nil, c.why
	}
	dir, reasons := c.of(guid), []string{}
	if c.why != "" {
		reasons = append(reasons, c.why)
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, "no control group can be made: " + cause(err)
	}
	if pid != 0 {
		if err := writeControl(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return nil, "the server's process can't be put into its control group: " + cause(err)
		}
	}
	for _, name := range c.has {
		file, value, err := limitOf(name, l, folder)
		if err == nil {
			err = writeControl(dir, file, value)
		}
		if err != nil {
			reasons = append(reasons, name+": "+cause(err))
			continue
		}
		if name == "io" && l.IOPS == 0 {
			reasons = append(reasons, "io: the tier has no IOPS of its own")
			continue
		}
		held = append(held, name)
	}
	return held, strings.Join(reasons, "; ")
}

// limitOf is a controller's file and what to write into it.
func limitOf(controller string, l Limits, folder string) (file, value string, err error) {
	const period = 100_000 // microseconds
	switch controller {
	case "cpu":
		return "cpu.max", fmt.Sprintf("%d %d", l.VCores*period, period), nil
	case "memory":
		return "memory.max", strconv.FormatInt(l.MemoryBytes, 10), nil
	}
	device, err := deviceOf(folder)
	if err != nil {
		return "", "", err
	}
	n := "max"
	if l.IOPS > 0 {
		n = strconv.Itoa(l.IOPS)
	}
	return "io.max", device + " riops=" + n + " wiops=" + n, nil
}

// deviceOf is the disk that a folder is on, as major:minor. A partition is its disk: only that can be limited.
func deviceOf(folder string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil {
		return "", err
	}
	major, minor := unix.Major(st.Dev), unix.Minor(st.Dev)
	device := fmt.Sprintf("%d:%d", major, minor)
	if major == 0 {
		return "", errors.New("the data is not on a disk of its own device")
	}
	if _, err := os.Stat("/sys/dev/block/" + device + "/partition"); err != nil {
		return device, nil
	}
	link, err := filepath.EvalSymlinks("/sys/dev/block/" + device)
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(filepath.Dir(link), "dev"))
	return strings.TrimSpace(string(b)), err
}

// usage is what a server's group has used: CPU time, and memory without what the kernel could take back at once. ok is false if it isn't held.
func (c *cgroups) usage(guid string) (cpu time.Duration, memory int64, ok bool) {
	if !slices.Contains(c.has, "cpu") || !slices.Contains(c.has, "memory") {
		return 0, 0, false
	}
	used, ok1 := numberIn(filepath.Join(c.of(guid), "cpu.stat"), "usage_usec")
	current, ok2 := numberIn(filepath.Join(c.of(guid), "memory.current"), "")
	inactive, ok3 := numberIn(filepath.Join(c.of(guid), "memory.stat"), "inactive_file")
	return time.Duration(used) * time.Microsecond, max(current-inactive, 0), ok1 && ok2 && ok3
}

// numberIn finds "NAME N" in a file; with the name "", the file is a number.
func numberIn(file, name string) (int64, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); name == "" && len(f) == 1 || len(f) == 2 && f[0] == name {
			n, err := strconv.ParseInt(f[len(f)-1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// remove removes the group of a server that has ended.
func (c *cgroups) remove(guid string) {
	if c.base != "" && guid != "" {
		_ = os.Remove(c.of(guid))
	}
}
