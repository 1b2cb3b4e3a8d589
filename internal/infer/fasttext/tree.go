package fasttext

import "math"

// tree is the Huffman tree of a hierarchical softmax: leaves are the labels, and inner node i has row i-labels of the output.
type tree struct {
	leaves int
	nodes  []node
}

type node struct{ left, right, parent int32 }

// newTree builds the tree over counts, which fall.
func newTree(counts []int64) *tree {
	n := len(counts)
	t := &tree{leaves: n, nodes: make([]node, max(2*n-1, 0))}
	weight := make([]int64, len(t.nodes))
	for i := range t.nodes {
		t.nodes[i] = node{-1, -1, -1}
		weight[i] = 1e15
		if i < n {
			weight[i] = counts[i]
		}
	}
	leaf, inner := n-1, n
	next := func() int {
		// Inner nodes not built yet weigh more than any leaf.
		if leaf >= 0 && weight[leaf] < weight[inner] {
			leaf--
			return leaf + 1
		}
		inner++
		return inner - 1
	}
	for i := n; i < len(t.nodes); i++ {
		left := next()
		right := next()
		t.nodes[i].left, t.nodes[i].right = int32(left), int32(right)
		weight[i] = weight[left] + weight[right]
		t.nodes[left].parent, t.nodes[right].parent = int32(i), int32(i)
	}
	return t
}

// logFloor is what the reference adds to a probability before it takes its logarithm.
const logFloor = 1e-5

func sigmoid(x float32) float64 { return 1 / (1 + exp(-float64(x))) }

// steps is into how many parts exp divides a power of two.
const steps = 64

// exp is math.Exp, right to ten digits, at a third of its time.
func exp(x float64) float64 {
	if !(x > -80 && x < 80) {
		return math.Exp(x)
	}
	const whole = 0x1.8p52 // a sum with it has no fraction, and its lowest bits are the number
	t := x*(steps/math.Ln2) + whole
	n := int64(math.Float64bits(t)<<12) >> 12
	r := x - (t-whole)*(math.Ln2/steps)
	power := math.Float64frombits(math.Float64bits(fractions[n&(steps-1)]) + uint64(n>>6)<<52)
	return power * (1 + r*(1+r*(0.5+r*(1.0/6))))
}

// fractions are 2^(i/steps).
var fractions = func() (t [steps]float64) {
	for i := range t {
		t[i] = math.Exp2(float64(i) / steps)
	}
	return t
}()

// best returns the likeliest leaf: depth first, the likelier child first, and nothing below a node that is already less likely than the best leaf. scores are those of the inner nodes.
func (t *tree) best(scores []float32) (int, float64) {
	d := descent{t: t, scores: scores}
	d.visit(int32(len(t.nodes)-1), 1)
	return d.label, d.prob
}

type descent struct {
	t      *tree
	scores []float32
	label  int
	prob   float64
}

func (d *descent) visit(at int32, prob float64) {
	for int(at) >= d.t.leaves {
		n := d.t.nodes[at]
		f := sigmoid(d.scores[int(at)-d.t.leaves])
		left, right := prob*(1-f+logFloor), prob*(f+logFloor)
		first, second := n.right, n.left
		p, q := right, left
		if left > right {
			first, second, p, q = n.left, n.right, left, right
		}
		if p <= d.prob {
			return
		}
		d.visit(first, p)
		if q <= d.prob {
			return
		}
		at, prob = second, q
	}
	if prob > d.prob {
		d.prob, d.label = prob, int(at)
	}
}

// all writes the probability of every leaf.
func (t *tree) all(scores, into []float32) {
	if len(t.nodes) == 1 {
		into[0] = 1
		return
	}
	t.spread(scores, into, int32(len(t.nodes)-1), 1)
}

func (t *tree) spread(scores, into []float32, at int32, prob float64) {
	if int(at) < t.leaves {
		into[at] = float32(prob)
		return
	}
	f := sigmoid(scores[int(at)-t.leaves])
	t.spread(scores, into, t.nodes[at].left, prob*(1-f+logFloor))
	t.spread(scores, into, t.nodes[at].right, prob*(f+logFloor))
}
