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
	group := p.PutGroup(t)
	for range 25 {
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
	if before != "Deleting" {
		t.Skipf("the deletion was over before the kill: the group was %q", before)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s := state()
		if s == "gone" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("30 s after the restart the group is %q", s)
		}
	}
	// The names of its vaults are free or retained as after any deletion, and the subscription takes writes.
	p.PutVault(t, p.PutGroup(t), "")
}
