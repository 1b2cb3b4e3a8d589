package cosmos

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestQuery_Environment: a query sees the request's time and the container's own ways to compare shapes and vectors.
func TestQuery_Environment(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"flat","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"geospatialConfig":{"type":"Geometry"},
		"vectorEmbeddingPolicy":{"vectorEmbeddings":[{"path":"/v","dataType":"float32","distanceFunction":"euclidean","dimensions":2}]}}`), 201)
	doc := `{"id":"1","pk":"a","at":{"type":"Point","coordinates":[3,4]},"v":[3,4]}`
	for _, c := range []struct {
		container string
		want      []any
	}{{"c", []any{false, 0.6}}, {"flat", []any{true, 5.0}}} {
		p.want(p.do("POST", "/dbs/db/colls/"+c.container+"/docs", doc, "x-ms-documentdb-partitionkey", `["a"]`), 201)
		a := p.want(p.do("POST", "/dbs/db/colls/"+c.container+"/docs", `{"query":"SELECT VALUE [ST_DISTANCE(c.at, {\"type\":\"Point\",\"coordinates\":[0,0]}) = 5, `+
			map[string]string{"c": `VectorDistance(c.v, [1, 0])`, "flat": `VectorDistance(c.v, [0, 0])`}[c.container]+`] FROM c"}`,
			"content-type", "application/query+json", "x-ms-documentdb-isquery", "true", "x-ms-documentdb-partitionkey", `["a"]`), 200)
		if got := a.json(t)["Documents"]; !cmp.Equal(got, []any{c.want}) {
			t.Errorf("%s: got %v, want %v", c.container, got, c.want)
		}
	}
	a := p.want(p.query("SELECT VALUE GetCurrentTimestamp() FROM c", "x-ms-documentdb-partitionkey", `["a"]`), 200)
	if got := a.json(t)["Documents"]; !cmp.Equal(got, []any{float64(p.clock.Now().UnixMilli())}) {
		t.Errorf("the time: got %v, want %v", got, p.clock.Now().UnixMilli())
	}
	a = p.wantFault(p.query("SELECT VALUE NoSuch(c.id) FROM c", "x-ms-documentdb-partitionkey", `["a"]`), 400, "BadRequest", "")
	if !strings.Contains(a.body, "SC2005") {
		t.Errorf("an unknown function: %s", a.body)
	}
}
