package linuxaudit

import (
	"encoding/binary"
	"net/netip"
)

// decode reads the records of an event. What has to be decoded goes to dec, which has the capacity for all of it.
func (e *Event) decode(dec []byte) {
	for _, r := range e.records {
		body := e.buf[r.from:r.mid]
		switch {
		case r.typ == Syscall:
			dec = e.Call.decode(body, dec)
			e.HasCall = true
		case r.typ == Path:
			dec = e.path(body, dec)
		case r.typ == Cwd:
			e.Cwd, dec = only(body, "cwd", dec)
		case r.typ == Proctitle && !e.HasExec:
			e.Title, dec = only(body, "proctitle", dec)
		case r.typ == Sockaddr:
			dec = e.peer(body, dec)
		case r.typ.User() && !e.HasUser:
			dec = e.User.decode(r.typ, body, dec)
			e.HasUser = true
		}
	}
}

// only is the value of the one field that matters in a record.
func only(body []byte, key string, dec []byte) (value, rest []byte) {
	f := FieldsOf(body)
	for f.Next() {
		if string(f.Key) == key {
			return f.text(dec)
		}
	}
	return nil, dec
}

func (c *Call) decode(body, dec []byte) []byte {
	*c = Call{AUID: Unset, Session: Unset}
	f := FieldsOf(body)
	for {
		name, value, quote, rest, ok := plain(f.rest)
		if ok && !f.nested {
			f.Value, f.Quote, f.rest = value, quote, rest
		} else if !f.Next() {
			return dec
		} else {
			name = number(f.Key)
		}
		switch name {
		case keyArch:
			c.Arch = uint32(hexNumber(f.Value))
		case keySyscall:
			n, _ := decimal(f.Value)
			c.Number = uint32(n)
		case keySuccess:
			c.Success = string(f.Value) == "yes"
		case keyExit:
			c.Exit = signed(f.Value)
		case keyA0, keyA1, keyA2, keyA3:
			c.Args[name-keyA0] = hexNumber(f.Value)
		case keyPpid:
			c.ParentPID = id(f.Value)
		case keyPid:
			c.PID = id(f.Value)
		case keyAuid:
			c.AUID = id(f.Value)
		case keyUid:
			c.UID = id(f.Value)
		case keyGid:
			c.GID = id(f.Value)
		case keyEuid:
			c.EUID = id(f.Value)
		case keySuid:
			c.SUID = id(f.Value)
		case keyFsuid:
			c.FSUID = id(f.Value)
		case keyEgid:
			c.EGID = id(f.Value)
		case keySgid:
			c.SGID = id(f.Value)
		case keyFsgid:
			c.FSGID = id(f.Value)
		case keySes:
			c.Session = id(f.Value)
		case keyTty:
			if !f.Unset() {
				c.TTY = f.Value
			}
		case keyComm:
			c.Comm, dec = f.text(dec)
		case keyExe:
			c.Exe, dec = f.text(dec)
		case keySubj:
			c.Subject = f.Value
		case keyKey:
			c.Key, dec = f.text(dec)
		}
	}
}

func (e *Event) path(body, dec []byte) []byte {
	var p PathItem
	f := FieldsOf(body)
	for p.NameType == nil { // what follows are the file's capabilities
		name, value, quote, rest, ok := plain(f.rest)
		if ok && !f.nested {
			f.Value, f.Quote, f.rest = value, quote, rest
		} else if !f.Next() {
			break
		} else {
			name = number(f.Key)
		}
		switch name {
		case keyItem:
			p.Item = int(signed(f.Value))
		case keyName:
			p.Name, dec = f.text(dec)
		case keyInode:
			p.Inode, _ = decimal(f.Value)
		case keyDev:
			p.Dev = f.Value
		case keyMode:
			p.Mode = octal(f.Value)
		case keyOuid:
			p.OwnerUID = id(f.Value)
		case keyOgid:
			p.OwnerGID = id(f.Value)
		case keyNametype, keyObjtype:
			p.NameType = f.Value
		}
	}
	e.Paths = append(e.Paths, p)
	return dec
}

// peer reads the record SOCKADDR, whose value is always hexadecimal.
func (e *Event) peer(body, dec []byte) []byte {
	f := FieldsOf(body)
	for f.Next() {
		if string(f.Key) != "saddr" {
			continue
		}
		var raw []byte
		if raw, dec = decodeHex(f.Value, dec); 2*len(raw) == len(f.Value) {
			e.HasPeer = e.Peer.decode(raw) || e.HasPeer
		}
	}
	return dec
}

// decode reads a struct sockaddr: the family in the byte order of the machine, which is little-endian on all that Bulkhead runs on, port and address in the
// network's.
func (a *Address) decode(raw []byte) bool {
	if len(raw) < 2 {
		return false
	}
	*a = Address{Family: binary.LittleEndian.Uint16(raw)}
	switch {
	case a.Family == FamilyInet && len(raw) >= 8:
		a.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:8])), binary.BigEndian.Uint16(raw[2:]))
	case a.Family == FamilyInet6 && len(raw) >= 24:
		a.Addr = netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[8:24])), binary.BigEndian.Uint16(raw[2:]))
	case a.Family == FamilyUnix:
		a.Path = raw[2:]
		for i, c := range a.Path {
			if c == 0 && i > 0 {
				a.Path = a.Path[:i]
				break
			}
		}
	}
	return true
}

func (u *UserMessage) decode(t Type, body, dec []byte) []byte {
	*u = UserMessage{Type: t, AUID: Unset, Session: Unset, UID: Unset}
	f := FieldsOf(body)
	for f.Next() {
		if f.nested {
			dec = u.said(&f, dec)
			continue
		}
		switch string(f.Key) {
		case "pid":
			u.PID = id(f.Value)
		case "uid":
			u.UID = id(f.Value)
		case "auid":
			u.AUID = id(f.Value)
		case "ses":
			u.Session = id(f.Value)
		default:
			dec = u.said(&f, dec) // older kernels: everything on one level
		}
	}
	return dec
}

// said reads a field of the program's own part of the message. Of several fields of a name the first counts, but for the outcome, which comes last: what a
// stranger can choose stands between them.
func (u *UserMessage) said(f *Fields, dec []byte) []byte {
	plain := func(field *[]byte) { // never encoded
		if *field == nil && !f.Unset() {
			*field = f.Value
		}
	}
	take := func(field *[]byte) {
		if *field == nil {
			*field, dec = f.text(dec)
		}
	}
	switch string(f.Key) {
	case "op":
		plain(&u.Op)
	case "acct":
		if take(&u.Account); string(u.Account) == "?" { // PAM quotes it where it knows none
			u.Account = u.Account[:0]
		}
	case "exe":
		take(&u.Exe)
	case "hostname":
		plain(&u.Hostname)
	case "terminal":
		plain(&u.Terminal)
	case "cwd":
		take(&u.Cwd)
	case "cmd":
		take(&u.Command)
	case "unit":
		plain(&u.Unit)
	case "id":
		plain(&u.ID)
	case "addr":
		if a, err := netip.ParseAddr(string(f.Value)); err == nil && !u.Addr.IsValid() {
			u.Addr = a.Unmap().WithZone("")
		}
	case "res":
		u.Success = string(f.Value) == "success" || string(f.Value) == "1"
	}
	return dec
}
