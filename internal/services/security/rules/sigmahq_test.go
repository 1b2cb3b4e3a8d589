package rules

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/security/sigma"
)

// folder is where SigmaHQ's Linux rules are; no copy of them is part of the project.
func folder(t testing.TB) string {
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = "../../../../../shared/data"
	}
	dir := filepath.Join(root, "security", "sigma")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no rules of SigmaHQ: %v", err)
	}
	return dir
}

// TestSigmaHQ: for each rule of the folder, lines of logs that a machine would have written go the whole way (parsed, put together, made events, told to a machine) and match it. How many
// rules can't be expressed so, and why, is printed.
func TestSigmaHQ(t *testing.T) {
	t.Parallel()
	set, problems := Compile(os.DirFS(folder(t)))
	for _, p := range problems {
		t.Logf("can't be expressed: %v", p)
	}
	for _, way := range []struct {
		name  string
		watch func(*Set) *watcher
		most  int // rules that can't be expressed
	}{
		{"in a file that is scanned", watch, 3},
		{"by an agent", func(s *Set) *watcher { return watchBy(s, byAgent) }, 4}, // also none of a call that is known by its arguments,
	} {
		expressed, not := 0, len(problems)
		for n := range set.rules {
			why, ok := "no values of its fields were found that it matches", false
			for source := range sources {
				reason, tried := shown(set, int32(n), source, way.watch)
				if tried {
					why = reason
				}
				if tried && reason == "" {
					ok = true
					break
				}
			}
			if ok {
				expressed++
				continue
			}
			not++
			t.Logf("%s: no event was found that %q (%s) matches: %s", way.name, set.sigma.Rules[n].Title, set.sigma.Rules[n].File, why)
		}
		t.Logf("%s: %d rules match an event, %d can't be expressed", way.name, expressed, not)
		if expressed+not < 200 || not > way.most {
			t.Errorf("%s: %d rules match an event, %d don't", way.name, expressed, not)
		}
	}
}

// shown reports why no log was found that a rule matches, or nothing; tried is false if the rule isn't for events of the source.
func shown(set *Set, n int32, source int, watch func(*Set) *watcher) (why string, tried bool) {
	examples := set.sigma.Examples(n, source, 40)
	if len(examples) == 0 {
		return "", false
	}
	for _, values := range examples {
		log, problem := render(source, values)
		if problem != "" {
			why = problem
			continue
		}
		w := watch(set)
		w.lines(log)
		w.flush()
		for _, f := range w.found {
			if f.Alert == set.rules[n].alert {
				return "", true
			}
		}
		why = fmt.Sprintf("what was written doesn't match:\n%s", log)
	}
	return why, true
}

func quoted(s []byte) string { return strings.ToUpper(fmt.Sprintf("%x", s)) }

func or(v []byte, other string) string {
	if len(v) == 0 {
		return other
	}
	return string(v)
}

// render writes the lines that tell of an event with such values.
func render(source int, v [][]byte) (log, problem string) {
	switch source {
	case sigma.SourceProcessCreation:
		return renderStart(v), ""
	case sigma.SourceFileEvent:
		name := or(v[sigma.FieldTargetFilename], "/tmp/x")
		if name[len(name)-1] == '/' {
			name += "x"
		}
		return wrote(1, or(v[sigma.FieldImage], "/usr/bin/touch"), name), ""
	case sigma.SourceNetworkConnection:
		return renderConnection(v)
	case sigma.SourceAuditd:
		return renderRecord(v)
	}
	programs := map[int]string{
		sigma.SourceAuth: "su", sigma.SourceSSHD: "sshd", sigma.SourceSudo: "sudo", sigma.SourceCron: "CRON", sigma.SourceClamAV: "clamd", sigma.SourceVsftpd: "vsftpd", sigma.SourceGuacamole: "guacd",
	}
	return "Nov 20 01:02:03 h " + or([]byte(programs[source]), "prog") + "[7]: " + strings.ReplaceAll(string(v[sigma.FieldMessage]), "\n", " ") + "\n", ""
}

