package rules

import (
	"strconv"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/internal/services/security/sigma"
)

const auditd = sigma.SourceAuditd

// records asks about the audit records of an event one by one, as far as a rule may match their type. Where the event came without its records, those are made that it would have had.
func (x *Matcher) records() {
	src, want := x.event.Source, x.rules.records
	if src == nil {
		x.made()
		return
	}
	arguments := false
	paths := 0
	for i := range src.Len() {
		r := src.Record(i)
		var item *linuxaudit.PathItem
		if r.Type == linuxaudit.Path {
			if paths < len(src.Paths) {
				item = &src.Paths[paths]
			}
			paths++
		}
		if !want[r.Type] || r.Type == linuxaudit.Execve && arguments {
			continue
		}
		x.put(auditd, sigma.FieldType, x.text(r.Type.String()))
		switch {
		case r.Type == linuxaudit.Syscall:
			x.call(&src.Call, x.event.Call)
		case r.Type == linuxaudit.Execve:
			arguments = true // one record, however many it took
			x.arguments(src.Exec.Args)
		case item != nil:
			x.path(item)
		case r.Type == linuxaudit.Cwd:
			x.put(auditd, sigma.FieldCWD, src.Cwd)
		case r.Type == linuxaudit.Proctitle: // its only field is in the message
		default:
			x.fields(r.Body)
		}
		x.names(r.Enriched)
		x.put(auditd, sigma.FieldHostname, x.event.Node)
		if x.rules.uses[auditd][sigma.FieldMessage] {
			x.put(auditd, sigma.FieldMessage, x.message(r, item))
		}
		x.ask(auditd)
	}
}

// message is what a record says in words, decoded: of a call who made it, of a command line also how it was typed, since rules are written for either. Other records are as they were written.
func (x *Matcher) message(r linuxaudit.Record, path *linuxaudit.PathItem) []byte {
	src := x.event.Source
	switch {
	case r.Type == linuxaudit.Syscall:
		return x.callMessage(src.Call.Comm, src.Call.Exe, src.Call.Key)
	case r.Type == linuxaudit.Execve:
		return x.execMessage(src.Exec.Args)
	case r.Type == linuxaudit.Path && path != nil:
		return x.pathMessage(path.Name, path.NameType)
	}
	b := x.line[:0]
	switch {
	case r.Type == linuxaudit.Cwd:
		b = quote(append(b, "type=CWD cwd="...), src.Cwd)
	case r.Type == linuxaudit.Proctitle:
		if src.HasExec {
			return nil // the command line has it all
		}
		b = append(append(b, "type=PROCTITLE proctitle="...), src.Title...)
	default:
		return r.Body
	}
	x.line = b
	return b
}

func (x *Matcher) callMessage(comm, image, key []byte) []byte {
	x.line = quote(append(x.line[:0], "type=SYSCALL comm="...), comm)
	x.line = quote(append(x.line, " exe="...), image)
	x.line = quote(append(x.line, " key="...), key)
	return x.line
}

func (x *Matcher) execMessage(args [][]byte) []byte {
	b := append(x.line[:0], "type=EXECVE"...)
	for i, a := range args {
		b = append(strconv.AppendInt(append(b, " a"...), int64(i), 10), '=')
		b = quote(b, a)
	}
	x.line = append(append(b, ' '), x.event.Command.Line...)
	return x.line
}

func (x *Matcher) pathMessage(name, nameType []byte) []byte {
	b := quote(append(x.line[:0], "type=PATH name="...), name)
	x.line = append(append(b, " nametype="...), nameType...)
	return x.line
}

func quote(b, text []byte) []byte { return append(append(append(b, '"'), text...), '"') }

