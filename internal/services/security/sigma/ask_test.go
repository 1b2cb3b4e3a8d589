package sigma

import "testing"

func TestUsesAndPossible(t *testing.T) {
	t.Parallel()
	c, problems := Parse("x", []byte(`
title: a
id: a
logsource: {product: linux, service: auditd}
detection:
  s: {type: EXECVE, a0: wget}
  f: {a1|startswith: x}
  condition: s and not f
---
title: b
id: b
logsource: {product: linux, service: auditd}
detection:
  s: {type: [PATH, CWD], name|endswith: /shadow}
  condition: s
`), Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s, problems, err := Compile(LinuxSchema(), c, Limits{})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for kind, want := range map[string]bool{"EXECVE": true, "execve": true, "PATH": true, "CWD": true, "SYSCALL": false, "": false} {
		if got := s.Possible(SourceAuditd, FieldType, []byte(kind)); got != want {
			t.Errorf("%q: %v", kind, got)
		}
	}
	if s.Possible(SourceSSHD, FieldMessage, []byte("x")) {
		t.Error("a rule of auditd may match a line of sshd")
	}
	used := s.Uses(SourceAuditd)
	for f, want := range map[int]bool{FieldType: true, FieldArgument: true, FieldArgument + 1: true, FieldName: true, FieldExe: false, FieldMessage: false} {
		if used[f] != want {
			t.Errorf("field %d: %v", f, used[f])
		}
	}
	if v := s.Example(0, SourceAuditd); v == nil || string(v[FieldArgument]) != "wget" {
		t.Errorf("the example of a: %q", v)
	}
}
