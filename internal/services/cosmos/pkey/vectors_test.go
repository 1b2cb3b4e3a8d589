package pkey

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type vectorFile struct {
	Results []struct {
		Description string `xml:"Input>Description"`
		Value       string `xml:"Input>PartitionKeyValue"`
		V1          string `xml:"Output>PartitionKeyHashV1"`
		V2          string `xml:"Output>PartitionKeyHashV2"`
	} `xml:"Result"`
}

// TestHash_Vectors runs over the published answers of the .NET client's PartitionKeyHash: all of them must agree. That
// class hashes a string without the suffix byte which the effective partition key has (see TestEPK, whose answers
// come from the SDKs' own tests), so the vectors prove the hash functions, the marker bytes and the truncation.
func TestHash_Vectors(t *testing.T) {
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	files, _ := filepath.Glob(filepath.Join(root, "cosmos", "PartitionKeyHash*.xml"))
	if len(files) == 0 {
		t.Skipf("no PartitionKeyHash*.xml under %s; set BULKHEAD_TESTDATA", root)
	}
	n := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var vf vectorFile
		if err := xml.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), &vf); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, r := range vf.Results {
			n++
			values := vectorValues(t, r.Value)
			var v1, v2 []byte
			for _, v := range values {
				v1 = append(v1, make([]byte, 12)...)
				h := murmur32(unterminated(v.truncate()), 0)
				v1 = append(v1, byte(h>>24), byte(h>>16), byte(h>>8), byte(h))
				lo, hi := murmur128(unterminated(v))
				v2 = binary.BigEndian.AppendUint64(v2, hi)
				v2 = binary.BigEndian.AppendUint64(v2, lo)
			}
			if got, want := dashed(v1), strings.TrimSpace(r.V1); got != want {
				t.Errorf("%s %q: V1 got %s, want %s", filepath.Base(f), r.Description, got, want)
			}
			if got, want := dashed(v2), strings.TrimSpace(r.V2); got != want {
				t.Errorf("%s %q: V2 got %s, want %s", filepath.Base(f), r.Description, got, want)
			}
		}
	}
	if n < 29 {
		t.Errorf("only %d vectors read, want at least 29", n)
	}
	t.Logf("%d hash vectors", n)
}

func vectorValues(t *testing.T, s string) []Value {
	t.Helper()
	// The files print what JSON has no number for as strings; .NET's NaN has its sign bit set.
	special := map[string]Value{
		"UNDEFINED": {}, `"NaN"`: NumberValue(math.Float64frombits(0xFFF8 << 48)),
		`"Infinity"`: NumberValue(math.Inf(1)), `"-Infinity"`: NumberValue(math.Inf(-1)),
	}
	if v, ok := special[s]; ok {
		return []Value{v}
	}
	if !strings.HasPrefix(s, "[") {
		s = "[" + s + "]"
	}
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(s), &parts); err != nil {
		t.Fatalf("vector value %q: %v", s, err)
	}
	var out []Value
	for _, p := range parts {
		v, ok := parseValue(p)
		if !ok {
			t.Fatalf("vector value %q", p)
		}
		out = append(out, v)
	}
	return out
}

func dashed(b []byte) string {
	parts := make([]string, len(b))
	for i, c := range b {
		parts[i] = fmt.Sprintf("%02X", c)
	}
	return strings.Join(parts, "-")
}

func unterminated(v Value) []byte {
	b := v.appendHashInput(nil, 0)
	if v.Type == String {
		b = b[:len(b)-1]
	}
	return b
}
