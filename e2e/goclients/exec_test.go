package goclients

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// A program without a word about Bulkhead runs under `bulkhead exec` with Azure's own names.
func TestExec_PlainProgram(t *testing.T) {
	t.Parallel()
	program, err := harness.Program("./goclients/plain")
	if err != nil {
		t.Fatal(err)
	}
	p := shared.Platform(t)
	group := p.PutGroup(t)
	app := p.CreateApp(t, "", harness.Name("app-"))
	vault := p.PutVault(t, group, "", harness.Policy{ObjectID: app.Principal, Secrets: []string{"get", "set"}})
	account := p.PutAccount(t, group)
	id := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account
	env := []string{"VAULT_URL=https://" + vault + ".vault.azure.net", "ACCOUNT_ID=" + id, "ACCOUNT_URL=https://" + account + ".documents.azure.com:443/"}

	out, err := p.ExecError(app.AppID, env, program)
	if err == nil || !strings.Contains(err.Error(), "AuthorizationFailed") {
		t.Fatalf("without a role on the account: got %s %v, want AuthorizationFailed", out, err)
	}
	p.ARM(t, "PUT", id+"/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-555555555555?api-version=2022-04-01", map[string]any{
		"properties": map[string]any{
			"principalId":      app.Principal,
			"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + accountContributor,
		},
	})
	out = p.Exec(t, app.AppID, env, program)
	var got struct{ Secret, Item string }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("the program printed %s: %v", out, err)
	}
	if got.Secret != "hello" || got.Item != "written" {
		t.Errorf("got %+v", got)
	}
}

func TestExec_ExitCode(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	err := p.Command("exec", "--", "sh", "-c", "exit 7").Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("got %v, want exit code 7", err)
	}
}

// Proxy credentials end with the command they were made for.
func TestExec_CredentialsEnd(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	const show = `echo "$HTTPS_PROXY"; curl -s -o /dev/null -w '%{http_code}' https://management.azure.com/metadata/endpoints?api-version=2015-01-01 || true`
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("curl is not installed: only what comes after the command's end is tested")
	}
	printed := strings.Fields(string(p.Exec(t, "", nil, "sh", "-c", show)))
	if len(printed) == 2 && printed[1] != "200" {
		t.Errorf("curl in the command got %s", printed[1])
	}
	proxy, err := url.Parse(printed[0])
	if err != nil || proxy.User == nil {
		t.Fatalf("HTTPS_PROXY is %s: %v", printed[0], err)
	}
	w := p.ProxyWay(t)
	get := func() error {
		resp, err := w.Client.Get(w.ARM() + "/metadata/endpoints?api-version=2015-01-01")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(); err != nil {
		t.Fatalf("with the credentials of bulkhead env: %v", err)
	}
	tr := w.Client.Transport.(*http.Transport)
	tr.CloseIdleConnections()
	tr.Proxy = http.ProxyURL(proxy)
	if err := get(); err == nil || !strings.Contains(err.Error(), "bulkhead exec") {
		t.Errorf("with the ended command's credentials: got %v, want a refusal that says what to do", err)
	}
}
