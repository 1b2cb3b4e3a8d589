package grants

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
	chromium "github.com/bulkheadhq/bulkhead/e2e/harness/browser"
)

// TestAzLogin: `az login --use-device-code` of an unmodified Azure CLI, installed as for e2e/az, approved in Chromium.
func TestAzLogin(t *testing.T) {
	t.Parallel()
	if os.Getenv("BULKHEAD_SKIP_CLIENTS") == "1" {
		t.Skip("BULKHEAD_SKIP_CLIENTS=1: az is not run")
	}
	az := os.Getenv("BULKHEAD_AZ")
	if az == "" {
		root, err := harness.Root()
		if err != nil {
			t.Fatal(err)
		}
		az = filepath.Join(root, ".test", "az", "bin", "az")
	}
	if _, err := os.Stat(az); err != nil {
		t.Fatalf("az is not installed (scripts/clients does that): %v", err)
	}
	p := shared.Platform(t)
	u := newUser(t, p)
	group := p.PutGroup(t)
	p.ARM(t, "PUT", group+"/providers/Microsoft.Authorization/roleAssignments/"+scopeID+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
		"principalId":      u.ID, "principalType": "User",
	}})
	// exec sets the configuration folder; this test's own takes its place.
	run := []string{"exec", "--", "env", "HOME=" + t.TempDir(), "AZURE_CONFIG_DIR=" + t.TempDir(), az}
	cmd := p.Command(append(run, "login", "--use-device-code", "--output", "json")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	messages, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx := chromium.Start(t, p, loginHost)
	asked := regexp.MustCompile(`open the page (\S+) and enter the code (\S+) to`)
	type account struct {
		ID   string
		User struct{ Name, Type string }
	}
	decoded := make(chan []account, 1)
	go func() {
		var list []account
		_ = json.NewDecoder(out).Decode(&list) // what it could not read is missed below
		decoded <- list
	}()
	for lines := bufio.NewScanner(messages); lines.Scan(); {
		if m := asked.FindStringSubmatch(lines.Text()); m != nil {
			if err := approveInChromium(ctx, m[1], m[2], u); err != nil {
				t.Error(err)
			}
		}
	}
	accounts := <-decoded
	if err := cmd.Wait(); err != nil || len(accounts) != 1 || accounts[0].ID != p.Run.SubscriptionID || accounts[0].User.Name != u.UPN || accounts[0].User.Type != "user" {
		t.Fatalf("az login: %v, %+v", err, accounts)
	}
	listed, err := p.Command(append(run, "group", "list", "--query", "[].id", "--output", "json")...).Output()
	var ids []string
	if err != nil || json.Unmarshal(listed, &ids) != nil || len(ids) != 1 || ids[0] != group {
		t.Errorf("az group list: %v, %s; want %s", err, listed, group)
	}
}
