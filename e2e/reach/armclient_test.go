package reach

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// armclient runs one line as a shell has taken it apart, and returns both outputs and the exit code.
func armclient(t *testing.T, p *harness.Platform, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	c := p.Command(append([]string{"armclient"}, args...)...)
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

func TestARMClient_MakesAndReads(t *testing.T) {
	p := shared.Platform(t)
	path := "subscriptions/" + p.Run.SubscriptionID + "/resourceGroups/" + harness.Name("rg-") + "?api-version=2018-05-01"
	out, errs, code := armclient(t, p, "PUT", path, "{'location':'westeurope', tags: {a: \u2019b\u2019}}", "-verbose")
	for _, want := range []string{"PUT /subscriptions/", "HTTP/1.1 201 Created", "    \"a\": \"b\"\n", "Authorization: Bearer ...\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q: %s %s", want, out, errs)
		}
	}
	if code != 0 || strings.Contains(out, "eyJ") {
		t.Errorf("code %d, or the token was printed:\n%s", code, out)
	}
	if out, errs, code = armclient(t, p, "get", "/"+path); code != 0 || !strings.HasPrefix(out, "{\n  \"id\": \"/subscriptions/") {
		t.Errorf("get = %d %s %s", code, out, errs)
	}
	if _, _, code = armclient(t, p, "GET", "https://management."+p.Run.Suffix+":"+p.Port()+"/"+path); code != 0 {
		t.Errorf("GET by the own name = %d", code)
	}
	if out, _, code = armclient(t, p, "delete", path); code != 0 {
		t.Errorf("delete = %d %s", code, out)
	}
	if out, errs, code = armclient(t, p, "GET", path); code != 1 || !strings.Contains(out, `"code": "ResourceGroupNotFound"`) || !strings.Contains(errs, "404 Not Found") {
		t.Errorf("GET of what is gone = %d %s %s", code, out, errs)
	}
}

// An application with no role is refused, whether named here or by exec around it.
func TestARMClient_AsApplication(t *testing.T) {
	p := shared.Platform(t)
	app := p.CreateApp(t, "", harness.Name("app-"))
	path := "subscriptions/" + p.Run.SubscriptionID + "/resourceGroups?api-version=2018-05-01"
	if out, _, code := armclient(t, p, "--as", app.AppID, "GET", path); code != 1 || !strings.Contains(out, "AuthorizationFailed") {
		t.Errorf("--as = %d %s", code, out)
	}
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := p.ExecError(app.AppID, nil, bin, "armclient", "--data", p.Data, "GET", path); err == nil || !strings.Contains(err.Error(), "AuthorizationFailed") {
		t.Errorf("under exec --as: %s, %v", out, err)
	}
	if out, _, code := armclient(t, p, "login"); code != 0 || !strings.Contains(out, p.Run.AdminAppID) {
		t.Errorf("login = %d %s", code, out)
	}
	if out, _, code := armclient(t, p, "token", "https://vault.azure.net"); code != 0 || strings.Count(out, ".") != 2 {
		t.Errorf("token = %d %s", code, out)
	}
	if _, errs, code := armclient(t, p, "spn", "tenant", "app", "secret-on-the-line"); code != 1 || !strings.Contains(errs, "--as") || strings.Contains(errs, "secret-on") {
		t.Errorf("spn = %d %s", code, errs)
	}
	if _, _, code := armclient(t, p, "frob", "x"); code != 2 {
		t.Errorf("an unknown verb = %d, want 2", code)
	}
	if _, errs, code := armclient(t, p, "GET", "https://management.example.com/x"); code != 1 || !strings.Contains(errs, "management.example.com") {
		t.Errorf("a foreign host = %d %s, want that it is named", code, errs)
	}
}

// The lines of the posts about health of virtual machines, quotation marks and slips as printed. What they are for is not served yet: the platform says so by name.
func TestARMClient_LinesAsPrinted(t *testing.T) {
	p := shared.Platform(t)
	workload := "subscriptions/" + p.Run.SubscriptionID +
		"/resourceGroups/Resource_Group_Name/providers/Microsoft.Compute/virtualMachines/VM_Name/providers/Microsoft.WorkloadMonitor"
	file := filepath.Join(t.TempDir(), "file_name.json")
	body := "{\n\n                \"ActionGroupResourceIds\": [\u201cAction_Group_Resource_ID\"]\n\n                }  \n"
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	const version = "?api-version=2018-08-31-preview"
	for _, args := range [][]string{
		{"GET", workload + "/monitors" + version + "\u201d"},
		{"GET", workload + "/monitors/Monitor_ID" + version + "\u201d"},
		{"patch", "\u201c" + workload + "/monitors/Monitor_ID" + version, "1-preview", "{'properties':{'alertGeneration':\u2019Disabled\u2019 }}"},
		{"patch", workload + "/monitors/Monitor_ID" + version, "1-preview", "{'properties':{'Threshold':\u2019Desired_Value\u2019 }}"},
		{"PUT", workload + "/notificationSettings" + version, "@" + file},
		{"PUT", workload + "/notificationSettings" + version, "@" + file, "(JSON", "Script)"},
		{"GET", workload + "/notificationSettings" + version},
	} {
		out, errs, code := armclient(t, p, args...)
		if code != 1 || !strings.Contains(out, "Microsoft.WorkloadMonitor") {
			t.Errorf("%q = %d %s %s; want an answer that names Microsoft.WorkloadMonitor", args, code, out, errs)
		}
	}
}
