package gateway

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// executionInfo is a query plan as clients read it.
type executionInfo struct {
	Version int               `json:"partitionedQueryExecutionInfoVersion"`
	Info    *query.PlanInfo   `json:"queryInfo"`
	Ranges  []epkRange        `json:"queryRanges"`
	Hybrid  *query.HybridPlan `json:"hybridSearchQueryInfo"`
}

// epkRange is a range of effective partition keys.
type epkRange struct {
	Min          string `json:"min"`
	Max          string `json:"max"`
	MinInclusive bool   `json:"isMinInclusive"`
	MaxInclusive bool   `json:"isMaxInclusive"`
}

// planQuery answers a request for a query's plan: what each range is asked, which ranges, and how the client merges what they answer.
func (g *Gateway) planQuery(c *call, con *catalog.Container) (any, error) {
	q, err := c.parseQuery()
	if err != nil {
		return nil, err
	}
	q.program = q.program.With(c.environment(con, q.program))
	features := featureSet(c.header("X-Ms-Cosmos-Supported-Query-Features"))
	o := planOptions(q, con)
	o.DCount = features["DCount"]
	plan, err := query.MakePlan(q.query, o)
	if err != nil {
		return nil, err
	}
	if lacking := features.lack(plan); len(lacking) > 0 {
		return nil, unsupportedFeatures(lacking)
	}
	c.setCharge(chargePlan)
	return planBody(plan, con), nil
}

// notServed is the refusal of a query that the client has to merge. Older clients read the plan out of it.
func notServed(q *parsedQuery, con *catalog.Container) error {
	plan, err := query.MakePlan(q.query, planOptions(q, con))
	if err != nil {
		return err
	}
	f := withSub(invalid("The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) exception that all newer clients will "+
		"know how to handle gracefully. This exception is traced, but unless you see it bubble up as an exception (which only happens on older SDK clients), then you can "+
		"safely ignore this message."), subCrossPartition)
	raw, err := json.Marshal(planBody(plan, con))
	if err != nil {
		return err
	}
	f.Inner = string(raw)
	return f
}

func planOptions(q *parsedQuery, con *catalog.Container) query.PlanOptions {
	o := query.PlanOptions{Params: q.params, Prefixes: con.PartitionKey.Kind == "MultiHash", Env: q.program.Env()}
	for _, p := range con.PartitionKey.Paths {
		segments, err := pkey.SplitPath(p)
		if err != nil {
			continue // was checked when the container was made
		}
		o.KeyPaths = append(o.KeyPaths, segments)
	}
	return o
}

func planBody(p *query.Plan, con *catalog.Container) executionInfo {
	return executionInfo{Version: 2, Info: p.Info, Hybrid: p.Hybrid, Ranges: epkRanges(p.Keys, *con.PartitionKey)}
}

// epkRanges writes keys as ranges, in order and apart, as routing clients need them.
func epkRanges(keys query.KeySet, def pkey.Definition) []epkRange {
	switch {
	case keys.All:
		return []epkRange{{pkey.MinEPK, pkey.MaxEPK, true, false}}
	case len(keys.Keys) == 0: // the planner names the empty key for nothing at all; some range has to say so
		return []epkRange{{pkey.MinEPK, pkey.MinEPK, true, true}}
	}
	out := make([]epkRange, 0, len(keys.Keys))
	for _, k := range keys.Keys {
		key := keyOf(k)
		if len(key) < len(def.Paths) {
			low, high := key.PrefixRange(def)
			out = append(out, epkRange{low, high, true, false})
			continue
		}
		epk := key.EPK(def)
		out = append(out, epkRange{epk, epk, true, true})
	}
	slices.SortFunc(out, func(a, b epkRange) int { return cmp.Or(cmp.Compare(a.Min, b.Min), cmp.Compare(b.Max, a.Max)) })
	apart := out[:1]
	for _, r := range out[1:] {
		if last := apart[len(apart)-1]; r != last && r.Min >= last.Max { // a key under a prefix that is there already
			apart = append(apart, r)
		}
	}
	return apart
}

func keyOf(k query.Key) pkey.Key {
	out := make(pkey.Key, len(k))
	for i, v := range k {
		switch v.Kind() {
		case query.KindNull:
			out[i] = pkey.Value{Type: pkey.Null}
		case query.KindBool:
			out[i] = pkey.BoolValue(v.IsTrue())
		case query.KindNumber:
			out[i] = pkey.NumberValue(v.Float())
		case query.KindString:
			out[i] = pkey.StringValue(v.Str())
		}
	}
	return out
}

// pinnedKey finds the one partition key that a query's filter allows.
func pinnedKey(q *parsedQuery, con *catalog.Container) (epk string, ok bool) {
	keys, err := query.Keys(q.query, planOptions(q, con))
	if err != nil || keys.All || len(keys.Keys) != 1 || len(keys.Keys[0]) != len(con.PartitionKey.Paths) {
		return "", false
	}
	return keyOf(keys.Keys[0]).EPK(*con.PartitionKey), true
}

// queryFeatures are what a client says it can merge.
type queryFeatures map[string]bool

func featureSet(header string) queryFeatures {
	out := queryFeatures{}
	for f := range strings.SplitSeq(header, ",") {
		out[strings.TrimSpace(f)] = true
	}
	return out
}

// lack names what a plan needs and the client does not have.
func (f queryFeatures) lack(p *query.Plan) (lacking []string) {
	need := func(is bool, name string) {
		if is && !f[name] {
			lacking = append(lacking, name)
		}
	}
	if h := p.Hybrid; h != nil {
		need(true, "HybridSearch")
		need(len(h.Weights) > 0, "WeightedRankFusion")
		return lacking
	}
	i := p.Info
	kinds := slices.Clone(i.Aggregates)
	for _, k := range i.AggregateOfAlias {
		if k != nil {
			kinds = append(kinds, *k)
		}
	}
	grouped := len(i.GroupByExpressions) > 0
	need(len(kinds) == 1, "Aggregate")
	need(len(kinds) > 1 && !grouped, "CompositeAggregate")
	need(len(kinds) > 1 && grouped, "MultipleAggregates")
	need(len(kinds) > 0 && !i.HasSelectValue && !grouped, "NonValueAggregate")
	need(slices.Contains(kinds, "MakeList") || slices.Contains(kinds, "MakeSet"), "ListAndSetAggregate")
	need(slices.Contains(kinds, "CountIf"), "CountIf")
	need(i.DistinctType != "None", "Distinct")
	need(grouped, "GroupBy")
	need(i.Limit != nil, "OffsetAndLimit")
	need(len(i.OrderBy) == 1, "OrderBy")
	need(len(i.OrderBy) > 1, "MultipleOrderBy")
	need(i.NonStreamingOrderBy, "NonStreamingOrderBy")
	need(i.Top != nil, "Top")
	return lacking
}

func unsupportedFeatures(lacking []string) error {
	text := "Query contains 1 or more unsupported features. Upgrade your SDK to a version that does support the requested features:"
	for _, f := range lacking {
		text += "\r\nQuery contained " + f + ", which the calling client does not support."
	}
	return invalid("%s", text)
}
