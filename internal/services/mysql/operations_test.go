package mysql

import (
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Every change that a client is told is done is in force at the server by then, without a look at when it follows.
func TestOperations_AreDoneWhenTheServerFollows(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	p := newPlatform(t, t.TempDir(), true)
	e := p.server("B_Gen5_1", "")
	is := func(want, query string) {
		t.Helper()
		var got string
		if err := e.db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %s", query, got, err, want)
		}
	}
	const conf, charset = serverPath + "/configurations/", "SELECT COALESCE(MAX(DEFAULT_COLLATION_NAME), 'none') FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'shop'"
	for _, v := range []string{"99", "98", "97", "300"} {
		p.done("PUT", conf+"wait_timeout", `{"properties":{"value":"`+v+`"}}`)
		is(v, "SELECT @@global.wait_timeout")
	}
	p.done("PUT", conf+"wait_timeout", `{"properties":{"source":"system-default"}}`)
	is("180", "SELECT @@global.wait_timeout")
	p.done("PUT", serverPath+"/databases/shop", `{"properties":{"charset":"utf8mb4"}}`)
	is("utf8mb4_general_ci", charset)
	p.done("PUT", serverPath+"/databases/shop", `{"properties":{"charset":"latin1","collation":"latin1_bin"}}`)
	is("latin1_bin", charset)
	p.done("DELETE", serverPath+"/databases/shop", "")
	is("none", charset)
	// What SQL made and dropped meanwhile is not made anew by the next change.
	p.done("PUT", serverPath+"/databases/shop", `{"properties":{}}`)
	p.exec(p.must(e), "DROP DATABASE shop")
	p.done("PUT", conf+"wait_timeout", `{"properties":{"value":"99"}}`)
	is("none", charset)

	p.done("DELETE", serverPath+"/firewallRules/here", "")
	p.failsWith(e, 9000, 1, nil)
	p.done("PUT", serverPath+"/firewallRules/here", `{"properties":{"startIpAddress":"127.0.0.1","endIpAddress":"127.0.0.1"}}`)
	p.must(e)
	p.done("PATCH", serverPath, `{"properties":{"sslEnforcement":"Disabled"}}`)
	p.done("PATCH", serverPath, `{"sku":{"name":"B_Gen5_2","capacity":2}}`)
	is("110", "SELECT @@global.max_connections")

	// What the server refuses has failed with its reason, is as it was, and holds up nothing.
	message := p.failed("PUT", serverPath+"/databases/odd", `{"properties":{"charset":"utf8mb4","collation":"utf8mb4_no_such"}}`, "ServerRefused")
	if !strings.Contains(message, "1273") {
		t.Errorf("why it failed: %s, want error 1273", message)
	}
	if v := p.try("GET", serverPath+"/databases/odd", ""); v.Code != 404 {
		t.Errorf("a database that was refused: %d %s, want 404", v.Code, v.Body)
	}
	p.done("PUT", conf+"wait_timeout", `{"properties":{"value":"88"}}`)
	is("88", "SELECT @@global.wait_timeout")
	// The server goes at once, and its children are no operations of their own.
	if w := p.try("DELETE", serverPath, ""); w.Code != 200 || w.Header().Get("Azure-Asyncoperation") != "" {
		t.Errorf("DELETE: %d, operation %q; want 200 and none", w.Code, w.Header().Get("Azure-Asyncoperation"))
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name  string
		kind  opKind
		lsn   store.LSN
		st    status
		after time.Duration
		want  string // "": in progress; else the code, "ok" for none
	}{
		{"not yet", opChange, 7, status{Ready: true, Wanted: 7, Applied: 6}, time.Second, ""},
		{"applied", opChange, 7, status{Ready: true, Wanted: 7, Applied: 7}, time.Second, "ok"},
		{"applied with more", opChange, 7, status{Wanted: 9, Applied: 9}, time.Hour, "ok"},
		{"the gate knows, the server does not", opGate, 7, status{Wanted: 7}, time.Second, "ok"},
		{"the gate does not know", opGate, 7, status{Wanted: 6}, time.Second, ""},
		{"not started", opChange, 7, status{Failed: true}, time.Second, "ServerNotStarted"},
		{"hung", opChange, 7, status{Wanted: 7, Applied: 6}, changeTime, "ServerNotResponding"},
		{"being made", opCreation, 7, status{Wanted: 7}, changeTime, ""},
		{"made for ever", opCreation, 7, status{Wanted: 7}, creationTime, "ServerNotResponding"},
		{"of the first version, made", opCreation, 0, status{Wanted: 3, Applied: 3}, time.Second, "ok"},
		{"of the first version, not made", opCreation, 0, status{}, time.Second, ""},
	} {
		o := operationRecord{Kind: c.kind, LSN: c.lsn, Started: began}
		got := ""
		if o.outcome(c.st, began.Add(c.after)) {
			if got = o.Code; got == "" {
				got = "ok"
			}
		}
		if got != c.want || (got == "") != o.Ended.IsZero() {
			t.Errorf("%s: %q, ended %v; want %q", c.name, got, o.Ended, c.want)
		}
	}
}

func TestRecords_OfTheFirstVersionAreRead(t *testing.T) {
	t.Parallel()
	if v, err := settingCodec.Decode([]byte("s\x01\"99\"")); err != nil || v.Value != "99" || v.Operation != "" {
		t.Errorf("setting: %+v, %v", v, err)
	}
	if v, err := operationCodec.Decode([]byte("o\x01\"/subscriptions/s\"")); err != nil || v.Server != "/subscriptions/s" || v.Kind != opCreation {
		t.Errorf("operation: %+v, %v", v, err)
	}
	if v, err := databaseCodec.Decode([]byte("d\x01{\"charset\":\"latin1\"}")); err != nil || v.Charset != "latin1" || v.Operation != "" {
		t.Errorf("database: %+v, %v", v, err)
	}
}

func TestOperations_AreForgottenAfterADay(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, t.TempDir(), false)
	p.server("B_Gen5_1", "")
	w := p.try("PUT", serverPath+"/configurations/wait_timeout", `{"properties":{"value":"99"}}`)
	if status, _, _ := p.outcome(w); status != "Succeeded" {
		t.Fatalf("status = %s", status)
	}
	count := func() (n int) {
		if err := p.store.View(t.Context(), "sub/"+p.sub, func(sn store.Snapshot) error {
			return sn.Scan(store.Prefix([]byte(opPrefix)), func(_, _ []byte) bool { n++; return true })
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{keepOperation, 3}, {time.Second, 0}} { // the server, its rule, the configuration
		p.clock.Advance(c.after)
		if err := p.mysql.forgetOperations(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != c.want {
			t.Errorf("%d operations are kept, want %d", n, c.want)
		}
	}
}
