package detect

// commandIntel is an Intel that knows attackers' commands, too.
type commandIntel interface {
	// Shingle tells whether commands, in the form of package shingle, were seen at an attacker's hands.
	Shingle(normal string) bool
}

var knownCommands = Alert{
	"BH_KnownAttackerCommands", "Commands of a known attacker detected", Medium, "Execution", []string{"T1059.004"}, remedyTool,
}

// onKnownCommands: the session runs what intruders ran at the honeypot. That the same tool is called with the same words in two places is no accident; what the numbers, networks and
// addresses were doesn't matter (package shingle).
func onKnownCommands(m *Machine, s *step) {
	known, ok := m.intel.(commandIntel)
	if !ok {
		return
	}
	for _, text := range s.session.window.Add(s.args) {
		if known.Shingle(text) && !expected(s.process) {
			m.report(s.find(&knownCommands, 0.7, "", "the same was run by an intruder at the honeypot: "+text))
			return
		}
	}
}
