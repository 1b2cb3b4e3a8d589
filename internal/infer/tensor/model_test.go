package tensor

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// net writes a model for a test.
type net struct {
	nodes   []map[string]any
	specs   []map[string]any
	weights []byte
}

func (n *net) node(op, name string, attrs map[string]any, in ...string) string {
	n.nodes = append(n.nodes, map[string]any{"name": name, "op": op, "input": in, "attr": attrs})
	return name
}

func (n *net) input(shape ...int) string {
	var dims []any
	for _, d := range shape {
		dims = append(dims, map[string]any{"size": fmt.Sprint(d)})
	}
	return n.node("Placeholder", "in", map[string]any{"shape": map[string]any{"shape": map[string]any{"dim": dims}}})
}

func (n *net) floats(name string, shape []int, vs []float32) string {
	for _, v := range vs {
		n.weights = binary.LittleEndian.AppendUint32(n.weights, math.Float32bits(v))
	}
	n.specs = append(n.specs, map[string]any{"name": name, "shape": shape, "dtype": "float32"})
	return n.node("Const", name, nil)
}

func (n *net) ints(name string, shape []int, vs ...int32) string {
	for _, v := range vs {
		n.weights = binary.LittleEndian.AppendUint32(n.weights, uint32(v))
	}
	n.specs = append(n.specs, map[string]any{"name": name, "shape": shape, "dtype": "int32"})
	return n.node("Const", name, nil)
}

