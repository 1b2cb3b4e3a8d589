package kernel

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// Architectures as rules name them; those of 32 bits are what their 64-bit kernels also run.
const (
	archX8664 = 0xc000003e
	archI386  = 0x40000003
	archARM64 = 0xc00000b7
)

// architectures are those a machine's programs can call the kernel by, by Go's name of the machine's.
func architectures(goarch string) []uint32 {
	switch goarch {
	case "amd64":
		return []uint32{archX8664, archI386}
	case "386":
		return []uint32{archI386}
	case "arm64":
		return []uint32{archARM64}
	}
	return nil
}

// Scope narrows rules to some processes; the zero value is all of them.
type Scope struct {
	UID  *uint32 // acting as this account
	AUID *uint32 // signed in as this account, whoever they act as now
}

// Config says what is to be audited.
type Config struct {
	// Key names the rules that are ours, so that they can be told from others' and removed. "bulkhead" if empty. Two agents on one machine need two keys.
	Key   string
	Scope Scope
	// Connects also audits connections to IPv4 and IPv6 addresses: one event for each, which costs a busy machine something. It wants Linux 5.3.
	Connects bool
	// ExecOnly leaves everything out but the start of programs, and connections if they are asked for.
	ExecOnly bool
	// Homes are the home folders whose .ssh is watched; nil is those of the accounts in /etc/passwd.
	Homes []string
}

func (c *Config) key() string {
	if c.Key == "" {
		return "bulkhead"
	}
	return c.Key
}

// What starts a program, and what changes files. Names of calls that an architecture lacks are passed over.
var (
	startCalls = []string{"execve", "execveat"}
	fileCalls  = []string{
		"open", "openat", "openat2", "creat", "truncate", "ftruncate", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "rmdir",
		"rename", "renameat", "renameat2", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "setxattr", "lsetxattr", "fsetxattr",
		"removexattr",
	}
	moduleCalls = []string{"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"}
)

// watched are the files and folders whose change is told. What isn't there is passed over.
var watchedFiles = []string{
	"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers", "/etc/crontab", "/etc/anacrontab", "/etc/rc.local", "/etc/ld.so.preload", "/etc/ld.so.conf",
	"/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/environment", "/var/log/lastlog", "/var/log/wtmp", "/var/log/btmp", "/var/run/utmp",
}

var watchedFolders = []string{
	"/etc/sudoers.d", "/etc/ssh", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/var/spool/cron", "/etc/systemd",
	"/usr/lib/systemd/system", "/usr/local/lib/systemd", "/etc/init.d", "/etc/ld.so.conf.d", "/etc/audit", "/etc/audisp", "/etc/pam.d", "/etc/profile.d", "/etc/security",
	"/var/log/faillock", "/var/run/faillock",
}

// wanted is one rule, and whether it may be left out where the kernel doesn't know it or the file isn't there.
type wanted struct {
	rule     *Rule
	optional bool
}

// rules are those of a configuration, for a machine's architecture and an agent's process. homes are those whose .ssh is watched.
func rules(c Config, goarch string, own uint32, homes []string) ([]wanted, error) {
	archs := architectures(goarch)
	if len(archs) == 0 {
		return nil, fmt.Errorf("audit rules are written for amd64, 386 and arm64, not for %s", goarch)
	}
	b := builder{c: c}
	for _, arch := range archs {
		b.arch = arch
		b.own(own)
		b.rule(startCalls, field{id: fieldSuccess, op: equal, value: 1})
		if c.Connects {
			for _, family := range []uint32{2, 10} {
				b.rule([]string{"connect"}, field{id: fieldSaddrFam, op: equal, value: family})
				b.out[len(b.out)-1].optional = true
			}
		}
		if !c.ExecOnly {
			b.powers()
			b.files(homes)
		}
	}
	return b.out, nil
}

type builder struct {
	c    Config
	arch uint32
	out  []wanted
}

// own leaves out what the agent does itself: first in the list, and only for calls that are audited at all, since each of its calls is compared.
func (b *builder) own(pid uint32) {
	calls := slices.Concat(startCalls, []string{"connect", "ptrace", "memfd_create", "setuid", "setreuid", "setresuid"}, moduleCalls, fileCalls)
	r := b.start(calls)
	r.list, r.action = listExit|prepend, actNever
	r.fields = append(r.fields, field{id: fieldPID, op: equal, value: pid})
	b.end(r, false)
}

// powers are calls that few programs have use for.
func (b *builder) powers() {
	const attach, seize, pokeText, pokeData = 16, 0x4206, 4, 5
	for _, request := range []uint32{attach, seize, pokeText, pokeData} {
		b.rule([]string{"ptrace"}, field{id: fieldArg0, op: equal, value: request})
	}
	b.rule([]string{"process_vm_writev"})
	b.rule(moduleCalls)
	b.rule([]string{"memfd_create"})
	// Becoming root: the first argument of setuid, the second (the effective one) of the others.
	b.rule([]string{"setuid"}, field{id: fieldArg0, op: equal, value: 0}, field{id: fieldSuccess, op: equal, value: 1})
	b.rule([]string{"setreuid", "setresuid"}, field{id: fieldArg0 + 1, op: equal, value: 0}, field{id: fieldSuccess, op: equal, value: 1})
}

func (b *builder) files(homes []string) {
	for _, name := range watchedFiles {
		b.watch(fieldWatch, name)
	}
	folders := slices.Clone(watchedFolders)
	for _, h := range homes {
		folders = append(folders, path.Join(h, ".ssh"))
	}
	for _, name := range folders {
		b.watch(fieldDir, name)
	}
}

func (b *builder) watch(kind uint32, name string) {
	b.rule(fileCalls, field{id: kind, op: equal, text: name}, field{id: fieldPerm, op: equal, value: permWrite | permAttributes})
	b.out[len(b.out)-1].optional = true
}

func (b *builder) rule(calls []string, fields ...field) {
	r := b.start(calls)
	r.fields = append(r.fields, fields...)
	if id := b.c.Scope.UID; id != nil {
		r.fields = append(r.fields, field{id: fieldUID, op: equal, value: *id})
	}
	if id := b.c.Scope.AUID; id != nil {
		r.fields = append(r.fields, field{id: fieldLoginUID, op: equal, value: *id})
	}
	b.end(r, false)
}

func (b *builder) start(calls []string) *Rule {
	r := &Rule{list: listExit, action: actAlways, fields: []field{{id: fieldArch, op: equal, value: b.arch}}}
	for _, name := range calls {
		if n, ok := activity.Number(b.arch, name); ok {
			r.add(n)
		}
	}
	return r
}

func (b *builder) end(r *Rule, optional bool) {
	if r.mask == ([maskWords]uint32{}) {
		return // the architecture has none of the calls: a rule without any would be about none
	}
	r.fields = append(r.fields, field{id: fieldKey, op: equal, text: b.c.key()})
	b.out = append(b.out, wanted{rule: r, optional: optional})
}

// homesOf are the home folders in the text of /etc/passwd, each once, without those that aren't anybody's own.
func homesOf(passwd string) (homes []string) {
	for line := range strings.Lines(passwd) {
		parts := strings.Split(strings.TrimSpace(line), ":")
		if len(parts) < 7 || !path.IsAbs(parts[5]) {
			continue
		}
		h := path.Clean(parts[5])
		if h == "/" || h == "/nonexistent" || h == "/proc" || h == "/dev" || slices.Contains(homes, h) {
			continue
		}
		homes = append(homes, h)
	}
	return homes
}
