package linuxaudit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// corpus is what a shell script's commands leave in audit.log: a call, its command line, directory, files and title each, three processes at a time.
func corpus() []byte {
	b := &bytes.Buffer{}
	for i := 0; i < 3000; i += 3 {
		var parts []string
		for j := range 3 {
			n := i + j
			stamp := fmt.Sprintf("msg=audit(1492037291.%03d:%d):", n%1000, n+1)
			parts = append(parts, fmt.Sprintf(`type=SYSCALL %[1]s arch=c000003e syscall=59 success=yes exit=0 a0=1522170 a1=1506120 a2=14faeb0 a3=7ffcc4582df0 items=2 ppid=12041 pid=%[2]d auid=1000 uid=1000 gid=1001 euid=1000 suid=1000 fsuid=1000 egid=1001 sgid=1001 fsgid=1001 tty=pts0 ses=2 comm="grep" exe="/usr/bin/grep" subj=unconfined key="exec"
type=EXECVE %[1]s argc=4 a0="grep" a1="--color=auto" a2=6D6F64656C206E616D65 a3="/proc/cpuinfo"
type=CWD %[1]s cwd="/srv/andrew"
type=PATH %[1]s item=0 name="/usr/bin/grep" inode=2512 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0
type=PATH %[1]s item=1 name="/lib64/ld-linux-x86-64.so.2" inode=19161168 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0
type=PROCTITLE %[1]s proctitle=67726570002D2D636F6C6F723D6175746F006D6F64656C206E616D65002F70726F632F637075696E666F
`, stamp, n+100))
		}
		lines := [3][]string{}
		for j := range parts {
			lines[j] = strings.SplitAfter(parts[j], "\n")
		}
		for k := range lines[0] {
			for j := range 3 {
				b.WriteString(lines[j][k])
			}
		}
	}
	return b.Bytes()
}

// BenchmarkReassemble is the cost of a record: parsing, putting together, decoding all of it.
func BenchmarkReassemble(b *testing.B) {
	text := corpus()
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	args := 0
	r := NewReassembler(func(e *Event) { args += len(e.Exec.Args) })
	for _, l := range lines {
		r.Line(l)
	}
	if args != 4*3000 {
		b.Fatalf("%d arguments, want %d", args, 4*3000)
	}
	b.SetBytes(int64(len(text) / len(lines)))
	bar := benchbar.Start(b)
	for i := range b.N {
		r.Line(lines[i%len(lines)])
	}
	bar.Allocs(0.1)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
