package detect

import "fmt"

// onPacked: a program whose file is packed runs from where the system doesn't keep its programs. The agent looked at the file (package agent/packed); of logs it isn't known. Software that is
// installed is hardly ever packed; an intruder's is, to be small and to look like nothing known. One that was fetched a short time ago is surer.
func onPacked(m *Machine, s *step) {
	how := s.event.Command.Packed
	file := s.process.File
	if len(how) == 0 || file == "" || trusted(file) || expected(s.process) {
		return
	}
	alert, confidence, why := &encodedRun, 0.35, fmt.Sprintf("the code of %s is compressed or encrypted", file)
	if string(how) == "UPX" {
		alert, confidence, why = &packedRun, 0.5, fmt.Sprintf("%s is packed by UPX", file)
	}
	if note, ok := m.files.Peek(file); ok && recent(note.fetched, s.event.Millis, m.params.Memory) || recent(s.session.fetched, s.event.Millis, m.params.FetchToRun) {
		confidence += 0.25
		why += ", and was fetched before"
	}
	f := s.find(alert, confidence, file, why)
	f.Files = []string{file}
	m.report(f)
}
