package cosmos

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

// tagged sets the account's tag for throttling, as a PUT of the account with it would.
func (p *platform) tagged(value string) error {
	p.t.Helper()
	id := p.call("acct", "").ID.String()
	p.arm.mu.Lock()
	defer p.arm.mu.Unlock()
	r := *p.arm.byID[strings.ToLower(id)]
	r.Tags, r.ETag = map[string]string{gateway.ThrottlingTag: value}, "tagged "+value
	p.arm.byID[strings.ToLower(id)] = &r
	return nil
}

func TestThrottling(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.check(p.tagged("strict"))
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	spent := 0.0
	var last answer
	for range 1000 {
		last = p.item("GET", "/1", `["a"]`, "")
		if last.status != 200 {
			break
		}
		charge, err := strconv.ParseFloat(last.header.Get("X-Ms-Request-Charge"), 64)
		p.check(err)
		spent += charge
	}
	p.wantFault(last, 429, "429", "3200")
	if spent < 390 || spent > 400 {
		t.Errorf("%v units before the first refusal", spent)
	}
	if !strings.Contains(last.body, `Request rate is large`) || last.header.Get("X-Ms-Activity-Id") == "" {
		t.Errorf("refusal: %s", last.body)
	}
	wait, err := strconv.Atoi(last.header.Get("X-Ms-Retry-After-Ms"))
	if err != nil || wait < 1 || wait > 100 {
		t.Errorf("retry after %q ms", last.header.Get("X-Ms-Retry-After-Ms"))
	}
	// Everything about the container's documents is refused, its metadata is not.
	p.want(p.item("POST", "", `["a"]`, `{"id":"2","pk":"a"}`), 429)
	p.want(p.query("SELECT * FROM c", "x-ms-documentdb-partitionkey", `["a"]`), 429)
	p.want(p.item("PATCH", "/1", `["a"]`, `[{"op":"set","path":"/x","value":1}]`), 429)
	p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "a-im", "Incremental Feed"), 429)
	p.want(p.do("GET", "/dbs/db/colls/c", ""), 200)
	p.want(p.do("GET", "/dbs/db/colls/c/pkranges", ""), 200)
	p.clock.Advance(time.Duration(wait) * time.Millisecond)
	p.want(p.item("GET", "/1", `["a"]`, ""), 200)
	p.check(p.tagged("off"))
	for range 500 {
		p.want(p.item("GET", "/1", `["a"]`, ""), 200)
	}
}

// A failed request costs, too.
func TestThrottling_OfFailures(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.check(p.tagged("strict"))
	for i := range 1000 {
		a := p.item("GET", "/none", `["a"]`, "")
		if a.status == 429 {
			if i < 300 {
				t.Errorf("refused after %d", i)
			}
			return
		}
		p.want(a, 404)
	}
	t.Error("reads of nothing cost nothing")
}

