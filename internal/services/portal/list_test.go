package portal

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/reach"
)

// crowd is a platform of many alerts, in two subscriptions; a third may not be read. It counts what it gives out.
type crowd struct {
	platform
	all   map[string][]map[string]any // by subscription, in the order of their names
	given int
	calls int
	shy   bool // of every answer only each hundredth alert may be seen
}

func newCrowd(n int) *crowd {
	c := &crowd{all: map[string][]map[string]any{}}
	for i := range n {
		owner, severity, status := []string{"s1", "s2"}[i%2], []string{"High", "Low", "Medium"}[i%3], "Active"
		if i%7 == 0 {
			status = "Resolved"
		}
		c.all[owner] = append(c.all[owner], map[string]any{"id": "/x", "name": fmt.Sprintf("%06d_x", i), "properties": map[string]any{
			"alertDisplayName": fmt.Sprintf("alert number %d.", i), "severity": severity, "status": status, "isIncident": i%1000 == 999, "compromisedEntity": "vm" + strconv.Itoa(i%50),
		}})
	}
	return c
}

var term = regexp.MustCompile(`(\w+) (eq|ne|gt) '?([^' ]*)'?`)

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(v any) { w.Header().Set("Content-Type", "application/json"); _ = json.NewEncoder(w).Encode(v) }
	part := strings.Split(r.URL.Path, "/")
	switch {
	case r.URL.Path == "/subscriptions":
		answer(map[string]any{"value": []any{map[string]string{"subscriptionId": "s1"}, map[string]string{"subscriptionId": "none"}, map[string]string{"subscriptionId": "s2"}}})
	case strings.Contains(r.URL.Path, "/none/"):
		w.WriteHeader(http.StatusForbidden)
		answer(map[string]any{"error": map[string]string{"code": "AuthorizationFailed", "message": "no"}})
	case strings.HasSuffix(r.URL.Path, "/alertCounts"):
		by := map[string]map[tally]int{}
		for _, a := range c.all[part[2]] {
			p := a["properties"].(map[string]any)
			host := p["compromisedEntity"].(string)
			if by[host] == nil {
				by[host] = map[tally]int{}
			}
			by[host][tally{p["isIncident"].(bool), p["status"].(string), p["severity"].(string), 0}]++
		}
		var out []counted
		for host, m := range by {
			var x counted
			x.Properties.Compromised = host
			for t, n := range m {
				t.Count = n
				x.Properties.Counts = append(x.Properties.Counts, t)
			}
			out = append(out, x)
		}
		answer(map[string]any{"value": out})
	case strings.HasSuffix(r.URL.Path, "/alerts"):
		c.calls++
		answer(c.list(part[2], r.URL))
	default:
		c.platform.ServeHTTP(w, r)
	}
}

// list is what the service does with the query.
func (c *crowd) list(subscription string, u *url.URL) map[string]any {
	q := u.Query()
	top, err := strconv.Atoi(q.Get("$top"))
	if err != nil {
		top = 100
	}
	found, next := []any{}, ""
	for n, a := range c.all[subscription] {
		p := a["properties"].(map[string]any)
		ok := a["name"].(string) >= q.Get("$skiptoken")
		for _, t := range term.FindAllStringSubmatch(q.Get("$filter"), -1) {
			have := fmt.Sprint(p[t[1]])
			if t[1] == "name" {
				have = a["name"].(string)
			}
			ok = ok && (t[2] == "eq" && have == t[3] || t[2] == "ne" && have != t[3] || t[2] == "gt" && have > t[3])
		}
		if !ok {
			continue
		}
		if top == 0 {
			q.Set("$skiptoken", a["name"].(string))
			next = "https://management.azure.com" + u.Path + "?" + q.Encode()
			break
		}
		top--
		if !c.shy || n%100 == 99 {
			found = append(found, a)
		}
	}
	c.given += len(found)
	return map[string]any{"value": found, "nextLink": next}
}

var (
	older  = regexp.MustCompile(`<a href="([^"]+)" rel="next">`)
	number = regexp.MustCompile(`>alert number (\d+)\.<`)
	span   = regexp.MustCompile(`(\d+) to (\d+)(?: of (\d+))?,`)
)

// openCrowd signs a browser in to a platform of many alerts.
func openCrowd(t *testing.T, n int) (*crowd, *browser) {
	t.Helper()
	s, _, b := open(t)
	c := newCrowd(n)
	s.deps.FrontDoor = &http.Client{Transport: reach.InProcess{Handler: c}}
	b.admin(s)
	return c, b
}

