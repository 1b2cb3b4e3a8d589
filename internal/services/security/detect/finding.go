package detect

import "net/netip"

// Severity is how bad a finding is, in Azure's words.
type Severity uint8

// The severities.
const (
	Informational Severity = iota
	Low
	Medium
	High
)

// String is Azure's word.
func (s Severity) String() string {
	return [...]string{"Informational", "Low", "Medium", "High"}[min(s, High)]
}

// Alert is a kind of alert: Azure's type, name and severity, the intent and the techniques of MITRE ATT&CK. A type that Azure doesn't have
// begins with BH_.
type Alert struct {
	Type, Name string
	Severity   Severity
	Intent     string
	Techniques []string
	Remedy     []string
}

// Finding is one suspicion. Findings of one Key are repetitions of the first.
type Finding struct {
	Alert   *Alert
	Rule    string // the analytic
	Key     string
	Millis  int64  // when it showed
	Why     string // what was seen, in words, with figures
	Process *Process
	Session *Session
	// Confidence is between 0 and 1.
	Confidence float64
	Commands   []Evidence
	Files      []string
	Addrs      []netip.Addr
	Prefixes   []string // networks that were attacked, as "10.20"
	Domains    []string
	URLs       []string
	Account    string
}

// Evidence is one command that led to a finding.
type Evidence struct {
	Millis int64  `json:"millis"`
	PID    uint32 `json:"pid"`
	Line   string `json:"line"`
}
