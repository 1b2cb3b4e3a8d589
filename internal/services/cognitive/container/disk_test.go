package container

import (
	"os"
	"strings"
	"testing"
)

func onDiskFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// onDisk demands that the log is in the folder, without the key.
func onDisk(t *testing.T, dir string) {
	t.Helper()
	if b := onDiskFile(t, dir+"/log.json"); !strings.Contains(b, `"argument":"mistake"`) || strings.Contains(b, testKey) {
		t.Errorf("log.json: %s", b)
	}
}
