package linuxaudit

import (
	"bytes"
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// FuzzReassemble: whatever the lines are, nothing panics, every record of an event is one of the lines, and what is decoded is not longer than what came.
func FuzzReassemble(f *testing.F) {
	f.Add([]byte(grep))
	f.Add([]byte(execText(1, replay.ExecRecords([]string{"a", string(bytes.Repeat([]byte("x y"), 100))}, 60))))
	f.Add([]byte("type=SOCKADDR msg=audit(10.000:1): saddr=020000097F000001\ntype=USER_LOGIN msg=audit(10.000:2): pid=1 msg='op=login acct=28 addr=::1, res=1)'\ntype=EOE msg=audit(10.000:1):"))
	f.Add([]byte("type=EXECVE msg=audit(10.000:1): a262143=\"x\"\ntype=EXECVE msg=audit(10.000:1): a0_len=3 a0[1]=\"x\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := NewReassembler(func(e *Event) {
			decoded := len(e.Call.Comm) + len(e.Call.Exe) + len(e.Cwd) + len(e.Title) + len(e.User.Account) + len(e.User.Command)
			for _, a := range e.Exec.Args {
				decoded += len(a)
			}
			raw := 0
			for i := range e.Len() {
				rec := e.Record(i)
				raw += len(rec.Body) + len(rec.Enriched)
				if !bytes.Contains(text, rec.Body) {
					t.Errorf("%q is in no line", rec.Body)
				}
			}
			if decoded > raw || e.Exec.Missing > e.Exec.Count || len(e.Exec.Args) > e.Exec.Count {
				t.Errorf("%d bytes of %d, %d of %d arguments missing", decoded, raw, e.Exec.Missing, e.Exec.Count)
			}
		})
		for line := range bytes.Lines(text) {
			r.Line(line)
			r.Message(Execve, line)
		}
		r.Flush()
		s := r.Stats()
		if s.Events > s.Lines || len(r.open) != 0 {
			t.Errorf("%+v, %d open", s, len(r.open))
		}
	})
}

// FuzzPlain: where the fast way reads a field, it reads what the other one does.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{
		`arch=c000003e syscall=59 success=yes exit=0 comm="a b" exe=2F62 key=(null)`, "item=0 name=\"/x\" nametype=NORMAL", "a, b=c, (d=e) f=,) g=", "pid=1 msg='op=x res=1' y=2", "=x a=\n b", "key=\"open",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fields := FieldsOf(body)
		for {
			name, value, quote, rest, ok := plain(fields.rest)
			ok = ok && !fields.nested
			if !fields.Next() {
				if ok {
					t.Fatalf("%q: one field more: %q", body, value)
				}
				return
			}
			if ok && (name != number(fields.Key) || string(value) != string(fields.Value) || quote != fields.Quote || string(rest) != string(fields.rest)) {
				t.Fatalf("%q: %x = %q; want %q = %q", body, name, value, fields.Key, fields.Value)
			}
		}
	})
}
