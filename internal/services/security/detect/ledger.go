package detect

import (
	"encoding/binary"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// ledger makes what two logs tell of count once. The kernel's audit records and sshd's log tell of the same attempts, in whichever order they are read, days apart if they are files. So of each
// minute, account, address and outcome it is kept how many each has told of: an attempt is a new one only if its own log has told of more than the other had.
type ledger struct {
	young, old map[uint64][2]uint16
}

const (
	maxLedger = 1 << 15 // entries of each half; the older is forgotten at once

	ofAudit = 0
	ofLog   = 1
)

// channel is which log tells of an attempt.
func channel(e *activity.Event) int {
	if len(e.Message) > 0 {
		return ofLog
	}
	return ofAudit
}

// add takes n attempts and returns how many of them are new. Names that no account has are not told apart: audit records don't have them.
func (l *ledger) add(e *activity.Event, account string, n int) int {
	a := &e.SignIn
	var rest [9]byte
	if binary.LittleEndian.PutUint64(rest[:], uint64(e.Millis/60_000)); e.Success {
		rest[8] = 1
	}
	name, addr := []byte(account), a.Addr.As16()
	if a.Unknown {
		name = nil
	}
	host := a.Host
	if a.Addr.IsValid() {
		host = nil // a name of it, which one of the two may have looked up
	}
	h := hashOf(name, addr[:], host, rest[:])
	told, ok := l.young[h]
	if !ok {
		told = l.old[h]
	}
	before := max(told[ofAudit], told[ofLog])
	own := channel(e)
	told[own] = uint16(min(int(told[own])+n, 1<<16-1))
	if l.young == nil {
		l.young = map[uint64][2]uint16{}
	}
	if l.young[h] = told; len(l.young) >= maxLedger {
		l.young, l.old = nil, l.young
	}
	return int(max(told[ofAudit], told[ofLog]) - before)
}

// placeholder reports whether an account is what audit records write for a name that no account has.
func placeholder(name string) bool {
	return name == "(unknown user)" || name == "(invalid user)" || name == "(unknown)"
}
