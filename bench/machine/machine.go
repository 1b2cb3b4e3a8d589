// Package machine says on what figures were measured.
package machine

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Processor is the name of the processor's model, or its architecture where the system doesn't tell.
func Processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

// Commit is the short name of the commit that is checked out, or "unknown".
func Commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// SpentBy is the processor time a process has used, in steps of 10 ms.
func SpentBy(cmd *exec.Cmd) time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// Memory is what of a process is in memory, in MiB.
type Memory struct {
	Resident  float64 // all of it
	Anonymous float64 // what is nowhere else: heap, stacks, data that was written to
	File      float64 // pages of files, the program's own above all, which the system can drop and read again
	Peak      float64 // the most that ever was resident
}

// MemoryOf tells the memory of a process.
func MemoryOf(cmd *exec.Cmd) (m Memory, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(b)) {
		name, v, _ := strings.Cut(line, ":")
		into := map[string]*float64{"VmRSS": &m.Resident, "RssAnon": &m.Anonymous, "RssFile": &m.File, "VmHWM": &m.Peak}[name]
		if into == nil {
			continue
		}
		kb, err := strconv.ParseFloat(strings.Fields(v)[0], 64)
		if err != nil {
			return m, err
		}
		*into = kb / 1024
	}
	if m.Resident == 0 {
		return m, fmt.Errorf("no VmRSS")
	}
	return m, nil
}
