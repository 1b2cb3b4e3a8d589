package host

import (
	"net/netip"
	"strings"
	"testing"
)

// TestAddresses: what is told are addresses others can reach, and none of a bridge between containers.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, text := range strings.Fields(addresses()) {
		if a, err := netip.ParseAddr(text); err != nil || !a.IsGlobalUnicast() {
			t.Errorf("%q is told, %v", text, err)
		}
	}
	for name, want := range map[string]bool{"docker0": true, "br-12ab": true, "virbr0": true, "eth0": false, "ens3": false, "bond0": false, "br0": false} {
		if bridge(name) != want {
			t.Errorf("%s is a bridge: %t", name, !want)
		}
	}
}
