package face

import (
	"os"
	"path/filepath"
	"testing"
)

// fetched is a folder that scripts/face-models made: node_modules with the originals, or "". BULKHEAD_FACE names another than .test/face.
func fetched() string {
	dir := os.Getenv("BULKHEAD_FACE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", ".test", "face")
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
		t.Skip("scripts/face-models --test hasn't fetched the originals")
	}
	return dir
}

func models(t testing.TB) *Models {
	t.Helper()
	m, err := Open(filepath.Join(nodeModules(t), "@vladmandic", "human", "models"))
	if err != nil {
		t.Fatal(err)
	}
	return m
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
