package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// logLines is how much of a log a failure shows.
const logLines = 40

// Tail is the end of the platform's log from the byte given on, in short lines.
func (p *Platform) Tail(from int64) string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b[min(from, int64(len(b))):]), []byte("\n"))
	if len(lines) > logLines {
		lines = lines[len(lines)-logLines:]
	}
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(short(line) + "\n")
	}
	return out.String()
}

// short leaves out of a request's log line what a reader of a failed test does not need.
func short(line []byte) string {
	var e struct {
		Level, Msg, Method, Host, Path, Code, Message string
		Status                                        int
	}
	if json.Unmarshal(line, &e) != nil || e.Msg != "request" {
		return string(line)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d %s %s%s %s %s", e.Level, e.Status, e.Method, e.Host, e.Path, e.Code, e.Message))
}
