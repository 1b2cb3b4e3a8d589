package machines

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		c := newControl(t)
		key, _ := newKey(t)
		return wiretest.Target{Handler: c, Vars: map[string]string{"sub": c.sub, "key": key}}
	})
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.enrol(t)
	wiretest.CheckRoutes(t, c, c.service.Service().Routes, wiretest.Check{
		Names: map[wire.HostKind]string{wire.HostARM: ""}, Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer m1") },
	})
}

// enrol makes a group and a hybrid machine m1 with a key.
func (c *control) enrol(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	text, key := newKey(t)
	c.ok(t, "owner", "PUT", "$"+version, `{"location":"westeurope"}`)
	c.ok(t, "owner", "PUT", hybridPath+version, fmt.Sprintf(`{"location":"westeurope","identity":{"type":"SystemAssigned"},"properties":{"clientPublicKey":%q}}`, text))
	return key
}

func (c *control) id(path string) string {
	return strings.ReplaceAll(path, "$", "/subscriptions/"+c.sub+"/resourceGroups/rg")
}

func TestKeys(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	key := c.enrol(t)
	keys := func(path string) int {
		t.Helper()
		have, err := c.service.Keys(t.Context(), strings.ToUpper(c.id(path)))
		if err != nil {
			t.Fatal(err)
		}
		if len(have) == 1 && !key.PublicKey.Equal(have[0]) {
			t.Errorf("%s has another key", path)
		}
		return len(have)
	}
	if keys(hybridPath) != 1 || keys("$") != 0 || keys(virtualPath) != 0 {
		t.Error("the enrolled machine has no key, or others have")
	}
	c.ok(t, "owner", "PATCH", hybridPath+version, `{"tags":{"a":"b"}}`)
	c.ok(t, "owner", "PUT", hybridPath+version, `{"location":"westeurope"}`)
	if keys(hybridPath) != 1 {
		t.Error("a change that doesn't speak of the key took it away")
	}
	var text string
	text, key = newKey(t)
	c.ok(t, "owner", "PATCH", hybridPath+version, fmt.Sprintf(`{"properties":{"clientPublicKey":%q}}`, text))
	if keys(hybridPath) != 1 {
		t.Error("the new key isn't there")
	}
	c.ok(t, "owner", "PATCH", hybridPath+version, `{"identity":{"type":"None"}}`)
	if keys(hybridPath) != 0 {
		t.Error("a machine without identity has a key")
	}

	c.ok(t, "owner", "PUT", virtualPath+version, `{"location":"westeurope"}`)
	enrol := fmt.Sprintf(`{"publicKey":%q}`, text)
	if status, out, _ := c.do(t, "owner", "POST", virtualPath+"/enrolAgent"+version, enrol); status != 409 || !strings.Contains(out, "NoSystemAssignedIdentity") {
		t.Errorf("without an identity: %d %s", status, out)
	}
	c.ok(t, "owner", "PATCH", virtualPath+version, `{"identity":{"type":"SystemAssigned"}}`)
	if status, out, _ := c.do(t, "v1", "POST", virtualPath+"/enrolAgent"+version, enrol); status != 403 && status != 404 {
		t.Errorf("a machine enrols another key for itself: %d %s", status, out)
	}
	c.ok(t, "owner", "POST", virtualPath+"/enrolAgent"+version, enrol)
	if keys(virtualPath) != 1 {
		t.Error("the virtual machine has no key")
	}
	if out := c.ok(t, "owner", "GET", virtualPath+version, ""); strings.Contains(out, text) {
		t.Errorf("shown: %s", out)
	}
	c.ok(t, "owner", "DELETE", virtualPath+version, "")
	if keys(virtualPath) != 0 {
		t.Error("a deleted machine has a key")
	}
}

