package arm

import (
	"context"
	"strings"

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

// resourceFilter is the $filter of a list of resources: terms joined by "and".
type resourceFilter struct {
	name, kind, group, location string
	tag, tagValue               string
	contains                    string // substringof('x', name)
}

func parseResourceFilter(text string) (f resourceFilter, err error) {
	for _, part := range strings.Split(text, " and ") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if arg, ok := strings.CutPrefix(part, "substringof('"); ok {
			value, rest, _ := strings.Cut(arg, "'")
			if !strings.EqualFold(strings.Trim(rest, " ,)"), "name") {
				return f, badFilter(part)
			}
			f.contains = strings.ToLower(value)
			continue
		}
		name, value, ok := strings.Cut(part, " eq ")
		value = strings.Trim(strings.TrimSpace(value), "'")
		to := map[string]*string{
			"name": &f.name, "resourcetype": &f.kind, "resourcegroup": &f.group, "location": &f.location, "tagname": &f.tag, "tagvalue": &f.tagValue,
		}[strings.ToLower(strings.TrimSpace(name))]
		if !ok || to == nil {
			return f, badFilter(part)
		}
		*to = value
	}
	return f, nil
}

func (f *resourceFilter) keeps(r *Resource) bool {
	same := func(want, have string) bool { return want == "" || strings.EqualFold(want, have) }
	if !same(f.name, r.Name) || !same(f.kind, r.Type) || !same(normalLocation(f.location), r.Location) || !strings.Contains(strings.ToLower(r.Name), f.contains) {
		return false
	}
	if f.group != "" {
		if id, err := ParseID(r.ID); err != nil || !strings.EqualFold(id.ResourceGroup, f.group) {
			return false
		}
	}
	if f.tag == "" {
		return true
	}
	for k, v := range r.Tags {
		if strings.EqualFold(k, f.tag) && same(f.tagValue, v) {
			return true
		}
	}
	return false
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
	c := &Call{Request: r, ID: id, TenantID: pol.tenantID, run: &run{p: p, shard: subShard(id.Subscription), scope: id.Fold()}}
	found, next, err := p.stored(ctx, c, func(res *Resource) bool {
		t := p.byName[strings.ToLower(res.Type)]
		return t != nil && !t.Untracked && f.keeps(res)
	})
	if err != nil {
		return nil, err
	}
	out := make([]answer, 0, len(found))
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
		out = append(out, a)
	}
	link := ""
	if next != nil {
		link = r.NextLink(next)
	}
	return wire.NewPage(out, link), nil
}

func orNoGroup(err error, name string) error {
	if err != nil {
		return err
	}
	return noGroup(name)
}
