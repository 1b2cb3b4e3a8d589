package scripts

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// A frame is four bytes of length, big-endian, and as much JSON. The platform asks run, check, open (functions), call, close; a worker asks host while it runs, which
// is answered by reply or stop; it ends each run, check, open and call by done.
type frame struct {
	Type      string            `json:"t"`
	Job       *Job              `json:"job,omitempty"`
	Body      string            `json:"body,omitempty"`      // check
	Functions map[string]string `json:"functions,omitempty"` // open
	Now       time.Time         `json:"now,omitzero"`        // open
	Name      string            `json:"name,omitempty"`      // call: the function; host: the operation
	Args      []string          `json:"args,omitempty"`
	Reply     string            `json:"reply,omitempty"` // reply: JSON; done of call: the result
	Result    *Result           `json:"result,omitempty"`
	Error     *Error            `json:"error,omitempty"` // done: what the script is to blame for
	Broken    string            `json:"broken,omitempty"`
	Limit     time.Duration     `json:"limit,omitempty"` // in place of MaxTime, in tests
}

// The types of frames.
const (
	frameRun   = "run"
	frameCheck = "check"
	frameOpen  = "open"
	frameCall  = "call"
	frameClose = "close"
	frameReply = "reply"
	frameStop  = "stop"
	frameHost  = "host"
	frameDone  = "done"
)

const maxFrame = 64 << 20

func writeFrame(w *bufio.Writer, f *frame) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if len(b) > maxFrame {
		return fmt.Errorf("scripts: a frame of %d bytes", len(b))
	}
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(b)))
	if _, err := w.Write(size[:]); err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Flush()
}

func readFrame(r *bufio.Reader) (*frame, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxFrame {
		return nil, fmt.Errorf("scripts: a frame of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	f := &frame{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("scripts: a frame: %w", err)
	}
	return f, nil
}
