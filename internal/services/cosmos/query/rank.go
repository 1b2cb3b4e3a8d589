package query

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// ranking is ORDER BY RANK: one score, or several that are fused by their ranks.
type ranking struct {
	components []component
	fused      bool
}

// component is one score: of a text, or of a vector.
type component struct {
	text   evalFn // nil: score is given
	terms  []term
	score  evalFn
	metric func(*Env) string // of a vector
	weight float64
}

// ranking compiles ORDER BY RANK.
func (c *compiler) ranking(q *Query, sc *scope) *ranking {
	if len(q.OrderBy) != 1 || q.OrderBy[0].Explicit {
		c.unsupported("ORDER BY RANK with more than one score, or with a direction,")
	}
	e := q.OrderBy[0].Expr
	call, ok := e.(*Call)
	if !ok || !strings.EqualFold(call.Name, "RRF") || call.UDF {
		return &ranking{components: []component{c.component(e, sc)}}
	}
	c.arity(call, "RRF", 2, unbounded)
	r := &ranking{fused: true}
	for i, arg := range call.Args {
		weights, isList := c.constantOf(arg)
		if i < len(call.Args)-1 || !isList || weights.kind != KindArray {
			r.components = append(r.components, c.component(arg, sc))
			continue
		}
		for j := range r.components {
			w := weights.At(j)
			if w.kind != KindNumber || weights.Len() != len(r.components) {
				c.rankProblem(arg, "The weights of RRF must be as many numbers as it has scores.")
			}
			r.components[j].weight = w.num
		}
	}
	return r
}

func (c *compiler) rankProblem(e Expr, message string) {
	panic(compileStop{newError(Diagnostic{Severity: "Error", Location: diagnose(c.text, e.Pos(), "", "").Location, Message: message})})
}

func (c *compiler) component(e Expr, sc *scope) component {
	call, ok := e.(*Call)
	switch {
	case ok && strings.EqualFold(call.Name, "FullTextScore"):
		c.arity(call, "FullTextScore", 2, unbounded)
		terms, ok := c.termsOf(call.Args[1:])
		if !ok {
			c.rankProblem(e, "The search terms of FullTextScore must be string literals or parameters.")
		}
		return component{text: c.expr(call.Args[0], sc), terms: terms, weight: 1}
	case ok && strings.EqualFold(call.Name, "VectorDistance"):
		return component{score: c.expr(e, sc), weight: 1, metric: c.metric(call)}
	}
	c.rankProblem(e, "ORDER BY RANK must be followed by FullTextScore, VectorDistance or RRF.")
	return component{}
}

// ascending tells whether the smallest score is the best.
func (c *component) ascending(env *Env) bool { return c.metric != nil && c.metric(env) == "euclidean" }

// ranked is a row with what its components have to say.
type ranked struct {
	row    sortedRow
	hits   [][]int // by component; nil: no text
	words  []int
	scores []float64
}

// board gathers the rows of a ranking and the statistics over all documents.
type board struct {
	r       *ranking
	all     []corpus // by component
	current ranked   // of the row in the frame
	rows    []ranked
}

func (r *ranking) board() *board {
	b := &board{r: r, all: make([]corpus, len(r.components))}
	for i, c := range r.components {
		b.all[i].hits = make([]float64, len(c.terms))
	}
	return b
}

// note looks at the row in the frame, before WHERE.
func (b *board) note(f *frame) bool {
	n := len(b.r.components)
	b.current = ranked{hits: make([][]int, n), words: make([]int, n), scores: make([]float64, n)}
	for i, c := range b.r.components {
		if c.text == nil {
			continue
		}
		b.all[i].documents++
		text := c.text(f)
		if text.kind != KindString {
			continue
		}
		if !f.spend(len(text.str) * (1 + len(c.terms))) {
			return false
		}
		hits, words := search(text.str, c.terms)
		b.current.hits[i], b.current.words[i] = hits, words
		b.all[i].words += float64(words)
		for j, k := range hits {
			if k > 0 {
				b.all[i].hits[j]++
			}
		}
	}
	return f.err == nil
}

// keep takes the row that was noted last; it has passed WHERE.
func (b *board) keep(f *frame, row sortedRow) {
	b.current.row = row
	for i, c := range b.r.components {
		if c.text == nil {
			v := c.score(f)
			b.current.scores[i] = v.num
			if v.kind != KindNumber {
				b.current.scores[i] = math.Inf(-1)
				if c.ascending(f.env) {
					b.current.scores[i] = math.Inf(1)
				}
			}
		}
	}
	b.rows = append(b.rows, b.current)
}

// order sorts the rows, the best first.
func (b *board) order(env *Env) []ranked {
	for i, c := range b.r.components {
		for j := range b.rows {
			if r := &b.rows[j]; c.text != nil {
				if r.scores[i] = -1; r.hits[i] != nil {
					r.scores[i] = b.all[i].score(r.hits[i], r.words[i])
				}
			}
		}
	}
	total := make([]float64, len(b.rows))
	places := make([]int, len(b.rows))
	for i := range places {
		places[i] = i
	}
	for i, c := range b.r.components {
		down := !c.ascending(env)
		slices.SortStableFunc(places, func(x, y int) int {
			if down {
				x, y = y, x
			}
			return cmp.Compare(b.rows[x].scores[i], b.rows[y].scores[i])
		})
		if !b.r.fused {
			break
		}
		rank := 1
		for j, p := range places {
			if j > 0 && b.rows[p].scores[i] != b.rows[places[j-1]].scores[i] {
				rank++ // equal scores share a rank
			}
			total[p] += c.weight / float64(60+rank)
		}
	}
	if b.r.fused {
		slices.Sort(places)
		slices.SortStableFunc(places, func(x, y int) int { return cmp.Compare(total[y], total[x]) })
	}
	out := make([]ranked, len(places))
	for i, p := range places {
		out[i] = b.rows[p]
	}
	return out
}
