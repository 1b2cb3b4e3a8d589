package alerts

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// smartGroupType says of every call for smart groups that there are none: alerts are not grouped by what was learnt of them. (Azure retired them.)
func smartGroupType() arm.Type {
	refuse := func() error {
		return notImplemented("Smart groups are", "Alerts can be counted by alertsSummary, and kept from being told by alert processing rules (actionRules).")
	}
	name := management + "/smartGroups"
	refused := func(context.Context, *arm.Call) (any, error) { return nil, refuse() }
	return arm.Type{
		Name: name, Versions: alertVersions(), Scope: arm.InSubscription, Untracked: true,
		Get:  func(context.Context, *arm.Call) (*arm.Resource, error) { return nil, refuse() },
		List: func(context.Context, *arm.Call) ([]*arm.Resource, error) { return nil, refuse() },
		Actions: []arm.Action{
			{Verb: "history", Method: http.MethodGet, Operation: name + "/history/read", Handler: refused},
		},
	}
}

// operations are what roles can allow of alerts (swagger: operationsList).
func operations(context.Context, *wire.Request) (any, error) {
	type display struct {
		Provider    string `json:"provider"`
		Resource    string `json:"resource"`
		Operation   string `json:"operation"`
		Description string `json:"description"`
	}
	type operation struct {
		Name    string  `json:"name"`
		Display display `json:"display"`
	}
	var out []operation
	for _, o := range [][4]string{
		{"alerts/read", "Alerts", "Read alerts", "Lists alerts, or reads one"},
		{"alerts/changestate/action", "Alerts", "Change the state of an alert", "Acknowledges or closes an alert"},
		{"alerts/history/read", "Alerts", "Read the history of an alert", "Tells what happened to an alert"},
		{"alertsSummary/read", "Alerts", "Count alerts", "Counts alerts by their properties"},
		{"alertsMetaData/read", "Alerts", "Read monitor services", "Lists the services that raise alerts"},
		{"actionRules/read", "Alert processing rules", "Read alert processing rules", "Lists alert processing rules, or reads one"},
		{"actionRules/write", "Alert processing rules", "Write an alert processing rule", "Makes or changes an alert processing rule"},
		{"actionRules/delete", "Alert processing rules", "Delete an alert processing rule", "Deletes an alert processing rule"},
	} {
		out = append(out, operation{management + "/" + o[0], display{management, o[1], o[2], o[3]}})
	}
	return wire.NewPage(out, ""), nil
}