func renderStart(v [][]byte) string {
	image := or(v[sigma.FieldImage], "/usr/bin/prog")
	line := or(v[sigma.FieldCommandLine], path.Base(image))
	if !strings.HasPrefix(image, "/") {
		image = "/" + image
	}
	log := ""
	if v[sigma.FieldParentImage] != nil || v[sigma.FieldParentCommandLine] != nil {
		parent := or(v[sigma.FieldParentImage], "/usr/bin/parent")
		log = exec(1, 50, 40, parent, parent, strings.Split(or(v[sigma.FieldParentCommandLine], path.Base(parent)), " ")...)
	}
	text := exec(2, 51, 50, image, image, strings.Split(line, " ")...)
	if dir := v[sigma.FieldCurrentDirectory]; dir != nil {
		text = strings.ReplaceAll(text, `cwd="/tmp"`, "cwd="+quoted(dir))
	}
	if string(v[sigma.FieldUser]) == "root" {
		text = strings.ReplaceAll(text, "uid=1000", "uid=0")
	}
	if user := string(v[sigma.FieldUser]); user != "" {
		text = strings.Replace(text, "key=\"exec\"\n", "key=\"exec\"\x1dARCH=x86_64 SYSCALL=execve AUID=\"a\" UID=\""+user+"\" GID=\"a\"\n", 1)
	}
	if logon := string(v[sigma.FieldLogonID]); logon != "" {
		text = strings.ReplaceAll(text, "ses=3", "ses="+logon)
	}
	return log + text
}

func renderConnection(v [][]byte) (string, string) {
	if len(v[sigma.FieldDestinationHostname]) > 0 {
		return "", "a call to connect names an address, not the host's name (DestinationHostname)"
	}
	addr, err := netip.ParseAddr(or(v[sigma.FieldDestinationIP], "198.51.100.7"))
	if err != nil || !addr.Is4() {
		return "", "no address"
	}
	port := 0
	if _, err := fmt.Sscan(or(v[sigma.FieldDestinationPort], "4444"), &port); err != nil {
		return "", "no port"
	}
	stamp := "msg=audit(1542675600.001:1):"
	return fmt.Sprintf("type=SYSCALL %[1]s arch=c000003e syscall=42 success=yes exit=0 a0=3 a1=7f a2=10 a3=0 items=0 ppid=1 pid=70 auid=1000 uid=1000 gid=1000 euid=1000 ses=3 comm=\"x\" exe=%[2]s key=\"net\"\ntype=SOCKADDR %[1]s saddr=0200%04[3]X%[4]X0000000000000000\ntype=PROCTITLE %[1]s proctitle=\"x\"\n",
		stamp, quoted([]byte(or(v[sigma.FieldImage], "/usr/bin/x"))), port, addr.AsSlice()), ""
}

