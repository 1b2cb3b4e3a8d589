// Package machine says on what figures were measured.
package machine

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
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
