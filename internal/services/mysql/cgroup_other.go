//go:build !linux

package mysql

import "time"

// cgroups are Linux's.
type cgroups struct{}

func openCgroups() *cgroups { return &cgroups{} }

func (*cgroups) hold(string, int, Limits, string) (held []string, why string) {
	return nil, "only Linux has control groups"
}

func (*cgroups) usage(string) (cpu time.Duration, memory int64, ok bool) { return 0, 0, false }

func (*cgroups) remove(string) {}
