//go:build linux

package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/pki"
)

type keepSealer struct{}

func (keepSealer) Seal(_ string, _, b []byte) ([]byte, error) { return b, nil }
func (keepSealer) Open(_ string, _, b []byte) ([]byte, error) { return b, nil }

// root makes an authority and returns the file with its root.
func root(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := pki.Open(dir, []string{"vault.azure.net"}, keepSealer{}, clock.System{}); err != nil {
		t.Fatal(err)
	}
	return pki.RootPath(dir)
}

// calls is a machine that runs nothing and remembers what it was asked to.
type calls struct {
	run  []string
	fail map[string]bool // commands that fail, by their first two words
}

func (c *calls) Run(name string, args ...string) error {
	line := strings.Join(append([]string{name}, args...), " ")
	c.run = append(c.run, line)
	if words := strings.Fields(line); len(words) > 1 && c.fail[words[0]+" "+words[1]] {
		return errors.New("exit status 1")
	}
	return nil
}

func machine(t *testing.T, c *calls, installed ...string) Machine {
	t.Helper()
	return Machine{Root: t.TempDir(), Run: c.Run, Find: func(name string) (string, error) {
		if slices.Contains(installed, name) {
			return name, nil
		}
		return "", exec.ErrNotFound
	}}
}

func mkdir(t *testing.T, parts ...string) string {
	t.Helper()
	dir := filepath.Join(parts...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSystem_EachKind(t *testing.T) {
	file := root(t)
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ folder, tool, add, remove string }{
		{"/usr/local/share/ca-certificates", "update-ca-certificates", "update-ca-certificates --certsconf", "update-ca-certificates --fresh --certsconf"},
		{"/etc/pki/ca-trust/source/anchors", "update-ca-trust", "update-ca-trust extract", "update-ca-trust extract"},
		{"/etc/ca-certificates/trust-source/anchors", "update-ca-trust", "update-ca-trust extract", "update-ca-trust extract"},
		{"/etc/pki/trust/anchors", "update-ca-certificates", "update-ca-certificates", "update-ca-certificates"},
	} {
		t.Run(tt.folder, func(t *testing.T) {
			c := &calls{}
			m := machine(t, c, tt.tool)
			dir := mkdir(t, m.Root, tt.folder)
			p, err := m.Add(file)
			if err != nil {
				t.Fatal(err)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 || len(c.run) != 0 {
				t.Fatal("planning changed something")
			}
			if s := p.String(); len(p.Steps) != 2 || !strings.Contains(s, "write "+dir) || !strings.Contains(s, "run "+tt.tool) {
				t.Fatalf("the plan is\n%s", s)
			}
			if err := p.Do(); err != nil {
				t.Fatal(err)
			}
			files, _ := filepath.Glob(filepath.Join(dir, "bulkhead-*.crt"))
			if len(files) != 1 || len(c.run) != 1 || !strings.HasPrefix(c.run[0], tt.add) {
				t.Fatalf("after it: files %q, run %q", files, c.run)
			}
			if got, _ := os.ReadFile(files[0]); !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(want)) {
				t.Error("the file is not the root")
			}
			if p, err = m.Add(file); err != nil || len(p.Steps) != 0 || len(p.Notes) != 1 {
				t.Errorf("again: %v, %v; want nothing to do and a note", p, err)
			}
			if p, err = m.Remove(file); err != nil || p.Do() != nil {
				t.Fatal(err)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 || len(c.run) != 2 || !strings.HasPrefix(c.run[1], tt.remove) {
				t.Errorf("after removal: %v, run %q", left, c.run)
			}
			if p, err = m.Remove(file); err != nil || len(p.Steps) != 0 {
				t.Errorf("removal again: %v, %v", p, err)
			}
		})
	}
}

func TestSystem_NotReachable(t *testing.T) {
	c := &calls{}
	m := machine(t, c)
	p, err := m.Add(root(t))
	if err != nil || len(p.Steps) != 0 || !strings.Contains(p.String(), "none of the known kinds") {
		t.Errorf("no store: %v %v", p, err)
	}
	mkdir(t, m.Root, "/usr/local/share/ca-certificates")
	if p, err = m.Add(root(t)); err != nil || len(p.Steps) != 0 || !strings.Contains(p.String(), "update-ca-certificates is not installed") {
		t.Errorf("no tool: %v %v", p, err)
	}
	m = machine(t, &calls{fail: map[string]bool{"update-ca-trust extract": true}}, "update-ca-trust")
	mkdir(t, m.Root, "/etc/pki/ca-trust/source/anchors")
	if p, err = m.Add(root(t)); err != nil {
		t.Fatal(err)
	}
	if err := p.Do(); err == nil || !strings.Contains(err.Error(), "update-ca-trust extract") {
		t.Errorf("a tool that fails: %v, want an error that names it", err)
	}
}

// A root that another platform, or an earlier authority of this one, left is named and not touched.
func TestSystem_OtherRoots(t *testing.T) {
	m := machine(t, &calls{}, "update-ca-trust")
	dir := mkdir(t, m.Root, "/etc/pki/ca-trust/source/anchors")
	other := filepath.Join(dir, "bulkhead-01234567.crt")
	if err := os.WriteFile(other, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := root(t)
	for _, plan := range []func(string) (Plan, error){m.Add, m.Remove} {
		p, err := plan(file)
		if err != nil || !strings.Contains(p.String(), other) {
			t.Errorf("the plan is %v, %v; want %s named", p, err, other)
		}
		if err := p.Do(); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 || left[0].Name() != filepath.Base(other) {
		t.Errorf("left are %v, want the other root alone", left)
	}
}

func TestDatabases_WithoutTool(t *testing.T) {
	m := machine(t, &calls{})
	m.Home = t.TempDir()
	p, err := m.Add(root(t))
	if err != nil || strings.Contains(p.String(), "certutil") {
		t.Errorf("without a browser: %v %v", p, err)
	}
	dir := mkdir(t, m.Home, ".mozilla/firefox/abc.default")
	if err := os.WriteFile(filepath.Join(dir, "cert9.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err = m.Add(root(t)); err != nil || len(p.Steps) != 0 || !strings.Contains(p.String(), dir) || !strings.Contains(p.String(), "libnss3-tools") {
		t.Errorf("without certutil: %v %v", p, err)
	}
}

func TestLoad_Refuses(t *testing.T) {
	good, err := os.ReadFile(root(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "two": append(append([]byte(nil), good...), good...),
		"key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), "garbled": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(file); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
	if _, err := load(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "bulkhead up") {
		t.Errorf("no file: %v", err)
	}
}

// The system's real tool on a root of the test's own: its bundle then has our root, and no longer after removal.
func TestSystem_DebianTool(t *testing.T) {
	tool, err := exec.LookPath("update-ca-certificates")
	if err != nil {
		t.Skip(err)
	}
	if b, err := os.ReadFile(tool); err != nil || !bytes.Contains(b, []byte("--localcertsdir")) {
		t.Skip("this system's update-ca-certificates takes no folders")
	}
	m := Machine{Root: t.TempDir(), Find: exec.LookPath, Run: func(name string, args ...string) error {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Logf("%s", out)
			return err
		}
		return nil
	}}
	for _, d := range []string{"/etc/ssl/certs", "/usr/local/share/ca-certificates", "/usr/share/ca-certificates", "/etc/ca-certificates/update.d"} {
		mkdir(t, m.Root, d)
	}
	if err := os.WriteFile(m.path("/etc/ca-certificates.conf"), []byte("#\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A system has other roots: without any, the tool leaves its bundle as it is.
	other, err := os.ReadFile(root(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.path("/usr/local/share/ca-certificates/other.crt"), other, 0o644); err != nil {
		t.Fatal(err)
	}
	file := root(t)
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	has := func() bool {
		b, err := os.ReadFile(m.path("/etc/ssl/certs/ca-certificates.crt"))
		return err == nil && bytes.Contains(b, bytes.TrimSpace(want))
	}
	for _, remove := range []bool{false, true} {
		p, err := m.plan(file, remove)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Do(); err != nil {
			t.Fatal(err)
		}
		if has() == remove {
			t.Errorf("removed %v: the bundle has the root: %v", remove, has())
		}
	}
}

// The real certutil on a database of the test's own.
func TestDatabases_Certutil(t *testing.T) {
	tool, err := exec.LookPath("certutil")
	if err != nil {
		t.Skip(err)
	}
	m := machine(t, &calls{})
	m.Home, m.Find = t.TempDir(), exec.LookPath
	m.Run = func(name string, args ...string) error { return exec.Command(name, args...).Run() }
	dir := mkdir(t, m.Home, ".pki/nssdb")
	if out, err := exec.Command(tool, "-N", "-d", "sql:"+dir, "--empty-password").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	file := root(t)
	c, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Add(file)
	if err != nil || len(p.Steps) != 1 {
		t.Fatalf("plan %v, %v", p, err)
	}
	if err := p.Do(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "-L", "-a", "-d", "sql:"+dir, "-n", c.nick()).Output()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(out)
	if block == nil {
		t.Fatalf("certutil printed %s", out)
	}
	if got, err := x509.ParseCertificate(block.Bytes); err != nil || got.Subject.CommonName != "Bulkhead local root" {
		t.Errorf("the database has %v, %v", got, err)
	}
	if p, err = m.Add(file); err != nil || len(p.Steps) != 0 {
		t.Errorf("again: %v, %v", p, err)
	}
	if p, err = m.Remove(file); err != nil || p.Do() != nil {
		t.Fatal(err)
	}
	if exec.Command(tool, "-L", "-d", "sql:"+dir, "-n", c.nick()).Run() == nil {
		t.Error("the database still has it")
	}
}
