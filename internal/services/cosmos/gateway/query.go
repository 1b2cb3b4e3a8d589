package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

type parsedQuery struct {
	text    string
	query   *query.Query
	program *query.Program
	params  map[string]json.RawMessage
	across  bool // documents of several logical partitions
	compile time.Duration
}

// parseQuery reads {"query": "...", "parameters": [{"name": "@x", "value": ...}]}.
func (c *call) parseQuery() (*parsedQuery, error) {
	var in struct {
		Query      *string `json:"query"`
		Parameters []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"parameters"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Query == nil {
		return nil, invalid("The request body has no property 'query'.")
	}
	begin := time.Now() // of the metrics only
	q := &parsedQuery{text: *in.Query, params: make(map[string]json.RawMessage, len(in.Parameters))}
	for _, p := range in.Parameters {
		if p.Value == nil {
			p.Value = json.RawMessage("null")
		}
		q.params[p.Name] = p.Value
	}
	var err error
	if q.query, err = query.Parse(q.text); err != nil {
		return nil, err
	}
	if q.program, err = query.Compile(q.query, q.params); err != nil {
		return nil, err
	}
	q.compile = time.Since(begin)
	return q, nil
}

// queryDocuments answers a query over documents. What needs documents of several logical partitions at once (order, aggregates) is for the client to
// merge, as in the service: the gateway serves it for one logical partition or one named range only.
func (g *Gateway) queryDocuments(ctx context.Context, c *call, con *catalog.Container) (any, error) {
	if _, err := c.consistency(); err != nil {
		return nil, err
	}
	q, err := c.parseQuery()
	if err != nil {
		return nil, err
	}
	sel, pinned, err := c.selection(con)
	if err != nil {
		return nil, err
	}
	if !pinned && !sel.Bounded {
		if key, ok := pinnedKey(q, *con.PartitionKey); ok {
			epk := key.EPK(*con.PartitionKey)
			sel, pinned = items.Selection{Low: epk, High: epk, Bounded: true}, true
		}
	}
	q.across = !pinned
	if err := c.checkCrossPartition(q, pinned, sel.Bounded); err != nil {
		return nil, err
	}
	state, err := g.Items.Stat(ctx, con.Ranges[0].GUID)
	if err != nil {
		return nil, err
	}
	if err := c.checkSession(state); err != nil {
		return nil, err
	}
	done, err := g.withFunctions(ctx, c, con, q)
	if err != nil {
		return nil, err
	}
	defer done()
	begin := time.Now() // of the metrics only
	page, out, err := c.run(ctx, q, "Documents", con.Derived.RID, g.documents(ctx, con, sel, &state))
	if err != nil {
		return nil, err
	}
	c.setRange(con, state)
	c.setMetrics(q, page, time.Since(begin))
	return out, nil
}

// checkCrossPartition applies the service's rules for queries over more than one logical partition.
func (c *call) checkCrossPartition(q *parsedQuery, pinned, bounded bool) error {
	if pinned || c.header("X-Ms-Documentdb-Partitionkeyrangeid") != "" {
		return nil
	}
	if !c.isTrue("X-Ms-Documentdb-Query-Enablecrosspartition") && !bounded {
		return withSub(invalid("Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."), subCrossPartition)
	}
	if what := q.program.Facts().CrossDocument(); what != "" {
		return withSub(invalid("The provided cross partition query can not be directly served by the gateway: it has %s over more than one logical partition. "+
			"This is a first chance (internal) exception that all newer clients will know how to handle gracefully.", what), subCrossPartition)
	}
	return nil
}

// setMetrics tells what the query cost, to a client that asks.
func (c *call) setMetrics(q *parsedQuery, page query.Page, took time.Duration) {
	if c.isTrue("X-Ms-Documentdb-Populatequerymetrics") {
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		c.SetHeader("X-Ms-Documentdb-Query-Metrics", fmt.Sprintf(
			"totalExecutionTimeInMs=%.2f;queryCompileTimeInMs=%.2f;queryLogicalPlanBuildTimeInMs=0.00;queryPhysicalPlanBuildTimeInMs=0.00;queryOptimizationTimeInMs=0.00;"+
				"VMExecutionTimeInMs=%.2f;indexLookupTimeInMs=0.00;instructionCount=%d;documentLoadTimeInMs=%.2f;systemFunctionExecuteTimeInMs=0.00;userFunctionExecuteTimeInMs=0.00;"+
				"retrievedDocumentCount=%d;retrievedDocumentSize=%d;outputDocumentCount=%d;outputDocumentSize=%d;writeOutputTimeInMs=0.00;indexUtilizationRatio=0.00",
			ms(took+q.compile), ms(q.compile), ms(took), page.Scanned, ms(took), page.Scanned, page.Bytes, len(page.Rows), page.Bytes))
	}
	if c.isTrue("X-Ms-Cosmos-Populateindexmetrics") {
		c.SetHeader("X-Ms-Cosmos-Index-Utilization", base64.StdEncoding.EncodeToString([]byte(
			`{"UtilizedSingleIndexes":[],"PotentialSingleIndexes":[],"UtilizedCompositeIndexes":[],"PotentialCompositeIndexes":[]}`)))
	}
}

// pinnedKey finds the one partition key that a query's WHERE allows: an AND of comparisons that name every path of the key.
func pinnedKey(q *parsedQuery, def pkey.Definition) (pkey.Key, bool) {
	alias, ok := rootAlias(q.query)
	if !ok || q.query.Where == nil {
		return nil, false
	}
	found := map[string]json.RawMessage{}
	collectEqualities(q.query.Where, alias, q.params, found)
	key := make(pkey.Key, 0, len(def.Paths))
	for _, p := range def.Paths {
		raw, ok := found[p]
		if !ok {
			return nil, false
		}
		one, err := pkey.ParseHeader("[" + string(raw) + "]")
		if err != nil || len(one) != 1 {
			return nil, false
		}
		key = append(key, one[0])
	}
	return key, true
}

// rootAlias is the name that stands for the document itself.
func rootAlias(q *query.Query) (string, bool) {
	from, ok := q.From.(*query.PathCollection)
	if !ok || len(from.Path) > 0 {
		return "", false
	}
	if from.Alias != "" {
		return from.Alias, true
	}
	return from.Root, true
}

// collectEqualities notes what must equal a constant, by path. Two different constants for one path leave the first; no document has both.
func collectEqualities(e query.Expr, alias string, params, found map[string]json.RawMessage) {
	b, ok := e.(*query.Binary)
	if !ok {
		return
	}
	switch b.Op {
	case "AND":
		collectEqualities(b.X, alias, params, found)
		collectEqualities(b.Y, alias, params, found)
	case "=":
		for _, side := range [][2]query.Expr{{b.X, b.Y}, {b.Y, b.X}} {
			path, ok := propertyPath(side[0], alias)
			value, constant := constantOf(side[1], params)
			if ok && constant && found[path] == nil {
				found[path] = value
			}
		}
	}
}

// propertyPath writes c.a.b as /a/b. Names that a partition key path would quote are left out.
func propertyPath(e query.Expr, alias string) (string, bool) {
	switch x := e.(type) {
	case *query.Ident:
		return "", x.Name == alias
	case *query.Property:
		base, ok := propertyPath(x.Base, alias)
		return base + "/" + x.Name, ok
	case *query.Index:
		l, isLit := x.Key.(*query.Literal)
		if !isLit || l.Value.Kind() != query.KindString {
			return "", false
		}
		base, ok := propertyPath(x.Base, alias)
		return base + "/" + l.Value.Str(), ok
	}
	return "", false
}

func constantOf(e query.Expr, params map[string]json.RawMessage) (json.RawMessage, bool) {
	switch x := e.(type) {
	case *query.Literal:
		raw := x.Value.AppendJSON(nil)
		return raw, len(raw) > 0 && raw[0] != '{' && raw[0] != '['
	case *query.Param:
		raw, ok := params[x.Name]
		return raw, ok && len(raw) > 0 && raw[0] != '{' && raw[0] != '['
	}
	return nil, false
}

// planQuery answers a request for a query's plan. A query that looks at one document at a time needs none of a client's merging.
func (g *Gateway) planQuery(c *call, con *catalog.Container) (any, error) {
	q, err := c.parseQuery()
	if err != nil {
		return nil, err
	}
	if what := q.program.Facts().CrossDocument(); what != "" {
		return nil, notImplemented("A query plan for " + what)
	}
	low, high := pkey.MinEPK, pkey.MaxEPK
	inclusive := false
	if key, ok := pinnedKey(q, *con.PartitionKey); ok {
		low = key.EPK(*con.PartitionKey)
		high, inclusive = low, true
	}
	body := map[string]any{
		"partitionedQueryExecutionInfoVersion": 2,
		"queryInfo": map[string]any{
			"distinctType": "None", "top": nil, "offset": nil, "limit": nil, "orderBy": []string{}, "orderByExpressions": []string{},
			"groupByExpressions": []string{}, "groupByAliases": []string{}, "aggregates": []string{}, "groupByAliasToAggregateType": map[string]string{},
			"rewrittenQuery": "", "hasSelectValue": q.query.Value != nil, "dCountInfo": nil, "hasNonStreamingOrderBy": false,
		},
		"queryRanges":           []map[string]any{{"min": low, "max": high, "isMinInclusive": true, "isMaxInclusive": inclusive}},
		"hybridSearchQueryInfo": nil,
	}
	c.setCharge(chargePlan)
	return body, nil
}
