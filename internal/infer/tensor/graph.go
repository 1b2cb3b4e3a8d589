package tensor

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
)

// Model is a network ready to run. It is safe for concurrent use.
type Model struct {
	batch   int
	input   *value
	outputs []*value
	steps   []step
	arena   int // elements of one run's memory
	pool    sync.Pool
}

// value is a tensor of the graph: a constant, or one that a run computes at offset in its memory. An alias shares another's place under its own shape.
type value struct {
	name   string
	shape  []int
	data   []float32 // of a constant
	of     *value    // what it is an alias of
	users  int       // steps that read it, and one for an output
	last   int       // the last step that reads it
	offset int
	made   *step // the step that writes it, unless it's a constant or the input
}

// root is the value that owns the place.
func (v *value) root() *value {
	for v.of != nil {
		v = v.of
	}
	return v
}

// size is the number of elements; shapes were checked when the value was made.
func (v *value) size() int {
	n := 1
	for _, d := range v.shape {
		n *= d
	}
	return n
}

// step computes out from in. run gets the inputs' and the output's elements.
type step struct {
	name string
	in   []*value
	out  *value
	run  func(in [][]float32, out []float32)
	// fin is set for steps that can take over what follows them: a convolution its channels' scale, shift and activation, an addition its activation (sum.go).
	fin *epilogue
}

// Load parses a model (model.json and its weights, the shards one after the other) for inputs of batch items. outputs names the wanted values; none means
// all that nothing in the graph reads.
func Load(model, weights []byte, batch int, outputs ...string) (*Model, error) {
	if batch < 1 || batch > 64 {
		return nil, fmt.Errorf("tensor: a batch of %d isn't possible", batch)
	}
	nodes, consts, err := parseModel(model, weights)
	if err != nil {
		return nil, fmt.Errorf("tensor: %w", err)
	}
	b := &builder{batch: batch, nodes: map[string]*nodeDef{}, consts: consts, values: map[string]*value{}, after: map[*step]func(*epilogue) bool{}}
	for i := range nodes {
		n := &nodes[i]
		if _, double := b.nodes[n.Name]; double || n.Name == "" {
			return nil, fmt.Errorf("tensor: node %q is there twice", n.Name)
		}
		b.nodes[n.Name] = n
	}
	if len(outputs) == 0 {
		outputs = leaves(nodes)
	}
	return b.build(outputs)
}

// leaves are the nodes that no other reads.
func leaves(nodes []nodeDef) []string {
	read := map[string]bool{}
	for _, n := range nodes {
		for _, in := range n.Inputs {
			read[nodeName(in)] = true
		}
	}
	var out []string
	for _, n := range nodes {
		if !read[n.Name] && n.Op != "Const" {
			out = append(out, n.Name)
		}
	}
	return out
}

// nodeName is the node that an input's name means: "a:0" and "^a" are of node a.
func nodeName(input string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(input, "^"), ":")
	return name
}

type builder struct {
	batch  int
	nodes  map[string]*nodeDef
	consts map[string]constant
	values map[string]*value
	input  *value
	steps  []*step
	total  int
	// after says how an element-wise step is taken over by the one before it.
	after map[*step]func(*epilogue) bool
}

// build orders the graph by what the outputs need, then finds the places of its values.
func (b *builder) build(outputs []string) (*Model, error) {
	m := &Model{batch: b.batch}
	order, err := b.order(outputs)
	if err != nil {
		return nil, fmt.Errorf("tensor: %w", err)
	}
	for _, n := range order {
		v, err := b.node(n)
		if err != nil {
			return nil, fmt.Errorf("tensor: node %q (%s): %w", n.Name, n.Op, err)
		}
		v.name = n.Name
		b.values[n.Name] = v
	}
	if b.input == nil {
		return nil, fmt.Errorf("tensor: the outputs depend on no input")
	}
	m.input = b.input
	for _, name := range outputs {
		v := b.values[nodeName(name)]
		if v.root().data != nil {
			return nil, fmt.Errorf("tensor: output %q is a constant", name)
		}
		v.root().users++
		m.outputs = append(m.outputs, v)
	}
	b.fuse()
	if m.arena, err = b.place(m.outputs); err != nil {
		return nil, fmt.Errorf("tensor: %w", err)
	}
	for _, s := range b.steps {
		s.finish()
		m.steps = append(m.steps, *s)
	}
	m.pool.New = func() any {
		mem := make([]float32, m.arena)
		return &mem
	}
	return m, nil
}

// order lists the needed nodes, each after what it reads. It keeps a stack of its own, so that no depth of a foreign graph exhausts Go's.
func (b *builder) order(outputs []string) ([]*nodeDef, error) {
	const (
		open = 1
		done = 2
	)
	state := map[*nodeDef]int{}
	var order []*nodeDef
	for _, out := range outputs {
		root, ok := b.nodes[nodeName(out)]
		if !ok {
			return nil, fmt.Errorf("there is no node %q", out)
		}
		stack := []*nodeDef{root}
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			if state[n] == done {
				stack = stack[:len(stack)-1]
				continue
			}
			again := state[n] == open
			state[n] = open
			ready := true
			for _, in := range n.Inputs {
				d, ok := b.nodes[nodeName(in)]
				if !ok {
					return nil, fmt.Errorf("node %q reads %q, which isn't there", n.Name, in)
				}
				if state[d] == done {
					continue
				}
				if again || state[d] == open {
					return nil, fmt.Errorf("node %q depends on itself", n.Name)
				}
				ready = false
				stack = append(stack, d)
			}
			if ready {
				state[n] = done
				order = append(order, n)
				stack = stack[:len(stack)-1]
			}
		}
	}
	return order, nil
}

