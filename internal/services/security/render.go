package security

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// shown is an alert's properties from 2020-01-01 on.
type shown struct {
	Version            string            `json:"version"`
	AlertType          string            `json:"alertType"`
	SystemAlertID      string            `json:"systemAlertId"`
	Component          string            `json:"productComponentName"`
	DisplayName        string            `json:"alertDisplayName"`
	Description        string            `json:"description"`
	Severity           string            `json:"severity"`
	Intent             string            `json:"intent"`
	Start              string            `json:"startTimeUtc"`
	End                string            `json:"endTimeUtc"`
	Resources          []resource        `json:"resourceIdentifiers"`
	Remedy             []string          `json:"remediationSteps"`
	Vendor             string            `json:"vendorName"`
	Status             string            `json:"status"`
	Links              []any             `json:"extendedLinks"`
	URI                string            `json:"alertUri"`
	Generated          string            `json:"timeGeneratedUtc"`
	Product            string            `json:"productName"`
	Processed          string            `json:"processingEndTimeUtc"`
	Entities           []map[string]any  `json:"entities"`
	IsIncident         bool              `json:"isIncident"`
	CorrelationKey     string            `json:"correlationKey,omitempty"`
	Extended           map[string]string `json:"extendedProperties"`
	Compromised        string            `json:"compromisedEntity"`
	Techniques         []string          `json:"techniques"`
	SubTechniques      []string          `json:"subTechniques"`
	SupportingEvidence *table            `json:"supportingEvidence,omitempty"`
}

type resource struct {
	AzureResourceID string `json:"azureResourceId"`
	Type            string `json:"type"`
}

// table is Azure's tabular evidence.
type table struct {
	Type    string     `json:"type"`
	Title   string     `json:"title"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

const (
	vendor  = "Microsoft"
	product = "Azure Security Center"
)

// render shows an alert of an id; portal is where the caller finds the pages.
func render(a *alerts.Alert, id, portal string) *shown {
	s := &shown{
		Version: "2022-01-01", AlertType: a.Type, SystemAlertID: a.Name, Component: "Servers", DisplayName: a.Title(), Description: describe(a), Severity: string(a.Severity),
		Intent: a.Intent, Start: stamp(a.First), End: stamp(a.Last), Remedy: listed(a.Remedy), Vendor: vendor, Status: string(a.Status), Links: []any{}, URI: alertPage(portal, id),
		Generated: stamp(a.Generated), Product: product, Processed: stamp(a.Processed), Entities: entities(a), IsIncident: a.IsIncident(), CorrelationKey: correlation(a),
		Extended: extended(a), Compromised: a.Compromised(), Techniques: []string{}, SubTechniques: []string{},
		Resources: []resource{{AzureResourceID: a.Machine, Type: "AzureResource"}},
	}
	for _, t := range a.Techniques {
		if base, _, sub := strings.Cut(t, "."); sub {
			s.SubTechniques = append(s.SubTechniques, t)
			s.Techniques = appendNew(s.Techniques, base)
		} else {
			s.Techniques = appendNew(s.Techniques, t)
		}
	}
	if len(a.Evidence) > 0 {
		t := &table{Type: "tabularEvidences", Title: "Commands that show it", Columns: []string{"Time", "Process id", "Command line"}}
		for _, e := range a.Evidence {
			t.Rows = append(t.Rows, []string{stamp(e.Time), strconv.FormatUint(uint64(e.PID), 10), e.Line})
		}
		s.SupportingEvidence = t
	}
	return s
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

func listed(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// describe tells in sentences what was seen, where and how often.
func describe(a *alerts.Alert) string {
	why := strings.TrimSuffix(a.Why, ".")
	text := "Analysis of host data on " + a.Compromised() + " found: " + why + "."
	if a.Count > 1 && !a.IsIncident() {
		text += " It was seen " + strconv.Itoa(a.Count) + " times between " + stamp(a.First)[:19] + "Z and " + stamp(a.Last)[:19] + "Z."
	}
	return text
}

// correlation is what the alerts of one incident have in common: its name.
func correlation(a *alerts.Alert) string {
	if a.IsIncident() {
		return a.Name
	}
	return a.Incident
}

// azurePortal is where the portal is for those who are told without having asked.
const azurePortal = "https://portal.azure.com"

// alertPage is the alert's page at a portal.
func alertPage(portal, id string) string {
	return portal + "/security/alert?id=" + url.QueryEscape(id)
}

func extended(a *alerts.Alert) map[string]string {
	x := map[string]string{"count": strconv.Itoa(a.Count), "confidenceScore": strconv.FormatFloat(a.Confidence, 'g', 3, 64)}
	if a.Rule != "" {
		x["analytic"] = a.Rule
	}
	if a.Simulated {
		x["simulated"] = "true"
	}
	if a.Suppressed != "" {
		x["suppressionRule"] = a.Suppressed
	}
	if a.Omitted > 0 {
		x["evidenceOmitted"] = strconv.Itoa(a.Omitted)
	}
	maps.Copy(x, a.Extended)
	return x
}
