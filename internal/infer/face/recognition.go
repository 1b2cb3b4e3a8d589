package face

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/bulkheadhq/bulkhead/internal/infer/tensor"
)

// chipSide is the side of the upright, centred crop that embeddings are computed from.
const chipSide = 150

// graph writes the graph of the recognition network, whose file holds weights only: a ResNet of 29 convolutions, as the original builds it.
type graph struct {
	nodes []map[string]any
	sizes []weight // of constants that the file doesn't have
	extra []byte
	n     int
}

type weight struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	DType string `json:"dtype"`
}

// add appends a node and answers its name.
func (g *graph) add(op string, attrs map[string]any, in ...string) string {
	g.n++
	name := fmt.Sprintf("%s_%d", op, g.n)
	g.nodes = append(g.nodes, map[string]any{"name": name, "op": op, "input": in, "attr": attrs})
	return name
}

// weight is a node for a constant of the file.
func (g *graph) weight(name string) string {
	g.nodes = append(g.nodes, map[string]any{"name": name, "op": "Const"})
	return name
}

// ints is a node for a constant of whole numbers.
func (g *graph) ints(shape []int, vs ...int32) string {
	g.n++
	name := fmt.Sprintf("ints_%d", g.n)
	g.sizes = append(g.sizes, weight{name, shape, "int32"})
	for _, v := range vs {
		g.extra = binary.LittleEndian.AppendUint32(g.extra, uint32(v))
	}
	return g.weight(name)
}

// moves are the attributes of a window: its steps, its padding, and its size where it has no filter.
func moves(stride int, padding string, size int) map[string]any {
	list := func(k int) map[string]any { return map[string]any{"list": map[string]any{"i": []int{1, k, k, 1}}} }
	// Texts are base64 in this format: "SAME" and "VALID".
	m := map[string]any{"strides": list(stride), "padding": map[string]string{"s": map[string]string{"SAME": "U0FNRQ==", "VALID": "VkFMSUQ="}[padding]}}
	if size > 0 {
		m["ksize"] = list(size)
	}
	return m
}

// conv is a convolution with its bias, scale and shift.
func (g *graph) conv(in, layer string, stride int, padding string) string {
	x := g.add("Conv2D", moves(stride, padding, 0), in, g.weight(layer+"/conv/filters"))
	x = g.add("Add", nil, x, g.weight(layer+"/conv/bias"))
	x = g.add("Mul", nil, x, g.weight(layer+"/scale/weights"))
	return g.add("Add", nil, x, g.weight(layer+"/scale/biases"))
}

// residual is two convolutions around which the input flows past.
func (g *graph) residual(in, layer string) string {
	x := g.add("Relu", nil, g.conv(in, layer+"/conv1", 1, "SAME"))
	return g.add("Relu", nil, g.add("Add", nil, g.conv(x, layer+"/conv2", 1, "SAME"), in))
}

// down is a residual that halves the image; grow tells by how many channels the input falls short, pad whether the convolutions' result is a row and column too small.
func (g *graph) down(in, layer string, grow int32, pad bool) string {
	x := g.add("Relu", nil, g.conv(in, layer+"/conv1", 2, "VALID"))
	x = g.conv(x, layer+"/conv2", 1, "SAME")
	past := g.add("AvgPool", moves(2, "VALID", 2), in)
	if pad {
		x = g.add("Pad", nil, x, g.ints([]int{4, 2}, 0, 0, 0, 1, 0, 1, 0, 0))
	}
	if grow > 0 {
		past = g.add("Pad", nil, past, g.ints([]int{4, 2}, 0, 0, 0, 0, 0, 0, 0, grow))
	}
	return g.add("Relu", nil, g.add("Add", nil, past, x))
}

// recognition loads the network from its manifest and weights.
func recognition(manifest, weights []byte) (*tensor.Model, error) {
	g := &graph{}
	dim := func(n int) map[string]int { return map[string]int{"size": n} }
	x := g.add("Placeholder", map[string]any{"shape": map[string]any{"shape": map[string]any{"dim": []any{dim(1), dim(chipSide), dim(chipSide), dim(3)}}}})
	x = g.add("MaxPool", moves(2, "VALID", 3), g.add("Relu", nil, g.conv(x, "conv32_down", 2, "VALID")))
	x = g.residual(g.residual(g.residual(x, "conv32_1"), "conv32_2"), "conv32_3")
	x = g.down(x, "conv64_down", 32, false)
	x = g.residual(g.residual(g.residual(x, "conv64_1"), "conv64_2"), "conv64_3")
	x = g.down(x, "conv128_down", 64, false)
	x = g.residual(g.residual(x, "conv128_1"), "conv128_2")
	x = g.down(x, "conv256_down", 128, true)
	x = g.residual(g.residual(x, "conv256_1"), "conv256_2")
	x = g.down(x, "conv256_down_out", 0, true)
	x = g.add("MatMul", nil, g.add("Mean", nil, x, g.ints([]int{2}, 1, 2)), g.weight("fc"))

	var groups []json.RawMessage
	if err := json.Unmarshal(manifest, &groups); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	extra, err := json.Marshal(map[string]any{"weights": g.sizes})
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	model, err := json.Marshal(map[string]any{"modelTopology": map[string]any{"node": g.nodes}, "weightsManifest": append(groups, extra)})
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	return tensor.Load(model, append(weights[:len(weights):len(weights)], g.extra...), 1, x)
}

