package cosmos

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

const wrappedKey = `"encryptionAlgorithm":"AEAD_AES_256_CBC_HMAC_SHA256","keyWrapMetadata":{"type":"akv","name":"n","value":"https://kv/keys/k/1","algorithm":"RSA-OAEP"}`

// encryptionKey is the body of a client encryption key.
func encryptionKey(id, wrapped string) string {
	return `{"id":"` + id + `",` + wrappedKey + `,"wrappedDataEncryptionKey":"` + wrapped + `"}`
}

func TestEncryptionKeys(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	const keys = "/dbs/db/clientencryptionkeys"
	made := p.want(p.do("POST", keys, encryptionKey("k", "AQID")), 201).json(t)
	rid, etag := made["_rid"].(string), made["_etag"].(string)
	if made["wrappedDataEncryptionKey"] != "AQID" || made["_self"] != "dbs/AAAAAQ==/clientencryptionkeys/"+rid+"/" {
		t.Errorf("made %v", made)
	}
	if diff := cmp.Diff(map[string]any{"type": "akv", "name": "n", "value": "https://kv/keys/k/1", "algorithm": "RSA-OAEP"}, made["keyWrapMetadata"]); diff != "" {
		t.Errorf("keyWrapMetadata (-want +got):\n%s", diff)
	}
	p.wantFault(p.do("POST", keys, encryptionKey("k", "AQID")), 409, "Conflict", "")
	p.wantFault(p.do("POST", "/dbs/none/clientencryptionkeys", encryptionKey("k", "AQID")), 404, "NotFound", "1003")
	p.wantFault(p.do("GET", keys+"/none", ""), 404, "NotFound", "")
	for _, ref := range []string{"k", rid} {
		if got := p.want(p.do("GET", keys+"/"+ref, ""), 200).json(t)["id"]; got != "k" {
			t.Errorf("%s: got %v", ref, got)
		}
	}
	p.want(p.do("GET", keys+"/k", "", "if-none-match", etag), 304)
	for name, body := range map[string]string{
		"no id": strings.Replace(encryptionKey("k", "AQID"), `"id":"k",`, "", 1), "no key": encryptionKey("l", ""), "no base64": encryptionKey("l", "?"),
		"algorithm": strings.Replace(encryptionKey("l", "AQID"), "AEAD", "BEAD", 1), "metadata": strings.Replace(encryptionKey("l", "AQID"), `"type":"akv",`, "", 1),
	} {
		if a := p.do("POST", keys, body); a.status != 400 {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
		}
	}
	p.wantFault(p.do("PUT", keys+"/k", encryptionKey("k", "BAUG"), "if-match", `"other"`), 412, "PreconditionFailed", "")
	p.wantFault(p.do("PUT", keys+"/k", encryptionKey("l", "BAUG")), 400, "BadRequest", "")
	rewrapped := p.want(p.do("PUT", keys+"/k", encryptionKey("k", "BAUG"), "if-match", etag), 200).json(t)
	if rewrapped["wrappedDataEncryptionKey"] != "BAUG" || rewrapped["_rid"] != rid || rewrapped["_etag"] == etag {
		t.Errorf("rewrapped %v", rewrapped)
	}
	list := p.want(p.do("GET", keys, ""), 200).json(t)
	if all := list["ClientEncryptionKeys"].([]any); len(all) != 1 || list["_rid"] != "AAAAAQ==" {
		t.Errorf("list %v", list)
	}
	found := p.want(p.do("POST", keys, `{"query":"SELECT VALUE r.id FROM r"}`, "x-ms-documentdb-isquery", "true", "content-type", "application/query+json"), 200).json(t)
	if diff := cmp.Diff([]any{"k"}, found["ClientEncryptionKeys"]); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	reader := p.request("GET", keys+"/k", "")
	p.want(p.serve(p.sign(p.keys.Keys[gateway.PrimaryReadOnly], reader)), 200)
	writer := p.request("PUT", keys+"/k", encryptionKey("k", "AQID"))
	p.want(p.serve(p.sign(p.keys.Keys[gateway.PrimaryReadOnly], writer)), 403)
	p.want(p.do("DELETE", "/dbs/db", ""), 204)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.wantFault(p.do("GET", keys+"/k", ""), 404, "NotFound", "")
}

func TestEncryptionPolicy(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.do("POST", "/dbs/db/clientencryptionkeys", encryptionKey("k", "AQID")), 201)
	path := func(path, key, kind string) string {
		return `{"path":"` + path + `","clientEncryptionKeyId":"` + key + `","encryptionType":"` + kind + `","encryptionAlgorithm":"AEAD_AES_256_CBC_HMAC_SHA256"}`
	}
	container := func(id, paths, more string) string {
		return `{"id":"` + id + `","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"clientEncryptionPolicy":{"includedPaths":[` + paths + `]` + more + `}}`
	}
	const v2 = `,"policyFormatVersion":2`
	for name, tt := range map[string]struct {
		paths, more string
		status      int
	}{
		"one":               {path("/a", "k", "Randomized"), "", 201},
		"key and id":        {path("/pk", "k", "Deterministic") + "," + path("/id", "k", "Deterministic"), v2, 201},
		"id in version 1":   {path("/id", "k", "Deterministic"), "", 400},
		"random id":         {path("/id", "k", "Randomized"), v2, 400},
		"random key":        {path("/pk", "k", "Randomized"), v2, 400},
		"twice":             {path("/a", "k", "Randomized") + "," + path("/a", "k", "Deterministic"), v2, 400},
		"nested":            {path("/a/b", "k", "Randomized"), v2, 400},
		"no slash":          {path("a", "k", "Randomized"), v2, 400},
		"no key":            {path("/a", "", "Randomized"), v2, 400},
		"unknown key":       {path("/a", "other", "Randomized"), v2, 400},
		"unknown type":      {path("/a", "k", "Sometimes"), v2, 400},
		"unknown version":   {path("/a", "k", "Randomized"), `,"policyFormatVersion":3`, 400},
		"no paths":          {"", v2, 201},
		"unknown algorithm": {strings.Replace(path("/a", "k", "Randomized"), "AEAD", "BEAD", 1), v2, 400},
	} {
		if a := p.do("POST", "/dbs/db/colls", container(strings.ReplaceAll(name, " ", "-"), tt.paths, tt.more)); a.status != tt.status {
			t.Errorf("%s: status %d, want %d: %s", name, a.status, tt.status, a.body)
		}
	}
	p.wantFault(p.do("PUT", "/dbs/db/colls/one", container("one", path("/b", "k", "Randomized"), "")), 400, "BadRequest", "")
	kept := p.want(p.do("PUT", "/dbs/db/colls/one", `{"id":"one","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 200).json(t)
	if policy, _ := kept["clientEncryptionPolicy"].(map[string]any); policy == nil || len(policy["includedPaths"].([]any)) != 1 {
		t.Errorf("the policy after a replacement without one: %v", kept["clientEncryptionPolicy"])
	}
}

// TestIntendedContainer: a client that encrypts by the policy of a container is told when another one has taken its place.
func TestIntendedContainer(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	const header = "x-ms-cosmos-intended-collection-rid"
	rid := p.want(p.do("GET", "/dbs/db/colls/c", ""), 200).json(t)["_rid"].(string)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`, header, rid), 201)
	p.want(p.do("DELETE", "/dbs/db/colls/c", ""), 204)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	p.wantFault(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`, header, rid), 400, "BadRequest", "1024")
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
}
