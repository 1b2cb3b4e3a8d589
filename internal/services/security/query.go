package security

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/engine"
)

// query is what a list of alerts was asked for by $filter, $select and autoDismissRuleName. A nil query keeps and shows all.
type query struct {
	terms  []term
	fields []string // of the properties, in lower case; none: all
	rule   string   // that dismissed the alerts
}

// term compares one property: name eq 'value'.
type term struct {
	name  string // in lower case, without "properties/"
	read  func(*alerts.Alert) string
	op    string // eq, ne and, of the name and of times, gt, ge, lt, le
	value string
	at    time.Time // value, of a time
}

const maxTerms = 32

// parseQuery reads the query of a list. Errors are faults.
func parseQuery(get func(name string) string) (*query, error) {
	q := &query{rule: get("autoDismissRuleName")}
	for _, name := range strings.Split(get("$select"), ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name = strings.TrimPrefix(name, "properties/"); name != "" && name != "id" && name != "name" && name != "type" && name != "properties" {
			q.fields = append(q.fields, name)
		}
	}
	for _, name := range strings.Split(get("$expand"), ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "", "entities", "extendedproperties", "confidencereasons", "properties/entities": // always there
		default:
			return nil, fault.New(fault.Invalid, "InvalidExpandInQueryString", "Invalid $expand: '%.100s' is none of entities, extendedProperties and confidenceReasons.", name)
		}
	}
	text := strings.TrimSpace(get("$filter"))
	for text != "" {
		t, rest, err := parseTerm(text)
		if err != nil {
			return nil, err
		}
		if len(q.terms) == maxTerms {
			return nil, badFilter("more than 32 terms")
		}
		q.terms, text = append(q.terms, t), rest
	}
	return q, nil
}

func badFilter(what string) error {
	return fault.New(fault.Invalid, "InvalidFilterInQueryString", "Invalid $filter: '%.100s'. What is understood are terms \"property eq 'value'\" and \"property ne 'value'\" joined by \"and\", of "+
		"state, status, severity, alertType, alertName, compromisedEntity, associatedResource, intent, isIncident, correlationKey and name, and gt, ge, lt and le of name and startTimeUtc.", what)
}

// parseTerm reads the first term of a filter and the "and" after it.
func parseTerm(text string) (t term, rest string, err error) {
	name, after, _ := strings.Cut(text, " ")
	op, after, _ := strings.Cut(strings.TrimLeft(after, " "), " ")
	after = strings.TrimLeft(after, " ")
	t.op = strings.ToLower(op)
	t.name = strings.TrimPrefix(strings.ToLower(name), "properties/")
	if t.read = readerOf(t.name); t.read == nil || !slices.Contains(operatorsOf(t.name), t.op) || after == "" {
		return t, "", badFilter(text)
	}
	if after[0] == '\'' {
		var value strings.Builder
		i := 1
		for ; i < len(after); i++ {
			if after[i] == '\'' {
				if i+1 == len(after) || after[i+1] != '\'' {
					break
				}
				i++
			}
			value.WriteByte(after[i])
		}
		if i >= len(after) {
			return t, "", badFilter(text)
		}
		t.value, rest = value.String(), after[i+1:]
	} else {
		t.value, rest, _ = strings.Cut(after, " ")
	}
	if t.name == startTime {
		if t.at, err = parseTime(t.value); err != nil {
			return t, "", badFilter(t.value + " is no time")
		}
	}
	rest = strings.TrimLeft(rest, " ")
	if rest == "" {
		return t, "", nil
	}
	and, rest, ok := strings.Cut(rest, " ")
	if !ok || !strings.EqualFold(and, "and") || strings.TrimSpace(rest) == "" {
		return t, "", badFilter(text)
	}
	return t, strings.TrimLeft(rest, " "), nil
}

const startTime = "starttimeutc"

// operatorsOf are those of a property.
func operatorsOf(name string) []string {
	switch name {
	case "name":
		return []string{"eq", "ne", "gt", "ge", "lt", "le"}
	case startTime:
		return []string{"gt", "ge", "lt", "le"}
	}
	return []string{"eq", "ne"}
}

