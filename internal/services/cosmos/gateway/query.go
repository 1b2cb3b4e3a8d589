package gateway

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

type parsedQuery struct {
	text    string
	query   *query.Query
	program *query.Program
	params  map[string]json.RawMessage
	across  bool // documents of several logical partitions
	compile time.Duration

	plan    *index.Plan // how its documents were found
	finders []*items.Finder
	loaded  int           // bytes of the documents that were looked at
	calls   time.Duration // in user-defined functions
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

// identity is what continuation tokens of the query belong to. Of an ordered query that is not its filter: clients resume one with a narrower filter, and
// its tokens say where in the order they are.
func (q *parsedQuery) identity() string {
	if q.query.OrderBy == nil || q.query.Rank {
		return q.text
	}
	all := *q.query
	all.Where = nil
	return all.String()
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
	q.program = q.program.With(c.environment(con, q.program))
	sel, pinned, err := c.selection(con)
	if err != nil {
		return nil, err
	}
	if !pinned && !sel.Bounded {
		if epk, ok := pinnedKey(q, con); ok {
			sel, pinned = items.Selection{Low: epk, High: epk, Bounded: true}, true
		}
	}
	q.across = !pinned && c.header("X-Ms-Documentdb-Partitionkeyrangeid") == ""
	if err := c.checkCrossPartition(q, con, pinned, sel.Bounded); err != nil {
		return nil, err
	}
	ranges, err := c.scope(con, sel)
	if err != nil {
		return nil, err
	}
	if err := g.admitAll(c, con, ranges); err != nil {
		return nil, err
	}
	states, err := g.states(ctx, c, ranges)
	if err != nil {
		return nil, err
	}
	done, err := g.withFunctions(ctx, c, con, q)
	if err != nil {
		return nil, err
	}
	defer done()
	begin := time.Now() // of the metrics only
	page, out, err := g.runIndexed(ctx, c, q, con, ranges, sel)
	if err != nil {
		return nil, err
	}
	c.setRanges(con, states)
	c.setMetrics(q, page, time.Since(begin))
	return out, nil
}

// checkCrossPartition applies the service's rules for queries over more than one logical partition.
func (c *call) checkCrossPartition(q *parsedQuery, con *catalog.Container, pinned, bounded bool) error {
	if pinned || c.header("X-Ms-Documentdb-Partitionkeyrangeid") != "" {
		return nil
	}
	if !c.isTrue("X-Ms-Documentdb-Query-Enablecrosspartition") && !bounded {
		return withSub(invalid("Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."), subCrossPartition)
	}
	if q.program.Facts().CrossDocument() != "" || len(con.Ranges) > 1 && !bounded && c.isTrue("X-Ms-Documentdb-Query-Parallelizecrosspartitionquery") {
		return notServed(q, con) // the latter: the client asked to do it range by range
	}
	return nil
}
