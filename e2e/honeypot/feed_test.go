package honeypot

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestFeed: a MISP feed is fetched by its manifest, the newest events first, and what it marks for detection is known.
func TestFeed(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	const event = "5e0c7f4e-0000-4000-8000-0000000000%02d"
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/feed/manifest.json" {
			fmt.Fprintf(w, `{"`+event+`":{"info":"old","timestamp":"1"},"`+event+`":{"info":"new","timestamp":"2"}}`, 1, 2)
			return
		}
		for i := range 3 {
			if r.URL.Path == fmt.Sprintf("/feed/"+event+".json", i) {
				fmt.Fprintf(w, `{"Event":{"info":"number %d","Attribute":[{"type":"ip-dst","to_ids":true,"value":"203.0.113.%d"}]}}`, i, i)
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(feed.Close)
	p.Output(t, "indicators", "import", "--events", "1", feed.URL+"/feed/manifest.json")
	list := func() string { return string(p.Output(t, "indicators", "list", "--kind", "ip")) }
	if l := list(); !strings.Contains(l, "203.0.113.2 ") || strings.Contains(l, "203.0.113.1 ") || !strings.Contains(l, "import:127.0.0.1") {
		t.Errorf("of the newest event is known:\n%s", l)
	}
	p.Output(t, "indicators", "import", feed.URL+"/feed/manifest.json")
	if l := list(); !strings.Contains(l, "203.0.113.1 ") {
		t.Errorf("of both events is known:\n%s", l)
	}
	if out := string(p.Output(t, "indicators", "export", "--format", "misp", "--kind", "ip")); !strings.Contains(out, `"value": "203.0.113.1"`) {
		t.Errorf("exported is %s", out)
	}
}
