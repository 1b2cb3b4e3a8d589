package security

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// query is what a list of alerts was asked for by $filter, $select and autoDismissRuleName. A nil query keeps and shows all.
type query struct {
	terms  []term
	fields []string // of the properties, in lower case; none: all
	rule   string   // that dismissed the alerts
}

// term compares one property: name eq 'value'.
type term struct {
	read  func(*alerts.Alert) string
	not   bool
	value string
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
		"state, status, severity, alertType, alertName, compromisedEntity, associatedResource, intent and isIncident.", what)
}

// parseTerm reads the first term of a filter and the "and" after it.
func parseTerm(text string) (t term, rest string, err error) {
	name, after, _ := strings.Cut(text, " ")
	op, after, _ := strings.Cut(strings.TrimLeft(after, " "), " ")
	after = strings.TrimLeft(after, " ")
	t.not = strings.EqualFold(op, "ne")
	if t.read = readerOf(strings.ToLower(name)); t.read == nil || !t.not && !strings.EqualFold(op, "eq") || after == "" {
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

// readerOf gives the property of a name, in lower case; nil if there is none.
func readerOf(name string) func(*alerts.Alert) string {
	switch strings.TrimPrefix(name, "properties/") {
	case "state", "status":
		return func(a *alerts.Alert) string { return string(a.Status) }
	case "severity", "reportedseverity":
		return func(a *alerts.Alert) string { return string(a.Severity) }
	case "alerttype", "alertname":
		return func(a *alerts.Alert) string { return a.Type }
	case "compromisedentity":
		return compromised
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
		if strings.EqualFold(t.read(a), t.value) == t.not {
			return false
		}
	}
	return true
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
