package linuxaudit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// golden is what another parser found in a record.
type golden struct {
	Timestamp time.Time         `json:"@timestamp"`
	Type      string            `json:"record_type"`
	Sequence  uint64            `json:"sequence"`
	Data      map[string]string `json:"data"`
}

// TestRealRecords compares records of real machines with what another parser found in them: type, time, serial and the fields that stand in the record as they are.
func TestRealRecords(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, name := range dataFiles(t, "auparse_testdata_*.log") {
		var want []*golden
		if err := json.Unmarshal(data(t, name+".golden"), &want); err != nil {
			t.Fatal(err)
		}
		want = slices.DeleteFunc(want, func(g *golden) bool { return g == nil })
		for line := range bytes.Lines(data(t, name)) {
			if len(bytes.TrimSpace(line)) == 0 || bytes.HasSuffix(line, []byte("msg=?\n")) {
				continue // the second is made up: no time and serial
			}
			l, ok := ParseLine(line)
			if !ok {
				t.Errorf("%s: not read: %s", name, line)
				continue
			}
			i := slices.IndexFunc(want, func(g *golden) bool {
				return g.Sequence == l.Serial && g.Timestamp.Equal(time.UnixMilli(l.Millis)) && strings.EqualFold(g.Type, l.Type.String())
			})
			if i < 0 {
				t.Errorf("%s: nothing to compare with %s of %d", name, l.Type, l.Serial)
				continue
			}
			compared += compare(t, l, want[i].Data)
		}
	}
	if compared < 300 {
		t.Errorf("%d fields were compared; want 300 at least", compared)
	}
}

// literal are the fields that the other parser neither renames nor interprets.
var literal = []string{"exe", "comm", "cwd", "pid", "ppid", "uid", "gid", "euid", "tty", "op", "acct", "terminal", "addr", "hostname", "cmd", "name", "inode", "dev", "items", "unit", "argc", "a0", "a1", "a2", "proctitle"}

func compare(t *testing.T, l Line, want map[string]string) (n int) {
	got := map[string]string{}
	f := FieldsOf(l.Body)
	for f.Next() {
		key := string(f.Key)
		if _, twice := got[key]; twice || f.Unset() {
			continue
		}
		got[key] = string(f.Value)
		if isText := key == "exe" || key == "comm" || key == "cwd" || key == "acct" || key == "cmd" || key == "name" || key == "proctitle" || l.Type == Execve; isText {
			v, _ := f.text(make([]byte, 0, len(f.Value)))
			got[key] = strings.Trim(strings.ReplaceAll(string(v), "\x00", " "), " ")
		}
	}
	for _, key := range literal {
		w, ok := want[key]
		if !ok || w == "unset" || w == "(none)" || l.Type == Sockaddr {
			continue
		}
		if n++; got[key] != w {
			t.Errorf("%s of %d: %s is %q, want %q", l.Type, l.Serial, key, got[key], w)
		}
	}
	return n
}

func dataFiles(t *testing.T, pattern string) (names []string) {
	t.Helper()
	data(t, "testdata_normal.log")
	dir := filepath.Join(root(), "security", "audit")
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s in the test data: %v", pattern, err)
	}
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

// TestRealEvents puts whole events of distributions from RHEL 7 to Ubuntu 24.04 together, and compares them with what another program made of them.
func TestRealEvents(t *testing.T) {
	t.Parallel()
	for _, name := range dataFiles(t, "aucoalesce_testdata_*.yaml") {
		var in struct {
			Tests map[string]string `yaml:"tests"`
		}
		if err := yaml.Unmarshal(data(t, name), &in); err != nil {
			t.Fatal(err)
		}
		var want []struct {
			Name  string `json:"test_name"`
			Event struct {
				Sequence uint64 `json:"sequence"`
				Process  struct {
					PID, PPID, Name, Exe, Cwd string
					Args                      []string
				} `json:"process"`
			} `json:"event"`
		}
		if err := json.Unmarshal(data(t, strings.TrimSuffix(name, "yaml")+"json.golden"), &want); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			all, s := events(in.Tests[w.Name])
			if len(all) != 1 || s.Malformed != 0 {
				t.Errorf("%s: %s: %d events of %+v", name, w.Name, len(all), s)
				continue
			}
			got, p := all[0], w.Event.Process
			if got.User != "" {
				continue // of a program's message others make more than it says
			}
			if got.Serial != w.Event.Sequence || p.Args != nil && !slices.Equal(got.Args, p.Args) || p.Cwd != "" && got.Cwd != p.Cwd {
				t.Errorf("%s: %s: got %+v\nwant %+v", name, w.Name, got, w.Event)
			}
			if slices.Contains(got.Records, "SYSCALL") && (got.Exe != p.Exe || got.Comm != p.Name) {
				t.Errorf("%s: %s: %q of %q, want %q of %q", name, w.Name, got.Comm, got.Exe, p.Name, p.Exe)
			}
		}
	}
}

// TestRealLogs reads logs with records out of order, lost, and of a serial that began anew.
func TestRealLogs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		events  int
		missing uint64
	}{
		"testdata_normal.log":        {5, 0},
		"testdata_out_of_order.log":  {5, 0},
		"testdata_lost_messages.log": {5, 9},
		"testdata_rollover.log":      {5, 0},
	} {
		all, s := events(string(data(t, name)))
		if len(all) != want.events || s.Missing != want.missing || s.Malformed != 0 {
			t.Errorf("%s: %d events, %+v; want %+v", name, len(all), s, want)
		}
	}
}

// root is where the shared test data is.
func root() string {
	if dir := os.Getenv("BULKHEAD_TESTDATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared", "data")
}

// data reads a file of the shared test data, or skips.
func data(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(), "security", "audit", name))
	if err != nil {
		t.Skipf("no test data: %v", err)
	}
	return b
}
