package sigma

import (
	"os"
	"path/filepath"
	"testing"
)

func dataFolder(t testing.TB) string {
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = "../../../../../shared/data"
	}
	dir := filepath.Join(root, "security", "sigma")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no rules of SigmaHQ: %v", err)
	}
	return dir
}

func TestSmoke(t *testing.T) {
	c, problems, err := Load(os.DirFS(dataFolder(t)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Log("load", p)
	}
	s, problems, err := Compile(LinuxSchema(), c, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Log("compile", p)
	}
	t.Log(len(c.Rules), len(s.Rules), len(s.matchers))
	for i, src := range s.sources {
		n := 0
		for _, f := range src.scans {
			n += f.machine.bytes()
		}
		t.Log(i, len(src.programs), len(src.always), n)
		for _, a := range src.always {
			t.Log("   always", s.Rules[src.programs[a.program].rule].Title, a.field)
		}
	}
}