func TestThrottlingTag(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	c := p.call("acct", `{"location":"West US","properties":{}}`)
	for value, ok := range map[string]bool{"": true, "burst": true, "Strict": true, "off": true, "on": false} {
		c.New.Tags = map[string]string{"Bulkhead-Throttling": value}
		if err := p.s.Types()[0].Put(context.Background(), c); (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// offerOf reads the offer of a resource: its body and the path to it.
func (p *platform) offerOf(rid any) (body map[string]any, path string) {
	p.t.Helper()
	a := p.want(p.do("POST", "/offers", `{"query":"SELECT * FROM c WHERE c.offerResourceId = '`+rid.(string)+`'"}`,
		"content-type", "application/query+json", "x-ms-documentdb-isquery", "True"), 200)
	all := a.json(p.t)["Offers"].([]any)
	if len(all) != 1 {
		p.t.Fatalf("%d offers", len(all))
	}
	body = all[0].(map[string]any)
	return body, "/" + strings.TrimSuffix(body["_self"].(string), "/")
}

func content(a answer, t *testing.T) (manual, most float64) {
	t.Helper()
	var v struct {
		Content struct {
			Manual float64 `json:"offerThroughput"`
			Auto   struct {
				Max float64 `json:"maxThroughput"`
			} `json:"offerAutopilotSettings"`
		} `json:"content"`
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatal(err)
	}
	return v.Content.Manual, v.Content.Auto.Max
}

func TestOffers_Migration(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.check(p.tagged("strict"))
	offer, path := p.offerOf(p.do("GET", "/dbs/db/colls/c", "").json(t)["_rid"])
	raw, err := json.Marshal(offer)
	p.check(err)
	toAuto := []string{"x-ms-cosmos-migrate-offer-to-autopilot", "true"}
	toManual := []string{"x-ms-cosmos-migrate-offer-to-manual-throughput", "true"}
	for i, step := range []struct {
		headers     []string
		body        string
		manual, max float64
		least       string
	}{
		{nil, `{"content":{"offerThroughput":2500}}`, 2500, 0, "400"},
		{toAuto, string(raw), 300, 3000, "1000"},
		{toAuto, string(raw), 300, 3000, "1000"},                                                     // again
		{nil, `{"content":{"offerAutopilotSettings":{"maxThroughput":60000}}}`, 6000, 60000, "6000"}, // takes six ranges
		{toManual, string(raw), 60000, 0, "600"},
		{nil, `{"content":{"offerThroughput":600}}`, 600, 0, "600"},
	} {
		a := p.want(p.do("PUT", path, step.body, step.headers...), 200)
		if manual, most := content(a, t); manual != step.manual || most != step.max {
			t.Errorf("%v %s: %v, %v", step.headers, step.body, manual, most)
		}
		for _, a := range []answer{a, p.want(p.do("GET", path, ""), 200)} {
			if a.header.Get("X-Ms-Cosmos-Min-Throughput") != step.least || a.header.Get("X-Ms-Offer-Replace-Pending") != strconv.FormatBool(i >= 3) {
				t.Errorf("%s: at least %s, pending %s", step.body, a.header.Get("X-Ms-Cosmos-Min-Throughput"), a.header.Get("X-Ms-Offer-Replace-Pending"))
			}
		}
	}
	id := p.call("acct", "").Old.GUID
	for tries := 0; p.do("GET", path, "").header.Get("X-Ms-Offer-Replace-Pending") == "true"; tries++ {
		if tries > 10 {
			t.Fatal("the change stays pending")
		}
		p.check(p.drainer.Drain(context.Background(), catalog.SplitShard(id)))
	}
	if n := len(p.ranges()); n != 6 {
		t.Errorf("%d ranges for 60,000 units", n)
	}
	p.wantFault(p.do("PUT", path, `{"content":{"offerThroughput":500}}`), 400, "BadRequest", "")
	p.wantFault(p.do("PUT", path, `{"content":{"offerAutopilotSettings":{"maxThroughput":4000}}}`), 400, "BadRequest", "")
	p.wantFault(p.do("PUT", path, string(raw), append(toAuto, toManual...)...), 400, "BadRequest", "")
	p.wantFault(p.do("PUT", path, string(raw), append(toAuto, "if-match", `"x"`)...), 412, "PreconditionFailed", "")

	// More throughput counts from the next request on.
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	count := func() (n int) {
		for p.item("GET", "/1", `["a"]`, "").status == 200 {
			n++
		}
		p.clock.Advance(10 * time.Second)
		return n
	}
	if n := count(); n < 90 || n > 100 {
		t.Errorf("%d reads in a burst at 600 in six ranges", n)
	}
	p.want(p.do("PUT", path, `{"content":{"offerThroughput":1200}}`), 200)
	if n := count(); n < 200 || n > 201 {
		t.Errorf("%d reads in a burst at 1200 in six ranges", n)
	}
}

func TestServerless(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.check(p.put("acct", `{"location":"West US","properties":{"capabilities":[{"name":"EnableServerless"}]}}`))
	p.loadKeys()
	p.wantFault(p.do("POST", "/dbs", `{"id":"db"}`, "x-ms-offer-throughput", "400"), 400, "BadRequest", "")
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.wantFault(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, "x-ms-cosmos-offer-autopilot-settings", `{"maxThroughput":4000}`), 400, "BadRequest", "")
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	if got := p.want(p.do("GET", "/offers", ""), 200).json(t)["_count"]; got != 0.0 {
		t.Errorf("%v offers", got)
	}
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
}

// The same query on the same data costs the same, and more the more it reads.
func TestQueryCharge(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for i := range 120 {
		p.want(p.item("POST", "", `["a"]`, `{"id":"`+strconv.Itoa(i)+`","pk":"a","n":`+strconv.Itoa(i)+`}`), 201)
	}
	charge := func(text string) float64 {
		t.Helper()
		var seen []string
		for range 2 {
			seen = append(seen, p.want(p.query(text, "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-max-item-count", "1000"), 200).header.Get("X-Ms-Request-Charge"))
		}
		if seen[0] != seen[1] {
			t.Errorf("%s: %v", text, seen)
		}
		f, err := strconv.ParseFloat(seen[0], 64)
		p.check(err)
		return f
	}
	one, some, all := charge("SELECT * FROM c WHERE c.n = 7"), charge("SELECT * FROM c WHERE c.n < 40"), charge("SELECT * FROM c")
	if one < 2.3 || one >= some || some >= all {
		t.Errorf("charges %v, %v, %v", one, some, all)
	}
}
