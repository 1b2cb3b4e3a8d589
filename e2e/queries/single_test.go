package queries

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// comparable tells whether the question has one right answer: not where a window is cut out of no order, or numbers are equal in the order that there is.
func (q question) comparable() bool {
	switch {
	case strings.Contains(q.Text, "ORDER BY"):
		return !strings.HasSuffix(q.Text, "ORDER BY c.n") && !strings.Contains(q.Text, "likeness")
	case strings.Contains(q.Text, "OFFSET"), strings.Contains(q.Text, "TOP"):
		return false
	}
	return true
}

// ask puts the items into a container of one partition key range, which answers every question by itself, and asks there.
func (a place) ask(t *testing.T, w harness.Way, work string) (rows [][]json.RawMessage) {
	t.Helper()
	var in struct {
		Items     []item
		Queries   []question
		Container struct {
			IndexingPolicy json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(work), &in); err != nil {
		t.Fatal(err)
	}
	base := w.Account(a.name)
	do := func(method, path, kind, link string, header http.Header, body any, status int) harness.Answer {
		t.Helper()
		for name, v := range a.signed(t, method, kind, link) {
			header[name] = v
		}
		answer := w.Do(t, method, base+path, header, body)
		if answer.Status != status {
			t.Fatalf("%s %s: %d %s", method, path, answer.Status, answer.Body)
		}
		return answer
	}
	do("POST", "/dbs", "dbs", "", http.Header{}, map[string]any{"id": "one"}, 201)
	do("POST", "/dbs/one/colls", "colls", "dbs/one", http.Header{}, map[string]any{
		"id": "c", "partitionKey": map[string]any{"paths": []string{"/pk"}, "version": 2}, "indexingPolicy": in.Container.IndexingPolicy,
	}, 201)
	const docs = "/dbs/one/colls/c/docs"
	for _, i := range in.Items {
		do("POST", docs, "docs", "dbs/one/colls/c", http.Header{"X-Ms-Documentdb-Partitionkey": {`["` + i.PK + `"]`}}, i, 201)
	}
	for _, q := range in.Queries {
		all := []json.RawMessage{}
		for next := ""; ; {
			h := http.Header{
				"X-Ms-Documentdb-Isquery": {"true"}, "Content-Type": {"application/query+json"}, "X-Ms-Documentdb-Partitionkeyrangeid": {"0"}, "X-Ms-Max-Item-Count": {"7"},
			}
			if next != "" {
				h.Set("X-Ms-Continuation", next)
			}
			answer := do("POST", docs, "docs", "dbs/one/colls/c", h, map[string]any{"query": q.Text, "parameters": q.Params}, 200)
			var page struct{ Documents []json.RawMessage }
			if err := json.Unmarshal([]byte(answer.Body), &page); err != nil {
				t.Fatal(err)
			}
			all = append(all, page.Documents...)
			if next = answer.Header.Get("X-Ms-Continuation"); next == "" {
				break
			}
		}
		rows = append(rows, all)
	}
	return rows
}

// signed are the headers of a request signed with the account's key.
func (a place) signed(t *testing.T, method, kind, link string) http.Header {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(a.key)
	if err != nil {
		t.Fatal(err)
	}
	date := time.Now().UTC().Format(http.TimeFormat)
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(strings.ToLower(method) + "\n" + kind + "\n" + link + "\n" + strings.ToLower(date) + "\n\n"))
	return http.Header{
		"Authorization": {url.QueryEscape("type=master&ver=1.0&sig=" + base64.StdEncoding.EncodeToString(mac.Sum(nil)))},
		"X-Ms-Date":     {date}, "X-Ms-Version": {"2020-07-15"},
	}
}

// metrics are what a client tells of one query of one logical partition: c.v > 20 in p1, which is three of five items.
type metrics struct {
	Query string // header, or the client's own form of it
	Index json.RawMessage
	Rows  int
}

func (m metrics) check(t *testing.T) {
	t.Helper()
	if m.Rows != 3 || !strings.Contains(m.Query, "retrievedDocumentCount=3;") && !strings.Contains(m.Query, `"retrievedDocumentCount":3,`) {
		t.Errorf("query metrics: %d rows, %s", m.Rows, m.Query)
	}
	if !strings.Contains(m.Query, "outputDocumentCount=3;") && !strings.Contains(m.Query, `"outputDocumentCount":3,`) {
		t.Errorf("query metrics: %s", m.Query)
	}
	if !strings.Contains(string(m.Index), "/v/?") {
		t.Errorf("index metrics: %s", m.Index)
	}
}

// TestMetrics_Go: azcosmos hands out the headers as they are.
func TestMetrics_Go(t *testing.T) {
	p := shared.Platform(t)
	at, w := account(t, p), p.SuffixWay(t)
	c := harness.PutContainer(t, w.Cosmos(t, at.name, at.key, w.ClientOptions()))
	pk := azcosmos.NewPartitionKeyString("p1")
	for _, text := range []string{`{"id":"1","pk":"p1","v":1}`, `{"id":"2","pk":"p1","v":27}`, `{"id":"3","pk":"p1","v":40}`, `{"id":"4","pk":"p1","v":53}`} {
		if _, err := c.CreateItem(t.Context(), pk, []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	page, err := c.NewQueryItemsPager("SELECT * FROM c WHERE c.v > 20", pk, &azcosmos.QueryOptions{PopulateIndexMetrics: true}).NextPage(t.Context())
	if err != nil || page.QueryMetrics == nil || page.IndexMetrics == nil {
		t.Fatalf("got %+v, %v", page, err)
	}
	index, err := base64.StdEncoding.DecodeString(*page.IndexMetrics)
	if err != nil {
		t.Errorf("index metrics %s: %v", *page.IndexMetrics, err)
	}
	metrics{*page.QueryMetrics, index, len(page.Items)}.check(t)
}
