package detect

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
)

// fileIntel is an Intel that knows attackers' files, too.
type fileIntel interface {
	// SHA256 tells whether a file is known to be an attacker's, by its hash in hexadecimal.
	SHA256(hash string) bool
}

// accountIntel is an Intel that knows which accounts intruders try, too.
type accountIntel interface {
	// Account tells whether several intruders tried an account's name, with whatever passwords.
	Account(name string) bool
}

var (
	knownFile = Alert{
		"VM_LinuxBackdoorArtifact", "Detected suspicious file known to be an attacker's", High, "Execution", []string{"T1204.002", "T1105"}, remedyTool,
	}
	threatLogon = Alert{
		"VM_ThreatIntelSuspectLogon", "A logon from a malicious IP has been detected", High, "InitialAccess", []string{"T1078"}, remedyAccess,
	}
	triedAccount = Alert{
		"BH_TriedAccountSignIn", "Account that intruders try signed in by password from elsewhere", Low, "InitialAccess", []string{"T1078", "T1110.004"}, remedyAccess,
	}
)

// onKnownFile: the file that runs, by whatever name, is one that an intruder brought to the honeypot, or that somebody's list has. The agent says its hash; of logs it isn't known.
func onKnownFile(m *Machine, s *step) {
	sum := s.event.Command.SHA256
	if len(sum) != 32 {
		return
	}
	known, ok := m.intel.(fileIntel)
	if !ok {
		return
	}
	hash := hex.EncodeToString(sum)
	if !known.SHA256(hash) {
		return
	}
	file := s.program()
	if file == "" {
		file = s.process.File
	}
	f := s.find(&knownFile, 0.95, hash, fmt.Sprintf("%s was run, a file that is known to be an attacker's (SHA-256 %s)", file, hash))
	f.Files = []string{file}
	m.report(f)
}

// knownSource: somebody signed in from an address that is known to be an attacker's; or by password, from elsewhere, to an account whose name intruders tried at the honeypot. What password was
// given isn't known on a real machine, so a name is all that can be compared: little by itself, but it stands beside the rest.
func (m *Machine) knownSource(name, method string, addr netip.Addr, find func(alert *Alert, confidence float64, why string)) {
	if !addr.IsValid() || m.intel == nil {
		return
	}
	if m.intel.Addr(addr.String()) {
		find(&threatLogon, 0.85, fmt.Sprintf("%s signed in from %s, an address that is known to be an attacker's", name, addr))
	}
	known, ok := m.intel.(accountIntel)
	if !ok || byKey(method) || method != "" && !strings.Contains(method, "password") && !strings.Contains(method, "keyboard") || addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || !known.Account(strings.ToLower(name)) {
		return
	}
	find(&triedAccount, 0.3, fmt.Sprintf("intruders at the honeypot tried the account %s; it signed in from %s by password", name, addr))
}
