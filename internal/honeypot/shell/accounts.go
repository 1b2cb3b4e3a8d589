package shell

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

var root = memfs.User{}

func accountPrograms() map[string]command {
	return map[string]command{
		"id": id, "whoami": whoami, "logname": whoami, "groups": groups, "users": whoami, "passwd": passwd, "chpasswd": chpasswd, "useradd": useradd, "adduser": useradd, "userdel": userdel, "usermod": usermod,
		"groupadd": usermod, "chage": usermod, "sudo": sudo, "su": su, "visudo": vi,
	}
}

// accounts are the lines of /etc/passwd as the visitor sees it.
func (s *Shell) accounts() [][]string {
	b, _ := s.cfg.FS.Read(root, "/etc/passwd", maxPipe)
	var out [][]string
	for _, l := range lines(b[:min(len(b), maxValue)]) {
		if f := strings.Split(l, ":"); len(f) == 7 {
			out = append(out, f)
		}
	}
	return out
}

func (s *Shell) lookup(name string) (Account, bool) {
	for _, f := range s.accounts() {
		if f[0] == name {
			uid, err1 := strconv.ParseUint(f[2], 10, 32)
			gid, err2 := strconv.ParseUint(f[3], 10, 32)
			return Account{Name: name, User: memfs.User{UID: uint32(uid), GID: uint32(gid)}, Home: f[5], Shell: f[6]}, err1 == nil && err2 == nil
		}
	}
	return Account{}, false
}

func (s *Shell) userName(uid uint32) string {
	if uid == 0 {
		return "root"
	}
	want := strconv.FormatUint(uint64(uid), 10)
	for _, f := range s.accounts() {
		if f[2] == want {
			return f[0]
		}
	}
	return want
}

func (s *Shell) groupName(gid uint32) string {
	want := strconv.FormatUint(uint64(gid), 10)
	b, _ := s.cfg.FS.Read(root, "/etc/group", maxPipe)
	for _, l := range lines(b[:min(len(b), maxValue)]) {
		if f := strings.Split(l, ":"); len(f) == 4 && f[2] == want {
			return f[0]
		}
	}
	return s.userName(gid)
}

func id(p *program) int {
	o := p.parse("")
	a := p.account
	if len(o.rest) > 0 {
		var ok bool
		if a, ok = p.lookup(o.rest[0]); !ok {
			return p.fail("‘%s’: no such user", printable(o.rest[0]))
		}
	}
	group := p.groupName(a.User.GID)
	switch {
	case o.is("u") && o.is("n"):
		p.line(a.Name)
	case o.is("u"):
		p.print("%d\n", a.User.UID)
	case o.is("g") && o.is("n"), o.is("G") && o.is("n"):
		p.line(group)
	case o.is("g"), o.is("G"):
		p.print("%d\n", a.User.GID)
	default:
		p.print("uid=%d(%s) gid=%d(%s) groups=%d(%s)\n", a.User.UID, a.Name, a.User.GID, group, a.User.GID, group)
	}
	return 0
}

func whoami(p *program) int {
	p.line(p.account.Name)
	return 0
}

func groups(p *program) int {
	p.line(p.groupName(p.account.User.GID))
	return 0
}

func passwd(p *program) int {
	name := p.account.Name
	if rest := p.parse("").rest; len(rest) > 0 {
		name = rest[0]
		if p.user().UID != 0 && name != p.account.Name {
			return p.fail("You may not view or modify password information for %s.", printable(name))
		}
	}
	if p.user().UID != 0 {
		fmt.Fprintf(p.io.err, "Changing password for %s.\nCurrent password: ", name)
		_, _ = p.secret()
	}
	fmt.Fprint(p.io.err, "New password: ")
	first, err := p.secret()
	fmt.Fprint(p.io.err, "\nRetype new password: ")
	second, _ := p.secret()
	if err != nil && first == "" || first != second {
		fmt.Fprintln(p.io.err, "\nSorry, passwords do not match.\npasswd: Authentication token manipulation error\npasswd: password unchanged")
		return 10
	}
	p.cfg.Observer.Noted("password", name+":"+cut(first, 256))
	fmt.Fprintln(p.io.err, "\npasswd: password updated successfully")
	return 0
}

func chpasswd(p *program) int {
	if p.user().UID != 0 {
		return p.fail("Permission denied.\nchpasswd: cannot lock /etc/passwd; try again later.")
	}
	for _, l := range lines(p.readAll()) {
		if strings.Contains(l, ":") {
			p.cfg.Observer.Noted("password", cut(l, 512))
		}
	}
	return 0
}

// appendAs adds a line to a file of the system, as root.
func (p *program) appendAs(name, line string) error {
	return p.cfg.FS.Write(root, name, []byte(line), true, 0o644)
}

