package mysql

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// tree is a folder that looks like control groups, with the platform's at system/bulkhead.
func tree(t *testing.T, controllers string, delegate bool) (root string) {
	t.Helper()
	root = t.TempDir()
	unit := filepath.Join(root, "system", "bulkhead")
	if err := os.MkdirAll(unit, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(unit, "cgroup.controllers"), []byte(controllers+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if delegate {
		if err := unix.Setxattr(unit, "user.delegate", []byte("1"), 0); err != nil {
			t.Skipf("the temporary folder has no attributes: %v", err)
		}
	}
	return root
}

func content(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestCgroups_HoldAServerToItsSKU(t *testing.T) {
	t.Parallel()
	root := tree(t, "cpuset cpu io memory pids", true)
	unit := filepath.Join(root, "system", "bulkhead")
	c := takeCgroup(root, "/system/bulkhead", 77)
	if c.why != "" || content(t, unit, "platform", "cgroup.procs") != "77" {
		t.Fatalf("taken: %+v, the platform is in %q", c, content(t, unit, "platform", "cgroup.procs"))
	}
	l, _ := limitsOf("GP_Gen5_4", 100*gigabyte)
	held, why := c.hold("g1", 99, l, t.TempDir())
	group := filepath.Join(unit, "mysql-g1")
	got := []string{content(t, group, "cgroup.procs"), content(t, group, "cpu.max"), content(t, group, "memory.max")}
	if diff := cmp.Diff([]string{"99", "400000 100000", strconv.Itoa(20 << 30)}, got); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if device, err := deviceOf(t.TempDir()); err == nil { // else the temporary folder is on no disk
		if got := content(t, group, "io.max"); got != device+" riops=300 wiops=300" {
			t.Errorf("io.max = %q, want 300 reads and 300 writes of %s", got, device)
		}
		if why != "" || fmt.Sprint(held) != "[cpu memory io]" {
			t.Errorf("held %v, %q", held, why)
		}
	} else if !strings.Contains(why, err.Error()) || fmt.Sprint(held) != "[cpu memory]" {
		t.Errorf("held %v, %q; want io's reason %v", held, why, err)
	}
	// Basic has no IOPS.
	l, _ = limitsOf("B_Gen5_1", minStorage)
	if held, why := c.hold("g1", 0, l, t.TempDir()); fmt.Sprint(held) != "[cpu memory]" || !strings.Contains(why, "io: ") {
		t.Errorf("Basic is held to %v, %q", held, why)
	}
	for name, text := range map[string]string{"cpu.stat": "usage_usec 2500000\nuser_usec 1\n", "memory.current": "5000\n", "memory.stat": "anon 1\ninactive_file 2000\n"} {
		if err := os.WriteFile(filepath.Join(group, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if cpu, memory, ok := c.usage("g1"); cpu != 2500*time.Millisecond || memory != 3000 || !ok {
		t.Errorf("usage = %v, %d, %v; want 2.5 s and 3000", cpu, memory, ok)
	}
	// A second look, from where the first has put the platform.
	if err := unix.Setxattr(unit, "user.delegate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	if again := takeCgroup(root, "/system/bulkhead/platform", 77); again.base != unit {
		t.Errorf("taken again: %+v", again)
	}
}

func TestCgroups_SayWhyNot(t *testing.T) {
	t.Parallel()
	l, _ := limitsOf("GP_Gen5_2", minStorage)
	for _, tt := range []struct {
		what, controllers string
		delegate          bool
		path, want, held  string
	}{
		{"not delegated", "cpu io memory", false, "/system/bulkhead", "no control group of its own", "[]"},
		{"version 1 only", "cpu io memory", true, "", "version 2", "[]"},
		{"not there", "cpu io memory", true, "/nosuch", "no control group of its own", "[]"},
		{"io missing", "cpu memory", true, "/system/bulkhead", "no controller io", "[cpu memory]"},
	} {
		held, why := takeCgroup(tree(t, tt.controllers, tt.delegate), tt.path, 1).hold("g1", 0, l, t.TempDir())
		if !strings.Contains(why, tt.want) || fmt.Sprint(held) != tt.held {
			t.Errorf("%s: held %v, %q; want %s and why it is %q", tt.what, held, why, tt.held, tt.want)
		}
	}
}

func TestGroupIn(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"0::/a/b\n": "/a/b", "9:name=systemd:/\n8:pids:/x\n0::/\n": "/", "3:cpu:/x\n": "", "": ""} {
		if got := groupIn(in); got != want {
			t.Errorf("groupIn(%q) = %q, want %q", in, got, want)
		}
	}
}

// The kernel itself takes what is written, where this machine lets the test make a control group.
func TestCgroups_OfTheKernel(t *testing.T) {
	t.Parallel()
	const root = "/sys/fs/cgroup"
	if b, err := os.ReadFile(root + "/cgroup.controllers"); err != nil || !strings.Contains(string(b), "io") || os.Geteuid() != 0 {
		t.Skip("no control groups of version 2 with the controller io, or not root")
	}
	name := "bulkhead-test-" + strconv.Itoa(os.Getpid())
	base := filepath.Join(root, name)
	if err := os.Mkdir(base, 0o755); err != nil {
		t.Skipf("no control group can be made: %v", err)
	}
	defer os.Remove(base)
	if err := unix.Setxattr(base, "trusted.delegate", []byte("1"), 0); err != nil {
		t.Skipf("a control group has no attributes: %v", err)
	}
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	c := takeCgroup(root, "/"+name+"/"+ownGroup, 0) // the test itself stays where it is
	l, _ := limitsOf("GP_Gen5_2", 100*gigabyte)
	held, why := c.hold("g1", child.Process.Pid, l, t.TempDir())
	defer func() { _ = child.Process.Kill(); _ = child.Wait(); c.remove("g1") }()
	t.Logf("held to %v; %s", held, why)
	if got := content(t, base, "mysql-g1", "cgroup.procs"); strings.TrimSpace(got) != strconv.Itoa(child.Process.Pid) {
		t.Errorf("in the group: %q, want %d", got, child.Process.Pid)
	}
	for _, name := range held {
		file, value, err := limitOf(name, l, t.TempDir())
		if got := content(t, base, "mysql-g1", file); err != nil || name != "io" && strings.TrimSpace(got) != value || name == "io" && !strings.Contains(got, "riops=300 wiops=300") {
			t.Errorf("%s = %q, %v; want %s", file, got, err, value)
		}
	}
}

func FuzzGroupIn(f *testing.F) {
	f.Add("9:name=systemd:/\n0::/a/b\n")
	f.Fuzz(func(t *testing.T, s string) {
		if got := groupIn(s); got != "" && !strings.Contains(s, "0::"+got) {
			t.Fatalf("groupIn(%q) = %q", s, got)
		}
	})
}
