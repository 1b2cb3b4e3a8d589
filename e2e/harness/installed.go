package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// Installed is the path of what scripts/clients put below .test. Where the clients are left out (BULKHEAD_SKIP_CLIENTS=1) the test skips.
func Installed(t testing.TB, name string) string {
	t.Helper()
	if os.Getenv("BULKHEAD_SKIP_CLIENTS") == "1" {
		t.Skip("BULKHEAD_SKIP_CLIENTS=1: the Python and Node clients are not run")
	}
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, ".test", name)
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("run scripts/clients first (or set BULKHEAD_SKIP_CLIENTS=1): %v", err)
	}
	return file
}
