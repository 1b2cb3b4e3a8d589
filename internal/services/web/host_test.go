package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain makes this test binary the sites' program too: with a port it serves what it knows about itself.
func TestMain(m *testing.M) {
	if port := os.Getenv("WEBSITES_PORT"); port != "" && os.Getenv("WEBSITE_SITE_NAME") != "" {
		serveSite(port)
		return
	}
	os.Exit(m.Run())
}

func serveSite(port string) {
	http.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(os.Environ()) })
	http.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Set("Host", r.Host)
		h.Set("Request-Uri", r.RequestURI)
		_ = json.NewEncoder(w).Encode(h)
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	http.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	http.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strconv.Itoa(os.Getpid())) })
	http.HandleFunc("/upgrade", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(c, "got "+line)
	})
	println("site is listening")
	_ = http.ListenAndServe("127.0.0.1:"+port, nil)
}

// program is a package whose start command is this test binary.
func program(t *testing.T) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return makeZip(t, entry{"run", "#!/bin/sh\nexec '" + self + "'\n", 0})
}

// deploy pushes a package with the site's publishing credentials.
func (p *platform) deploy(site string, zip []byte) {
	p.t.Helper()
	w := p.do("POST", "https://"+site+".scm.azurewebsites.net/api/zipdeploy?isAsync=true", bytes.NewReader(zip), "Authorization", p.basic(site))
	if w.Code != http.StatusAccepted {
		p.t.Fatalf("zipdeploy: %d %s", w.Code, w.Body)
	}
}

func (p *platform) basic(site string) string {
	creds := p.list("sites/" + site + "/config/publishingcredentials")
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(creds["publishingUserName"].(string), creds["publishingPassword"].(string))
	return r.Header.Get("Authorization")
}

func (p *platform) env(site string) map[string]string {
	p.t.Helper()
	w := p.do("GET", "https://"+site+".azurewebsites.net/env", nil)
	var list []string
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	out := map[string]string{}
	for _, v := range list {
		name, value, _ := strings.Cut(v, "=")
		out[name] = value
	}
	return out
}

