package detect

import (
	"strings"
	"testing"
)

func TestIndicators(t *testing.T) {
	t.Parallel()
	x := ShippedIndicators()
	if err := x.Add(strings.NewReader("# a list\nBad.Example.  # remark\n*.worse.example\n192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n\n")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"nasapaul.com": true, "www.nasapaul.com": true, "notnasapaul.com": false, "com": false, "": false, "bad.example": true, "a.worse.example": true, "good.example": false,
	} {
		if x.Domain(name) != want {
			t.Errorf("domain %q: %v", name, !want)
		}
	}
	for addr, want := range map[string]bool{"192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.2.2": false, "198.51.100.77": true, "2001:db8::1": true, "x": false, "": false} {
		if x.Addr(addr) != want {
			t.Errorf("address %q: %v", addr, !want)
		}
	}
	for _, bad := range []string{"http://a.example/x", "a b.c", "1.2.3.4/99", "word"} {
		if err := ShippedIndicators().Add(strings.NewReader("ok.example\n" + bad)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