// walk reads a list to its end: the numbers of the alerts, and what the first page says of how many there are.
func (b *browser) walk(path string) (shown []int, total string, pages int) {
	b.t.Helper()
	for path != "" {
		w := b.do("GET", path, nil)
		if w.Code != http.StatusOK || pages > 500 {
			b.t.Fatalf("GET %s = %d, page %d", path, w.Code, pages)
		}
		text := w.Body.String()
		here := number.FindAllStringSubmatch(text, -1)
		if m := span.FindStringSubmatch(text); len(here) > 0 {
			if m == nil || m[1] != strconv.Itoa(len(shown)+1) || m[2] != strconv.Itoa(len(shown)+len(here)) || len(here) > rows {
				b.t.Fatalf("page %d of %d alerts says %q", pages, len(here), m)
			}
			if pages == 0 {
				total = m[3]
			}
		}
		for _, x := range here {
			n, _ := strconv.Atoi(x[1])
			shown = append(shown, n)
		}
		pages++
		path = ""
		if m := older.FindStringSubmatch(text); m != nil {
			path = html.UnescapeString(m[1])
		}
	}
	return shown, total, pages
}

// TestList_Pages: page after page every alert comes once, incidents first, then by age, whatever the list is narrowed down to, and the numbers are right.
func TestList_Pages(t *testing.T) {
	t.Parallel()
	const n = 2100
	_, b := openCrowd(t, n)
	for query, takes := range map[string]func(i int) bool{
		"":                          func(int) bool { return true },
		"severity=High":             func(i int) bool { return i%3 == 0 },
		"status=open&machine=vm3":   func(i int) bool { return i%7 != 0 && i%50 == 3 },
		"status=Resolved":           func(i int) bool { return i%7 == 0 },
		"severity=Low&machine=none": func(int) bool { return false },
		"text=number+19":            func(i int) bool { return strings.HasPrefix(strconv.Itoa(i), "19") },
	} {
		var want, rest []int
		for i := range n {
			if takes(i) && i%1000 == 999 {
				want = append(want, i)
			} else if takes(i) {
				rest = append(rest, i)
			}
		}
		want = append(want, rest...)
		got, total, _ := b.walk("/security/alerts?" + query)
		if !slices.Equal(got, want) {
			t.Errorf("%q shows %d alerts, want %d:\n%s", query, len(got), len(want), cmp.Diff(want, got))
		}
		if !strings.Contains(query, "text") && len(want) > 0 && total != strconv.Itoa(len(want)) {
			t.Errorf("%q says there are %q, want %d", query, total, len(want))
		}
	}
}

// TestList_Bounded: of 20,000 alerts a page asks for no more than it may show, wherever it is; so do the overview and a search that finds nothing.
func TestList_Bounded(t *testing.T) {
	t.Parallel()
	c, b := openCrowd(t, 20_000)
	for path, want := range map[string]struct {
		has          string
		given, calls int
	}{
		"/security/alerts":                             {"1 to 50 of 20000,", 2 * (rows + 1) * 2, 4},
		"/security/alerts?severity=High&status=open":   {"1 to 50 of ", 2 * (rows + 1) * 2, 4},
		"/security/alerts?after=a019000_x&shown=19001": {"19002 to 19051 of 20000,", 2 * (rows + 1), 2},
		"/security/alerts?text=nowhere":                {"None of the alerts looked through so far", 2*lookups*(rows+1) + 100, 2*lookups + 2},
		"/security":                                    {"<b>", 2 * (rows + 1), 2},
	} {
		c.given, c.calls = 0, 0
		text := b.do("GET", path, nil).Body.String()
		if !strings.Contains(text, want.has) || c.given > want.given || c.calls > want.calls {
			t.Errorf("%s read %d alerts by %d calls, want at most %d by %d; %q is in it: %t", path, c.given, c.calls, want.given, want.calls, want.has, strings.Contains(text, want.has))
		}
	}
	high := 0
	for i := range 20_000 {
		if i%3 == 0 && i%7 != 0 && i%1000 != 999 {
			high++
		}
	}
	if text := b.do("GET", "/security", nil).Body.String(); !strings.Contains(text, fmt.Sprintf("<b>%d</b> High", high)) {
		t.Errorf("the overview doesn't count %d open alerts of high severity:\n%s", high, text)
	}
}

// TestList_Unseen: alerts among many that the user may not see are all shown.
func TestList_Unseen(t *testing.T) {
	t.Parallel()
	c, b := openCrowd(t, 3000)
	c.shy = true
	got, _, _ := b.walk("/security/alerts")
	slices.Sort(got)
	if len(got) != 30 || len(slices.Compact(got)) != 30 {
		t.Errorf("%d alerts are shown, want 30: %v", len(got), got)
	}
}
