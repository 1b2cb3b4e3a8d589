package tensor

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Limits of what Load accepts; the largest network of package face stays below a tenth of each.
const (
	maxModelBytes  = 8 << 20  // of the JSON
	maxWeightBytes = 64 << 20 // of the weights' file
	maxNodes       = 4096
	maxDims        = 5
	maxElements    = 16 << 20 // of one value: 64 MB of float32
	maxArena       = 64 << 20 // elements of all intermediate values together
)

// modelFile is the JSON of a graph model.
type modelFile struct {
	Format   string `json:"format"`
	Topology struct {
		Nodes []nodeDef `json:"node"`
	} `json:"modelTopology"`
	Weights []struct {
		Weights []weightDef `json:"weights"`
	} `json:"weightsManifest"`
}

// nodeDef is one node: its operation, the names of its inputs ("name", "name:0" or "^name") and its attributes.
type nodeDef struct {
	Name   string                     `json:"name"`
	Op     string                     `json:"op"`
	Inputs []string                   `json:"input"`
	Attrs  map[string]json.RawMessage `json:"attr"`
}

// weightDef describes one constant in the weights' file, in the order of the file.
type weightDef struct {
	Name         string `json:"name"`
	Shape        []int  `json:"shape"`
	DType        string `json:"dtype"`
	Quantization *struct {
		DType string  `json:"dtype"`
		Scale float64 `json:"scale"`
		Min   float64 `json:"min"`
	} `json:"quantization"`
}

// constant is a decoded weight: whole numbers (shapes, paddings, axes) are kept as numbers of float32, which holds those exactly.
type constant struct {
	shape []int
	data  []float32
}

// parseModel reads the JSON and the weights.
func parseModel(model, weights []byte) ([]nodeDef, map[string]constant, error) {
	if len(model) > maxModelBytes || len(weights) > maxWeightBytes {
		return nil, nil, fmt.Errorf("a model of %d and %d bytes is too large", len(model), len(weights))
	}
	var f modelFile
	if err := json.Unmarshal(model, &f); err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	if len(f.Topology.Nodes) == 0 {
		return nil, nil, errors.New("model: it has no graph (modelTopology.node)")
	}
	if len(f.Topology.Nodes) > maxNodes {
		return nil, nil, fmt.Errorf("model: %d nodes are more than %d", len(f.Topology.Nodes), maxNodes)
	}
	consts := map[string]constant{}
	rest := weights
	for _, group := range f.Weights {
		for _, w := range group.Weights {
			if _, double := consts[w.Name]; double {
				return nil, nil, fmt.Errorf("weight %q is there twice", w.Name)
			}
			c, used, err := decodeWeight(w, rest)
			if err != nil {
				return nil, nil, fmt.Errorf("weight %q: %w", w.Name, err)
			}
			consts[w.Name] = c
			rest = rest[used:]
		}
	}
	if len(rest) != 0 {
		return nil, nil, fmt.Errorf("weights: %d bytes are left over", len(rest))
	}
	return f.Topology.Nodes, consts, nil
}

// decodeWeight reads one constant from the beginning of b and says how many bytes it took.
func decodeWeight(w weightDef, b []byte) (constant, int, error) {
	n, err := elements(w.Shape)
	if err != nil {
		return constant{}, 0, err
	}
	if w.DType != "float32" && w.DType != "int32" {
		return constant{}, 0, fmt.Errorf("type %q isn't known", w.DType)
	}
	kind, size := w.DType, 4
	if q := w.Quantization; q != nil {
		kind = q.DType
		switch kind {
		case "float16", "uint16":
			size = 2
		case "uint8":
			size = 1
		default:
			return constant{}, 0, fmt.Errorf("quantization %q isn't known", kind)
		}
	}
	if n*size > len(b) {
		return constant{}, 0, fmt.Errorf("%d bytes are needed, %d are left", n*size, len(b))
	}
	data := make([]float32, n)
	for i := range data {
		switch kind {
		case "float32":
			data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		case "int32":
			v := int32(binary.LittleEndian.Uint32(b[4*i:]))
			if v < -1<<24 || v > 1<<24 {
				return constant{}, 0, fmt.Errorf("whole number %d is too large", v)
			}
			data[i] = float32(v)
		case "float16":
			data[i] = half(binary.LittleEndian.Uint16(b[2*i:]))
		case "uint16":
			data[i] = float32(float64(binary.LittleEndian.Uint16(b[2*i:]))*w.Quantization.Scale + w.Quantization.Min)
		case "uint8":
			data[i] = float32(float64(b[i])*w.Quantization.Scale + w.Quantization.Min)
		}
	}
	return constant{shape: w.Shape, data: data}, n * size, nil
}