func (n *net) json(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"format": "graph-model", "modelTopology": map[string]any{"node": n.nodes}, "weightsManifest": []any{map[string]any{"weights": n.specs}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func movement(stride int, padding string) map[string]any {
	return map[string]any{
		"strides": map[string]any{"list": map[string]any{"i": []string{"1", fmt.Sprint(stride), fmt.Sprint(stride), "1"}}},
		"padding": map[string]any{"s": text(padding)}, "data_format": map[string]any{"s": text("NHWC")},
	}
}

func run(t *testing.T, n *net, batch int, in []float32, outputs ...string) [][]float32 {
	t.Helper()
	m, err := Load(n.json(t), n.weights, batch, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// plain is a convolution as its definition says, in float64; depthwise if each channel is by itself.
func plain(in []float32, h, w, c int, filter []float32, k, cols, stride int, same, depthwise bool) (out []float32) {
	oh, ow, top, left := (h-k)/stride+1, (w-k)/stride+1, 0, 0
	if same {
		oh, ow = (h+stride-1)/stride, (w+stride-1)/stride
		top, left = max(0, (oh-1)*stride+k-h)/2, max(0, (ow-1)*stride+k-w)/2
	}
	for y := range oh {
		for x := range ow {
			for o := range cols {
				s := 0.0
				for fy := range k {
					for fx := range k {
						iy, ix := y*stride-top+fy, x*stride-left+fx
						if iy < 0 || ix < 0 || iy >= h || ix >= w {
							continue
						}
						if depthwise {
							s += float64(in[(iy*w+ix)*c+o]) * float64(filter[(fy*k+fx)*c+o])
							continue
						}
						for i := range c {
							s += float64(in[(iy*w+ix)*c+i]) * float64(filter[((fy*k+fx)*c+i)*cols+o])
						}
					}
				}
				out = append(out, float32(s))
			}
		}
	}
	return out
}

func TestConvolutions(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range [][2]int{{1, 1}, {2, 3}, {7, 5}, {12, 13}} {
		for _, c := range []int{1, 3, 8, 19} {
			for _, k := range []int{1, 2, 3, 5} {
				for _, stride := range []int{1, 2, 3} {
					for _, padding := range []string{"SAME", "VALID"} {
						h, w, cols := size[0], size[1], 16+c
						if padding == "VALID" && (h < k || w < k) {
							continue
						}
						in := randoms(r, h*w*c)
						what := fmt.Sprintf("%dx%dx%d filter %d stride %d %s", h, w, c, k, stride, padding)

						filter := randoms(r, k*k*c*cols)
						n := &net{}
						n.node("Conv2D", "out", movement(stride, padding), n.input(-1, h, w, c), n.floats("f", []int{k, k, c, cols}, filter))
						near(t, what, run(t, n, 1, in)[0], plain(in, h, w, c, filter, k, cols, stride, padding == "SAME", false), float64(k*k*c))

						filter = randoms(r, k*k*c)
						n = &net{}
						n.node("DepthwiseConv2dNative", "out", movement(stride, padding), n.input(-1, h, w, c), n.floats("f", []int{k, k, c, 1}, filter))
						near(t, "depthwise "+what, run(t, n, 1, in)[0], plain(in, h, w, c, filter, k, c, stride, padding == "SAME", true), float64(k*k))
					}
				}
			}
		}
	}
}

// TestTakeOver: what follows a convolution gives the same whether it's taken into it or, since something else reads the convolution, too, is not.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	const h, w, c, cols = 5, 4, 3, 7
	in, filter, bias, scale, slope := randoms(r, h*w*c), randoms(r, 9*c*cols), randoms(r, cols), randoms(r, cols), randoms(r, cols)
	for name, follow := range map[string]func(n *net, x string) string{
		"batch norm and relu6": func(n *net, x string) string {
			x = n.node("Add", "a", nil, x, n.floats("bias", []int{cols}, bias))
			x = n.node("Mul", "m", nil, n.floats("scale", []int{1, 1, 1, cols}, scale), x)
			x = n.node("AddV2", "b", nil, x, n.floats("bias2", []int{cols}, slope))
			x = n.node("Maximum", "max", nil, n.node("Minimum", "min", nil, n.node("Relu", "relu", nil, x), n.floats("six", []int{}, []float32{0.5})), n.floats("zero", []int{1}, []float32{0.1}))
			return x
		},
		"prelu, then a sum that no longer fits": func(n *net, x string) string {
			x = n.node("Prelu", "p", nil, x, n.floats("slope", []int{1, 1, cols}, slope))
			return n.node("Mul", "m", nil, n.node("BiasAdd", "a", nil, x, n.floats("bias", []int{cols}, bias)), n.floats("scale", []int{cols}, scale))
		},
		"residual and relu": func(n *net, x string) string {
			y := n.node("Conv2D", "conv2", movement(1, "SAME"), "in", n.floats("f2", []int{3, 3, c, cols}, filter[:9*c*cols]))
			return n.node("Relu6", "r", nil, n.node("AddV2", "sum", nil, x, y))
		},
	} {
		build := func() (*net, string) {
			n := &net{}
			x := n.node("Conv2D", "conv", movement(1, "SAME"), n.input(-1, h, w, c), n.floats("f", []int{3, 3, c, cols}, filter))
			return n, follow(n, x)
		}
		n, last := build()
		got := run(t, n, 1, in, last)
		n, last = build()
		// Every node an output: none can be taken over.
		outputs := []string{last}
		for _, node := range n.nodes {
			if op := node["op"]; op != "Const" && op != "Placeholder" {
				outputs = append(outputs, node["name"].(string))
			}
		}
		near(t, name, got[0], run(t, n, 1, in, outputs...)[0], 9*c)
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	pool := func(k int) map[string]any {
		m := movement(2, "SAME")
		m["ksize"] = map[string]any{"list": map[string]any{"i": []int{1, k, k, 1}}}
		return m
	}
	in := []float32{1, -2, 3, 4, 5, -6, 7, 8, 9} // 3x3x1
	for _, c := range []struct {
		name string
		make func(n *net, x string)
		want []float32
	}{
		{"max pool", func(n *net, x string) { n.node("MaxPool", "o", pool(2), x) }, []float32{5, 3, 8, 9}},
		{"mean pool", func(n *net, x string) { n.node("AvgPool", "o", pool(2), x) }, []float32{2, -1.5, 7.5, 9}},
		{"pad", func(n *net, x string) {
			n.node("Pad", "o", nil, x, n.ints("p", []int{4, 2}, 0, 0, 1, 0, 0, 0, 0, 1))
		}, []float32{0, 0, 0, 0, 0, 0, 1, 0, -2, 0, 3, 0, 4, 0, 5, 0, -6, 0, 7, 0, 8, 0, 9, 0}},
		{"mean", func(n *net, x string) { n.node("Mean", "o", nil, x, n.ints("axes", []int{2}, 1, 2)) }, []float32{29.0 / 9}},
		{"sigmoid", func(n *net, x string) {
			n.node("Sigmoid", "o", nil, n.node("Reshape", "r", nil, x, n.ints("s", []int{2}, 1, -1)))
		}, []float32{0.7310586, 0.1192029, 0.9525741, 0.9820138, 0.9933072, 0.0024726, 0.9990889, 0.9996647, 0.9998766}},
		{"softmax", func(n *net, x string) {
			n.node("Softmax", "o", nil, n.node("Reshape", "r", nil, x, n.ints("s", []int{2}, 3, 3)))
		}, []float32{0.1184997, 0.0058998, 0.8756006, 0.2689372, 0.7310506, 0.0000122, 0.0900306, 0.2447285, 0.6652410}},
		{"concat", func(n *net, x string) {
			n.node("ConcatV2", "o", nil, x, n.node("Relu", "r", nil, x), n.ints("axis", []int{}, -1))
		}, []float32{1, 1, -2, 0, 3, 3, 4, 4, 5, 5, -6, 0, 7, 7, 8, 8, 9, 9}},
		{"product", func(n *net, x string) {
			n.node("_FusedMatMul", "o", map[string]any{"fused_ops": map[string]any{"list": map[string]any{"s": []string{text("BiasAdd"), text("Relu")}}}},
				n.node("Reshape", "r", nil, x, n.ints("s", []int{2}, 3, 3)), n.floats("w", []int{3, 1}, []float32{1, 1, 1}), n.floats("b", []int{1}, []float32{-3}))
		}, []float32{0, 0, 21}},
	} {
		n := &net{}
		c.make(n, n.input(1, 3, 3, 1))
		near(t, c.name, run(t, n, 1, in)[0], c.want, 0.1)
	}
}

// TestBatch: each item of a batch comes out as it would alone, and models can be run by many at once.
func TestBatch(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	n := &net{}
	x := n.node("Conv2D", "conv", movement(2, "SAME"), n.input(-1, 6, 6, 3), n.floats("f", []int{3, 3, 3, 20}, randoms(r, 540)))
	n.node("Mean", "out", nil, n.node("DepthwiseConv2dNative", "d", movement(1, "SAME"), x, n.floats("g", []int{3, 3, 20, 1}, randoms(r, 180))), n.ints("axes", []int{2}, 1, 2))
	one, err := Load(n.json(t), n.weights, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Load(n.json(t), n.weights, 2)
	if err != nil {
		t.Fatal(err)
	}
	in := randoms(r, 2*108)
	var want []float32
	for i := range 2 {
		out, err := one.Run(in[i*108 : (i+1)*108])
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, out[0]...)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			out, err := two.Run(in)
			if err != nil || len(out[0]) != len(want) {
				t.Errorf("%v", err)
				return
			}
			for i := range want {
				if math.Abs(float64(out[0][i]-want[i])) > 1e-4 {
					t.Errorf("value %d is %v, alone it is %v", i, out[0][i], want[i])
				}
			}
		})
	}
	wg.Wait()
	if _, err := two.Run(in[1:]); err == nil {
		t.Error("an input of the wrong length is taken")
	}
}

func TestQuantization(t *testing.T) {
	t.Parallel()
	for h, want := range map[uint16]float32{0x3c00: 1, 0xc000: -2, 0x3555: 0.33325195, 0x0001: 5.9604645e-8, 0x8000: 0, 0x7bff: 65504, 0x7c00: float32(math.Inf(1))} {
		if got := half(h); got != want {
			t.Errorf("half(%#x) = %v, want %v", h, got, want)
		}
	}
	for dtype, b := range map[string][]byte{"uint8": {0, 255}, "uint16": {0, 0, 255, 0}} {
		var w weightDef
		if err := json.Unmarshal([]byte(`{"shape":[2],"dtype":"float32","quantization":{"dtype":"`+dtype+`","scale":0.5,"min":-1}}`), &w); err != nil {
			t.Fatal(err)
		}
		c, n, err := decodeWeight(w, b)
		if err != nil || n != len(b) || c.data[0] != -1 || c.data[1] != 126.5 {
			t.Errorf("%s: %v %d %v", dtype, c.data, n, err)
		}
	}
}

// TestRefused: models that are broken or too large are refused in words, before anything of their size is made.
func TestRefused(t *testing.T) {
	t.Parallel()
	good := func() *net {
		n := &net{}
		n.node("Conv2D", "out", movement(1, "SAME"), n.input(-1, 4, 4, 3), n.floats("f", []int{1, 1, 3, 2}, make([]float32, 6)))
		return n
	}
	for want, spoil := range map[string]func(n *net) (model, weights []byte){
		"isn't known":    func(n *net) ([]byte, []byte) { n.node("Einsum", "x", nil, "out"); return nil, n.weights },
		"has no weights": func(n *net) ([]byte, []byte) { n.specs[0]["name"] = "g"; return nil, n.weights },
		"isn't there":    func(n *net) ([]byte, []byte) { n.node("Relu", "x", nil, "nothing"); return nil, n.weights },
		"depends on itself": func(n *net) ([]byte, []byte) {
			n.nodes[2]["input"] = []string{"y", "f"}
			n.node("Relu", "y", nil, "out")
			n.node("Relu", "z", nil, "y")
			return nil, n.weights
		},
		"bytes are needed":    func(n *net) ([]byte, []byte) { return nil, n.weights[:20] },
		"are left over":       func(n *net) ([]byte, []byte) { return nil, append(n.weights, 0) },
		"for 3 channels on 4": func(n *net) ([]byte, []byte) { n.nodes = n.nodes[1:]; n.input(1, 4, 4, 4); return nil, n.weights },
		"is not one of 1 to": func(n *net) ([]byte, []byte) {
			n.specs[0]["shape"] = []int{1 << 30, 1 << 30}
			return nil, n.weights
		},
		"there twice": func(n *net) ([]byte, []byte) { n.node("Relu", "out", nil, "in"); return nil, n.weights },
		"strides":     func(n *net) ([]byte, []byte) { n.nodes[2]["attr"] = movement(0, "SAME"); return nil, n.weights },
		"padding":     func(n *net) ([]byte, []byte) { n.nodes[2]["attr"] = movement(1, "LOOSE"); return nil, n.weights },
		"no graph":    func(*net) ([]byte, []byte) { return []byte("{}"), nil },
		"model:":      func(*net) ([]byte, []byte) { return []byte("{"), nil },
	} {
		n := good()
		model, weights := spoil(n)
		if model == nil {
			model = n.json(t)
		}
		if _, err := Load(model, weights, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	n := good()
	if _, err := Load(n.json(t), n.weights, 1); err != nil {
		t.Errorf("the model that the others are spoilt from: %v", err)
	}
}

// FuzzLoad: no bytes make Load panic, and what it takes runs.
func FuzzLoad(f *testing.F) {
	n := &net{}
	x := n.node("_FusedConv2D", "conv", movement(2, "SAME"), n.input(-1, 4, 4, 3), n.floats("f", []int{3, 3, 3, 2}, make([]float32, 54)))
	x = n.node("Prelu", "p", nil, n.node("Add", "a", nil, x, n.floats("b", []int{2}, []float32{1, 2})), n.floats("s", []int{2}, []float32{1, 2}))
	x = n.node("DepthwiseConv2dNative", "d", movement(1, "VALID"), n.node("Pad", "pad", nil, x, n.ints("pp", []int{4, 2}, 0, 0, 1, 1, 1, 1, 0, 0)), n.floats("g", []int{2, 2, 2, 1}, make([]float32, 8)))
	n.node("ConcatV2", "c", nil, n.node("Reshape", "r", nil, x, n.ints("sh", []int{2}, 1, -1)), n.node("Reshape", "r2", nil, x, n.ints("sh2", []int{2}, 1, -1)), n.ints("ax", []int{}, 1))
	f.Add(n.json(f), n.weights)
	f.Add([]byte(`{"modelTopology":{"node":[{"name":"a","op":"Placeholder","attr":{"shape":{"shape":{"dim":[{"size":"-1"},{"size":"9"}]}}}},{"name":"b","op":"Softmax","input":["a"]}]}}`), []byte{})
	f.Fuzz(func(t *testing.T, model, weights []byte) {
		if len(model) > 1<<16 || len(weights) > 1<<16 {
			return
		}
		m, err := Load(model, weights, 1)
		if err != nil || m.Memory() > 1<<18 {
			return
		}
		size := 1
		for _, d := range m.InputShape() {
			size *= d
		}
		if _, err := m.Run(make([]float32, size)); err != nil {
			t.Fatal(err)
		}
	})
}
