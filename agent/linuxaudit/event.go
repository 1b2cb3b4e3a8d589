package linuxaudit

import (
	"net/netip"
	"time"
)

// Unset is what audit records write for a user, group or session that isn't one.
const Unset = 1<<32 - 1

// Event is what the records of one time and serial say. Its slices point into the Reassembler's memory and are valid until the handler returns.
type Event struct {
	Node   []byte // the machine, where records name it
	Millis int64  // since 1970, UTC
	Serial uint64
	Whole  bool // its end was seen; else it was given up as later events had come, or time had passed

	Call    Call // of the record SYSCALL
	HasCall bool
	Exec    Exec // of EXECVE
	HasExec bool
	Cwd     []byte
	Paths   []PathItem // in order of their item numbers as they came
	Title   []byte     // PROCTITLE: the beginning (128 bytes at most) of the command line, arguments ended by zero bytes; nil where there is an EXECVE, which has it all
	Peer    Address    // of SOCKADDR
	HasPeer bool
	User    UserMessage // of a message from user space
	HasUser bool

	records []record
	buf     []byte
}

// Time is when the event was.
func (e *Event) Time() time.Time { return time.UnixMilli(e.Millis).UTC() }

// Record is one of the records an event consists of.
type Record struct {
	Type     Type
	Body     []byte
	Enriched []byte // names of users and calls that auditd appended, or nil
}

// Len is how many records there are, without those that only mark the end.
func (e *Event) Len() int { return len(e.records) }

// Record is the raw record at a place in the order they came.
func (e *Event) Record(i int) Record {
	r := e.records[i]
	out := Record{Type: r.typ, Body: e.buf[r.from:r.mid]}
	if r.to > r.mid {
		out.Enriched = e.buf[r.mid:r.to]
	}
	return out
}

// Call is the record SYSCALL: what a process asked of the kernel.
type Call struct {
	Arch, Number                                   uint32
	Success                                        bool
	Exit                                           int64
	Args                                           [4]uint64
	ParentPID, PID                                 uint32
	AUID                                           uint32 // who signed in, whoever it acts as now
	UID, GID, EUID, SUID, FSUID, EGID, SGID, FSGID uint32
	Session                                        uint32
	TTY, Comm, Exe, Subject                        []byte
	Key                                            []byte // of the audit rules that asked for the record; several are separated by \x01
}

// Exec is the command line of a started program.
type Exec struct {
	Args    [][]byte
	Count   int // as the kernel said; more than len(Args) only if Missing
	Missing int // arguments of which a part never came
}

// PathItem is one file that a call concerned.
type PathItem struct {
	Item               int
	Name               []byte // nil where the kernel had none
	NameType           []byte // NORMAL, PARENT, CREATE, DELETE, UNKNOWN
	Inode              uint64
	Dev                []byte // major:minor, hexadecimal
	Mode               uint32 // with the file's type, as stat
	OwnerUID, OwnerGID uint32
}

// Families of addresses, as in Linux.
const (
	FamilyUnix  = 1
	FamilyInet  = 2
	FamilyInet6 = 10
)

// Address is a socket's address.
type Address struct {
	Family uint16
	Addr   netip.AddrPort // of FamilyInet and FamilyInet6
	Path   []byte         // of FamilyUnix; an abstract name begins with a zero byte
}

// UserMessage is a record from user space: sign-ins, sessions, changes of accounts, services.
type UserMessage struct {
	Type                         Type
	PID, UID, AUID, Session      uint32
	Op, Account, Exe, Hostname   []byte
	Terminal, Cwd, Command, Unit []byte
	ID                           []byte // the user or group an account message is about
	Addr                         netip.Addr
	Success                      bool // res=success or res=1
}
