package alerts

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// The conditions of alerts, as the system sees them, and states, as users do.
const (
	fired    = "Fired"
	resolved = "Resolved"

	stateNew = "New"

	systemName = "System"
)

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

func alertPath(a *alert) string {
	return "/subscriptions/" + a.Subscription + "/providers/" + management + "/alerts/" + a.ID
}

// commonBody is the common alert schema.
type commonBody struct {
	Schema string     `json:"schemaId"`
	Data   commonData `json:"data"`
}

type commonData struct {
	Essentials essentials      `json:"essentials"`
	Context    json.RawMessage `json:"alertContext"`
	Custom     any             `json:"customProperties,omitempty"`
}

type essentials struct {
	ID             string   `json:"alertId"`
	Rule           string   `json:"alertRule"`
	Severity       string   `json:"severity"`
	Signal         string   `json:"signalType"`
	Condition      string   `json:"monitorCondition"`
	Service        string   `json:"monitoringService"`
	Targets        []string `json:"alertTargetIDs"`
	Items          []string `json:"configurationItems"`
	Origin         string   `json:"originAlertId"`
	Fired          string   `json:"firedDateTime"`
	Resolved       string   `json:"resolvedDateTime,omitempty"`
	Description    string   `json:"description"`
	Version        string   `json:"essentialsVersion"`
	ContextVersion string   `json:"alertContextVersion"`
}

func severity(n int) string { return "Sev" + strconv.Itoa(n) }

// bodyOf is what a webhook is sent.
func bodyOf(e *event, common bool, properties map[string]string) []byte {
	a := &e.Alert
	if common {
		out := commonBody{Schema: "azureMonitorCommonAlertSchema", Data: commonData{Context: a.Context, Essentials: essentials{
			ID: alertPath(a), Rule: a.RuleName, Severity: severity(a.Severity), Signal: a.Signal, Condition: e.Condition, Service: shownService(a.Service),
			Targets: []string{strings.ToLower(a.Target)}, Items: []string{nameOf(a.Target)}, Origin: a.Origin, Fired: stamp(a.Fired), Description: a.Description, Version: "1.0", ContextVersion: "1.0",
		}}}
		if e.Condition == resolved {
			out.Data.Essentials.Resolved = stamp(a.Resolved)
		}
		if len(properties) > 0 {
			out.Data.Custom = properties
		}
		return raw(out)
	}
	if properties == nil {
		properties = map[string]string{}
	}
	switch {
	case a.Service == activityService:
		return raw(map[string]any{"schemaId": "Microsoft.Insights/activityLogs", "data": map[string]any{
			"status": "Activated", "context": map[string]any{"activityLog": a.Context}, "properties": properties,
		}})
	case e.Shape == "classic":
		return raw(classicBody(e, properties))
	}
	return raw(metricBody(e, properties))
}

// shownService is the monitoring service by the name that the common schema has for it.
func shownService(s string) string {
	if s == activityService {
		return "Activity Log - Administrative"
	}
	return s
}

// contextOf reads what is needed of an alert's context again.
type contextOf struct {
	Type      string `json:"conditionType"`
	Condition struct {
		Window string          `json:"windowSize"`
		AllOf  []measuredShown `json:"allOf"`
		Start  string          `json:"windowStartTime"`
		End    string          `json:"windowEndTime"`
	} `json:"condition"`
}

// measuredShown is one criterion with the value that it was judged by.
type measuredShown struct {
	Metric      string       `json:"metricName"`
	Namespace   string       `json:"metricNamespace"`
	Operator    string       `json:"operator"`
	Threshold   string       `json:"threshold"`
	Aggregation string       `json:"timeAggregation"`
	Dimensions  []shownValue `json:"dimensions"`
	Value       *float64     `json:"metricValue"`
}

type shownValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func activation(condition string) string {
	if condition == fired {
		return "Activated"
	}
	return "Deactivated"
}

