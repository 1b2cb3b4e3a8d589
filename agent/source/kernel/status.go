package kernel

import "encoding/binary"

// Bits of Status that are to be set, and what "enabled" may be.
const (
	setEnabled     = 0x01
	setBacklog     = 0x10
	setBacklogWait = 0x20
	enabledLocked  = 2
	failurePanics  = 2
)

// Status is the state of the kernel's audit system: struct audit_status.
type Status struct {
	Enabled     uint32 `json:"enabled"` // 1 on, 2 on and locked until the next boot
	Failure     uint32 `json:"failure"` // what the kernel does when it loses records: 0 nothing, 1 say so, 2 panic
	Daemon      uint32 `json:"daemon"`  // the process id of the audit daemon, 0 if there is none
	RateLimit   uint32 `json:"rateLimit"`
	Backlog     uint32 `json:"backlog"` // records that may wait
	Lost        uint32 `json:"lost"`
	Waiting     uint32 `json:"waiting"`
	Features    uint32 `json:"features"`
	BacklogWait uint32 `json:"backlogWait"` // how long a process waits for room, in ticks
}

const statusWords = 10 // an older kernel has eight; a newer one more

// encode is a request to set what mask names.
func (s *Status) encode(mask uint32) []byte {
	out := make([]byte, 4*statusWords)
	for i, v := range [statusWords]uint32{mask, s.Enabled, s.Failure, s.Daemon, s.RateLimit, s.Backlog, s.Lost, s.Waiting, s.Features, s.BacklogWait} {
		binary.NativeEndian.PutUint32(out[4*i:], v)
	}
	return out
}

// decodeStatus reads the kernel's answer; words that an older kernel lacks are zero.
func decodeStatus(b []byte) Status {
	var w [statusWords]uint32
	for i := 0; i < statusWords && 4*i+4 <= len(b); i++ {
		w[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return Status{Enabled: w[1], Failure: w[2], Daemon: w[3], RateLimit: w[4], Backlog: w[5], Lost: w[6], Waiting: w[7], Features: w[8], BacklogWait: w[9]}
}
