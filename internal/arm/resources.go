package arm

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// listRoutes are the lists of resources of every type.
func (p *Pipeline) listRoutes() []wire.Route {
	const first = "2014-04-01"
	return []wire.Route{
		p.plain("GET", subPath+"/resources", "Microsoft.Resources/subscriptions/resources/read", first, p.listResources),
		p.plain("GET", groupPath+"/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources/read", first, p.listResources),
	}
}

// listResources shows the tracked resources of a subscription or group that the caller may read.
func (p *Pipeline) listResources(ctx context.Context, r *wire.Request) (any, error) {
	pol, err := p.knownIn(ctx, r, r.Route.Operation)
	if err != nil {
		return nil, err
	}
	id := ID{Subscription: strings.ToLower(r.Param(paramSub))}
	if g := r.Param(paramGroup); g != "" {
		if err := id.setGroup(g); err != nil {
			return nil, err
		}
		// Who may not read the group gets an empty list, whether it exists or not.
		if d, err := p.Check(ctx, r.Principal, typeGroup+"/read", false, id.String()); err != nil {
			return nil, err
		} else if d.Allowed {
			if group, _, err := p.Resource(ctx, id.String()); err != nil || group == nil {
				return nil, orNoGroup(err, g)
			}
		}
	}
	f, err := parseResourceFilter(r.Query("$filter"))
	if err != nil {
		return nil, err
	}
	x, err := parseExpansion(r.Query("$expand"))
	if err != nil {
		return nil, err
	}
	c := &Call{Request: r, ID: id, TenantID: pol.tenantID, run: &run{p: p, shard: subShard(id.Subscription), scope: id.Fold()}}
	found, next, err := p.stored(ctx, c, func(res *Resource) bool {
		t := p.byName[strings.ToLower(res.Type)]
		return t != nil && !t.Untracked && f.keeps(res)
	})
	if err != nil {
		return nil, err
	}
	out := make([]listed, 0, len(found))
	for _, res := range found {
		d, err := p.Check(ctx, r.Principal, res.Type+"/read", false, res.ID)
		if err != nil {
			return nil, err
		}
		if !d.Allowed {
			continue
		}
		a := answer{ID: res.ID, Name: res.Name, Type: res.Type, Location: res.Location, Kind: res.Kind, ManagedBy: res.ManagedBy, Tags: res.Tags, SKU: res.SKU}
		a.Identity = res.Identity.shown()
		out = append(out, x.expand(a, res))
	}
	link := ""
	if next != nil {
		link = r.NextLink(next)
	}
	return wire.NewPage(out, link), nil
}

// expansion is what $expand asks to be shown of listed resources.
type expansion struct{ created, changed, state bool }

func parseExpansion(text string) (x expansion, err error) {
	for _, part := range strings.Split(text, ",") {
		switch part = strings.ToLower(strings.TrimSpace(part)); part {
		case "":
		case "createdtime":
			x.created = true
		case "changedtime":
			x.changed = true
		case "provisioningstate":
			x.state = true
		default:
			return x, fault.New(fault.Invalid, "InvalidExpandInQueryString", "Invalid $expand: '%s' is not one of createdTime, changedTime and provisioningState.", clip(part))
		}
	}
	return x, nil
}

// listed is a resource of a list with what $expand asked for.
type listed struct {
	answer
	CreatedTime       string `json:"createdTime,omitempty"`
	ChangedTime       string `json:"changedTime,omitempty"`
	ProvisioningState string `json:"provisioningState,omitempty"`
}

func (x expansion) expand(a answer, r *Resource) listed {
	l := listed{answer: a}
	if x.created {
		l.CreatedTime = stamp(r.Created)
	}
	if x.changed {
		l.ChangedTime = stamp(r.Changed)
	}
	if x.state {
		var props struct {
			State string `json:"provisioningState"`
		}
		if json.Unmarshal(r.Properties, &props) != nil || props.State == "" {
			props.State = "Succeeded"
		}
		l.ProvisioningState = props.State
	}
	return l
}

func orNoGroup(err error, name string) error {
	if err != nil {
		return err
	}
	return noGroup(name)
}
