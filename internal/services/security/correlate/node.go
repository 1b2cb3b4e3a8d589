package correlate

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// node is what is held of an alert.
type node struct {
	name, subscription, machine, host string
	kind, title, why, intent          string
	severity                          alerts.Severity
	confidence                        float64
	count                             int
	first, last                       time.Time
	techniques, remedy                []string
	entities                          []alerts.Entity // who and where: what an incident shows of itself
	edges                             []alerts.Edge   // between those
	evidence                          []alerts.Evidence

	features []feature
	set, was *set
	incident string // that the alert is known to be in
}

const (
	maxShown = 24   // entities kept of one alert
	maxText  = 1024 // bytes of a text kept of one alert
)

func newNode(a *alerts.Alert) *node {
	n := &node{
		name: a.Name, subscription: a.Subscription, machine: a.Machine, host: hostName(a), kind: a.Type, title: a.DisplayName, why: cut(a.Why), intent: a.Intent, severity: a.Weight(),
		confidence: min(1, max(0, a.Confidence)), count: a.Count, first: a.First, last: later(a.First, a.Last), techniques: slices.Clone(a.Techniques), remedy: slices.Clone(a.Remedy),
		features: featuresOf(a),
	}
	kept := map[string]bool{}
	for _, e := range a.Entities {
		switch e.Kind {
		case alerts.Host, alerts.Account, alerts.Session, alerts.IP, alerts.DNS, alerts.Network:
			if len(n.entities) < maxShown {
				e.Name = cut(e.Name)
				n.entities = append(n.entities, e)
				kept[e.ID] = true
			}
		}
	}
	for _, e := range a.Edges {
		if kept[e.From] && kept[e.To] && len(n.edges) < 2*maxShown {
			n.edges = append(n.edges, e)
		}
	}
	if len(a.Evidence) > 0 {
		e := a.Evidence[0]
		e.Line = cut(e.Line)
		n.evidence = []alerts.Evidence{e}
	}
	return n
}

func hostName(a *alerts.Alert) string {
	if a.Host != "" {
		return a.Host
	}
	if a.Machine == "" {
		return "the machine"
	}
	return path.Base(a.Machine)
}

func cut(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText-3], "") + "..."
	}
	return s
}

// tactics are the phases of an alert, in Azure's words.
func (n *node) tactics() (out []string) {
	for t := range strings.SplitSeq(n.intent, ",") {
		if t = strings.TrimSpace(t); t != "" && t != "Unknown" {
			out = append(out, t)
		}
	}
	return out
}

// killChain are the phases in the order in which an intrusion goes through them.
var killChain = [...]string{
	"PreAttack", "Probing", "InitialAccess", "Exploitation", "Execution", "Persistence", "PrivilegeEscalation", "DefenseEvasion", "CredentialAccess", "Discovery", "LateralMovement",
	"Collection", "CommandAndControl", "Exfiltration", "Impact",
}

func phase(tactic string) int {
	if i := slices.Index(killChain[:], tactic); i >= 0 {
		return i
	}
	return len(killChain)
}
