package cosmos

import (
	"strings"
	"testing"
)

// TestRegions: the provider's regions, and that no account can be restored.
func TestRegions(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	base, _, _ := strings.Cut(c.account, "/resource")
	base += "/providers/Microsoft.DocumentDB"
	if l := c.arm("owner", "GET", base+"/locations", "", 200)["value"].([]any); len(l) < 10 || dig(l[0], "type") != "Microsoft.DocumentDB/locations" {
		t.Errorf("locations %v", l)
	}
	for _, name := range []string{"westeurope", "West%20Europe", "WESTEUROPE"} {
		if got := c.arm("owner", "GET", base+"/locations/"+name, "", 200); got["name"] != "West Europe" || dig(got, "properties", "status") != "Online" {
			t.Errorf("%s: %v", name, got)
		}
	}
	c.arm("owner", "GET", base+"/locations/atlantis", "", 404)
	for _, path := range []string{"/restorableDatabaseAccounts", "/locations/westeurope/restorableDatabaseAccounts"} {
		if l := c.arm("owner", "GET", base+path, "", 200)["value"].([]any); len(l) != 0 {
			t.Errorf("%s: %v", path, l)
		}
	}
	if got := c.arm("owner", "GET", base+"/locations/westeurope/restorableDatabaseAccounts/1", "", 404); !strings.Contains(dig(got, "error", "message").(string), "no continuous backups") {
		t.Errorf("restorable account: %v", got)
	}
	c.arm("nobody", "GET", base+"/locations", "", 403)
	if got := dig(c.arm("owner", "GET", "", "", 200), "identity", "type"); got != "None" {
		t.Errorf("an account without an identity shows %v", got)
	}
}
