package catalog

import (
	"encoding/json"
	"slices"
)

// checkVectorIndexes makes sure that each vector index is one of a path that the vectorEmbeddingPolicy describes.
func checkVectorIndexes(indexes, policy json.RawMessage) error {
	if !present(indexes) {
		return nil
	}
	type path struct {
		Path string `json:"path"`
	}
	var all []path
	if json.Unmarshal(indexes, &all) != nil {
		return invalid("The vectorIndexes of the indexing policy are invalid; they are a list of objects with a path and a type.")
	}
	var embeddings struct {
		All []path `json:"vectorEmbeddings"`
	}
	if present(policy) && json.Unmarshal(policy, &embeddings) != nil {
		return invalid("The vectorEmbeddingPolicy of the container is invalid; it has vectorEmbeddings.")
	}
	for _, i := range all {
		if !slices.Contains(embeddings.All, i) {
			return invalid("The vector index of the path %s not matching in Embedding's path: the vectorEmbeddingPolicy does not have it.", i.Path)
		}
	}
	return nil
}
