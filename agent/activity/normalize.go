package activity

import (
	"bytes"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// Normalizer makes Events of audit events, one after the other, in memory of its own. Not for concurrent use.
type Normalizer struct {
	event Event
	text  []byte
}

// Audit is what an audit event tells. The answer is valid until the next call, and as long as e is.
func (n *Normalizer) Audit(e *linuxaudit.Event) *Event {
	out := &n.event
	*out = Event{Node: e.Node, Millis: e.Millis, Source: e, Files: out.Files[:0]}
	n.text = n.text[:0]
	switch {
	case e.HasUser:
		n.user(e)
	case e.HasCall:
		n.call(e)
	default:
		n.alone(e)
	}
	return out
}

func (n *Normalizer) call(e *linuxaudit.Event) {
	out, c := &n.event, &e.Call
	out.Call, out.Kind = callOf(c.Arch, c.Number)
	out.Success, out.Key = c.Success, c.Key
	out.Process = Process{
		PID: c.PID, Parent: c.ParentPID, AUID: c.AUID, UID: c.UID, EUID: c.EUID, GID: c.GID, Session: c.Session, TTY: c.TTY, Comm: c.Comm, Image: c.Exe,
	}
	if e.HasExec {
		out.Kind = Exec // also of a machine whose calls have other numbers
	}
	switch out.Kind {
	case Exec:
		n.command(e)
	case Connect, Bind:
		if out.Remote = (Remote{Addr: e.Peer.Addr, Path: e.Peer.Path}); !e.HasPeer {
			out.Kind = Other
		}
		if c.Exit == -115 { // EINPROGRESS: a connection is begun without waiting for it
			out.Success = true
		}
	case Write:
		if opens := out.Call == "open" || out.Call == "openat" || out.Call == "openat2"; opens && !n.written(e) {
			out.Kind = Other
		}
		n.files(e)
	case Delete, Rename, Chmod, Chown, Times:
		n.files(e)
		if out.Kind == Chmod {
			out.Mode = chmodMode(out.Call, c)
		}
	default:
		n.files(e)
	}
	n.others(e)
}

// chmodMode is the mode that a call asks for.
func chmodMode(name string, c *linuxaudit.Call) uint32 {
	if name == "fchmodat" || name == "fchmodat2" {
		return uint32(c.Args[2]) & 0o7777
	}
	return uint32(c.Args[1]) & 0o7777
}

// written reports whether a file was opened to be written, or made by it.
func (n *Normalizer) written(e *linuxaudit.Event) bool {
	flags := e.Call.Args[1]
	if n.event.Call == "openat" {
		flags = e.Call.Args[2]
	}
	const writeOnly, readWrite, create = 1, 2, 0o100
	if n.event.Call != "openat2" && flags&(writeOnly|readWrite|create) != 0 {
		return true
	}
	for i := range e.Paths {
		if string(e.Paths[i].NameType) == "CREATE" {
			return true
		}
	}
	return false
}

func (n *Normalizer) command(e *linuxaudit.Event) {
	c := &n.event.Command
	*c = Command{Args: e.Exec.Args, Dir: e.Cwd, Missing: e.Exec.Missing}
	if len(c.Args) == 0 && len(e.Title) > 0 { // no EXECVE record: what the title has
		c.Line = bytes.ReplaceAll(bytes.TrimRight(e.Title, "\x00"), []byte{0}, []byte{' '})
		c.Args, c.Missing = bytes.Split(bytes.TrimRight(e.Title, "\x00"), []byte{0}), 1
	}
	for i := range e.Paths {
		if e.Paths[i].Item == 0 && e.Paths[i].Name != nil {
			c.File = n.absolute(e.Cwd, e.Paths[i].Name)
			n.event.Files = append(n.event.Files, file(&e.Paths[i], c.File))
		}
	}
	if c.Line == nil {
		from := len(n.text)
		for i, a := range c.Args {
			if i > 0 {
				n.text = append(n.text, ' ')
			}
			n.text = append(n.text, a...)
		}
		c.Line = n.text[from:]
	}
}

func file(p *linuxaudit.PathItem, name []byte) File {
	return File{Name: name, Mode: p.Mode, Owner: p.OwnerUID, Inode: p.Inode, New: string(p.NameType) == "CREATE"}
}

// files are those the call was about: directories above them, which records name too, are left out.
func (n *Normalizer) files(e *linuxaudit.Event) {
	for i := range e.Paths {
		p := &e.Paths[i]
		if p.Name == nil || string(p.NameType) == "PARENT" && len(e.Paths) > 1 {
			continue
		}
		n.event.Files = append(n.event.Files, file(p, n.absolute(e.Cwd, p.Name)))
	}
}

// absolute is a name below the directory that a process is in, without //, /./ and /../.
func (n *Normalizer) absolute(dir, name []byte) []byte {
	if len(name) == 0 || name[0] != '/' && len(dir) == 0 {
		return name
	}
	from := len(n.text)
	if name[0] != '/' {
		n.segments(from, dir)
	}
	n.segments(from, name)
	if len(n.text) == from {
		n.text = append(n.text, '/')
	}
	return n.text[from:len(n.text):len(n.text)]
}

// segments writes the segments of a path behind those that stand in text from a place on.
func (n *Normalizer) segments(from int, name []byte) {
	for len(name) > 0 {
		var s []byte
		if i := bytes.IndexByte(name, '/'); i >= 0 {
			s, name = name[:i], name[i+1:]
		} else {
			s, name = name, nil
		}
		switch string(s) {
		case "", ".":
		case "..":
			if i := bytes.LastIndexByte(n.text[from:], '/'); i >= 0 {
				n.text = n.text[:from+i]
			}
		default:
			n.text = append(n.text, '/')
			n.text = append(n.text, s...)
		}
	}
}

// others looks at what else the kernel says in an event that has a call.
func (n *Normalizer) others(e *linuxaudit.Event) {
	for i := range e.Len() {
		r := e.Record(i)
		switch r.Type {
		case linuxaudit.ConfigChange, linuxaudit.FeatureChange:
			n.event.Kind = Audit
			n.fields(r)
		case linuxaudit.KernModule:
			n.event.Kind = Module
			n.fields(r)
		case linuxaudit.AnomPromiscuous:
			n.event.Kind = Abnormal
			n.event.Op = []byte("promiscuous")
			n.fields(r)
		}
	}
}

// alone is an event of the kernel's or the audit daemon's own.
func (n *Normalizer) alone(e *linuxaudit.Event) {
	out := &n.event
	for i := range e.Len() {
		r := e.Record(i)
		switch {
		case r.Type == linuxaudit.AnomAbend, r.Type == linuxaudit.AnomPromiscuous, r.Type == linuxaudit.Seccomp:
			out.Kind = Abnormal
			out.Op = []byte(r.Type.String())
		case r.Type == linuxaudit.Login:
			out.Kind, out.Began = Session, true
		case r.Type == linuxaudit.ConfigChange, r.Type == linuxaudit.FeatureChange, r.Type >= linuxaudit.DaemonStart && r.Type <= linuxaudit.DaemonLast:
			out.Kind = Audit
			out.Op = []byte(r.Type.String())
		default:
			continue
		}
		n.fields(r)
	}
	if out.Kind == Other && e.HasExec {
		out.Kind, out.Success = Exec, true
		n.command(e)
	}
}

// fields reads who did it, and to what, from a record without a call of its own.
func (n *Normalizer) fields(r linuxaudit.Record) {
	out := &n.event
	f := linuxaudit.FieldsOf(r.Body)
	for f.Next() {
		switch string(f.Key) {
		case "pid":
			out.Process.PID = f.Number()
		case "uid":
			out.Process.UID = f.Number()
		case "auid":
			out.Process.AUID = f.Number()
		case "ses":
			out.Process.Session = f.Number()
		case "comm":
			out.Process.Comm = f.Text()
		case "exe":
			out.Process.Image = f.Text()
		case "op":
			out.Op = f.Value
		case "name", "key", "dev":
			if out.Subject == nil && !f.Unset() {
				out.Subject = f.Text()
			}
		case "res":
			out.Success = string(f.Value) == "1" || string(f.Value) == "success"
		}
	}
}

func (n *Normalizer) user(e *linuxaudit.Event) {
	out, u := &n.event, &e.User
	out.Success = u.Success
	out.Process = Process{PID: u.PID, UID: u.UID, AUID: u.AUID, Session: u.Session, Image: u.Exe}
	out.Op = u.Op
	out.SignIn = Access{Account: u.Account, Addr: u.Addr, Host: u.Hostname, Method: u.Op, Terminal: u.Terminal}
	switch u.Type {
	case linuxaudit.UserAuth, linuxaudit.UserErr:
		out.Kind = Auth
	case linuxaudit.UserLogin:
		out.Kind = SignIn
		switch string(u.Account) {
		case "(unknown user)", "(invalid user)", "(unknown)":
			out.SignIn.Unknown = true
		case "":
			out.SignIn.Account = u.ID // a number
			if name := named(e, "ID"); name != nil {
				out.SignIn.Account = name
			}
		}
	case linuxaudit.UserStart, linuxaudit.UserEnd, linuxaudit.UserLogout:
		out.Kind, out.Began = Session, u.Type == linuxaudit.UserStart
	case linuxaudit.UserCmd:
		out.Kind = Exec // sudo tells what it is going to start
		out.Command = Command{Line: u.Command, Dir: u.Cwd, Args: bytes.Fields(u.Command)}
	case linuxaudit.AddUser, linuxaudit.DelUser, linuxaudit.AddGroup, linuxaudit.DelGroup, linuxaudit.UserMgmt, linuxaudit.GrpMgmt, linuxaudit.UserChauthtok,
		linuxaudit.AcctLock, linuxaudit.AcctUnlock:
		out.Kind = Account
		if out.Subject = u.Account; len(u.Account) == 0 {
			out.Subject = u.ID
		}
	case linuxaudit.ServiceStart, linuxaudit.ServiceStop:
		out.Kind, out.Subject, out.Began = Service, u.Unit, u.Type == linuxaudit.ServiceStart
	}
}

// named is what auditd appended for a field of an event's only record, or nil.
func named(e *linuxaudit.Event, key string) []byte {
	f := linuxaudit.FieldsOf(e.Record(0).Enriched)
	for f.Next() {
		if string(f.Key) == key && !f.Unset() {
			return f.Value
		}
	}
	return nil
}