// readerOf gives the property of a name, in lower case; nil if there is none.
func readerOf(name string) func(*alerts.Alert) string {
	switch name {
	case "name":
		return func(a *alerts.Alert) string { return a.Name }
	case startTime:
		return func(a *alerts.Alert) string { return stamp(a.First) }
	case "correlationkey":
		return correlation
	case "state", "status":
		return func(a *alerts.Alert) string { return string(a.Status) }
	case "severity", "reportedseverity":
		return func(a *alerts.Alert) string { return string(a.Severity) }
	case "alerttype", "alertname":
		return func(a *alerts.Alert) string { return a.Type }
	case "compromisedentity":
		return (*alerts.Alert).Compromised
	case "associatedresource":
		return func(a *alerts.Alert) string { return a.Machine }
	case "intent":
		return func(a *alerts.Alert) string { return a.Intent }
	case "isincident":
		return func(a *alerts.Alert) string {
			if a.IsIncident() {
				return "true"
			}
			return "false"
		}
	}
	return nil
}

func (q *query) keeps(a *alerts.Alert) bool {
	if q.rule != "" && !strings.EqualFold(q.rule, a.Suppressed) {
		return false
	}
	for _, t := range q.terms {
		if !t.holds(a) {
			return false
		}
	}
	return true
}

func (t *term) holds(a *alerts.Alert) bool {
	switch t.op {
	case "eq":
		return strings.EqualFold(t.read(a), t.value)
	case "ne":
		return !strings.EqualFold(t.read(a), t.value)
	}
	order := strings.Compare(a.Name, strings.ToLower(t.value))
	if t.name == startTime {
		order = a.First.Compare(t.at)
	}
	switch t.op {
	case "gt":
		return order > 0
	case "ge":
		return order >= 0
	case "lt":
		return order < 0
	}
	return order <= 0
}

// moved is by how much an alert's beginning may lie before the one it is named after, when older observations of it come late.
const moved = 7 * 24 * time.Hour

// narrowed tells the index what the terms ask for. What it doesn't know is asked of each alert.
func (q *query) narrowed() engine.Query {
	var out engine.Query
	for _, t := range q.terms {
		value := strings.ToLower(t.value)
		switch {
		case t.name == "state" || t.name == "status":
			out.Statuses = choose(out.Statuses, t, alerts.Active, alerts.InProgress, alerts.Resolved, alerts.Dismissed)
		case t.name == "severity" || t.name == "reportedseverity":
			out.Severities = choose(out.Severities, t, alerts.Informational, alerts.Low, alerts.Medium, alerts.High)
		case t.name == "isincident" && (value == "true" || value == "false"):
			is := (value == "true") == (t.op == "eq")
			out.Incident = &is
		case t.name == "compromisedentity" && t.op == "eq":
			out.Host = value
		case t.name == "name" && t.op == "eq":
			out.Names = []string{value}
		case t.name == "name" && t.op[0] == 'g':
			out.Least = max(out.Least, value)
		case t.name == "name" && t.op == "lt" && value != "":
			out.Below = lower(out.Below, value)
		case t.name == startTime && t.op[0] == 'g': // what began later has a smaller name
			out.Below = lower(out.Below, alerts.NewName(t.at, "~"))
		case t.name == startTime:
			out.Least = max(out.Least, alerts.NewName(t.at.Add(moved), ""))
		}
	}
	return out
}

// lower is the smaller one of two bounds, "" being none.
func lower(a, b string) string {
	if a == "" {
		return b
	}
	return min(a, b)
}

// choose leaves those of all that a term and the terms before it take.
func choose[T ~string](have []T, t term, all ...T) []T {
	if have == nil {
		have = all
	}
	out := []T{}
	for _, v := range have {
		if strings.EqualFold(string(v), t.value) == (t.op == "eq") {
			out = append(out, v)
		}
	}
	return out
}

// chosen leaves of rendered properties what $select names.
func (q *query) chosen(properties json.RawMessage) (json.RawMessage, error) {
	if q == nil || len(q.fields) == 0 {
		return properties, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(properties, &all); err != nil {
		return nil, err
	}
	for name := range all {
		if !slices.Contains(q.fields, strings.ToLower(name)) {
			delete(all, name)
		}
	}
	return json.Marshal(all)
}
