package activity

import (
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// Kind is what was done.
type Kind uint8

// The kinds of events.
const (
	Other    Kind = iota
	Exec          // a program was started: Command
	Connect       // a connection was opened, or begun: Remote
	Bind          // a socket was bound, or listened on: Remote
	Write         // a file was created, or opened to be written: Files
	Delete        // files were removed: Files
	Rename        // files were moved: Files, the old and the new one
	Chmod         // the mode of files was changed: Files, Mode
	Chown         // the owner of files was changed: Files
	Times         // the times of files were set: Files
	Trace         // a process was attached to
	Module        // a kernel module was loaded or removed
	Memfile       // a file without a name was made in memory
	SetUser       // a process changed whom it acts as
	Mount         // a file system was mounted or removed
	Kill          // a signal was sent to another process
	Auth          // somebody proved, or failed to prove, who they are: SignIn
	SignIn        // somebody signed in, or failed to: SignIn
	Session       // a session began or ended: SignIn, Began
	Account       // an account or group was made, changed or removed: Subject, Op
	Service       // a service was started or stopped: Subject, Began
	Audit         // the audit system was changed, started or stopped, or lost records
	Abnormal      // a process ended by a fault, or put an interface into promiscuous mode
	Running       // a program that ran already when the agent began to look: Command; Millis is when it was started
)

// String is the kind's name.
func (k Kind) String() string {
	names := [...]string{
		"other", "exec", "connect", "bind", "write", "delete", "rename", "chmod", "chown", "times", "trace", "module", "memfile", "setuser", "mount", "kill",
		"auth", "signin", "session", "account", "service", "audit", "abnormal", "running",
	}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Event is one thing that was done. Its slices are the source's and valid until the handler returns; who keeps them copies.
type Event struct {
	Kind    Kind
	Node    []byte
	Millis  int64 // since 1970, UTC
	Success bool
	Process Process
	Call    string // the system call's name, "" where it has none here
	Command Command
	Files   []File
	Mode    uint32 // of Chmod, as asked for
	Remote  Remote
	SignIn  Access
	Op      []byte // of Account, Service, Audit: what was done, as the program says it
	Subject []byte // the account, group or service it was done to
	Began   bool   // of Session and Service: started, not ended
	Lost    uint64 // of Audit whose Op is "lost": so many records never came; Subject is where (package source)
	Key     []byte // of a call: that of the audit rule which asked for it, by which rules of detection may go
	Message []byte // of a log's line: the program's name and what it said, as it stands there

	Source *linuxaudit.Event // what it was made of, or nil
}

// Time is when it was.
func (e *Event) Time() time.Time { return time.UnixMilli(e.Millis).UTC() }

// Process is who did something. A PID of zero means that it isn't known.
type Process struct {
	PID, Parent      uint32
	AUID             uint32 // the account that signed in; linuxaudit.Unset for daemons
	UID, EUID, GID   uint32
	Session          uint32 // linuxaudit.Unset for daemons
	TTY, Comm, Image []byte // Image is the running program's file; of a script its interpreter
}

// Command is a started program.
type Command struct {
	Args    [][]byte
	Line    []byte // the arguments with blanks between
	Dir     []byte // where it was started
	File    []byte // the file that was started, a script's own, absolute
	Missing int    // arguments of which a part was lost
	Packed  []byte // how the file is packed, where the agent looked (package packed); empty if it isn't
}

// File is one a call concerned. Name is absolute where the directory is known.
type File struct {
	Name  []byte
	Mode  uint32 // as stat, before the call
	Owner uint32
	Inode uint64
	New   bool // made by the call
}

// Remote is the other side of a connection, or the own side of Bind.
type Remote struct {
	Addr netip.AddrPort
	Path []byte // of a Unix socket
}

// Access is an attempt to sign in.
type Access struct {
	Account  []byte
	Addr     netip.Addr // where from, if told
	Host     []byte     // its name, if told
	Method   []byte     // password, publickey, or what the program says
	Terminal []byte
	Unknown  bool // there is no such account
	Count    int  // how many attempts this tells of; 0 is one
}
