package mysql

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// absentActions are what Azure does with a server and this platform doesn't: each is refused by its name. Replicas are none, which is true.
func absentActions() []arm.Action {
	out := []arm.Action{{Verb: "replicas", Method: http.MethodGet, Operation: serverTypeName + "/replicas/read", Handler: noReplicas}}
	for verb, what := range map[string]string{
		"start":   "Stopping and starting a server",
		"stop":    "Stopping and starting a server",
		"upgrade": "Upgrading a server",
	} {
		out = append(out, arm.Action{Verb: verb, Handler: func(context.Context, *arm.Call) (any, error) {
			return nil, fault.New(fault.NotImplemented, "NotImplemented", "%s (%s) is not implemented by this platform.", what, verb)
		}})
	}
	return out
}

func noReplicas(context.Context, *arm.Call) (any, error) {
	return map[string]any{"value": []any{}}, nil
}