// embed computes the embedding of a chip, values 0..255.
func (m *Models) embed(chip []float32) (Embedding, error) {
	mean := [3]float32{122.782, 117.001, 104.298}
	in := make([]float32, len(chip))
	for i, v := range chip {
		in[i] = (v - mean[i%3]) / 255
	}
	out, err := m.recognition.Run(in)
	if err != nil {
		return nil, fmt.Errorf("face recognition: %w", err)
	}
	return out[0], nil
}

// chip is the face turned upright and scaled so that eyes and nose come to lie where the network learned them, with a margin of a quarter around; values 0..255.
func (f *mesh) chip(img *Image) []float32 {
	const margin = 0.25
	// The corners of both eyes and the nose's foot in the average face, and the same points of the mesh: the transformation with the least error between both.
	want := [5]Point{{0.8595674595992, 0.2134981538014}, {0.6460604764104, 0.2289674387677}, {0.1205750620789, 0.2137274526848}, {0.3340850613712, 0.2290642403242}, {0.4901123135679, 0.6277975316475}}
	var from, to [5]Point
	for i, k := range [5]int{263, 362, 33, 133, 2} {
		to[i] = Point{f.points[k].x, f.points[k].y}
		from[i] = Point{(margin + want[i].X) / (1 + 2*margin) * chipSide, (margin + want[i].Y) / (1 + 2*margin) * chipSide}
	}
	a, b, tx, ty := similarity(from, to)
	// Where a pixel of the chip covers several of the image, their mean is taken.
	n := int(min(max(math.Ceil(math.Hypot(a, b)), 1), 4))
	out := make([]float32, 3*chipSide*chipSide)
	for y := range chipSide {
		for x := range chipSide {
			var sum [3]float64
			for s := range n * n {
				u, v := float64(x)+(float64(s%n)+0.5)/float64(n)-0.5, float64(y)+(float64(s/n)+0.5)/float64(n)-0.5
				px := img.at(a*u-b*v+tx, b*u+a*v+ty)
				for d := range 3 {
					sum[d] += px[d]
				}
			}
			for d := range 3 {
				out[3*(y*chipSide+x)+d] = float32(sum[d] / float64(n*n))
			}
		}
	}
	return out
}

// similarity is the turn, scale and shift that brings from nearest to to: x' = a*x - b*y + tx, y' = b*x + a*y + ty.
func similarity(from, to [5]Point) (a, b, tx, ty float64) {
	var fm, tm Point
	for i := range from {
		fm.X, fm.Y, tm.X, tm.Y = fm.X+from[i].X/5, fm.Y+from[i].Y/5, tm.X+to[i].X/5, tm.Y+to[i].Y/5
	}
	var norm float64
	for i := range from {
		fx, fy, x, y := from[i].X-fm.X, from[i].Y-fm.Y, to[i].X-tm.X, to[i].Y-tm.Y
		a, b, norm = a+fx*x+fy*y, b+fx*y-fy*x, norm+fx*fx+fy*fy
	}
	a, b = a/norm, b/norm
	return a, b, tm.X - a*fm.X + b*fm.Y, tm.Y - b*fm.X - a*fm.Y
}

// at is the image between pixels; beyond the edge it goes on as it is there.
func (m *Image) at(x, y float64) [3]float64 {
	x, y = min(max(x, 0), float64(m.W-1)), min(max(y, 0), float64(m.H-1))
	l, t := int(x), int(y)
	r, b := min(l+1, m.W-1), min(t+1, m.H-1)
	tx, ty := x-float64(l), y-float64(t)
	var out [3]float64
	for d := range 3 {
		u := float64(m.Pix[3*(t*m.W+l)+d])*(1-tx) + float64(m.Pix[3*(t*m.W+r)+d])*tx
		v := float64(m.Pix[3*(b*m.W+l)+d])*(1-tx) + float64(m.Pix[3*(b*m.W+r)+d])*tx
		out[d] = u*(1-ty) + v*ty
	}
	return out
}