func TestSite_RunsItsPackage(t *testing.T) {
	t.Setenv("BULKHEAD_TEST_LEAK", "must not arrive")
	p := newPlatform(t)
	p.site("web1", `{"appSettings":[{"name":"GREETING","value":"hello world"}],"connectionStrings":[{"name":"db","connectionString":"Server=x","type":"SQLAzure"}]}`)
	if w := p.do("GET", "https://web1.azurewebsites.net/", nil); w.Code != 503 || !strings.Contains(w.Body.String(), "zipdeploy") {
		t.Errorf("without a package: %d %s", w.Code, w.Body)
	}
	p.deploy("web1", program(t))
	env := p.env("web1")
	for name, want := range map[string]string{
		"GREETING": "hello world", "APPSETTING_GREETING": "hello world", "SQLAZURECONNSTR_db": "Server=x", "WEBSITE_SITE_NAME": "web1",
		"WEBSITE_HOSTNAME": "web1.azurewebsites.net", "WEBSITE_RESOURCE_GROUP": "rg1", "WEBSITE_OWNER_NAME": subscription + "+westeuropewebspace",
		"IDENTITY_ENDPOINT": "http://127.0.0.1:4141/msi/token", "MSI_ENDPOINT": "http://127.0.0.1:4141/msi/token", "HTTPS_PROXY": "http://proxy-of-web1",
		"PORT": env["WEBSITES_PORT"], "FUNCTIONS_CUSTOMHANDLER_PORT": env["WEBSITES_PORT"],
	} {
		if env[name] != want {
			t.Errorf("%s=%q, want %q", name, env[name], want)
		}
	}
	if _, leaked := env["BULKHEAD_TEST_LEAK"]; leaked {
		t.Error("the platform's environment reached the site")
	}
	p.mu.Lock()
	owner := p.secrets[env["IDENTITY_HEADER"]]
	p.mu.Unlock()
	if !strings.HasSuffix(owner, "/sites/web1") || env["MSI_SECRET"] != env["IDENTITY_HEADER"] {
		t.Errorf("identity secret stands for %q", owner)
	}

	p.put("sites/web1/config/appsettings", `{"properties":{"GREETING":"changed"}}`)
	within(t, "restart with the new settings", func() bool { return p.env("web1")["GREETING"] == "changed" })
	p.mu.Lock()
	_, alive := p.secrets[env["IDENTITY_HEADER"]]
	p.mu.Unlock()
	if alive {
		t.Error("the old process's identity secret still works")
	}

	// Without an identity there are no variables.
	p.put("sites/web1", `{"location":"westeurope","identity":{"type":"None"},"properties":{"serverFarmId":"`+planID+`"}}`)
	within(t, "restart without identity", func() bool { _, has := p.env("web1")["IDENTITY_ENDPOINT"]; return !has })
	if got := p.env("web1")["GREETING"]; got != "changed" {
		t.Errorf("a PUT without settings changed them: %q", got)
	}

	p.delete("sites/web1")
	if w := p.do("GET", "https://web1.azurewebsites.net/env", nil); w.Code != 404 {
		t.Errorf("deleted: %d", w.Code)
	}
	if left, _ := os.ReadDir(filepath.Join(p.dir, "sites")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSite_SurvivesARestartOfThePlatform(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	p.deploy("web1", program(t))
	before := p.do("GET", "https://web1.azurewebsites.net/pid", nil).Body.String()
	p.stop()
	pid, _ := strconv.Atoi(before)
	if proc, err := os.ReadFile("/proc/" + before + "/cmdline"); err == nil && len(proc) > 0 {
		t.Errorf("process %d outlived the host", pid)
	}
	p.web = New(p.web.deps)
	mux := p.mux
	defer func() { p.mux = mux }()
	p.remount()
	p.run()
	within(t, "site is back", func() bool {
		w := p.do("GET", "https://web1.azurewebsites.net/pid", nil)
		return w.Code == 200 && w.Body.String() != before
	})
}

func TestSite_CrashIsRestarted(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	p.deploy("web1", program(t))
	before := p.do("GET", "https://web1.azurewebsites.net/pid", nil).Body.String()
	_ = p.do("GET", "https://web1.azurewebsites.net/exit", nil)
	var after string
	within(t, "new process", func() bool {
		w := p.do("GET", "https://web1.azurewebsites.net/pid", nil) // waits for the restart
		after = w.Body.String()
		return w.Code == 200
	})
	if after == before {
		t.Errorf("pid %s again", after)
	}
}

func TestSite_CrashLoopIsToldAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{"appCommandLine":"echo broken >&2; exit 7"}`)
	p.deploy("web1", makeZip(t, entry{"x", "", 0}))
	began := time.Now()
	w := p.do("GET", "https://web1.azurewebsites.net/", nil)
	if w.Code != 503 || !strings.Contains(w.Body.String(), "exit status 7") || time.Since(began) > 10*time.Second {
		t.Errorf("%d after %v: %s", w.Code, time.Since(began), w.Body)
	}
	log := p.do("GET", "https://web1.scm.azurewebsites.net/api/vfs/LogFiles/"+logName, nil, "Authorization", p.basic("web1"))
	if !strings.Contains(log.Body.String(), "broken\n") {
		t.Errorf("log: %d %q", log.Code, log.Body)
	}
}

func TestSite_StoppedAndDisabled(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	p.deploy("web1", program(t))
	if w := p.do("GET", "https://web1.azurewebsites.net/pid", nil); w.Code != 200 {
		t.Fatalf("running: %d %s", w.Code, w.Body)
	}
	p.put("sites/web1", `{"location":"westeurope","properties":{"serverFarmId":"`+planID+`","enabled":false}}`)
	if w := p.do("GET", "https://web1.azurewebsites.net/pid", nil); w.Code != 403 || !strings.Contains(w.Body.String(), "stopped") {
		t.Errorf("disabled: %d %s", w.Code, w.Body)
	}
	if props, _ := p.get("sites/web1"); props["state"] != "Stopped" {
		t.Errorf("state %v", props["state"])
	}
	p.put("sites/web1", `{"location":"westeurope","properties":{"serverFarmId":"`+planID+`","enabled":true}}`)
	if w := p.do("GET", "https://web1.azurewebsites.net/pid", nil); w.Code != 200 {
		t.Errorf("enabled again: %d %s", w.Code, w.Body)
	}
}

func TestFrontEnd_Headers(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	p.deploy("web1", program(t))
	w := p.do("GET", "https://web1.azurewebsites.net/headers?a=1&b=%20;c", nil,
		"X-MS-CLIENT-PRINCIPAL", "forged", "X-Ms-Client-Principal-Id", "forged", "x-ms-token-aad-access-token", "forged", "X_MS_CLIENT_PRINCIPAL_NAME", "forged",
		"X-Forwarded-For", "forged", "Client-IP", "forged", "X-Original-URL", "forged", "Disguised-Host", "forged", "X-IDENTITY-HEADER", "forged",
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Authorization", "Bearer kept")
	if strings.Contains(w.Body.String(), "forged") {
		t.Errorf("a forged header reached the site: %s", w.Body)
	}
	var got http.Header
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "203.0.113.7:5555", "X-Forwarded-Proto": "https", "Client-Ip": "203.0.113.7:5555", "X-Original-Url": "/headers?a=1&b=%20;c",
		"Disguised-Host": "web1.azurewebsites.net", "Was-Default-Hostname": "web1.azurewebsites.net", "Host": "web1.azurewebsites.net",
		"Request-Uri": "/headers?a=1&b=%20;c", "X-Site-Deployment-Id": "web1", "Authorization": "Bearer kept",
		"X-Ms-Correlation-Request-Id": "0af76519-16cd-43dd-8448-eb211c80319c",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	if got.Get("X-Arr-Log-Id") == "" {
		t.Error("no X-ARR-LOG-ID")
	}
	body := strings.Repeat("0123456789", 1<<20) // over every default limit
	if w := p.do("POST", "https://web1.azurewebsites.net/echo", strings.NewReader(body)); w.Body.String() != body {
		t.Errorf("echo: %d, %d bytes", w.Code, w.Body.Len())
	}
}

// By plain HTTP a site answers as by HTTPS and is told so; with httpsOnly it sends everyone on, whatever the method.
func TestFrontEnd_HTTPSOnly(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	site := func(only bool) string {
		return `{"location":"westeurope","properties":{"serverFarmId":"` + planID + `","httpsOnly":` + strconv.FormatBool(only) + `}}`
	}
	p.put("sites/web1", site(false))
	p.deploy("web1", program(t))
	for _, scheme := range []string{"http", "https"} {
		var got http.Header
		w := p.do("GET", scheme+"://web1.azurewebsites.net/headers", nil, "X-Forwarded-Proto", "forged")
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %d %s", scheme, w.Code, w.Body)
		}
		if got.Get("X-Forwarded-Proto") != scheme || got.Get("X-AppService-Proto") != scheme {
			t.Errorf("by %s the site sees %q and %q", scheme, got.Get("X-Forwarded-Proto"), got.Get("X-AppService-Proto"))
		}
	}
	if out := p.put("sites/web1", site(true)); out["httpsOnly"] != true {
		t.Fatalf("httpsOnly: %v", out["httpsOnly"])
	}
	for _, c := range []struct{ method, url, want string }{
		{"GET", "http://web1.azurewebsites.net/a/../b%20c?x=1&y=%2F", "https://web1.azurewebsites.net/a/../b%20c?x=1&y=%2F"},
		{"POST", "http://web1.azurewebsites.net", "https://web1.azurewebsites.net/"},
		{"HEAD", "http://WEB1.sites.bulkhead.localhost:8445/x", "https://web1.sites.bulkhead.localhost:8443/x"},
	} {
		if w := p.do(c.method, c.url, strings.NewReader("body")); w.Code != 301 || w.Header().Get("Location") != c.want {
			t.Errorf("%s %s: %d to %q, want %s", c.method, c.url, w.Code, w.Header().Get("Location"), c.want)
		}
	}
	if w := p.do("GET", "https://web1.azurewebsites.net/headers", nil); w.Code != 200 {
		t.Errorf("by HTTPS: %d %s", w.Code, w.Body)
	}
	if w := p.do("GET", "http://nobody.azurewebsites.net/", nil); w.Code != 404 {
		t.Errorf("unknown site: %d", w.Code)
	}
}

func TestFrontEnd_Upgrade(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	p.deploy("web1", program(t))
	srv := httptest.NewServer(p.mux)
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /upgrade HTTP/1.1\r\nHost: web1.azurewebsites.net\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	_, _ = io.WriteString(c, "ping\n")
	if got, err := in.ReadString('\n'); got != "got ping\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFrontEnd_UnknownSite(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for _, host := range []string{"nobody.azurewebsites.net", "nobody.scm.azurewebsites.net"} {
		if w := p.do("GET", "https://"+host+"/api/deployments", nil); w.Code != 404 {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
}

func TestFrontEnd_Restrictions(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{"ipSecurityRestrictions":[{"ipAddress":"198.51.100.0/24","action":"Allow","priority":100,"name":"office"}]}`)
	if w := p.do("GET", "https://web1.azurewebsites.net/", nil); w.Code != 403 || !strings.Contains(w.Body.String(), "Ip Forbidden") {
		t.Errorf("site: %d %s", w.Code, w.Body)
	}
	if w := p.do("GET", "https://web1.scm.azurewebsites.net/api/deployments", nil); w.Code != 401 {
		t.Errorf("scm: %d", w.Code)
	}
	p.put("sites/web1/config/web", `{"properties":{"scmIpSecurityRestrictionsUseMain":true}}`)
	if w := p.do("GET", "https://web1.scm.azurewebsites.net/api/deployments", nil); w.Code != 403 {
		t.Errorf("scm by the main rules: %d", w.Code)
	}
	p.put("sites/web1/config/web", `{"properties":{"ipSecurityRestrictions":[{"ipAddress":"203.0.113.7/32"}]}}`)
	if w := p.do("GET", "https://web1.azurewebsites.net/", nil); w.Code != 503 {
		t.Errorf("allowed: %d", w.Code)
	}
}

