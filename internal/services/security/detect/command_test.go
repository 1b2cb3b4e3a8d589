package detect

import (
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"

	"github.com/google/go-cmp/cmp"
)

func told(cs []Command) (out []string) {
	for _, c := range cs {
		out = append(out, strings.Join(append([]string{c.Path}, c.Args...), " "))
	}
	return out
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"ls", "-l"}, []string{"ls -l"}},
		{[]string{"busybox", "wget", "http://a/b"}, []string{"wget http://a/b"}},
		{[]string{"busybox", "--list"}, []string{"busybox --list"}},
		{[]string{"sudo", "-u", "root", "A=1", "chmod", "+x", "a"}, []string{"sudo -u root A=1 chmod +x a", "chmod +x a"}},
		{[]string{"nohup", "nice", "-n", "10", "./a", "10.20"}, []string{"nohup nice -n 10 ./a 10.20", "nice -n 10 ./a 10.20", "./a 10.20"}},
		{[]string{"timeout", "60s", "./a"}, []string{"timeout 60s ./a", "./a"}},
		{[]string{"bash", "-c", "cd /tmp && wget 'http://a/b c'; X=1 ./b | tee log"}, []string{"bash -c cd /tmp && wget 'http://a/b c'; X=1 ./b | tee log", "cd /tmp", "wget http://a/b c", "./b", "tee log"}},
		{[]string{"sh", "-lc", "for i in 1 2; do ./a $i; done"}, []string{"sh -lc for i in 1 2; do ./a $i; done", "./a 1"}},
		{[]string{"bash", "-c", `eval "$(echo J2NobW9kJyAnK3gnICdhJwo= | base64 -d)"`}, []string{`bash -c eval "$(echo J2NobW9kJyAnK3gnICdhJwo= | base64 -d)"`, "chmod +x a", "echo J2NobW9kJyAnK3gnICdhJwo=", "chmod +x a", "base64 -d", "eval $(echo J2NobW9kJyAnK3gnICdhJwo= | base64 -d)", "chmod +x a", "echo J2NobW9kJyAnK3gnICdhJwo=", "chmod +x a", "base64 -d", "$(echo J2NobW9kJyAnK3gnICdhJwo= | base64 -d)"}},
		{[]string{"perl", "-e", `system("chmod +x a b");exec('./go','10.20');`}, []string{`perl -e system("chmod +x a b");exec('./go','10.20');`, "chmod +x a b", "chmod +x a b", "./go 10.20"}},
		{[]string{"python3", "-c", `import subprocess;subprocess.call(['chmod','+x','a'])`}, []string{`python3 -c import subprocess;subprocess.call(['chmod','+x','a'])`, "chmod +x a"}},
		{[]string{""}, nil},
		{nil, nil},
		{[]string{"bash", "-c", "'unclosed"}, []string{"bash -c 'unclosed", "unclosed"}},
	} {
		if d := cmp.Diff(c.want, told(unwrap(nil, c.args, "", 0))); d != "" {
			t.Errorf("%q: %s", c.args, d)
		}
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"wget", "-q", "nasapaul.com/x.pl"}, []string{"http://nasapaul.com/x.pl"}},
		{[]string{"wget", "HTTP://Nasapaul.com/x"}, []string{"HTTP://Nasapaul.com/x"}},
		{[]string{"curl", "-s", "example.com"}, []string{"http://example.com"}},
		{[]string{"curl", "tftp://a/b", "sftp://c/d"}, []string{"tftp://a/b", "sftp://c/d"}},
		{[]string{"python3", "-c", "urlopen('https://a.example/x').read()"}, []string{"https://a.example/x"}},
		{[]string{"ls", "a.b/c"}, nil},
	} {
		cmds := unwrap(nil, c.args, "", 0)
		if d := cmp.Diff(c.want, cmds[0].urls()); d != "" {
			t.Errorf("%q: %s", c.args, d)
		}
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for a, want := range map[string]string{
		"10.20": "10.20", "10.20.": "10.20", "172.16.0.0/16": "172.16", "10.20.0.0": "10.20", "10.0": "10.0", "10.0.0.0": "10.0", "10.0.0": "", "256.1": "", "1.2.3": "", "1.2.3.4": "", "a.b": "", "": "", ".": "", "01.2": "", "3": "", "10.20.30": "",
	} {
		got, ok := prefix(a)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", a, got, ok, want)
		}
	}
}

// FuzzUnwrap: any command line is taken apart, within bounds.
func FuzzUnwrap(f *testing.F) {
	f.Add("bash\x00-c\x00eval \"$(echo J2NobW9kJyAnK3gnICdhJwo= | base64 -d)\"")
	f.Add("perl\x00-e\x00system('a b');exec(['c'])")
	f.Add("busybox\x00sh\x00-c\x00nohup sudo -u x env A=1 python -c \"os.system('wget http://a')\"")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		cs := unwrap(nil, args, "", 0)
		if len(cs) > 2*maxCommands+maxUnwrap {
			t.Errorf("%d commands", len(cs))
		}
		for i := range cs {
			_ = cs[i].urls()
			_ = cs[i].operands()
			_ = question(&cs[i])
			_, _ = targets(&cs[i])
			_ = addsExecution(&cs[i])
		}
	})
}

// TestApply_Nameless: a program may be started without a name, or with an empty one, and is looked at all the same.
func TestApply_Nameless(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"", "/tmp/x"} {
		var found []*Finding
		m := New(DefaultParams(), nil, func(f *Finding) { found = append(found, f) })
		m.Apply(&activity.Event{
			Kind: activity.Exec, Success: true, Call: "execve", Millis: 1, Process: activity.Process{PID: 7, Parent: 6, Image: []byte(file)},
			Command: activity.Command{Args: [][]byte{nil, []byte("stratum+tcp://pool.example:3333")}, Line: []byte(" stratum+tcp://pool.example:3333"), File: []byte(file)},
		})
		if len(found) == 0 || found[len(found)-1].Alert != &mining {
			t.Errorf("%q: %+v", file, found)
		}
	}
}
