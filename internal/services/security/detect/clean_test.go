package detect

import (
	"path"
	"testing"
)

// FuzzWithin: names are made absolute as package path does it.
func FuzzWithin(f *testing.F) {
	for _, s := range [][2]string{{"/a", "b"}, {"/a/", "./b"}, {"/", "b"}, {"", "b"}, {"/a", ""}, {"/a", "../b/"}, {"/a/./b", ".c"}, {"/a", "b//c"}, {"/a", "/b/..c"}, {"a", "b"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, dir, name string) {
		want := name
		switch {
		case name != "" && name[0] == '/':
			want = path.Clean(name)
		case dir != "":
			want = path.Join(dir, name)
		}
		if got := within(dir, name); got != want {
			t.Errorf("within(%q, %q) = %q; want %q", dir, name, got, want)
		}
	})
}
