package face

import "math"

// Embedding is a face as a unit vector: the nearer two are, the likelier they are one person.
type Embedding []float32

// normalise makes a network's answer an embedding.
func normalise(v []float32) Embedding {
	var n float64
	for _, x := range v {
		n += float64(x) * float64(x)
	}
	out := make(Embedding, len(v))
	if n = math.Sqrt(n); n > 0 {
		for i, x := range v {
			out[i] = float32(float64(x) / n)
		}
	}
	return out
}

// Similarity is the cosine of two embeddings, -1..1; 0 for ones of unlike lengths.
func (e Embedding) Similarity(o Embedding) float64 {
	if len(e) != len(o) {
		return 0
	}
	var s float64
	for i, v := range e {
		s += float64(v) * float64(o[i])
	}
	return s
}
