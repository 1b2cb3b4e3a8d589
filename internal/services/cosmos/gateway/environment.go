package gateway

import (
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// environment is what a query over documents finds in the container: how shapes and vectors are compared. The time is that of the request.
func (c *call) environment(con *catalog.Container, p *query.Program) query.Env {
	now := c.now
	env := query.Env{Now: func() time.Time { return now }}
	if !p.ReadsPolicies() {
		return env
	}
	var properties struct {
		Geospatial struct{ Type string } `json:"geospatialConfig"`
		Vectors    struct {
			Embeddings []struct {
				Path     string `json:"path"`
				Function string `json:"distanceFunction"`
			} `json:"vectorEmbeddings"`
		} `json:"vectorEmbeddingPolicy"`
	}
	_ = json.Unmarshal(con.Properties, &properties) // kept as they came in; what is not of this form says nothing
	env.Flat = properties.Geospatial.Type == "Geometry"
	env.Vectors = make(map[string]string, len(properties.Vectors.Embeddings))
	for _, e := range properties.Vectors.Embeddings {
		env.Vectors[e.Path] = e.Function
	}
	return env
}
