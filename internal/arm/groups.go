package arm

import (
	"context"
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

const typeGroup = "Microsoft.Resources/subscriptions/resourceGroups"

// groupType is the resource group.
func (p *Pipeline) groupType() Type {
	return Type{
		Name: typeGroup, Scope: InSubscription,
		Versions: []string{
			"2014-04-01", "2015-01-01", "2015-11-01", "2016-02-01", "2016-06-01", "2016-09-01", "2017-05-10", "2018-02-01", "2018-05-01", "2019-05-01", "2019-10-01",
			"2020-06-01", "2020-10-01", "2021-01-01", "2021-04-01", "2022-09-01", "2023-07-01", "2024-03-01", "2024-11-01", "2025-04-01",
		},
		Put: func(_ context.Context, c *Call) error {
			if c.Old != nil && c.Old.deleting() {
				return fault.New(fault.Conflict, "ResourceGroupBeingDeleted", "The resource group '%s' is in deprovisioning state and cannot perform this operation.", c.ID.ResourceGroup)
			}
			c.New.Properties, c.New.Private = json.RawMessage(`{"provisioningState":"Succeeded"}`), nil
			return nil
		},
		Render: func(_ context.Context, c *Call, r *Resource) (json.RawMessage, error) {
			switch {
			case r.deleting():
				return json.RawMessage(`{"provisioningState":"Deleting"}`), nil
			case c.run.moving:
				return json.RawMessage(`{"provisioningState":"MovingResources"}`), nil
			}
			return r.Properties, nil
		},
	}
}