// renderRecord writes the event that has a record with such fields: of calls the whole event, as the kernel writes it.
func renderRecord(v [][]byte) (string, string) {
	kind := strings.ToUpper(or(v[sigma.FieldType], ""))
	if kind == "" {
		switch {
		case slices.ContainsFunc(v[sigma.FieldArgument:], func(a []byte) bool { return a != nil }):
			kind = "EXECVE"
		case len(v[sigma.FieldMessage]) > 0:
			return exec(1, 51, 50, "/bin/x", "/bin/x", strings.Split(string(v[sigma.FieldMessage]), " ")...), ""
		case v[sigma.FieldName] != nil:
			kind = "PATH"
		default:
			kind = "SYSCALL"
		}
	}
	has := map[string][]int{
		"EXECVE": {},
		"SYSCALL": {
			sigma.FieldSyscall, sigma.FieldSyscallSym, sigma.FieldArch, sigma.FieldSuccess, sigma.FieldExit, sigma.FieldComm, sigma.FieldExe, sigma.FieldKey, sigma.FieldPID, sigma.FieldPPID, sigma.FieldSession,
			sigma.FieldTTY, sigma.FieldAUID, sigma.FieldUID, sigma.FieldGID, sigma.FieldEUID, sigma.FieldEGID, sigma.FieldSubject, sigma.FieldUIDSym, sigma.FieldEUIDSym, sigma.FieldAUIDSym,
		},
		"PATH": {sigma.FieldName, sigma.FieldNameType, sigma.FieldMode},
		"CWD":  {sigma.FieldCWD},
	}
	fields, call := has[kind]
	if !call && (slices.Index([]string{"USER_CMD", "ADD_USER", "SERVICE_STOP", "SERVICE_START", "TTY", "USER_TTY"}, kind) >= 0) {
		fields = []int{sigma.FieldAccount, sigma.FieldUnit, sigma.FieldExe, sigma.FieldOperation, sigma.FieldResult, sigma.FieldData, sigma.FieldTerminal, sigma.FieldPID, sigma.FieldUID, sigma.FieldComm}
	} else if !call {
		return "", "no record of type " + kind + " is made here"
	}
	names := sigma.LinuxSchema().Fields
	for f, value := range v {
		argument := f >= sigma.FieldArgument && (kind == "EXECVE" || kind == "SYSCALL")
		if value != nil && f != sigma.FieldType && !argument && (f != sigma.FieldMessage || kind != "EXECVE") && !slices.Contains(fields, f) {
			return "", fmt.Sprintf("a record of type %s has no field %s", kind, names[f])
		}
	}
	stamp := "msg=audit(1542675600.001:1):"
	call2 := fmt.Sprintf("type=SYSCALL %s arch=%s syscall=%s success=%s exit=0", stamp, or(v[sigma.FieldArch], "c000003e"), number(v), or(v[sigma.FieldSuccess], "yes"))
	for i := range 4 {
		value := "0"
		if kind == "SYSCALL" {
			value = or(v[sigma.FieldArgument+i], "0")
		}
		call2 += fmt.Sprintf(" a%d=%s", i, value)
	}
	call2 += fmt.Sprintf(" items=1 ppid=50 pid=51 auid=%s uid=%s gid=0 euid=%s tty=%s ses=3 comm=%s exe=%s key=%s\n", or(v[sigma.FieldAUID], "1000"), or(v[sigma.FieldUID], "1000"), or(v[sigma.FieldEUID], "1000"), or(v[sigma.FieldTTY], "pts0"),
		quoted([]byte(or(v[sigma.FieldComm], "x"))), quoted([]byte(or(v[sigma.FieldExe], "/usr/bin/x"))), quoted([]byte(or(v[sigma.FieldKey], "k"))))
	end := "type=PROCTITLE " + stamp + " proctitle=\"x\"\n"
	switch kind {
	case "EXECVE":
		args := ""
		last := 0
		for i := range sigma.Arguments {
			if v[sigma.FieldArgument+i] != nil {
				last = i
			}
		}
		for i := range last + 1 {
			args += fmt.Sprintf(" a%d=%s", i, quoted([]byte(or(v[sigma.FieldArgument+i], "x"))))
		}
		for w := range strings.FieldsSeq(string(v[sigma.FieldMessage])) {
			last++
			args += fmt.Sprintf(" a%d=%s", last, quoted([]byte(w)))
		}
		return call2 + fmt.Sprintf("type=EXECVE %s argc=%d%s\n", stamp, last+1, args) + end, ""
	case "SYSCALL":
		return call2 + end, ""
	case "PATH":
		if name := v[sigma.FieldName]; bytes.HasSuffix(name, []byte("/")) || bytes.HasSuffix(name, []byte("/.")) {
			v[sigma.FieldName] = append(bytes.Clone(name), 'x') // a file there, as a call names one
		}
		return call2 + fmt.Sprintf("type=PATH %s item=0 name=%s inode=1 dev=08:01 mode=0100644 ouid=0 ogid=0 nametype=%s\n", stamp, quoted(v[sigma.FieldName]), or(v[sigma.FieldNameType], "NORMAL")) + end, ""
	case "CWD":
		return call2 + "type=CWD " + stamp + " cwd=" + quoted(v[sigma.FieldCWD]) + "\n" + end, ""
	}
	text := "type=" + kind + " " + stamp + " pid=9 uid=0 auid=1000 ses=3 msg='"
	for _, f := range fields {
		switch {
		case v[f] == nil:
		case f == sigma.FieldAccount || f == sigma.FieldExe || f == sigma.FieldData || f == sigma.FieldComm:
			text += names[f] + "=" + quoted(v[f]) + " "
		case f == sigma.FieldPID || f == sigma.FieldUID:
		default:
			text += names[f] + "=" + string(v[f]) + " "
		}
	}
	return text + "res=success'\n", ""
}

// number is the number of the call that a rule names.
func number(v [][]byte) string {
	if n := v[sigma.FieldSyscall]; n != nil {
		return string(n)
	}
	for name, n := range map[string]string{"execve": "59", "memfd_create": "319", "mknod": "133", "personality": "135", "sysinfo": "99", "syslog": "103"} {
		if strings.EqualFold(name, string(v[sigma.FieldSyscallSym])) {
			return n
		}
	}
	return "59"
}
