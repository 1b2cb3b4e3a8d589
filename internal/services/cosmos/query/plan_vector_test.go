package query

import (
	"encoding/json"
	"testing"
)

// TestPlan_VectorOrder: which way clients sort by a VectorDistance: its options say what it is, else the policy of the path that it has, on either side.
func TestPlan_VectorOrder(t *testing.T) {
	t.Parallel()
	o := PlanOptions{
		Env:    Env{Vectors: map[string]string{"/far": "euclidean", "/near": "cosine"}},
		Params: map[string]json.RawMessage{"@o": json.RawMessage(`{"distanceFunction":"Euclidean"}`)},
	}
	for call, want := range map[string]string{
		`VectorDistance(c.far, [1])`: "Ascending", `VectorDistance([1], c.far)`: "Ascending", `VectorDistance([1], c.near)`: "Descending", `VectorDistance([1], c.other)`: "Descending",
		`VectorDistance([1], c.near, true, {distanceFunction: 'Euclidean'})`: "Ascending", `VectorDistance([1], c.near, true, @o)`: "Ascending",
		`VectorDistance([1], c.far, true, {distanceFunction: 'dotProduct'})`: "Descending", `VectorDistance([1], c.far, true, {"x": 1})`: "Ascending",
	} {
		q, err := Parse("SELECT TOP 3 * FROM c ORDER BY " + call)
		if err != nil {
			t.Errorf("%s: %v", call, err)
			continue
		}
		p, err := MakePlan(q, o)
		if err != nil {
			t.Errorf("%s: %v", call, err)
			continue
		}
		if got := p.Info.OrderBy; len(got) != 1 || got[0] != want {
			t.Errorf("%s: order %v, want %s", call, got, want)
		}
	}
}
