package network

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Deps is what the service stands on. All fields but Referring are required.
type Deps struct {
	Store     store.Store
	Resources arm.Reader
	Access    arm.Access
	// Referring names the resources of other services, in any subscription, that refer to a part of the network with that id; nil: none do.
	Referring func(ctx context.Context, networkID string) ([]string, error)
}

// Service is Microsoft.Network. Safe for concurrent use.
type Service struct {
	deps     Deps
	networks *kept[map[string]*compiled]
	groups   *kept[*netrule.Group]
	listed   *store.Cached[[]string] // ids of a subscription's networks
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{deps: d, networks: newKept(compileNetwork), groups: newKept(compileGroup), listed: store.NewCached(d.Store, maxKept, loadListed)}
}

// Types are the resource types of the control plane.
func (s *Service) Types() []arm.Type {
	return []arm.Type{s.networkType(), s.subnetType(), s.groupType(), s.ruleType(), s.interfaceType(), s.watcherType()}
}

// versions are the api-versions of all types.
func versions() []string {
	return []string{
		"2015-05-01-preview", "2015-06-15", "2016-03-30", "2016-06-01", "2016-09-01", "2016-12-01", "2017-03-01", "2017-06-01", "2017-08-01", "2017-09-01", "2017-10-01",
		"2017-11-01", "2018-01-01", "2018-02-01", "2018-04-01", "2018-06-01", "2018-07-01", "2018-08-01", "2018-10-01", "2018-11-01", "2018-12-01", "2019-02-01",
		"2019-04-01", "2019-06-01", "2019-07-01", "2019-08-01", "2019-09-01", "2019-11-01", "2019-12-01", "2020-03-01", "2020-04-01", "2020-05-01", "2020-06-01",
		"2020-07-01", "2020-08-01", "2020-11-01", "2021-02-01", "2021-03-01", "2021-05-01", "2021-08-01", "2022-01-01", "2022-05-01", "2022-07-01", "2022-09-01",
		"2022-11-01", "2023-02-01", "2023-04-01", "2023-05-01", "2023-06-01", "2023-09-01", "2023-11-01", "2024-01-01", "2024-03-01", "2024-05-01", "2024-07-01",
		"2024-10-01", "2025-01-01", "2025-03-01", "2025-05-01",
	}
}