func TestPut_Refusals(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.ok(t, "owner", "PUT", "$"+version, `{"location":"westeurope"}`)
	for _, x := range []struct {
		path, properties string
		status           int
		text             string
	}{
		{hybridPath, `{"clientPublicKey":"x"}`, 400, "InvalidClientPublicKey"},
		{hybridPath, `{"vmId":"x"}`, 400, "InvalidVmId"},
		{hybridPath, `{"licenseProfile":{"esuProfile":{}}}`, 501, "licenseProfile"},
		{strings.ReplaceAll(hybridPath, "m1", "m%20"), `{}`, 400, "InvalidResourceName"},
		{virtualPath, `{"osProfile":{"adminPassword":"x"}}`, 501, "osProfile.adminPassword"},
		{virtualPath, `{"storageProfile":{"imageReference":{"sku":"22.04"}}}`, 501, "storageProfile.imageReference"},
		{virtualPath, `{"priority":"Spot"}`, 501, "priority"},
	} {
		status, out, _ := c.do(t, "owner", "PUT", x.path+version, `{"location":"westeurope","properties":`+x.properties+`}`)
		if status != x.status || !strings.Contains(out, x.text) {
			t.Errorf("%s: %d %s, want %d %s", x.properties, status, out, x.status, x.text)
		}
	}
}

func packed(t *testing.T, texts ...string) string {
	t.Helper()
	b := &batch.Batch{}
	for _, s := range texts {
		b.Events = append(b.Events, activity.Event{Kind: activity.Exec, Command: activity.Command{Line: []byte(s)}})
	}
	out, err := batch.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestActivity(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.enrol(t)
	c.ok(t, "owner", "PUT", strings.ReplaceAll(hybridPath, "m1", "m2")+version, `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`)
	send := func(as, seq, body string) (int, string, http.Header) {
		t.Helper()
		return c.do(t, as, "POST", "/bulkhead/agent/activity?sequence="+seq, body)
	}
	for _, x := range []struct {
		as, seq, body string
		status        int
		text          string
	}{
		{"m1", "1", packed(t, "one", "two"), 200, `{"acknowledged":1}`},
		{"m1", "1", packed(t, "one", "two"), 200, `{"acknowledged":1}`},
		{"m1", "2", packed(t, "three"), 200, `{"acknowledged":2}`},
		{"m2", "1", packed(t, "other"), 200, `{"acknowledged":1}`},
		{"m1", "0", packed(t), 400, "InvalidSequence"},
		{"m1", "x", packed(t), 400, "InvalidSequence"},
		{"m1", "3", "nothing of the kind", 400, "InvalidBatch"},
		{"owner", "3", packed(t), 403, "NotAMachine"},
		{"", "3", packed(t), 401, "AuthenticationFailed"},
		{"nobody", "3", packed(t), 401, "InvalidAuthenticationToken"},
	} {
		if status, out, _ := send(x.as, x.seq, x.body); status != x.status || !strings.Contains(out, x.text) {
			t.Errorf("%s %s: %d %s, want %d %s", x.as, x.seq, status, out, x.status, x.text)
		}
	}
	var got []string
	for _, e := range c.sink.events[c.id(hybridPath)] {
		got = append(got, string(e.Command.Line))
	}
	if strings.Join(got, " ") != "one two three" {
		t.Errorf("the sink has %q", got)
	}
	c.sink.err = &fault.Error{Kind: fault.Unavailable, Code: "ServerBusy", Message: "busy", RetryAfter: 7 * time.Second}
	if status, out, h := send("m1", "3", packed(t)); status != 503 || h.Get("Retry-After") != "7" {
		t.Errorf("what the sink refuses: %d %s %v", status, out, h)
	}
	c.sink.err = nil
	c.ok(t, "owner", "DELETE", hybridPath+version, "")
	if status, out, _ := send("m1", "3", packed(t)); status != 403 || !strings.Contains(out, "MachineNotEnrolled") {
		t.Errorf("a deleted machine: %d %s", status, out)
	}
	c.ok(t, "owner", "PUT", hybridPath+version, `{"location":"westeurope"}`)
	if status, out, _ := send("m1", "3", packed(t)); status != 403 || !strings.Contains(out, "MachineNotEnrolled") {
		t.Errorf("with the token of another machine of that name: %d %s", status, out)
	}
}

// A machine's second batch, and one too many of all machines', are told to come again.
func TestActivity_Busy(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.enrol(t)
	c.sink.gate = make(chan struct{})
	done := make(chan struct{})
	begin := func(as string) {
		r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), "POST", "https://management.azure.com/bulkhead/agent/activity?sequence=1", strings.NewReader(packed(t, "x")))
		r.Header.Set("Authorization", "Bearer "+as)
		go func() {
			c.ServeHTTP(httptest.NewRecorder(), r)
			done <- struct{}{}
		}()
	}
	busy := func(n int) {
		for len(c.service.slots) < n {
			time.Sleep(time.Millisecond)
		}
	}
	begin("m1")
	busy(1)
	if status, out, h := c.do(t, "m1", "POST", "/bulkhead/agent/activity?sequence=1", packed(t, "x")); status != 429 || h.Get("Retry-After") != "1" {
		t.Errorf("a second batch: %d %s %v", status, out, h)
	}
	for i := 1; i < maxBatches; i++ {
		name := fmt.Sprint("n", i)
		c.ok(t, "owner", "PUT", strings.ReplaceAll(hybridPath, "m1", name)+version, `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`)
		begin(name)
		busy(i + 1)
	}
	c.ok(t, "owner", "PUT", strings.ReplaceAll(hybridPath, "m1", "last")+version, `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`)
	if status, out, h := c.do(t, "last", "POST", "/bulkhead/agent/activity?sequence=1", packed(t, "x")); status != 503 || h.Get("Retry-After") != "1" {
		t.Errorf("one too many: %d %s %v", status, out, h)
	}
	close(c.sink.gate)
	for range maxBatches {
		<-done
	}
	c.ok(t, "last", "POST", "/bulkhead/agent/activity?sequence=1", packed(t, "x"))
}

