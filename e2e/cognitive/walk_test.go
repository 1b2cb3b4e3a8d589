package cognitive

import (
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/bulkheadhq/bulkhead/e2e/harness/browser"
)

// TestWalk is the post's: an account, its key and endpoint, the language container, its home page, the service's description, Try it out, Execute, the result. What the
// container did is in the account's usage when it ends.
func TestWalk(t *testing.T) {
	p := shared.Platform(t)
	a := put(t, p, "TextAnalytics", "F0", false)
	built(t, p, a, "language")
	c := run(t, p, "language", "eula=accept", "apikey="+a.key, "billing="+a.endpoint)
	if got := read(t, c.url+"/status"); !strings.Contains(got, `"apiStatus":"Valid"`) {
		t.Errorf("/status says %s\n%s", got, c.out)
	}
	if got := read(t, c.url+"/ready"); !strings.Contains(got, `"ready":"ready"`) {
		t.Errorf("/ready says %s", got)
	}

	ctx := browser.Start(t, p, "portal.azure.com")
	do := func(what string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			text, _ := chromedp.Run(ctx, chromedp.Text("body"))
			t.Fatalf("%s: %v\nthe page says: %.1500s", what, err, text)
		}
	}
	const operation = `.opblock-post`
	do("the home page", chromedp.Navigate(c.url+"/"), chromedp.WaitVisible(`a[href="/swagger"]`))
	do("the service's description", chromedp.Click(`a[href="/swagger"]`), chromedp.WaitVisible(operation+` .opblock-summary`))
	do("the operation", chromedp.Click(operation+` .opblock-summary-control`), chromedp.WaitVisible(operation+` .try-out__btn`))
	do("try it out", chromedp.Click(operation+` .try-out__btn`), chromedp.WaitVisible(operation+` button.execute`))
	do("execute", chromedp.Click(operation+` button.execute`), chromedp.WaitVisible(operation+` .live-responses-table .response-col_description pre`))
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".live-responses-table").innerText`))
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"200", `"iso6391Name": "en"`, `"name": "French"`, `"iso6391Name": "es"`} {
		if !strings.Contains(shown, piece) {
			t.Errorf("the result shown lacks %s: %s", piece, shown)
		}
	}

	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	within(t, "the container's last report", func() bool { return a.usages(t, p)["TextAnalytics.Containers"] == 3 })
	if log := c.out.String(); strings.Contains(log, a.key) {
		t.Errorf("the log tells the key: %s", log)
	}
}

// TestStart_Refused: a container says what it lacks, and a key that isn't good for it ends it.
func TestStart_Refused(t *testing.T) {
	p := shared.Platform(t)
	texts, faces := put(t, p, "TextAnalytics", "S", false), put(t, p, "Face", "S0", false)
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	built(t, p, texts, "language")
	for _, c := range []struct {
		what  string
		args  []string
		piece string
		code  int
	}{
		{"nothing", nil, "does not start without eula=accept, apikey=KEY, billing=URL", 2},
		{"no key", []string{"eula=accept", "billing=" + endpoint}, "does not start without apikey=KEY", 2},
		{"no consent", []string{"eula=no", "apikey=" + texts.key, "billing=" + endpoint}, "the argument eula is not accept", 2},
		{"a key for faces", []string{"eula=accept", "apikey=" + faces.key, "billing=" + endpoint}, "of another kind of account", 1},
		{"a key that is none", []string{"eula=accept", "apikey=" + strings.Repeat("a", 32), "billing=" + endpoint}, "the provided Api Key is invalid", 1},
		{"another region", []string{"eula=accept", "apikey=" + texts.key, "billing=https://eastus.api.cognitive.microsoft.com"}, "the provided Api Key is invalid", 1},
	} {
		cmd := p.Command(append([]string{"exec", "--", bin, "cognitive", "language", "--listen", "127.0.0.1:0"}, c.args...)...)
		out, err := cmd.CombinedOutput()
		exit, _ := err.(*exec.ExitError)
		if exit == nil || exit.ExitCode() != c.code || !strings.Contains(strings.ToLower(string(out)), strings.ToLower(c.piece)) {
			t.Errorf("%s: %v %s; want exit code %d with %q", c.what, err, out, c.code, c.piece)
		}
		if strings.Contains(string(out), texts.key) || strings.Contains(string(out), faces.key) {
			t.Errorf("%s: the key is told: %s", c.what, out)
		}
	}
}

// TestSwagger_Complete: every document of the container names only operations it serves.
func TestSwagger_Complete(t *testing.T) {
	p := shared.Platform(t)
	a := put(t, p, "TextAnalytics", "S", false)
	built(t, p, a, "language")
	c := run(t, p, "language", "eula=accept", "apikey="+a.key, "billing="+endpoint)
	page := read(t, c.url+"/swagger/index.html")
	for _, name := range []string{"text-analytics-v2.0", "text-analytics-v2.1", "text-analytics-v3.0", "text-analytics-v3.1", "language-text"} {
		at := "/swagger/" + name + "/swagger.json"
		if !strings.Contains(page, at) {
			t.Errorf("the page does not offer %s", at)
		}
		validate(t, c.url, []byte(read(t, c.url+at)))
	}
	var first struct{ BasePath string }
	if err := json.Unmarshal([]byte(read(t, c.url+"/swagger/v1/swagger.json")), &first); err != nil || first.BasePath != "/text/analytics/v3.1" {
		t.Errorf("/swagger/v1 is of %s, %v", first.BasePath, err)
	}
}
