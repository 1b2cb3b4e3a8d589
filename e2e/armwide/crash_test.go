package armwide

import (
	"net/http"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestGroupDeletion_Kill9 kills the platform amid a group's deletion: the next start ends what was begun, with nobody asking again.
func TestGroupDeletion_Kill9(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	// A machine that is done before the kill gets more to do.
	vaults := 25
	for !killAmidDeletion(t, p, vaults) {
		if vaults *= 2; vaults > 400 {
			t.Fatal("every deletion was over before the kill")
		}
	}
	// The subscription takes writes.
	p.PutVault(t, p.PutGroup(t), "")
}

// killAmidDeletion deletes a group with so many vaults, kills the platform and waits until the restarted one has ended the deletion. false: the deletion was over
// before the kill.
func killAmidDeletion(t *testing.T, p *harness.Platform, vaults int) bool {
	t.Helper()
	group := p.PutGroup(t)
	for range vaults {
		p.PutVault(t, group, "")
	}
	const version = "?api-version=2021-04-01"
	w := p.SuffixWay(t)
	header := harness.Bearer(p.AdminToken(t, "https://management.azure.com/"))
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, w.ARM()+group+version, nil)
		if err != nil {
			return
		}
		req.Header = header
		if res, err := w.Client.Do(req); err == nil { // the platform may be gone by then
			_ = res.Body.Close()
		}
	}()
	state := func() string {
		a := p.TryARM(t, http.MethodGet, group+version, nil)
		if a.Status == http.StatusNotFound {
			return "gone"
		}
		props, _ := a.JSON()["properties"].(map[string]any)
		s, _ := props["provisioningState"].(string)
		return s
	}
	before := ""
	for deadline := time.Now().Add(20 * time.Second); before != "Deleting" && before != "gone" && time.Now().Before(deadline); {
		before = state()
	}
	p.Kill9(t)
	<-asked
	p.Restart(t)
	switch before {
	case "Deleting":
	case "gone":
		return false
	default:
		t.Fatalf("20 s after its deletion was asked for, the group is %q", before)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s := state()
		if s == "gone" {
			return true
		}
		if time.Now().After(deadline) {
			t.Fatalf("30 s after the restart the group is %q", s)
		}
	}
}
