package arm

import (
	"context"
	"net/http"
	"sort"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// tagName is a predefined tag of a subscription.
type tagName struct {
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"`
}

const (
	paramTag      = "tagName"
	paramTagValue = "tagValue"
)

func tagNameKey(name string) []byte { return []byte(tagTagName + strings.ToLower(name)) }

func (p *Pipeline) tagNameRoutes() []wire.Route {
	const first, base = "2014-04-01", subPath + "/tagNames"
	const one, value = base + "/{" + paramTag + "}", base + "/{" + paramTag + "}/tagValues/{" + paramTagValue + "}"
	const operation = "Microsoft.Resources/subscriptions/tagNames/"
	write := func(op string, change func(t *tagName, value string) bool) wire.Handler {
		return func(ctx context.Context, r *wire.Request) (any, error) { return p.changeTagName(ctx, r, op, change) }
	}
	return []wire.Route{
		p.plain(http.MethodGet, base, operation+"read", first, p.listTagNames),
		p.plain(http.MethodPut, one, operation+"write", first, write(operation+"write", func(*tagName, string) bool { return true })),
		p.plain(http.MethodDelete, one, operation+"delete", first, write(operation+"delete", func(*tagName, string) bool { return false })),
		p.plain(http.MethodPut, value, operation+"tagValues/write", first, write(operation+"tagValues/write", func(t *tagName, v string) bool {
			t.Values = append(without(t.Values, v), v)
			return true
		})),
		p.plain(http.MethodDelete, value, operation+"tagValues/delete", first, write(operation+"tagValues/delete", func(t *tagName, v string) bool {
			t.Values = without(t.Values, v)
			return true
		})),
	}
}

func without(list []string, s string) []string {
	out := []string{}
	for _, x := range list {
		if !strings.EqualFold(x, s) {
			out = append(out, x)
		}
	}
	return out
}

// changeTagName changes one predefined tag; change tells whether it stays.
func (p *Pipeline) changeTagName(ctx context.Context, r *wire.Request, operation string, change func(t *tagName, value string) bool) (any, error) {
	c, err := p.scopeCall(ctx, r, operation)
	if err != nil {
		return nil, err
	}
	if err := readOptionalBody(c); err != nil {
		return nil, err
	}
	name, value := r.Param(paramTag), r.Param(paramTagValue)
	if name == "" || len(name) > maxTagName || len(value) > maxTagValue || strings.ContainsAny(name, `<>%&\?/|`) {
		return nil, fault.New(fault.Invalid, "InvalidTagNameOrValue", "The tag '%s' is not valid.", clip(name))
	}
	var shown any
	status := http.StatusOK
	_, err = p.again(ctx, c, func() (any, error) {
		all, err := p.predefined(ctx, c.run.shard)
		if err != nil {
			return nil, err
		}
		t := all[strings.ToLower(name)]
		existed := t != nil
		status = http.StatusOK
		switch {
		case t == nil && r.HTTP.Method == http.MethodDelete:
			status = http.StatusNoContent
			return nil, nil
		case t == nil && value != "":
			return nil, fault.New(fault.NotFound, "TagNotFound", "The tag name '%s' does not exist in the subscription.", name)
		case t == nil:
			t, status = &tagName{Name: name}, http.StatusCreated
		}
		before := tagName{t.Name, t.Values}
		keep := change(t, value)
		row, err := tagNameCodec.Encode(*t)
		if err != nil {
			return nil, err
		}
		shown = t.shown(c.ID.String(), nil)
		if value != "" {
			shown = shownTagValue(c.ID.String(), t.Name, value, 0)
		}
		return nil, c.run.commitTx(ctx, c, status, func(tx store.Tx) error {
			have, err := tx.Get(tagNameKey(name))
			if err != nil {
				return err
			}
			if now, err := decodeTagName(have); err != nil || existed != (now != nil) || existed && len(now.Values) != len(before.Values) {
				return staleOr(err)
			}
			if !keep {
				return tx.Delete(tagNameKey(name))
			}
			return tx.Put(tagNameKey(name), row)
		})
	})
	if err != nil {
		return nil, err
	}
	if r.HTTP.Method == http.MethodDelete {
		shown = nil
	}
	return wire.Reply{Status: status, Body: shown}, nil
}

func staleOr(err error) error {
	if err != nil {
		return err
	}
	return errStale
}

func decodeTagName(b []byte) (*tagName, error) {
	if b == nil {
		return nil, nil
	}
	t, err := tagNameCodec.Decode(b)
	return &t, err
}

// predefined reads the subscription's predefined tags by folded name.
func (p *Pipeline) predefined(ctx context.Context, shard string) (map[string]*tagName, error) {
	out := map[string]*tagName{}
	err := p.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
		all, err := scanAll(s, tagTagName, tagNameCodec)
		for i := range all {
			out[strings.ToLower(all[i].Name)] = &all[i]
		}
		return err
	})
	return out, err
}

func (t *tagName) shown(sub string, counts map[string]int) map[string]any {
	total, values := 0, []map[string]any{}
	for _, v := range t.Values {
		values = append(values, shownTagValue(sub, t.Name, v, counts[strings.ToLower(v)]))
		total += counts[strings.ToLower(v)]
	}
	return map[string]any{"id": sub + "/tagNames/" + t.Name, "tagName": t.Name, "count": tagCount(total), "values": values}
}

func shownTagValue(sub, name, value string, n int) map[string]any {
	return map[string]any{"id": sub + "/tagNames/" + name + "/tagValues/" + value, "tagValue": value, "count": tagCount(n)}
}

func tagCount(n int) map[string]any {
	kind := "Total"
	if n > 0 {
		kind = "Partial"
	}
	return map[string]any{"type": kind, "value": n}
}

// listTagNames shows the predefined tags and those in use on what the caller may read.
func (p *Pipeline) listTagNames(ctx context.Context, r *wire.Request) (any, error) {
	pol, err := p.knownIn(ctx, r, r.Route.Operation)
	if err != nil {
		return nil, err
	}
	sub := ID{Subscription: strings.ToLower(r.Param(paramSub))}
	shard := subShard(sub.Subscription)
	all, err := p.predefined(ctx, shard)
	if err != nil {
		return nil, err
	}
	c := &Call{Request: r, ID: sub, TenantID: pol.tenantID, run: &run{p: p, shard: shard, home: shard, scope: sub.Fold()}}
	found, _, err := p.stored(ctx, c, func(res *Resource) bool { return len(res.Tags) > 0 })
	if err != nil {
		return nil, err
	}
	counts := map[string]map[string]int{}
	for _, res := range found {
		d, err := p.Check(ctx, r.Principal, res.Type+"/read", false, res.ID)
		if err != nil {
			return nil, err
		}
		if !d.Allowed {
			continue
		}
		for k, v := range res.Tags {
			fold := strings.ToLower(k)
			if all[fold] == nil {
				all[fold] = &tagName{Name: k}
			}
			if counts[fold] == nil {
				counts[fold] = map[string]int{}
			}
			counts[fold][strings.ToLower(v)]++
			all[fold].Values = append(without(all[fold].Values, v), v)
		}
	}
	out := make([]map[string]any, 0, len(all))
	for fold, t := range all {
		sort.Strings(t.Values)
		out = append(out, t.shown(sub.String(), counts[fold]))
	}
	sort.Slice(out, func(i, j int) bool { return out[i]["tagName"].(string) < out[j]["tagName"].(string) })
	return wire.NewPage(out, ""), nil
}
