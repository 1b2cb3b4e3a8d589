package isolate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/pki"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// bind is a file mounted over another inside.
type bind struct{ Source, Target string }

// systemFiles is where a system's resolver looks.
const (
	hostsPath  = "/etc/hosts"
	resolvPath = "/etc/resolv.conf"
	switchPath = "/etc/nsswitch.conf"
)

// nscdFolders hold the socket of the name service cache, which answers from outside the namespace.
var nscdFolders = []string{"/run/nscd", "/var/run/nscd"}

// prepare writes the files that the command sees instead of the system's into dir, and says what is mounted where. What the system lacks is not
// mounted: without a resolv.conf every resolver asks 127.0.0.1 anyway.
func prepare(dir string, hosts wire.Hosts, bundle string) ([]bind, error) {
	machine, _ := os.Hostname()
	order, err := os.ReadFile(switchPath)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var binds []bind
	for _, f := range []struct{ target, name, text string }{
		{hostsPath, "hosts", hostsFile(hosts, machine)},
		{resolvPath, "resolv.conf", "nameserver 127.0.0.1\noptions ndots:1\n"},
		{switchPath, "nsswitch.conf", switchFile(string(order))},
	} {
		source := filepath.Join(dir, f.name)
		if err := os.WriteFile(source, []byte(f.text), 0o644); err != nil {
			return nil, err
		}
		binds = addBind(binds, source, f.target)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		return nil, err
	}
	for _, f := range nscdFolders {
		binds = addBind(binds, empty, f)
	}
	for _, f := range pki.SystemBundles() {
		binds = addBind(binds, bundle, f)
	}
	return binds, nil
}

// addBind adds source over target, through links and once; a target that does not exist is left out.
func addBind(binds []bind, source, target string) []bind {
	real, err := filepath.EvalSymlinks(target)
	if err != nil || slices.ContainsFunc(binds, func(b bind) bool { return b.Target == real }) {
		return binds
	}
	return append(binds, bind{source, real})
}

// hostsFile names what resolvers must know that never ask a server.
func hostsFile(hosts wire.Hosts, machine string) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	if machine != "" && machine != "localhost" {
		b.WriteString("127.0.0.1 " + machine + "\n")
	}
	for _, n := range hosts.Suffixes() {
		if h, ok := hosts.Resolve(n); ok && h.Name == "" { // a fixed name, not only the end of names
			b.WriteString("127.0.0.1 " + n + "\n")
		}
	}
	return b.String()
}

// switchFile is the system's nsswitch.conf with host names looked up in the file and by DNS alone: other sources ask daemons outside the namespace.
func switchFile(system string) string {
	const line = "hosts: files dns\n"
	var b strings.Builder
	done := false
	for l := range strings.Lines(system) {
		if name, _, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "hosts" {
			if !done {
				b.WriteString(line)
			}
			done = true
			continue
		}
		b.WriteString(strings.TrimSuffix(l, "\n") + "\n")
	}
	if !done {
		b.WriteString(line)
	}
	return b.String()
}
