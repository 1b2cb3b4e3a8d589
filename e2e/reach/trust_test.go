package reach

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The whole command on a root folder and a home of the test's own: it asks, changes what it said, and takes it back.
func TestTrust_OnARootOfItsOwn(t *testing.T) {
	if _, err := exec.LookPath("update-ca-certificates"); err != nil {
		t.Skip(err)
	}
	p := shared.Platform(t)
	root, home := t.TempDir(), t.TempDir()
	for _, d := range []string{"etc/ssl/certs", "usr/local/share/ca-certificates", "usr/share/ca-certificates", "etc/ca-certificates/update.d"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "etc/ca-certificates.conf"), []byte("#\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	trust := func(answer string, flags ...string) (string, int) {
		c := p.Command(append([]string{"trust", "--root", root}, flags...)...)
		c.Env = append(c.Env, "HOME="+home)
		c.Stdin = strings.NewReader(answer)
		out, err := c.CombinedOutput()
		if c.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), c.ProcessState.ExitCode()
	}
	ours, err := os.ReadFile(p.Run.Root)
	if err != nil {
		t.Fatal(err)
	}
	has := func() bool {
		b, _ := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
		return bytes.Contains(b, bytes.TrimSpace(ours))
	}
	if out, code := trust("n\n"); code != 1 || has() || !strings.Contains(out, "write "+root) || !strings.Contains(out, "nothing was changed") {
		t.Errorf("no = %d, changed %v\n%s", code, has(), out)
	}
	if out, code := trust("y\n"); code != 0 || !has() {
		t.Errorf("yes = %d, changed %v\n%s", code, has(), out)
	}
	if out, code := trust("", "--yes"); code != 0 || !strings.Contains(out, "nothing to change") {
		t.Errorf("again = %d\n%s", code, out)
	}
	if out, code := trust("", "--yes", "--remove"); code != 0 || !strings.Contains(out, "delete "+root) {
		t.Errorf("--remove = %d\n%s", code, out)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "usr/local/share/ca-certificates/*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}
