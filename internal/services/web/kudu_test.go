package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

type jsonRaw = json.RawMessage

func address(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestKudu_WhoMayDeploy(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	p.site("web2", `{}`)
	p.publisher = "alice"
	basic := func(user, password string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	password := p.list("sites/web1/config/publishingcredentials")["publishingPassword"].(string)
	for _, c := range []struct {
		name, auth string
		want       int
	}{
		{"nobody", "", 401},
		{"own user", basic("$web1", password), 200},
		{"own user, long form", basic(`web1\$web1`, password), 200},
		{"another site's user", p.basic("web2"), 401},
		{"another user", basic("web1", password), 401},
		{"wrong password", basic("$web1", password+"x"), 401},
		{"no password", basic("$web1", ""), 401},
		{"publisher", "Bearer alice@https://management.azure.com/", 200},
		{"publisher, older audience", "bearer alice@https://management.core.windows.net", 200},
		{"publisher, own audience", "Bearer alice@https://management.bulkhead.localhost:8443/", 200},
		{"token for another audience", "Bearer alice@https://vault.azure.net", 401},
		{"bad token", "Bearer nonsense", 401},
		{"stranger", "Bearer mallory@https://management.azure.com/", 403},
	} {
		var header []string
		if c.auth != "" {
			header = []string{"Authorization", c.auth}
		}
		for _, path := range []string{"/api/deployments", "/api/vfs/LogFiles/", "/api/logs/docker"} {
			w := p.do("GET", "https://web1.scm.azurewebsites.net"+path, nil, header...)
			if w.Code != c.want {
				t.Errorf("%s: GET %s: %d, want %d", c.name, path, w.Code, c.want)
			}
			if w.Code == 401 && !strings.Contains(w.Header().Get("WWW-Authenticate"), "Basic") {
				t.Errorf("%s: no challenge", c.name)
			}
		}
		w := p.do("POST", "https://web1.scm.azurewebsites.net/api/zipdeploy", bytes.NewReader(makeZip(t, entry{"a", c.name, 0})), header...)
		if w.Code != c.want {
			t.Errorf("%s: zipdeploy: %d, want %d", c.name, w.Code, c.want)
		}
	}
}

func TestKudu_Deployments(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	auth := p.basic("web1")
	get := func(path string, v any) int {
		w := p.do("GET", "https://web1.scm.azurewebsites.net"+path, nil, "Authorization", auth)
		if w.Code == 200 {
			if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
				t.Fatal(err)
			}
		}
		return w.Code
	}
	var one deploymentStatus
	var all []deploymentStatus
	if code := get("/api/deployments/latest", &one); code != 404 {
		t.Errorf("before any: %d", code)
	}
	if get("/api/deployments", &all); len(all) != 0 {
		t.Errorf("before any: %v", all)
	}
	p.deploy("web1", program(t))
	if code := get("/api/deployments/latest", &one); code != 200 || one.Status != 4 || !one.Complete || one.Author != "$web1" || one.SiteName != "web1" {
		t.Errorf("%d %+v", code, one)
	}
	if get("/api/deployments/"+one.ID, &one) != 200 || get("/api/deployments", &all) != 200 || len(all) != 1 {
		t.Errorf("%v", all)
	}
	bad := p.do("PUT", "https://web1.scm.azurewebsites.net/api/zipdeploy", strings.NewReader("not a zip"), "Authorization", auth)
	if bad.Code != 400 {
		t.Errorf("bad package: %d", bad.Code)
	}
	var after deploymentStatus
	if get("/api/deployments/latest", &after); after.ID != one.ID {
		t.Error("a refused package replaced the good one")
	}
	if w := p.do("POST", "https://web1.scm.azurewebsites.net/api/publish?type=war", nil, "Authorization", auth); w.Code != 501 {
		t.Errorf("war: %d", w.Code)
	}
	if w := p.do("POST", "https://web1.scm.azurewebsites.net/api/publish?type=zip", bytes.NewReader(program(t)), "Authorization", auth); w.Code != 200 {
		t.Errorf("publish: %d %s", w.Code, w.Body)
	}
}

func TestKudu_LogStream(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{"appCommandLine":"echo began; sleep 0.3; echo went on; sleep 60"}`)
	p.deploy("web1", makeZip(t, entry{"x", "", 0}))
	srv := httptest.NewServer(p.mux)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/api/logstream", nil)
	req.Host = "web1.scm.azurewebsites.net"
	req.Header.Set("Authorization", p.basic("web1"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []byte
	buf := make([]byte, 1024)
	for !strings.Contains(string(got), "went on\n") {
		n, err := resp.Body.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
	}
	if string(got) != "began\nwent on\n" {
		t.Errorf("got %q", got)
	}
}