// node makes a node's value, and the step that computes it where there is one.
func (b *builder) node(n *nodeDef) (*value, error) {
	switch n.Op {
	case "Const":
		c, ok := b.consts[n.Name]
		if !ok {
			return nil, fmt.Errorf("it has no weights")
		}
		return &value{shape: c.shape, data: c.data}, nil
	case "Placeholder":
		return b.placeholder(n)
	}
	var in []*value
	for _, name := range n.Inputs {
		if strings.HasPrefix(name, "^") {
			continue
		}
		if _, port, _ := strings.Cut(name, ":"); port != "" && port != "0" {
			return nil, fmt.Errorf("it reads output %s of %q, and only first ones are known", port, name)
		}
		in = append(in, b.values[nodeName(name)])
	}
	op, ok := operations()[n.Op]
	if !ok {
		return nil, fmt.Errorf("the operation isn't known")
	}
	if len(in) < op.inputs || op.exact && len(in) != op.inputs {
		return nil, fmt.Errorf("it has %d inputs instead of %d", len(in), op.inputs)
	}
	for _, v := range in[:op.computed] {
		if v.root().data != nil {
			return nil, fmt.Errorf("its input %q is a constant", v.name)
		}
	}
	for _, v := range in[op.computed:op.inputs] {
		if !op.any && v.data == nil {
			return nil, fmt.Errorf("its input %q isn't a constant", v.name)
		}
	}
	return op.make(b, n, in)
}

// placeholder is the graph's one input.
func (b *builder) placeholder(n *nodeDef) (*value, error) {
	if b.input != nil {
		return nil, fmt.Errorf("a second input isn't known")
	}
	shape, err := n.attrShape("shape")
	if err != nil {
		return nil, err
	}
	if len(shape) == 0 {
		return nil, fmt.Errorf("it has no shape")
	}
	shape[0] = b.batch
	b.input, err = b.computed(shape)
	return b.input, err
}

// computed is a new value of a shape; it counts against the limits.
func (b *builder) computed(shape []int) (*value, error) {
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	if b.total += n; b.total > 8*maxArena {
		return nil, fmt.Errorf("its values are larger than %d in all", 8*maxArena)
	}
	return &value{shape: slices.Clone(shape), last: -1}, nil
}

// add appends a step that computes a value of the shape from in.
func (b *builder) add(n *nodeDef, shape []int, in []*value, run func(in [][]float32, out []float32)) (*value, *step, error) {
	out, err := b.computed(shape)
	if err != nil {
		return nil, nil, err
	}
	s := &step{name: n.Name, in: in, out: out, run: run}
	out.made = s
	for _, v := range in {
		v.root().users++
	}
	b.steps = append(b.steps, s)
	return out, s, nil
}

// place gives every computed value its offset in the memory of a run, reusing the place of values that no later step reads.
func (b *builder) place(outputs []*value) (int, error) {
	for i, s := range b.steps {
		for _, v := range s.in {
			v.root().last = i
		}
	}
	for _, v := range outputs {
		v.root().last = math.MaxInt
	}
	type gap struct{ from, to int }
	free, end := []gap{}, 0
	take := func(n int) int {
		for i, g := range free {
			if g.to-g.from >= n {
				free[i].from += n
				return g.from
			}
		}
		end += n
		return end - n
	}
	give := func(from, n int) {
		free = append(free, gap{from, from + n})
		slices.SortFunc(free, func(a, b gap) int { return a.from - b.from })
		merged := free[:0]
		for _, g := range free {
			if k := len(merged); k > 0 && merged[k-1].to == g.from {
				merged[k-1].to = g.to
			} else if g.to > g.from {
				merged = append(merged, g)
			}
		}
		free = merged
	}
	b.input.offset = take(b.input.size())
	for i, s := range b.steps {
		s.out.offset = take(s.out.size())
		if end > maxArena {
			return 0, fmt.Errorf("its intermediate values need more than %d elements", maxArena)
		}
		done := map[*value]bool{}
		for _, v := range append(slices.Clone(s.in), s.out) {
			if r := v.root(); r.last <= i && !done[r] && r.data == nil {
				done[r] = true
				give(r.offset, r.size())
			}
		}
	}
	return end, nil
}

// InputShape is the shape Run wants, batch first.
func (m *Model) InputShape() []int { return slices.Clone(m.input.shape) }

// OutputShapes are the shapes of what Run answers, in the order the outputs were named.
func (m *Model) OutputShapes() [][]int {
	var out [][]int
	for _, v := range m.outputs {
		out = append(out, slices.Clone(v.shape))
	}
	return out
}

// Memory is how many bytes one run takes besides the weights.
func (m *Model) Memory() int { return 4 * m.arena }

// Run computes the outputs of one input, whose length must be that of InputShape. The answers are the caller's own.
func (m *Model) Run(input []float32) ([][]float32, error) {
	if len(input) != m.input.size() {
		return nil, fmt.Errorf("tensor: an input of %d values where %v are wanted", len(input), m.input.shape)
	}
	memory := m.pool.Get().(*[]float32)
	defer m.pool.Put(memory)
	mem := *memory
	at := func(v *value) []float32 {
		r := v.root()
		if r.data != nil {
			return r.data
		}
		return mem[r.offset : r.offset+r.size()]
	}
	copy(at(m.input), input)
	var in [][]float32
	for i := range m.steps {
		s := &m.steps[i]
		in = in[:0]
		for _, v := range s.in {
			in = append(in, at(v))
		}
		s.run(in, at(s.out))
	}
	out := make([][]float32, len(m.outputs))
	for i, v := range m.outputs {
		out[i] = slices.Clone(at(v))
	}
	return out, nil
}