func (x *Matcher) call(c *linuxaudit.Call, name string) {
	uses := x.rules.uses[auditd]
	for _, n := range [...]struct {
		field int
		value uint64
	}{
		{sigma.FieldSyscall, uint64(c.Number)},
		{sigma.FieldPID, uint64(c.PID)},
		{sigma.FieldPPID, uint64(c.ParentPID)},
		{sigma.FieldSession, uint64(c.Session)},
		{sigma.FieldAUID, uint64(c.AUID)},
		{sigma.FieldUID, uint64(c.UID)},
		{sigma.FieldGID, uint64(c.GID)},
		{sigma.FieldEUID, uint64(c.EUID)},
		{sigma.FieldEGID, uint64(c.EGID)},
	} {
		if uses[n.field] {
			x.put(auditd, n.field, x.number(n.value))
		}
	}
	for i, v := range c.Args {
		if uses[sigma.FieldArgument+i] {
			x.put(auditd, sigma.FieldArgument+i, strconv.AppendUint(nil, v, 16))
		}
	}
	if uses[sigma.FieldArch] {
		x.put(auditd, sigma.FieldArch, strconv.AppendUint(nil, uint64(c.Arch), 16))
	}
	if uses[sigma.FieldExit] {
		x.put(auditd, sigma.FieldExit, strconv.AppendInt(nil, c.Exit, 10))
	}
	x.put(auditd, sigma.FieldSuccess, yes(c.Success))
	if uses[sigma.FieldSyscallSym] {
		x.put(auditd, sigma.FieldSyscallSym, x.text(name))
	}
	x.put(auditd, sigma.FieldTTY, c.TTY)
	x.put(auditd, sigma.FieldComm, c.Comm)
	x.put(auditd, sigma.FieldExe, c.Exe)
	x.put(auditd, sigma.FieldKey, c.Key)
	x.put(auditd, sigma.FieldSubject, c.Subject)
}

func yes(ok bool) []byte {
	if ok {
		return []byte("yes")
	}
	return []byte("no")
}

func (x *Matcher) arguments(args [][]byte) {
	for i, a := range args[:min(len(args), sigma.Arguments)] {
		if a == nil {
			a = []byte{}
		}
		x.put(auditd, sigma.FieldArgument+i, a)
	}
}

func (x *Matcher) path(p *linuxaudit.PathItem) {
	x.put(auditd, sigma.FieldName, p.Name)
	x.put(auditd, sigma.FieldNameType, p.NameType)
	if x.rules.uses[auditd][sigma.FieldMode] {
		x.put(auditd, sigma.FieldMode, append([]byte{'0'}, strconv.AppendUint(nil, uint64(p.Mode), 8)...))
	}
}

// byName are the fields of records by the names these have.
var byName = map[string]int{
	"pid": sigma.FieldPID, "uid": sigma.FieldUID, "auid": sigma.FieldAUID, "ses": sigma.FieldSession, "exe": sigma.FieldExe, "comm": sigma.FieldComm, "key": sigma.FieldKey, "op": sigma.FieldOperation,
	"acct": sigma.FieldAccount, "addr": sigma.FieldAddress, "terminal": sigma.FieldTerminal, "res": sigma.FieldResult, "unit": sigma.FieldUnit, "cmd": sigma.FieldCommand, "subj": sigma.FieldSubject,
	"name": sigma.FieldName, "cwd": sigma.FieldCWD, "saddr": sigma.FieldSockaddr, "data": sigma.FieldData, "tty": sigma.FieldTTY, "gid": sigma.FieldGID, "euid": sigma.FieldEUID, "egid": sigma.FieldEGID,
	"success": sigma.FieldSuccess, "exit": sigma.FieldExit, "arch": sigma.FieldArch, "syscall": sigma.FieldSyscall, "ppid": sigma.FieldPPID, "mode": sigma.FieldMode, "nametype": sigma.FieldNameType,
	"ARCH": -1, "SYSCALL": sigma.FieldSyscallSym, "AUID": sigma.FieldAUIDSym, "UID": sigma.FieldUIDSym, "GID": sigma.FieldGIDSym, "EUID": sigma.FieldEUIDSym, "EGID": sigma.FieldEGIDSym,
}

