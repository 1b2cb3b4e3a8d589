package detect

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

func TestPacked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, packed string
		want         *Alert
	}{
		{"/tmp/.x/a", "UPX", &packedRun}, {"/srv/eve/b", "encoded", &encodedRun}, {"/usr/bin/c", "UPX", nil}, {"/tmp/d", "", nil},
	} {
		var found []*Finding
		m := New(DefaultParams(), nil, func(f *Finding) { found = append(found, f) })
		m.Apply(&activity.Event{
			Kind: activity.Exec, Success: true, Call: "execve", Millis: 1, Process: activity.Process{PID: 7, Parent: 6, Image: []byte(c.file), Session: 3},
			Command: activity.Command{Args: [][]byte{[]byte(c.file)}, Line: []byte(c.file), File: []byte(c.file), Packed: []byte(c.packed)},
		})
		var got *Alert
		for _, f := range found {
			if f.Rule == "packed" {
				got = f.Alert
			}
		}
		if got != c.want {
			t.Errorf("%s, %q: %+v", c.file, c.packed, found)
		}
	}
}