// half is the float32 of an IEEE 754 half-precision number.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0: // zero and what is smaller than normal: frac * 2^-24
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	default:
		return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
	}
}

// elements is the number of values of a shape within the limits.
func elements(shape []int) (int, error) {
	if len(shape) > maxDims {
		return 0, fmt.Errorf("shape %v has more than %d dimensions", shape, maxDims)
	}
	n := 1
	for _, d := range shape {
		if d <= 0 || d > maxElements || n*d > maxElements {
			return 0, fmt.Errorf("shape %v is not one of 1 to %d values", shape, maxElements)
		}
		n *= d
	}
	return n, nil
}

// attrString is a text attribute, which the format keeps in base64; "" when it's absent.
func (n *nodeDef) attrString(name string) (string, error) {
	var a struct {
		S string `json:"s"`
	}
	if err := n.attr(name, &a); err != nil {
		return "", err
	}
	b, err := base64.StdEncoding.DecodeString(a.S)
	if err != nil {
		return "", fmt.Errorf("attribute %s: %w", name, err)
	}
	return string(b), nil
}

// attrBool is a yes-or-no attribute; false when it's absent.
func (n *nodeDef) attrBool(name string) (bool, error) {
	var a struct {
		B bool `json:"b"`
	}
	return a.B, n.attr(name, &a)
}

// attrInts is a list of whole numbers, written as texts or numbers; nil when it's absent.
func (n *nodeDef) attrInts(name string) ([]int, error) {
	var a struct {
		List struct {
			I []json.RawMessage `json:"i"`
		} `json:"list"`
	}
	if err := n.attr(name, &a); err != nil {
		return nil, err
	}
	return parseInts(name, a.List.I)
}

// attrStrings is a list of texts in base64.
func (n *nodeDef) attrStrings(name string) ([]string, error) {
	var a struct {
		List struct {
			S []string `json:"s"`
		} `json:"list"`
	}
	if err := n.attr(name, &a); err != nil {
		return nil, err
	}
	var out []string
	for _, s := range a.List.S {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		out = append(out, string(b))
	}
	return out, nil
}

// attrShape is the shape of a placeholder, -1 for the batch.
func (n *nodeDef) attrShape(name string) ([]int, error) {
	var a struct {
		Shape struct {
			Dim []struct {
				Size json.RawMessage `json:"size"`
			} `json:"dim"`
		} `json:"shape"`
	}
	if err := n.attr(name, &a); err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	for _, d := range a.Shape.Dim {
		raw = append(raw, d.Size)
	}
	return parseInts(name, raw)
}

func (n *nodeDef) attr(name string, into any) error {
	raw, ok := n.Attrs[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("attribute %s: %w", name, err)
	}
	return nil
}

func parseInts(name string, raw []json.RawMessage) ([]int, error) {
	if len(raw) > 16 {
		return nil, fmt.Errorf("attribute %s: %d numbers are too many", name, len(raw))
	}
	var out []int
	for _, r := range raw {
		text := string(r)
		if u, err := strconv.Unquote(text); err == nil {
			text = u
		}
		v, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %q isn't a whole number", name, text)
		}
		out = append(out, int(v))
	}
	return out, nil
}