// fields takes the fields of a record as they are written, decoded. Of several of a name the first counts.
func (x *Matcher) fields(body []byte) {
	f := linuxaudit.FieldsOf(body)
	for f.Next() {
		n, ok := byName[string(f.Key)]
		if !ok || n < 0 || !x.rules.uses[auditd][n] || x.values[n] != nil || f.Unset() {
			continue
		}
		switch n {
		case sigma.FieldExe, sigma.FieldComm, sigma.FieldKey, sigma.FieldAccount, sigma.FieldCommand, sigma.FieldName, sigma.FieldCWD, sigma.FieldData:
			x.put(auditd, n, f.Text())
		default:
			x.put(auditd, n, f.Value)
		}
	}
}

// names takes what auditd appended: the names of calls and accounts.
func (x *Matcher) names(enriched []byte) {
	if len(enriched) == 0 {
		return
	}
	f := linuxaudit.FieldsOf(enriched)
	for f.Next() {
		if n, ok := byName[string(f.Key)]; ok && n >= 0 && x.rules.uses[auditd][n] && x.values[n] == nil {
			x.put(auditd, n, f.Value)
		}
	}
}

// made asks about the records that an event would have had, of which only what it means has come.
func (x *Matcher) made() {
	e, want := x.event, x.rules.records
	says := x.rules.uses[auditd][sigma.FieldMessage]
	if e.Call != "" && want[linuxaudit.Syscall] {
		x.put(auditd, sigma.FieldType, []byte("SYSCALL"))
		x.call(&linuxaudit.Call{
			Success: e.Success, ParentPID: e.Process.Parent, PID: e.Process.PID, AUID: e.Process.AUID, UID: e.Process.UID, GID: e.Process.GID, EUID: e.Process.EUID, Session: e.Process.Session,
			TTY: e.Process.TTY, Comm: e.Process.Comm, Exe: e.Process.Image, Key: e.Key,
		}, e.Call)
		if says {
			x.put(auditd, sigma.FieldMessage, x.callMessage(e.Process.Comm, e.Process.Image, e.Key))
		}
		x.ask(auditd)
	}
	if e.Kind == activity.Exec && e.Call != "" && want[linuxaudit.Execve] {
		x.put(auditd, sigma.FieldType, []byte("EXECVE"))
		x.arguments(e.Command.Args)
		if says {
			x.put(auditd, sigma.FieldMessage, x.execMessage(e.Command.Args))
		}
		x.ask(auditd)
	}
	for i := range e.Files[:min(len(e.Files), maxFiles)] {
		if !want[linuxaudit.Path] {
			break
		}
		f := &e.Files[i]
		kind := []byte("NORMAL")
		switch {
		case f.New:
			kind = []byte("CREATE")
		case e.Kind == activity.Delete:
			kind = []byte("DELETE")
		}
		x.put(auditd, sigma.FieldType, []byte("PATH"))
		x.put(auditd, sigma.FieldName, f.Name)
		x.put(auditd, sigma.FieldNameType, kind)
		if says {
			x.put(auditd, sigma.FieldMessage, x.pathMessage(f.Name, kind))
		}
		x.ask(auditd)
	}
	if kind := recordOf(e); kind != 0 && want[kind] {
		x.put(auditd, sigma.FieldType, x.text(kind.String()))
		x.put(auditd, sigma.FieldAccount, e.SignIn.Account)
		x.put(auditd, sigma.FieldUnit, e.Subject)
		x.put(auditd, sigma.FieldOperation, e.Op)
		x.put(auditd, sigma.FieldExe, e.Process.Image)
		x.ask(auditd)
	}
}

// recordOf is the type of record that tells of what no call does.
func recordOf(e *activity.Event) linuxaudit.Type {
	switch e.Kind {
	case activity.Service:
		if e.Began {
			return linuxaudit.ServiceStart
		}
		return linuxaudit.ServiceStop
	case activity.SignIn:
		return linuxaudit.UserLogin
	case activity.Auth:
		return linuxaudit.UserAuth
	case activity.Session:
		if e.Began {
			return linuxaudit.UserStart
		}
		return linuxaudit.UserEnd
	}
	return 0
}