func TestHeartbeat_Status(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.enrol(t)
	shown := func() (status, since, system string) {
		t.Helper()
		var out struct {
			Properties struct{ Status, LastStatusChange, OSName string }
		}
		if err := json.Unmarshal([]byte(c.ok(t, "owner", "GET", hybridPath+version, "")), &out); err != nil {
			t.Fatal(err)
		}
		return out.Properties.Status, out.Properties.LastStatusChange[:19], out.Properties.OSName
	}
	want := func(what, status, since string) {
		t.Helper()
		if s, at, _ := shown(); s != status || at != since {
			t.Errorf("%s: %s since %s, want %s since %s", what, s, at, status, since)
		}
	}
	want("before the first", "Disconnected", "2026-01-02T03:04:05")
	c.clock.Advance(time.Minute)
	beat := func() {
		t.Helper()
		out := c.ok(t, "m1", "POST", "/bulkhead/agent/heartbeat", `{"agentVersion":"1","osName":"Debian","facts":{"sshd.passwordauthentication":"yes"},"queue":{"batches":3}}`)
		if out != `{"acknowledged":0,"interval":60}` {
			t.Errorf("answered %s", out)
		}
	}
	beat()
	want("after it", "Connected", "2026-01-02T03:05:05")
	c.clock.Advance(14 * time.Minute)
	beat()
	c.clock.Advance(14 * time.Minute)
	want("still", "Connected", "2026-01-02T03:05:05")
	all, err := c.service.Reported(t.Context(), strings.ToUpper(c.sub))
	if err != nil || len(all) != 1 {
		t.Fatalf("reported %+v, %v", all, err)
	}
	if r := all[0]; r.Machine != c.id(hybridPath) || !r.Connected || r.Facts["sshd.passwordauthentication"] != "yes" || r.OSName != "Debian" || r.Queue.Batches != 3 {
		t.Errorf("reported %+v", r)
	}
	if all, err := c.service.Reported(t.Context(), tenant); len(all) != 0 || err != nil {
		t.Errorf("of another subscription: %+v, %v", all, err)
	}
	c.clock.Advance(time.Minute)
	want("silent", "Disconnected", "2026-01-02T03:34:05")
	c.clock.Advance(time.Hour)
	beat()
	want("back", "Connected", "2026-01-02T04:34:05")
	for _, body := range []string{`{"facts":{"a":"` + strings.Repeat("x", maxValue+1) + `"}}`, `{"osName":"` + strings.Repeat("x", 300) + `"}`} {
		if status, out, _ := c.do(t, "m1", "POST", "/bulkhead/agent/heartbeat", body); status != 400 {
			t.Errorf("%.40s: %d %s", body, status, out)
		}
	}
	c.ok(t, "owner", "DELETE", hybridPath+version, "")
	c.ok(t, "owner", "PUT", hybridPath+version, `{"location":"westeurope"}`)
	if all, err := c.service.Reported(t.Context(), c.sub); len(all) != 0 || err != nil || len(c.sink.forgotten) != 1 {
		t.Errorf("of a machine made anew: %+v, %v; the sink forgot %v", all, err, c.sink.forgotten)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("")
	f.Add("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := parseKey(s); (k == nil) == (err == nil) {
			t.Errorf("%v, %v", k, err)
		}
	})
}
