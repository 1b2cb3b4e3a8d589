package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Root is the folder of the repository, found from the test's own.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "bulkhead")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no folder above the test has cmd/bulkhead")
		}
		dir = up
	}
}

// Binary is the bulkhead to test: BULKHEAD_BIN, or else one built of the source at hand, once a process.
var Binary = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("BULKHEAD_BIN"); bin != "" {
		return filepath.Abs(bin)
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	return build(root, "./cmd/bulkhead", "bulkhead")
})

// Program builds a program of this module (a package path like ./testsite, from e2e/) and returns the executable's path.
func Program(pkg string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return build(filepath.Join(root, "e2e"), pkg, filepath.Base(pkg))
}

// build compiles without cgo into .test/bin. The file appears whole: several tests, and test processes, may build the same at once.
func build(dir, pkg, name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, ".test", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	own, err := os.MkdirTemp(bin, ".build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(own)
	tmp := filepath.Join(own, name)
	c := exec.Command("go", "build", "-o", tmp, pkg)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	path := filepath.Join(bin, name)
	return path, os.Rename(tmp, path)
}
