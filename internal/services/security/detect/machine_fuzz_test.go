package detect

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// FuzzApply: no program that is started, whatever it is told, and no file that is touched, stops the analytics.
func FuzzApply(f *testing.F) {
	for _, line := range []string{
		"bash\x00-c\x00(a; b) | crontab -; trap 'nohup sh x' EXIT; cat <<E | tee -a ~/.bashrc\nx\nE\n",
		"find\x00/\x00-name\x00*\x00-exec\x00cp\x00{}\x00/tmp/x\x00;",
		"sh\x00-c\x00echo a > /etc/cron.d/x; base64 -d < b | sh; x=$(which y); $x /etc/shadow",
		"chmod\x00u+s\x00-x", "openssl\x00enc", "dd\x00of=\x00if=", "kill\x00-s", "ssh\x00-R", "curl\x00-F\x00a=@\x00-T", "usermod\x00-G", "auditctl\x00-e", "python3\x00-c\x00open('/etc/passwd')", "cp\x00\x00-t", "docker\x00run\x00-v", "at\x00", "dig\x00.",
	} {
		f.Add([]byte(line), []byte("/tmp"), true)
	}
	f.Fuzz(func(t *testing.T, line, dir []byte, scripted bool) {
		m := New(DefaultParams(), ShippedIndicators(), func(x *Finding) {
			if x.Alert == nil || x.Alert.Type == "" || x.Why == "" || x.Key == "" {
				t.Errorf("%+v", x)
			}
			if j := JobOf(x); j != nil && (len(j.Shape) != 32 || j.Script == "") {
				t.Errorf("%+v", j)
			}
		})
		m.Apply(&activity.Event{Kind: activity.Session, Began: true, Success: true, Process: activity.Process{PID: 9, Session: 3, Image: []byte("/usr/sbin/cron")}})
		args := bytes.Split(line, []byte{0})
		file := args[0]
		if scripted {
			file = []byte("/usr/bin/" + string(args[0]))
		}
		for i := range uint32(3) {
			m.Apply(&activity.Event{
				Kind: activity.Exec, Success: true, Call: "execve", Millis: 1000 + int64(i), Process: activity.Process{PID: 10 + i, Parent: 9 + i, Session: 3, Image: file},
				Command: activity.Command{Args: args, Line: bytes.Join(args, []byte{' '}), Dir: dir, File: file, SHA256: bytes.Repeat([]byte{1}, 32)},
			})
			m.Apply(&activity.Event{Kind: activity.Write, Success: true, Millis: 1000, Process: activity.Process{PID: 10 + i, Image: file}, Files: []activity.File{{Name: line}}})
			m.Apply(&activity.Event{Kind: activity.Delete, Success: true, Millis: 1000, Process: activity.Process{PID: 10 + i, Image: file}, Files: []activity.File{{Name: dir}}})
		}
		_ = classify(string(line))
	})
}

// TestApply_Long: texts made to take long to read are read in a moment.
func TestApply_Long(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"$(", "`", "<<a ", "<<a\n", "a|", "(", "{ ", "\"$(", "'", "$x", "a=$a$a;", "<(", "echo YWFhYWFhYWFhYWFh|", "eval '", "sh -c \"", "find / -exec ", "${", "cat /etc/shadow;", "base64 -d|sh;", "/~", "rm -rf /tmp/.a;", "A=1 ", "x <<<", "curl a|", "tee a|"} {
		text := strings.Repeat(piece, maxScript/len(piece))
		m := New(DefaultParams(), ShippedIndicators(), func(*Finding) {})
		begun := time.Now()
		for _, args := range [][]string{{"bash", "-c", text}, {"python3", "-c", text}, {"find", text, text}} {
			e := activity.Event{Kind: activity.Exec, Success: true, Call: "execve", Millis: 1000, Process: activity.Process{PID: 10, Parent: 9, Session: 3}}
			for _, a := range args {
				e.Command.Args = append(e.Command.Args, []byte(a))
			}
			e.Command.Line = bytes.Join(e.Command.Args, []byte{' '})
			m.Apply(&e)
		}
		if took := time.Since(begun); took > 30*time.Second { // what takes long takes minutes, on a busy machine too
			t.Errorf("%q repeated: %s", piece, took)
		} else if took > 100*time.Millisecond {
			t.Logf("%q repeated: %s", piece, took)
		}
	}
}
