package sigma

import "strconv"

// The sources of LinuxSchema, by number.
const (
	SourceProcessCreation   = iota // a program was started
	SourceFileEvent                // a file was made or changed
	SourceNetworkConnection        // a program connected or was connected to
	SourceAuditd                   // one audit record; its message is the whole of it, with command lines decoded
	SourceAuth                     // auth.log, secure
	SourceSSHD
	SourceSudo
	SourceCron
	SourceSyslog
	SourceClamAV
	SourceVsftpd
	SourceGuacamole
	SourceOther // any other log line
	linuxSources
)

// The fields of LinuxSchema, by number. FieldArgument is a0, the next ones are a1 and so on up to Arguments.
const (
	FieldImage = iota
	FieldCommandLine
	FieldParentImage
	FieldParentCommandLine
	FieldUser
	FieldCurrentDirectory
	FieldLogonID
	FieldProcessID
	FieldParentProcessID
	FieldTargetFilename
	FieldSourceIP
	FieldSourcePort
	FieldDestinationIP
	FieldDestinationPort
	FieldDestinationHostname
	FieldProtocol
	FieldInitiated // true or false
	FieldHostname  // the machine that tells of the event
	FieldMessage   // what keywords are looked for in, where it isn't the command line or the file's name

	FieldType       // of an audit record, as in EXECVE
	FieldSyscall    // number
	FieldSyscallSym // SYSCALL, its name
	FieldArch
	FieldSuccess // yes or no
	FieldExit
	FieldComm
	FieldExe
	FieldKey
	FieldCWD
	FieldName
	FieldNameType
	FieldMode
	FieldPID
	FieldPPID
	FieldSession
	FieldTTY
	FieldAUID // number; the upper-case names below are names of accounts
	FieldUID
	FieldGID
	FieldEUID
	FieldEGID
	FieldAUIDSym
	FieldUIDSym
	FieldGIDSym
	FieldEUIDSym
	FieldEGIDSym
	FieldSubject
	FieldAccount
	FieldAddress
	FieldTerminal
	FieldResult
	FieldOperation
	FieldUnit
	FieldCommand
	FieldSockaddr
	FieldData
	FieldArgument

	// Arguments is how many arguments of a command have a field of their own.
	Arguments   = 16
	linuxFields = FieldArgument + Arguments
)

var linuxNames = [FieldArgument]string{
	FieldImage: "Image", FieldCommandLine: "CommandLine", FieldParentImage: "ParentImage", FieldParentCommandLine: "ParentCommandLine",
	FieldUser: "User", FieldCurrentDirectory: "CurrentDirectory", FieldLogonID: "LogonId", FieldProcessID: "ProcessId",
	FieldParentProcessID: "ParentProcessId", FieldTargetFilename: "TargetFilename", FieldSourceIP: "SourceIp", FieldSourcePort: "SourcePort",
	FieldDestinationIP: "DestinationIp", FieldDestinationPort: "DestinationPort", FieldDestinationHostname: "DestinationHostname",
	FieldProtocol: "Protocol", FieldInitiated: "Initiated", FieldHostname: "Computer", FieldMessage: "message",
	FieldType: "type", FieldSyscall: "syscall", FieldSyscallSym: "SYSCALL", FieldArch: "arch", FieldSuccess: "success", FieldExit: "exit", FieldComm: "comm",
	FieldExe: "exe", FieldKey: "key", FieldCWD: "cwd", FieldName: "name", FieldNameType: "nametype", FieldMode: "mode", FieldPID: "pid", FieldPPID: "ppid",
	FieldSession: "ses", FieldTTY: "tty", FieldAUID: "auid", FieldUID: "uid", FieldGID: "gid", FieldEUID: "euid", FieldEGID: "egid", FieldAUIDSym: "AUID",
	FieldUIDSym: "UID", FieldGIDSym: "GID", FieldEUIDSym: "EUID", FieldEGIDSym: "EGID", FieldSubject: "subj", FieldAccount: "acct", FieldAddress: "addr",
	FieldTerminal: "terminal", FieldResult: "res", FieldOperation: "op", FieldUnit: "unit", FieldCommand: "cmd", FieldSockaddr: "saddr", FieldData: "data",
}

// LinuxSchema is the schema of the events of Linux machines: what process starts, files, connections, audit records and log lines are to rules. Names are those
// of the Sigma taxonomy and of audit records. The caller owns what it gets.
func LinuxSchema() *Schema {
	s := &Schema{
		Fields: make([]string, linuxFields),
		Aliases: map[string]int{
			"ComputerName": FieldHostname, "hostname": FieldHostname, "msg": FieldMessage, "SessionId": FieldSession, "objtype": FieldNameType,
		},
		// What programs for Windows carry in themselves. Rules for several systems name it beside what Linux has.
		Absent: []string{
			"OriginalFileName", "Product", "Company", "Description", "FileVersion", "IntegrityLevel", "Hashes", "Imphash", "LogonGuid", "ProcessGuid",
			"ParentProcessGuid", "CreationUtcTime",
		},
		Sources: make([]Source, linuxSources),
	}
	copy(s.Fields, linuxNames[:])
	audit := []int{FieldHostname}
	for f := FieldType; f < linuxFields; f++ {
		audit = append(audit, f)
	}
	for n := range Arguments {
		s.Fields[FieldArgument+n] = "a" + strconv.Itoa(n)
	}
	s.Sources[SourceProcessCreation] = Source{LogSource{Category: "process_creation", Product: "linux"}, []int{
		FieldImage, FieldCommandLine, FieldParentImage, FieldParentCommandLine, FieldUser, FieldCurrentDirectory, FieldLogonID, FieldProcessID,
		FieldParentProcessID, FieldHostname,
	}, FieldCommandLine}
	s.Sources[SourceFileEvent] = Source{LogSource{Category: "file_event", Product: "linux"}, []int{
		FieldTargetFilename, FieldImage, FieldUser, FieldProcessID, FieldHostname,
	}, FieldTargetFilename}
	s.Sources[SourceNetworkConnection] = Source{LogSource{Category: "network_connection", Product: "linux"}, []int{
		FieldImage, FieldCommandLine, FieldUser, FieldProcessID, FieldSourceIP, FieldSourcePort, FieldDestinationIP, FieldDestinationPort,
		FieldDestinationHostname, FieldProtocol, FieldInitiated, FieldHostname,
	}, -1}
	s.Sources[SourceAuditd] = Source{LogSource{Product: "linux", Service: "auditd"}, audit, FieldMessage}
	for n, service := range map[int]string{
		SourceAuth: "auth", SourceSSHD: "sshd", SourceSudo: "sudo", SourceCron: "cron", SourceSyslog: "syslog", SourceClamAV: "clamav",
		SourceVsftpd: "vsftpd", SourceGuacamole: "guacamole", SourceOther: "other",
	} {
		s.Sources[n] = Source{LogSource{Product: "linux", Service: service}, []int{FieldHostname, FieldProcessID, FieldUser, FieldSourceIP}, FieldMessage}
	}
	return s
}
