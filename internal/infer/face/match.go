package face

import "math"

// EmbeddingSize is the number of values of an embedding.
const EmbeddingSize = 128

// Embedding is a face as a point: the nearer two are, the likelier they are one person.
type Embedding []float32

// sameDistance is the distance of two embeddings at which it is as likely as not that they are one person. The network was trained towards 0.6; on the sample photos, where lighting
// and make-up make people alike, as many errors of either kind are made a little below (docs/models/face.md).
const sameDistance = 0.54

// Distance is how far two embeddings lie apart; infinite for ones of unlike lengths.
func (e Embedding) Distance(o Embedding) float64 {
	if len(e) != len(o) || len(e) == 0 {
		return math.Inf(1)
	}
	var s float64
	for i, v := range e {
		d := float64(v - o[i])
		s += d * d
	}
	return math.Sqrt(s)
}

// Confidence is how likely two embeddings are of one person, 0..1: 0.5 at sameDistance.
func (e Embedding) Confidence(o Embedding) float64 {
	return 1 / (1 + math.Exp((e.Distance(o)-sameDistance)*steepness))
}

// steepness is by how much the odds change with the distance: they double every 0.07.
const steepness = 10
