package face

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fetched is the folder node_modules of what scripts/face-models --test made, which BULKHEAD_FACE names; "" without it. It isn't looked for by itself, since the tests on
// photos take minutes under the race detector.
func fetched() string {
	dir := os.Getenv("BULKHEAD_FACE")
	if dir == "" {
		return ""
	}
	dir, err := filepath.Abs(filepath.Join(dir, "node_modules"))
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(dir, "@vladmandic", "human", "models")); err != nil {
		return ""
	}
	return dir
}

func nodeModules(t testing.TB) string {
	t.Helper()
	dir := fetched()
	if dir == "" {
		t.Skip("BULKHEAD_FACE doesn't name the folder that scripts/face-models --test makes")
	}
	return dir
}

// photos are the sample photos of the packages.
func photos(t testing.TB) map[string]*Image {
	t.Helper()
	out := map[string]*Image{}
	for _, pattern := range []string{"face-api/demo/sample?.jpg", "human/assets/samples.jpg"} {
		files, _ := filepath.Glob(filepath.Join(nodeModules(t), "@vladmandic", filepath.FromSlash(pattern)))
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if out[filepath.Base(f)], err = Decode(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(out) == 0 {
		t.Skip("the originals' packages hold no photos")
	}
	return out
}

// cosineOf is how alike two vectors' directions are.
func cosineOf(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+float64(a[i])*float64(b[i]), aa+float64(a[i])*float64(a[i]), bb+float64(b[i])*float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// models opens the weights, brought together into one folder as scripts/face-models does it.
func models(t testing.TB) *Models {
	t.Helper()
	dir := t.TempDir()
	for name := range weights() {
		from := filepath.Join(nodeModules(t), "@vladmandic", "human", "models", name)
		if strings.HasPrefix(name, "face_") {
			from = filepath.Join(nodeModules(t), "@vladmandic", "face-api", "model", name)
		}
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOpen_Altered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name := range weights() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("altered weights: %v", err)
	}
}