func useradd(p *program) int {
	o := p.parse("dgGpsuckeKb", "home", "gid", "groups", "password", "shell", "uid", "comment", "gecos", "ingroup")
	if len(o.rest) == 0 {
		fmt.Fprintln(p.io.err, "Usage: useradd [options] LOGIN")
		return 2
	}
	name := cut(o.rest[len(o.rest)-1], 32)
	if p.user().UID != 0 {
		fmt.Fprintf(p.io.err, "%s: Permission denied.\n%s: cannot lock /etc/passwd; try again later.\n", p.args[0], p.args[0])
		return 1
	}
	if _, ok := p.lookup(name); ok {
		p.fail("user '%s' already exists", printable(name))
		return 9
	}
	if strings.ContainsAny(name, ":\n/ ") || name == "" {
		p.fail("invalid user name '%s'", printable(name))
		return 3
	}
	home, sh := o.value("d", "home"), o.value("s", "shell")
	if home == "" {
		home = "/home/" + name
	}
	if sh == "" {
		sh = "/bin/sh"
	}
	uid := 1002 + len(p.accounts())%50
	if u := o.value("u", "uid"); u != "" {
		uid = int(numberOf(u)) & 0xffff
	}
	clean := strings.NewReplacer(":", "", "\n", "")
	if err := p.appendAs("/etc/passwd", fmt.Sprintf("%s:x:%d:%d::%s:%s\n", name, uid, uid, cut(clean.Replace(home), 256), cut(clean.Replace(sh), 256))); err != nil {
		return p.fail("%s", err)
	}
	_ = p.appendAs("/etc/group", fmt.Sprintf("%s:x:%d:\n", name, uid))
	_ = p.appendAs("/etc/shadow", fmt.Sprintf("%s:!:%d:0:99999:7:::\n", name, p.cfg.Now().Unix()/86400))
	p.cfg.Observer.Noted("account", name)
	if o.is("m", "create-home") || p.args[0] == "adduser" {
		u := memfs.User{UID: uint32(uid), GID: uint32(uid)}
		if p.cfg.FS.Mkdir(root, p.abs(home), 0o755) == nil {
			_ = p.cfg.FS.Change(root, p.abs(home), func(n *memfs.Node) { n.UID, n.GID, n.Mode = u.UID, u.GID, fs.ModeDir|0o755 })
		}
	}
	return 0
}

func userdel(p *program) int {
	o := p.parse("")
	if p.user().UID != 0 {
		fmt.Fprintln(p.io.err, "userdel: Permission denied.\nuserdel: cannot lock /etc/passwd; try again later.")
		return 1
	}
	for _, name := range o.rest {
		if _, ok := p.lookup(name); !ok {
			return p.fail("user '%s' does not exist", printable(name)) + 5
		}
		var kept []string
		for _, f := range p.accounts() {
			if f[0] != name {
				kept = append(kept, strings.Join(f, ":"))
			}
		}
		_ = p.cfg.FS.Write(root, "/etc/passwd", []byte(strings.Join(kept, "\n")+"\n"), false, 0o644)
	}
	return 0
}

func usermod(p *program) int {
	if p.user().UID != 0 {
		fmt.Fprintf(p.io.err, "%s: Permission denied.\n%s: cannot lock /etc/passwd; try again later.\n", p.args[0], p.args[0])
		return 1
	}
	return 0
}

// sudo lets everybody become root: what they do then is what is to be seen.
func sudo(p *program) int {
	args := p.args[1:]
	user := "root"
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		a := args[0]
		args = args[1:]
		switch {
		case a == "-u" && len(args) > 0:
			user, args = args[0], args[1:]
		case a == "-l":
			p.print("User %s may run the following commands on %s:\n    (ALL : ALL) ALL\n", p.account.Name, p.cfg.Persona.Hostname)
			return 0
		case a == "-i" || a == "-s":
			return p.become(user, args)
		case a == "-S":
			if t, err := p.secret(); err == nil && t != "" {
				p.cfg.Observer.Noted("password", p.account.Name+":"+cut(t, 256))
			}
		}
	}
	if len(args) == 0 {
		fmt.Fprintln(p.io.err, "usage: sudo -h | -K | -k | -V\nusage: sudo [-ABbEHknPS] [-u user] [command]")
		return 1
	}
	if args[0] == "su" || args[0] == "bash" || args[0] == "sh" {
		if len(args) == 1 || args[1] == "-" {
			return p.become(user, nil)
		}
	}
	a, ok := p.lookup(user)
	if !ok {
		return p.fail("unknown user: %s", printable(user))
	}
	c := p.sub()
	c.account = a
	q := &program{c, p.args, p.io}
	return q.again(args, nil)
}

// become makes the shell another account's, until it ends: the visitor's next exit leaves it altogether.
func (p *program) become(name string, args []string) int {
	a, ok := p.lookup(name)
	if !ok {
		return p.fail("user %s does not exist", printable(name))
	}
	if len(args) > 0 {
		c := p.sub()
		c.account = a
		q := &program{c, p.args, p.io}
		return q.again(args, nil)
	}
	p.Shell.account = a
	p.export("USER", a.Name)
	p.export("HOME", a.Home)
	p.export("LOGNAME", a.Name)
	return 0
}

func su(p *program) int {
	o := p.parse("cs", "command", "shell")
	name := "root"
	for _, r := range o.rest {
		if r != "-" {
			name = r
			break
		}
	}
	if p.user().UID != 0 {
		fmt.Fprint(p.io.err, "Password: ")
		t, _ := p.secret()
		fmt.Fprintln(p.io.err)
		p.cfg.Observer.Noted("password", name+":"+cut(t, 256))
		return p.fail("Authentication failure")
	}
	if c := o.value("c", "command"); c != "" {
		a, ok := p.lookup(name)
		if !ok {
			return p.fail("user %s does not exist", printable(name))
		}
		b := p.sub()
		b.account = a
		b.script(c, "bash", nil, p.io)
		return b.status
	}
	return p.become(name, nil)
}

// secret reads a line that a terminal doesn't show.
func (p *program) secret() (string, error) {
	if t, ok := p.io.in.(interface{ Hide(hidden bool) }); ok {
		t.Hide(true)
		defer t.Hide(false)
	}
	return readLine(p.io.in)
}
