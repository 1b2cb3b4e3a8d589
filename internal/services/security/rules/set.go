package rules

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/sigma"
)

//go:embed shipped/*.yml
var shipped embed.FS

// Shipped are Bulkhead's own rules.
func Shipped() fs.FS {
	files, err := fs.Sub(shipped, "shipped")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return files
}

// sources is how many there are in sigma.LinuxSchema.
const sources = sigma.SourceOther + 1

// Set is rules made ready. It never changes, so that any number of goroutines may use it.
type Set struct {
	sigma        *sigma.Set
	rules        []told // by the number of the rule
	correlations []told

	uses    [sources][]bool          // by source and field
	any     [sources]bool            // a source has rules
	records map[linuxaudit.Type]bool // audit records that a rule may match
}

// told is how a rule's matches are told.
type told struct {
	alert      *detect.Alert
	key        string
	why        string
	confidence float64
}

// Compile reads rules and makes them ready. What can't be used is named in the problems and left out.
func Compile(folders ...fs.FS) (*Set, []sigma.Problem) {
	all, problems := &sigma.Collection{}, []sigma.Problem(nil)
	for _, f := range folders {
		c, bad, err := sigma.Load(f, sigma.Options{})
		if problems = append(problems, bad...); err != nil {
			problems = append(problems, sigma.Problem{File: ".", Reason: err.Error()})
		}
		if c != nil {
			all.Rules, all.Correlations, all.Filters = append(all.Rules, c.Rules...), append(all.Correlations, c.Correlations...), append(all.Filters, c.Filters...)
		}
	}
	compiled, bad, err := sigma.Compile(sigma.LinuxSchema(), all, sigma.Limits{})
	problems = append(problems, bad...)
	if err != nil { // the schema is the program's own
		panic(err)
	}
	s := &Set{sigma: compiled, records: map[linuxaudit.Type]bool{}}
	for _, r := range compiled.Rules {
		s.rules = append(s.rules, tell(&r.Meta))
	}
	for _, c := range compiled.Correlations {
		s.correlations = append(s.correlations, tell(&c.Meta))
	}
	for i := range s.uses {
		s.uses[i] = compiled.Uses(i)
		for _, used := range s.uses[i] {
			s.any[i] = s.any[i] || used
		}
	}
	for t := linuxaudit.Type(1); t < 3000; t++ {
		if name := t.String(); name[0] != 'U' || !strings.HasPrefix(name, "UNKNOWN") {
			if compiled.Possible(sigma.SourceAuditd, sigma.FieldType, []byte(name)) {
				s.records[t] = true
			}
		}
	}
	return s, problems
}

// Len is how many rules and correlations there are.
func (s *Set) Len() int { return len(s.rules) + len(s.correlations) }

func tell(m *sigma.Meta) told {
	t := told{key: m.Key(), why: fmt.Sprintf("it matches the rule %q", m.Title)}
	if m.ID != "" {
		t.why += " (" + m.ID + ")"
	}
	if m.Author != "" {
		t.why += " by " + m.Author
	}
	a := &detect.Alert{Type: "BH_Rule_" + word(m.Key()), Name: m.Title, Techniques: m.Techniques(), Intent: intent(m.Tactics()), Remedy: []string{
		"Look at the evidence, and at what else the same session did.", "Find out with the account's owner whether this was meant.",
	}}
	if d := strings.Join(strings.Fields(m.Description), " "); d != "" {
		a.Remedy = append([]string{"The rule's author says: " + d}, a.Remedy...)
	}
	switch m.Level {
	case sigma.LevelCritical:
		a.Severity, t.confidence = detect.High, 0.9
	case sigma.LevelHigh:
		a.Severity, t.confidence = detect.High, 0.8
	case sigma.LevelMedium:
		a.Severity, t.confidence = detect.Medium, 0.6
	case sigma.LevelLow:
		a.Severity, t.confidence = detect.Low, 0.4
	default:
		a.Severity, t.confidence = detect.Informational, 0.2
	}
	t.alert = a
	return t
}

// word is a rule's key as part of an alert's type.
func word(key string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, key)
}

// intent is Azure's word for the first of a rule's tactics that it has one for.
func intent(tactics []string) string {
	for _, t := range tactics {
		switch t {
		case "reconnaissance", "resource-development":
			return "PreAttack"
		case "initial-access":
			return "InitialAccess"
		case "execution":
			return "Execution"
		case "persistence":
			return "Persistence"
		case "privilege-escalation":
			return "PrivilegeEscalation"
		case "defense-evasion", "stealth", "defense-impairment":
			return "DefenseEvasion"
		case "credential-access":
			return "CredentialAccess"
		case "discovery":
			return "Discovery"
		case "lateral-movement":
			return "LateralMovement"
		case "collection":
			return "Collection"
		case "command-and-control":
			return "CommandAndControl"
		case "exfiltration":
			return "Exfiltration"
		case "impact":
			return "Impact"
		}
	}
	return "Unknown"
}
