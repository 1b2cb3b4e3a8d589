package arm

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
)

const managementURL = "https://management.azure.com"

// slowGroup is a plane whose group rg1 has things that hold up the group's deletion until release is closed.
func slowGroup(t *testing.T, things int) (f *plane, release chan struct{}) {
	f, release = newPlane(t), make(chan struct{})
	f.p.syncWait = 10 * time.Millisecond
	t.Cleanup(f.p.ops.stop)
	for i := range things {
		f.ok("owner", "PUT", f.thing(fmt.Sprintf("t%d", i+1)), `{"location":"westeurope"}`, 201)
	}
	calls := 0 // the first round of questions is the request's own, the second the work's
	f.onDelete = func(ctx context.Context) error {
		if calls++; calls <= things {
			return nil
		}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f, release
}

// poll asks until the operation is no longer in progress.
func (f *plane) poll(who, url string) map[string]any {
	f.t.Helper()
	for range 500 {
		out := f.ok(who, "GET", strings.TrimPrefix(url, managementURL), "", 200)
		if out["status"] != opRunning {
			return out
		}
		time.Sleep(5 * time.Millisecond)
	}
	f.t.Fatalf("%s is still in progress", url)
	return nil
}

func TestGroupDeletion_Polled(t *testing.T) {
	f, release := slowGroup(t, 1)
	f.assign(f.group("rg1"), rbac.ContributorID, "foreign")
	w := f.answer("foreign", "DELETE", f.group("rg1"), "")
	h := w.Header()
	location, status := h.Get("Location"), h.Get("Azure-Asyncoperation")
	if w.Code != http.StatusAccepted || h.Get("Retry-After") != "1" || h.Get("Retry-After-Ms") == "" || location == "" || status == "" {
		t.Fatalf("DELETE of a slow group: %d %v", w.Code, h)
	}
	if out := f.ok("foreign", "GET", strings.TrimPrefix(status, managementURL), "", 200); out["status"] != "InProgress" || out["endTime"] != nil {
		t.Errorf("status: %v", out)
	}
	if w := f.answer("foreign", "GET", strings.TrimPrefix(location, managementURL), ""); w.Code != http.StatusAccepted || w.Header().Get("Location") == "" {
		t.Errorf("result while in progress: %d %v", w.Code, w.Header())
	}
	f.ok("stranger", "GET", strings.TrimPrefix(status, managementURL), "", 403)
	if w := f.answer("owner", "DELETE", f.group("rg1"), ""); w.Header().Get("Location") != location {
		t.Errorf("a second DELETE does not join the first: %d %v", w.Code, w.Header())
	}
	if got := f.ok("owner", "PUT", f.group("rg1"), `{"location":"westeurope"}`, 409); code(got) != "ResourceGroupBeingDeleted" {
		t.Errorf("PUT of a group on its way out: %v", got)
	}
	close(release)
	// The caller's role went with the group, the operation is its own nevertheless.
	if out := f.poll("foreign", status); out["status"] != "Succeeded" || out["endTime"] == nil {
		t.Errorf("at the end: %v", out)
	}
	f.ok("foreign", "GET", strings.TrimPrefix(location, managementURL), "", 200)
	f.ok("owner", "GET", f.group("rg1"), "", 404)
	// Kept for a day, then forgotten.
	f.clk.Advance(keepFinished - time.Minute)
	if err := f.p.upkeepOperations(t.Context(), subShard(f.sub)); err != nil {
		t.Fatal(err)
	}
	f.ok("owner", "GET", strings.TrimPrefix(status, managementURL), "", 200)
	f.clk.Advance(time.Hour)
	if err := f.p.upkeepOperations(t.Context(), subShard(f.sub)); err != nil {
		t.Fatal(err)
	}
	f.ok("owner", "GET", strings.TrimPrefix(status, managementURL), "", 404)
}

// A process that ends amid a deletion goes on with it at its next start.
func TestGroupDeletion_Resumed(t *testing.T) {
	f, release := slowGroup(t, 1)
	w := f.answer("owner", "DELETE", f.group("rg1"), "")
	status := w.Header().Get("Azure-Asyncoperation")
	f.p.ops.stop()
	if out := f.ok("owner", "GET", strings.TrimPrefix(status, managementURL), "", 200); out["status"] != "InProgress" {
		t.Fatalf("after the stop: %v", out)
	}
	if props := f.ok("owner", "GET", f.group("rg1"), "", 200)["properties"].(map[string]any); props["provisioningState"] != "Deleting" {
		t.Fatalf("after the stop the group is %v", props)
	}
	close(release)
	f.p.ops = newBackground()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.p.run(ctx) }() // as a start does
	if out := f.poll("owner", status); out["status"] != "Succeeded" {
		t.Errorf("resumed: %v", out)
	}
	f.ok("owner", "GET", f.group("rg1"), "", 404)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A lock that comes after the deletion began stops it: what is left stays, the group is open again, and the operation says why.
func TestGroupDeletion_LockedMeanwhile(t *testing.T) {
	f, release := slowGroup(t, 2)
	w := f.answer("owner", "DELETE", f.group("rg1"), "")
	status, location := w.Header().Get("Azure-Asyncoperation"), w.Header().Get("Location")
	if w.Code != http.StatusAccepted {
		t.Fatalf("DELETE: %d %s", w.Code, w.Body)
	}
	f.ok("owner", "PUT", "/subscriptions/"+f.sub+"/providers/Microsoft.Authorization/locks/l", `{"properties":{"level":"CanNotDelete"}}`, 201)
	close(release)
	out := f.poll("owner", status)
	if e, _ := out["error"].(map[string]any); out["status"] != "Failed" || e["code"] != "ScopeLocked" {
		t.Fatalf("status: %v", out)
	}
	if got := f.ok("owner", "GET", strings.TrimPrefix(location, managementURL), "", 409); code(got) != "ScopeLocked" {
		t.Errorf("result: %v", got)
	}
	f.ok("owner", "GET", f.thing("t1"), "", 200)
	f.ok("owner", "GET", f.thing("t2"), "", 200)
	f.ok("owner", "PUT", f.thing("t3"), `{"location":"westeurope"}`, 201)
}
