package isolate

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Options say what runs and which platform it reaches.
type Options struct {
	Command []string // program and arguments
	Env     []string // its whole environment, "NAME=value"
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	Hosts      wire.Hosts // the names served; Port is the front door's
	Proxy      string     // host:port of the platform's proxy
	Credential reach.Credential
	Bundle     string // file: the system's roots and the platform's

	// Failed is told once, when a first connection could not be forwarded: the platform has stopped. May be nil.
	Failed func(error)

	// Inside is the program and arguments that call Inside; what is to run is appended.
	Inside []string
}

// Refused is the answer of a system that does not let this user make the namespaces. It says what to do instead.
type Refused struct{ Err error }

// Error implements error.
func (e *Refused) Error() string {
	return "this system does not allow the namespaces that --isolate needs (" + e.Err.Error() + "). " + hint(e.Err) +
		"Without --isolate the command runs with proxy variables instead, which most Azure clients honour."
}

// Unwrap returns the system's own error.
func (e *Refused) Unwrap() error { return e.Err }

// limits are the settings of Linux systems that forbid namespaces to users.
var limits = []struct{ file, bad, say string }{
	{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor bars them from unprivileged users: as root, sysctl kernel.apparmor_restrict_unprivileged_userns=0. "},
	{"/proc/sys/kernel/unprivileged_userns_clone", "0", "They are off for unprivileged users: as root, sysctl kernel.unprivileged_userns_clone=1. "},
	{"/proc/sys/user/max_user_namespaces", "0", "Their number is limited to none: as root, sysctl user.max_user_namespaces=10000. "},
}

// hint names the setting that forbids it, if one does.
func hint(err error) string {
	if errors.Is(err, syscall.ENOSPC) {
		return "As many as allowed exist, or none is allowed: as root, see sysctl user.max_user_namespaces, user.max_net_namespaces and their like. "
	}
	for _, l := range limits {
		if b, err := os.ReadFile(l.file); err == nil && strings.TrimSpace(string(b)) == l.bad {
			return l.say
		}
	}
	return "In a container, its seccomp profile or missing CAP_SYS_ADMIN is the usual reason. "
}

// proxyVariables, in lower case, send clients to a proxy.
var proxyVariables = []string{"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"}

// Environ is env without what would send clients to a proxy, which no one can reach inside.
func Environ(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(strings.ToLower(v), "=")
		return slices.Contains(proxyVariables, name)
	})
}
