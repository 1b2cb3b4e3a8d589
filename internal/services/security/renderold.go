package security

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// shownOld is an alert's properties until 2019-01-01.
type shownOld struct {
	State          string            `json:"state"`
	Reported       string            `json:"reportedTimeUtc"`
	Vendor         string            `json:"vendorName"`
	AlertName      string            `json:"alertName"`
	DisplayName    string            `json:"alertDisplayName"`
	Detected       string            `json:"detectedTimeUtc"`
	Description    string            `json:"description"`
	Remedy         string            `json:"remediationSteps"` // one text
	ActionTaken    string            `json:"actionTaken"`
	Severity       string            `json:"reportedSeverity"`
	Compromised    string            `json:"compromisedEntity"`
	Associated     string            `json:"associatedResource"`
	Extended       map[string]string `json:"extendedProperties"`
	System         string            `json:"systemSource"`
	Investigable   bool              `json:"canBeInvestigated"`
	IsIncident     bool              `json:"isIncident"`
	Entities       []map[string]any  `json:"entities"`
	Confidence     float64           `json:"confidenceScore"`
	Reasons        []alerts.Reason   `json:"confidenceReasons"`
	Subscription   string            `json:"subscriptionId"`
	InstanceID     string            `json:"instanceId"`
	Workspace      string            `json:"workspaceArmId"`
	CorrelationKey string            `json:"correlationKey,omitempty"`
}

func renderOld(a *alerts.Alert) *shownOld {
	s := &shownOld{
		State: string(a.Status), Reported: stamp(a.Generated), Vendor: vendor, AlertName: a.Type, DisplayName: a.Title(), Detected: stamp(a.First), Description: describe(a),
		ActionTaken: "Detected", Severity: string(a.Severity), Compromised: a.Compromised(), Associated: a.Machine, Extended: extended(a), System: "Azure", Investigable: true,
		IsIncident: a.IsIncident(), Entities: entities(a), Confidence: a.Confidence, Reasons: a.Reasons, Subscription: a.Subscription, CorrelationKey: correlation(a),
	}
	_, s.InstanceID, _ = strings.Cut(a.Name, "_")
	if s.Reasons == nil {
		s.Reasons = []alerts.Reason{}
	}
	if len(a.Remedy) > 0 { // numbered, as one text
		for i, step := range a.Remedy {
			if i > 0 {
				s.Remedy += "\n"
			}
			s.Remedy += string(rune('1'+min(i, 8))) + ". " + step
		}
	}
	if strings.Contains(strings.ToLower(a.Machine), "/providers/microsoft.hybridcompute/") {
		s.System = "NonAzure"
	}
	return s
}
