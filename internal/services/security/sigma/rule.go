package sigma

import (
	"fmt"
	"strings"
)

// Level is how grave a match is, as its author saw it. Levels compare by gravity.
type Level uint8

// The levels of the specification. A rule without one has LevelUnset.
const (
	LevelUnset Level = iota
	LevelInformational
	LevelLow
	LevelMedium
	LevelHigh
	LevelCritical
)

var levelNames = [...]string{"", "informational", "low", "medium", "high", "critical"}

// String gives the level as rules write it; unset is "".
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// LogSource says which events a rule is for. An empty part means any.
type LogSource struct {
	Category, Product, Service string
}

// String gives the parts that are set, as in "product=linux service=auditd".
func (l LogSource) String() string {
	var parts []string
	for _, p := range [...][2]string{{"category", l.Category}, {"product", l.Product}, {"service", l.Service}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return strings.Join(parts, " ")
}

// covers reports whether every part that l names is the same in other.
func (l LogSource) covers(other LogSource) bool {
	same := func(want, got string) bool { return want == "" || strings.EqualFold(want, got) }
	return same(l.Category, other.Category) && same(l.Product, other.Product) && same(l.Service, other.Service)
}

// Meta is what all three kinds of documents say about themselves. Texts are the author's own.
type Meta struct {
	Title, ID, Name, Status, Description, Author, License, Date, Modified string
	Level                                                                 Level
	Tags, References, FalsePositives, Fields                              []string

	File string // as Load or Parse was told it
	Line int    // of the document's first key, from 1
}

// Key names the document: its id, else its name, else its title.
func (m *Meta) Key() string {
	switch {
	case m.ID != "":
		return m.ID
	case m.Name != "":
		return m.Name
	}
	return m.Title
}

// Techniques gives the ATT&CK techniques among the tags, as in "T1059.004".
func (m *Meta) Techniques() []string {
	var out []string
	for _, t := range m.Tags {
		if id, ok := attack(t); ok && isNumbered(id, 't') {
			out = append(out, strings.ToUpper(id))
		}
	}
	return out
}

// Tactics gives the ATT&CK tactics that the tags name, as in "defense-evasion".
func (m *Meta) Tactics() []string {
	var out []string
	for _, t := range m.Tags {
		if id, ok := attack(t); ok && !strings.ContainsAny(id, "0123456789") { // numbers are of techniques, groups, software
			out = append(out, strings.ReplaceAll(id, "_", "-"))
		}
	}
	return out
}

func attack(tag string) (string, bool) { return strings.CutPrefix(strings.ToLower(tag), "attack.") }

// isNumbered tells t1059 from a word that begins with a t.
func isNumbered(id string, letter byte) bool {
	return len(id) > 1 && id[0] == letter && id[1] >= '0' && id[1] <= '9'
}

// Rule detects something in one event.
type Rule struct {
	Meta
	LogSource LogSource
	detection *expr
}

// Filter narrows rules: an event matches them only if it also meets the filter's condition, which therefore mostly begins with "not".
type Filter struct {
	Meta
	LogSource LogSource
	Any       bool     // of all rules of the log source
	Rules     []string // ids or names
	detection *expr
}

// Collection is what was read from one or more files, in order. It is not changed once it is returned and may be shared.
type Collection struct {
	Rules        []*Rule
	Correlations []*Correlation
	Filters      []*Filter
}

func (c *Collection) add(other *Collection) {
	c.Rules = append(c.Rules, other.Rules...)
	c.Correlations = append(c.Correlations, other.Correlations...)
	c.Filters = append(c.Filters, other.Filters...)
}

// Problem is one document, or one file, that was left out, and why. It is an error.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0 where there is none
	Rule         string // its Key, "" if it isn't known
	Reason       string
}

// Error gives file, position, rule and reason in one line.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	if p.Rule != "" {
		fmt.Fprintf(&b, ": rule %q", p.Rule)
	}
	b.WriteString(": ")
	b.WriteString(p.Reason)
	return b.String()
}
