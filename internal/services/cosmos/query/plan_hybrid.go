package query

import (
	"math"
	"strconv"
	"strings"
)

// HybridPlan is how to answer ORDER BY RANK: statistics over all ranges first, then a query for each of the scores, whose rows the client ranks.
type HybridPlan struct {
	GlobalStatisticsQuery string      `json:"globalStatisticsQuery"`
	Components            []*PlanInfo `json:"componentQueryInfos"`
	WithoutPayload        []*PlanInfo `json:"componentWithoutPayloadQueryInfos"`
	Projection            *PlanInfo   `json:"projectionQueryInfo"`
	Weights               []float64   `json:"componentWeights"` // empty: all alike
	Skip                  *uint64     `json:"skip"`
	Take                  *uint64     `json:"take"`
	NeedsStatistics       bool        `json:"requiresGlobalStatistics"`
}

// hybridScore is one score of ORDER BY RANK.
type hybridScore struct {
	score Expr // as the ranges compute it
	desc  bool
}

// What a client replaces by the statistics.
const (
	totalDocuments = "{documentdb-formattablehybridsearchquery-totaldocumentcount}"
	totalWords     = "{documentdb-formattablehybridsearchquery-totalwordcount-"
	hitCounts      = "{documentdb-formattablehybridsearchquery-hitcountsarray-"
)

const leastComponentRows = 120 // of a hybridScore, however few are asked for

func (p *planner) hybrid(skip, take *uint64) (*HybridPlan, error) {
	h := &HybridPlan{Components: []*PlanInfo{}, WithoutPayload: []*PlanInfo{}, Weights: []float64{}, Skip: skip, Take: take}
	components, statistics, err := p.components(h)
	if err != nil {
		return nil, err
	}
	h.NeedsStatistics = len(statistics) > 0
	if h.NeedsStatistics {
		h.GlobalStatisticsQuery = printPlan(&Query{From: p.q.From, Items: []SelectItem{
			{Expr: function1("COUNT", &Literal{Value: Number(1)}), Alias: "documentCount"}, {Expr: &ArrayLit{List: statistics}, Alias: "fullTextStatistics"},
		}})
	}
	scores := &ArrayLit{}
	for _, c := range components {
		worst := Number(-1)
		if !c.desc {
			worst = Number(math.MaxFloat64)
		}
		scores.List = append(scores.List, &Binary{Op: "??", X: c.score, Y: &Literal{Value: worst}})
	}
	payload := &ObjectLit{Names: []string{"payload", "componentScores"}, Values: []Expr{p.payload(), scores}}
	for _, c := range components {
		h.Components = append(h.Components, p.componentInfo(c, payload))
	}
	return h, nil
}

// componentInfo is the query for one score. It asks for twice as many rows as the result has, counted as the planner counts, in 32 bits.
func (p *planner) componentInfo(c hybridScore, payload Expr) *PlanInfo {
	one := planner{q: p.q, o: p.o, c: p.c, out: *p.q, info: p.info}
	one.out.Rank = false
	direction := "Ascending"
	if c.desc {
		direction = "Descending"
	}
	info := &one.info
	info.OrderBy, info.OrderByExpressions = []string{direction}, []string{printPlanExpr(c.score)}
	info.NonStreamingOrderBy, info.HasSelectValue = true, false
	one.enclose([]Expr{object("item", c.score)}, payload)
	one.where(&Ident{Name: orderFilter})
	one.out.OrderBy = []OrderItem{{Expr: c.score, Desc: c.desc}}
	one.out.Distinct = false
	if info.Top != nil {
		n := max(leastComponentRows, 2**info.Top)
		wrapped := uint64(uint32(n))
		info.Top, one.out.Top = &wrapped, literalCount(n)
	}
	if info.Limit != nil {
		n := uint64(uint32(max(leastComponentRows, 2*(*info.Offset+*info.Limit))))
		zero := uint64(0)
		info.Offset, info.Limit, one.out.Offset, one.out.Limit = &zero, &n, literalCount(0), literalCount(n)
	}
	info.RewrittenQuery = printPlan(&one.out)
	return info
}

// components reads ORDER BY RANK: one score, or RRF(scores.., [weights]).
func (p *planner) components(h *HybridPlan) (out []hybridScore, statistics []Expr, err error) {
	if len(p.q.OrderBy) != 1 {
		return nil, nil, notMergeable("ORDER BY RANK has exactly one expression.")
	}
	calls := []Expr{p.q.OrderBy[0].Expr}
	if rrf, ok := calls[0].(*Call); ok && !rrf.UDF && strings.EqualFold(rrf.Name, "RRF") {
		calls = rrf.Args
		if n := len(calls); n > 0 {
			if weights, ok := calls[n-1].(*ArrayLit); ok {
				calls = calls[:n-1]
				if h.Weights, err = p.weights(weights, n-1); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	for _, e := range calls {
		call, ok := e.(*Call)
		switch path, vector := vectorPath(e); {
		case vector:
			out = append(out, hybridScore{e, !p.o.nearest(e, path)})
		case ok && !call.UDF && strings.EqualFold(call.Name, "FullTextScore") && len(call.Args) > 1:
			score, statistic := p.hybridText(call, len(statistics))
			statistics = append(statistics, statistic)
			out = append(out, hybridScore{score, true})
		default:
			return nil, nil, notMergeable("ORDER BY RANK orders by FullTextScore, VectorDistance or RRF of them.")
		}
	}
	if len(out) == 0 {
		return nil, nil, notMergeable("RRF has at least one score.")
	}
	return out, statistics, nil
}

func (p *planner) weights(list *ArrayLit, n int) ([]float64, error) {
	if len(list.List) != n {
		return nil, notMergeable("RRF has as many weights as scores.")
	}
	out := make([]float64, n)
	for i, e := range list.List {
		v, ok := p.constant(e)
		if !ok || v.kind != KindNumber {
			return nil, notMergeable("The weights of RRF are numbers.")
		}
		out[i] = v.num
	}
	return out, nil
}

// hybridText is the score of a text by its terms, given the statistics over all documents, and the query for those.
func (p *planner) hybridText(call *Call, index int) (score, statistic Expr) {
	text := call.Args[0]
	var terms []Expr
	for _, e := range call.Args[1:] {
		list, isList := e.(*ArrayLit)
		v, constant := p.constant(e)
		switch {
		case isList:
			terms = append(terms, list.List...)
		case constant && v.kind == KindArray:
			for i := range v.Len() {
				terms = append(terms, &Literal{Value: v.At(i)})
			}
		default:
			terms = append(terms, e)
		}
	}
	n := strconv.Itoa(index)
	score = &Call{Name: "_FullTextScore", Args: []Expr{
		text, &ArrayLit{List: terms}, &Ident{Name: totalDocuments}, &Ident{Name: totalWords + n + "}"}, &Ident{Name: hitCounts + n + "}"},
	}}
	hits := &ArrayLit{}
	for _, t := range terms {
		hits.List = append(hits.List, function1("COUNTIF", &Call{Name: "FullTextContains", Args: []Expr{text, t}}))
	}
	words := function1("SUM", function1("_FullTextWordCount", text))
	return score, &ObjectLit{Names: []string{"totalWordCount", "hitCounts"}, Values: []Expr{words, hits}}
}
