package cosmos

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
)

const keyDeletion = "/dbs/db/colls/c/operations/partitionkeydelete"

func TestPartitionKeyDeletion(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for i := range 130 { // more than one transaction's
		p.want(p.item("POST", "", `["a"]`, `{"id":"`+strconv.Itoa(i)+`","pk":"a"}`), 201)
	}
	p.want(p.item("POST", "", `["b"]`, `{"id":"1","pk":"b"}`), 201)
	p.wantFault(p.do("POST", keyDeletion, ""), 400, "BadRequest", "1000")
	a := p.want(p.do("POST", keyDeletion, "", "x-ms-documentdb-partitionkey", `["a"]`), 200)
	if charge, _ := strconv.ParseFloat(a.header.Get("X-Ms-Request-Charge"), 64); charge < 130*8.7 {
		t.Errorf("charge %v for 130 documents", charge)
	}
	if got := a.header.Get("X-Ms-Session-Token"); got != "0:-1#134" { // after the range itself, 131 creations, and 2 transactions that delete
		t.Errorf("session token %q", got)
	}
	p.wantFault(p.item("GET", "/129", `["a"]`, ""), 404, "NotFound", "")
	p.want(p.item("GET", "/1", `["b"]`, ""), 200)
	p.want(p.do("POST", keyDeletion, "", "x-ms-documentdb-partitionkey", `["a"]`), 200) // none left
}

// TestPartitionKeyDeletion_Signatures: clients sign the operation as one on the container, or as one of a type of its own; a read-only key does not do it.
func TestPartitionKeyDeletion_Signatures(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for kind, want := range map[string]int{"colls": 200, "partitionkey": 200, "docs": 401} {
		r := p.request("POST", keyDeletion, "", "x-ms-documentdb-partitionkey", `["a"]`)
		k, err := masterkey.NewKey(p.keys.Keys[gateway.Primary])
		p.check(err)
		p.want(p.serve(p.signAs(k, r, kind, "dbs/db/colls/c")), want)
	}
	p.want(p.serve(p.sign(p.keys.Keys[gateway.PrimaryReadOnly], p.request("POST", keyDeletion, "", "x-ms-documentdb-partitionkey", `["a"]`))), 403)
}

func TestConflictQuery(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	const path = "/dbs/db/colls/c/conflicts"
	headers := []string{"x-ms-documentdb-isquery", "true", "content-type", "application/query+json"}
	if got := p.want(p.do("POST", path, `{"query":"SELECT * FROM r"}`, headers...), 200).json(t)["Conflicts"]; len(got.([]any)) != 0 {
		t.Errorf("conflicts %v", got)
	}
	p.wantFault(p.do("POST", path, `{"query":"SELECT"}`, headers...), 400, "BadRequest", "")
	p.wantFault(p.do("POST", path, `{}`), 400, "BadRequest", "")
	p.want(p.do("POST", path, `{"query":"SELECT * FROM r"}`, "x-ms-cosmos-is-query-plan-request", "true", "content-type", "application/query+json"), 200)
}

// TestQuestionMarkID: a client sends the question mark of an id as it is, and signs it as part of the id.
func TestQuestionMarkID(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"x?y z","pk":"a"}`), 201)
	k, err := masterkey.NewKey(p.keys.Keys[gateway.Primary])
	p.check(err)
	send := func(method, path, link string) answer {
		return p.serve(p.signAs(k, p.request(method, path, "", "x-ms-documentdb-partitionkey", `["a"]`), "docs", link))
	}
	const docs = "dbs/db/colls/c/docs/"
	if got := p.want(send("GET", "/"+docs+"x?y%20z", docs+"x?y z"), 200).json(t)["id"]; got != "x?y z" {
		t.Errorf("read %v", got)
	}
	p.want(send("GET", "/"+docs+"x?y%20z", docs+"x"), http.StatusNotFound) // a path and a query
	p.want(send("GET", "/"+docs+"x?y%20z", docs+"x?z"), 401)
	p.want(send("DELETE", "/"+docs+"x?y%20z", docs+"x?y z"), 204)
}

func TestPartitionKeyPath(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	for path, want := range map[string]string{
		"/id ds": "near position '3'", "id": "near position '0'", "/a/": "near position '0'", "/a-b": "near position '2'", "/a/*": "near position '3'",
		"/ok_1/é": "", `/\"a-b\"/c`: "",
	} {
		a := p.do("POST", "/dbs/db/colls", `{"id":"c`+strconv.Itoa(len(path))+`","partitionKey":{"paths":["`+path+`"]}}`)
		if want == "" {
			p.want(a, 201)
		} else if a.status != 400 || !strings.Contains(a.body, want) || !strings.Contains(a.body, "must contain only valid characters") {
			t.Errorf("%s: %d %s, want 400 and %q", path, a.status, a.body, want)
		}
	}
}

func TestVectorIndexNeedsPolicy(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	body := func(id, indexed, more string) string {
		return `{"id":"` + id + `","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":{"vectorIndexes":[{"path":"` + indexed + `","type":"flat"}]}` + more + `}`
	}
	const policy = `,"vectorEmbeddingPolicy":{"vectorEmbeddings":[{"path":"/v","dataType":"float32","dimensions":2,"distanceFunction":"euclidean"}]}`
	p.wantFault(p.do("POST", "/dbs/db/colls", body("a", "/v", "")), 400, "BadRequest", "")
	p.wantFault(p.do("POST", "/dbs/db/colls", body("a", "/w", policy)), 400, "BadRequest", "")
	p.want(p.do("POST", "/dbs/db/colls", body("a", "/v", policy)), 201)
}
