package linuxaudit

import "bytes"

// Line is one record as it came.
type Line struct {
	Node     []byte // the machine, where auditd was told to write it; else nil
	Type     Type
	Millis   int64 // of the event, since 1970
	Serial   uint64
	Body     []byte // what follows "audit(...): ", as the kernel or a program wrote it
	Enriched []byte // names for numbers that auditd appended, or nil
}

// separator is what auditd writes between a record and what it appends to it (log_format=ENRICHED).
const separator = 0x1d

// ParseLine takes a line of audit.log, or of an audisp plugin, apart: [node=NAME ]type=TYPE msg=audit(SECONDS.MILLIS:SERIAL): BODY. The parts point into the line.
func ParseLine(line []byte) (l Line, ok bool) { return parseLine(line, nil) }

// parseLine is ParseLine with the stamp of the line before, or nil.
func parseLine(line []byte, before *stamp) (l Line, ok bool) {
	b := trimEnd(line)
	if bytes.HasPrefix(b, []byte("node=")) {
		end := bytes.IndexByte(b, ' ')
		if end < 0 {
			return l, false
		}
		l.Node, b = b[len("node="):end], b[end+1:]
	}
	if !bytes.HasPrefix(b, []byte("type=")) {
		return l, false
	}
	b = b[len("type="):]
	end := bytes.IndexByte(b, ' ')
	if end < 0 {
		return l, false
	}
	if l.Type = typeOf(b[:end]); l.Type == 0 {
		return l, false
	}
	b = b[end+1:]
	if !bytes.HasPrefix(b, []byte("msg=")) {
		return l, false
	}
	return l, l.stamp(b[len("msg="):], before)
}

// ParseMessage takes a netlink message of the audit system apart: audit(SECONDS.MILLIS:SERIAL): BODY.
func ParseMessage(t Type, payload []byte) (l Line, ok bool) {
	l.Type = t
	return l, l.stamp(trimEnd(payload), nil)
}

// stamp is what the last line began with, since most lines begin as the one before them: they are of the same event.
type stamp struct {
	text   [48]byte
	n      int // bytes of text, 0 for none
	millis int64
	serial uint64
}

// stamp reads time, serial and body. before may be nil.
func (l *Line) stamp(b []byte, before *stamp) bool {
	if before != nil && before.n > 0 && len(b) >= before.n && string(b[:before.n]) == string(before.text[:before.n]) {
		l.Millis, l.Serial = before.millis, before.serial
		l.body(b[before.n:])
		return true
	}
	whole := b
	const open = "audit("
	if len(b) < len(open) || string(b[:len(open)]) != open {
		return false
	}
	b = b[len(open):]
	seconds, i := digits(b, 0)
	if i == 0 || i >= len(b) || b[i] != '.' {
		return false
	}
	millis, j := digits(b, i+1)
	if j != i+4 || j >= len(b) || b[j] != ':' {
		return false
	}
	serial, k := digits(b, j+1)
	if k == j+1 || k+1 >= len(b) || b[k] != ')' || b[k+1] != ':' && b[k+1] != ' ' || seconds > 1<<40 { // some DAEMON_ messages have no colon
		return false
	}
	l.Millis, l.Serial, b = int64(seconds)*1000+int64(millis), serial, b[k+2:]
	if before != nil {
		before.n, before.millis, before.serial = 0, l.Millis, l.Serial
		if n := len(whole) - len(b); n <= len(before.text) {
			before.n = copy(before.text[:], whole[:n])
		}
	}
	l.body(b)
	return true
}

// body takes what follows the stamp.
func (l *Line) body(b []byte) {
	if len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	l.Body = b
	if end := bytes.IndexByte(b, separator); end >= 0 {
		l.Body, l.Enriched = b[:end], b[end+1:]
	}
}

// digits reads a number of at most 18 digits from b[i:]. It returns where it ends; b[end] exists unless end is len(b), which the callers look at.
func digits(b []byte, i int) (n uint64, end int) {
	for start := i; i < len(b) && b[i] >= '0' && b[i] <= '9' && i-start < 18; i++ {
		n = n*10 + uint64(b[i]-'0')
	}
	return n, i
}

// trimEnd cuts off what may end a line or a message.
func trimEnd(b []byte) []byte {
	for n := len(b); n > 0 && (b[n-1] == '\n' || b[n-1] == '\r' || b[n-1] == ' ' || b[n-1] == 0); n-- {
		b = b[:n-1]
	}
	return b
}