func TestSite_RunFromAllowedFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	self, _ := os.Executable()
	app := filepath.Join(root, "app")
	if err := os.Mkdir(app, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(app, "run")); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "out")); err != nil {
		t.Fatal(err)
	}
	zipped := filepath.Join(root, "app.zip")
	if err := os.WriteFile(zipped, program(t), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPlatform(t, root)
	p.site("web1", `{}`)
	for _, from := range []string{app, zipped} {
		p.put("sites/web1/config/appsettings", `{"properties":{"WEBSITE_RUN_FROM_PACKAGE":"`+from+`"}}`)
		within(t, from, func() bool { return p.do("GET", "https://web1.azurewebsites.net/pid", nil).Code == 200 })
	}
	for _, from := range []string{outside, filepath.Join(root, "out"), root + "/../" + filepath.Base(outside), "app", "https://x/app.zip", filepath.Join(root, "none")} {
		p.put("sites/web1/config/appsettings", `{"properties":{"WEBSITE_RUN_FROM_PACKAGE":"`+from+`"}}`)
		within(t, from, func() bool {
			w := p.do("GET", "https://web1.azurewebsites.net/pid", nil)
			return w.Code == 503 && strings.Contains(w.Body.String(), "WEBSITE_RUN_FROM_PACKAGE")
		})
	}
}