// metricBody is the schema of metric alerts before the common one.
func metricBody(e *event, properties map[string]string) any {
	a := &e.Alert
	var c contextOf
	_ = json.Unmarshal(a.Context, &c) // of own making
	at := a.Fired
	if e.Condition == resolved {
		at = a.Resolved
	}
	id, _ := arm.ParseID(a.Target)
	all := make([]map[string]any, 0, len(c.Condition.AllOf))
	for _, m := range c.Condition.AllOf {
		all = append(all, map[string]any{
			"metricName": m.Metric, "metricNamespace": m.Namespace, "operator": m.Operator, "threshold": m.Threshold, "timeAggregation": m.Aggregation, "dimensions": m.Dimensions,
			"metricValue": m.Value,
		})
	}
	return map[string]any{"schemaId": "AzureMonitorMetricAlert", "data": map[string]any{
		"version": "2.0", "status": activation(e.Condition), "properties": properties,
		"context": map[string]any{
			"timestamp": stamp(at), "id": a.RuleID, "name": a.RuleName, "description": a.Description, "conditionType": c.Type, "severity": strconv.Itoa(a.Severity),
			"condition":      map[string]any{"windowSize": c.Condition.Window, "allOf": all},
			"subscriptionId": a.Subscription, "resourceGroupName": id.ResourceGroup, "resourceName": nameOf(a.Target), "resourceType": id.Type(), "resourceId": a.Target,
			"portalLink": "https://portal.azure.com/#resource" + a.Target,
		},
	}}
}

// classicBody is the schema of classic rules.
func classicBody(e *event, properties map[string]string) any {
	a := &e.Alert
	var c contextOf
	_ = json.Unmarshal(a.Context, &c) // of own making
	at, status := a.Fired, "Activated"
	if e.Condition == resolved {
		at, status = a.Resolved, "Resolved"
	}
	id, _ := arm.ParseID(a.Target)
	condition := map[string]any{}
	if len(c.Condition.AllOf) > 0 {
		m := c.Condition.AllOf[0]
		minutes, _ := parseMinutes(c.Condition.Window)
		condition = map[string]any{
			"metricName": m.Metric, "metricUnit": "", "metricValue": "", "threshold": m.Threshold, "windowSize": strconv.FormatInt(minutes, 10), "timeAggregation": m.Aggregation, "operator": m.Operator,
		}
		if m.Value != nil {
			condition["metricValue"] = number64(*m.Value)
		}
	}
	return map[string]any{"status": status, "properties": properties, "context": map[string]any{
		"timestamp": stamp(at), "id": a.RuleID, "name": a.RuleName, "description": a.Description, "conditionType": "Metric", "condition": condition,
		"subscriptionId": a.Subscription, "resourceGroupName": id.ResourceGroup, "resourceName": nameOf(a.Target), "resourceType": id.Type(), "resourceId": a.Target,
		"resourceRegion": e.Facts.Region, "portalLink": "https://portal.azure.com/#resource" + a.Target,
	}}
}

func number64(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func nameOf(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// mailOf is what a mail says.
func mailOf(e *event, group string) (subject, text string) {
	a := &e.Alert
	verb := map[string]string{fired: "Fired", resolved: "Resolved"}[e.Condition]
	subject = fmt.Sprintf("%s: %s Azure Monitor alert %s on %s", verb, severity(a.Severity), a.RuleName, nameOf(a.Target))
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	line("Alert", a.RuleName)
	line("Condition", e.Condition)
	line("Severity", severity(a.Severity))
	line("Description", a.Description)
	line("Resource", a.Target)
	line("Fired", stamp(a.Fired))
	if e.Condition == resolved {
		line("Resolved", stamp(a.Resolved))
	}
	var c contextOf
	if json.Unmarshal(a.Context, &c) == nil {
		for _, m := range c.Condition.AllOf {
			value := "no data"
			if m.Value != nil {
				value = number64(*m.Value)
			}
			line("Condition", fmt.Sprintf("%s of %s over %s is %s (%s %s)%s", m.Aggregation, m.Metric, c.Condition.Window, value, m.Operator, m.Threshold, where(m.Dimensions)))
		}
	}
	line("What to check", a.Advice)
	line("Alert id", alertPath(a))
	line("You are told as a member of the action group", group)
	return subject, b.String()
}

func where(dims []shownValue) string {
	if len(dims) == 0 {
		return ""
	}
	list := make([]string, 0, len(dims))
	for _, d := range dims {
		list = append(list, d.Name+" = "+d.Value)
	}
	sort.Strings(list)
	return " where " + strings.Join(list, ", ")
}
