package portal

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Lists are read a page at a time: what they are narrowed down to is asked of the service, which knows it by an index, and the next page goes on behind the last alert shown. Of a
// text, and of alerts the user may not see, nothing is known before they are read: a page looks through a bounded number and says how far it came.

const (
	rows     = 50  // alerts on a page of the list
	lookups  = 8   // answers of one subscription that are looked through for a page
	farthest = 400 // the same, as long as the user may see nothing of them
)

// shownFields are those that lists show or look for texts in.
const shownFields = "alertDisplayName,description,severity,status,intent,startTimeUtc,endTimeUtc,compromisedEntity,isIncident,correlationKey,alertType,techniques,subTechniques,extendedProperties"

// alertsOf is the path of a list of a subscription's alerts, with what else is in its query.
func alertsOf(subscription string, terms []string, more string) string {
	q := url.Values{"api-version": {alertsVersion}, "$select": {shownFields}}
	if len(terms) > 0 {
		q.Set("$filter", strings.Join(terms, " and "))
	}
	return "/subscriptions/" + url.PathEscape(subscription) + "/providers/Microsoft.Security/alerts?" + q.Encode() + more
}

// quoted is a text in a $filter.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// place is where a page begins: behind the alert of a name, among the incidents or behind them. Names are in the order of the list, newest first.
type place struct {
	alerts bool
	name   string
}

func (p place) String() string {
	if p.alerts {
		return "a" + p.name
	}
	return "i" + p.name
}

func parsePlace(text string) (place, error) {
	if text == "" {
		return place{}, nil
	}
	p := place{alerts: text[0] == 'a', name: text[1:]}
	if text[0] != 'a' && text[0] != 'i' || len(p.name) > 200 || strings.ContainsAny(p.name, "'/?#") {
		return p, fault.New(fault.Invalid, "InvalidPlace", "after=%s is no place in the list.", short(60, text))
	}
	return p, nil
}

// filter is what the list is narrowed down to. From and To are of when alerts began.
type filter struct {
	Severity, Status, Machine, From, To, Text string
}

const minutes = "2006-01-02T15:04" // as browsers send times

func readFilter(r *wire.Request) (filter, error) {
	f := filter{Severity: r.Query("severity"), Status: r.Query("status"), Machine: r.Query("machine"), From: r.Query("from"), To: r.Query("to"), Text: r.Query("text")}
	for _, at := range []string{f.From, f.To} {
		if _, err := time.Parse(minutes, at); at != "" && err != nil {
			return f, fault.New(fault.Invalid, "InvalidTime", "%q is not a time such as 2026-01-31T18:30.", short(60, at))
		}
	}
	return f, nil
}

// terms are what the service is asked.
func (f filter) terms() (out []string) {
	if f.Severity != "" {
		out = append(out, "severity eq "+quoted(f.Severity))
	}
	switch f.Status {
	case "":
	case "open":
		out = append(out, "status ne 'Resolved'", "status ne 'Dismissed'")
	default:
		out = append(out, "status eq "+quoted(f.Status))
	}
	if f.Machine != "" {
		out = append(out, "compromisedEntity eq "+quoted(f.Machine))
	}
	if f.From != "" {
		out = append(out, "startTimeUtc ge "+quoted(f.From+":00Z"))
	}
	if f.To != "" {
		out = append(out, "startTimeUtc le "+quoted(f.To+":59Z"))
	}
	return out
}

// takes looks for the text.
func (f filter) takes(a alert) bool {
	if f.Text == "" {
		return true
	}
	p := a.Properties
	whole := strings.ToLower(strings.Join([]string{p.DisplayName, p.Description, p.Compromised, p.Type, a.Name, strings.Join(p.Techniques, " "), strings.Join(p.SubTechniques, " ")}, "\n"))
	return strings.Contains(whole, strings.ToLower(f.Text))
}

// link leads to the page that begins behind a place, at which so many were shown.
func (f filter) link(after string, shown int) string {
	q := url.Values{}
	for _, v := range [][2]string{{"severity", f.Severity}, {"status", f.Status}, {"machine", f.Machine}, {"from", f.From}, {"to", f.To}, {"text", f.Text}, {"after", after}} {
		if v[1] != "" {
			q.Set(v[0], v[1])
		}
	}
	if shown > 0 {
		q.Set("shown", strconv.Itoa(shown))
	}
	return "/security/alerts?" + q.Encode()
}

// counted is how many alerts the user can see of a machine, and of which kind.
type counted struct {
	Properties struct {
		Compromised string  `json:"compromisedEntity"`
		Counts      []tally `json:"counts"`
	}
}

type counts []counted

type tally struct {
	IsIncident bool   `json:"isIncident"`
	Status     string `json:"status"`
	Severity   string `json:"severity"`
	Count      int    `json:"count"`
}

func (t tally) open() bool { return t.Status == "Active" || t.Status == "InProgress" }

// total counts those a filter takes; it knows neither times nor texts.
func (c counts) total(f filter) (n int) {
	for _, m := range c {
		if f.Machine != "" && !strings.EqualFold(m.Properties.Compromised, f.Machine) {
			continue
		}
		for _, t := range m.Properties.Counts {
			if (f.Severity == "" || f.Severity == t.Severity) && (f.Status == "" || f.Status == t.Status || f.Status == "open" && t.open()) {
				n += t.Count
			}
		}
	}
	return n
}

// readable calls fn for each subscription in which the user may read alerts.
func (s *Service) readable(ctx context.Context, r *wire.Request, who *session, fn func(subscription string) error) error {
	subs, err := s.subscriptions(ctx, r, who)
	if err != nil {
		return err
	}
	for _, sub := range subs {
		if err := fn(sub.ID); err != nil && !fault.Is(err, fault.Forbidden) {
			return err
		}
	}
	return nil
}

// counts asks all subscriptions.
func (s *Service) counts(ctx context.Context, r *wire.Request, who *session) (all counts, more bool, err error) {
	err = s.readable(ctx, r, who, func(sub string) error {
		some, cut, err := list[counted](ctx, s, r, who, "/subscriptions/"+url.PathEscape(sub)+"/providers/Microsoft.Security/alertCounts?api-version="+alertsVersion)
		all, more = append(all, some...), more || cut
		return err
	})
	return all, more, err
}

// some reads alerts of one subscription until there are as many as wanted. reached is how far it came: the name of the last one looked at, "" if that was all.
func (s *Service) some(ctx context.Context, r *wire.Request, who *session, path string, want int, takes func(alert) bool) (found []alert, reached string, err error) {
	for i := range farthest {
		if i >= lookups && reached != "" {
			return found, reached, nil
		}
		var p struct {
			Value    []alert `json:"value"`
			NextLink string  `json:"nextLink"`
		}
		if err := s.call(ctx, r, who, http.MethodGet, path, nil, &p); err != nil {
			return nil, "", err
		}
		for _, a := range p.Value {
			if reached = a.Name; takes(a) {
				found = append(found, a)
			}
		}
		if p.NextLink == "" {
			return found, "", nil
		}
		if len(found) >= want {
			return found, reached, nil
		}
		next, err := url.Parse(p.NextLink)
		if err != nil {
			return nil, "", err
		}
		path = next.RequestURI()
	}
	if reached == "" {
		err = fault.New(fault.Invalid, "TooMany", "Among the first alerts that are like this there are none that you may see. Narrow the list down by a machine or a time.")
	}
	return found, reached, err
}

// class reads of all subscriptions the incidents, or what is none, behind a name. next is the name that the next page is behind, "" at the end.
func (s *Service) class(ctx context.Context, r *wire.Request, who *session, f filter, at place, want int) (found []alert, next string, err error) {
	terms := append(f.terms(), "isIncident eq "+strconv.FormatBool(!at.alerts))
	if at.name != "" {
		terms = append(terms, "name gt "+quoted(at.name))
	}
	err = s.readable(ctx, r, who, func(sub string) error {
		some, reached, err := s.some(ctx, r, who, alertsOf(sub, terms, "&$top="+strconv.Itoa(want+1)), want+1, f.takes)
		if found = append(found, some...); reached != "" && (next == "" || reached < next) {
			next = reached
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(found, func(a, b alert) int { return strings.Compare(a.Name, b.Name) })
	if next != "" { // what lies behind isn't complete
		found = slices.DeleteFunc(found, func(a alert) bool { return a.Name > next })
	}
	if len(found) > want {
		found = found[:want]
		next = found[want-1].Name
	}
	return found, next, nil
}

// page reads a page of the list: incidents come first, they are the story, the alerts its sentences.
func (s *Service) page(ctx context.Context, r *wire.Request, who *session, f filter, at place) (found []alert, next string, err error) {
	for {
		some, behind, err := s.class(ctx, r, who, f, at, rows-len(found))
		if err != nil {
			return nil, "", err
		}
		found = append(found, some...)
		switch {
		case behind != "":
			return found, place{at.alerts, behind}.String(), nil
		case at.alerts:
			return found, "", nil
		case len(found) == rows:
			return found, place{alerts: true}.String(), nil
		}
		at = place{alerts: true}
	}
}

func (s *Service) alertList(ctx context.Context, r *wire.Request, who *session) (any, error) {
	f, err := readFilter(r)
	if err != nil {
		return s.refused(who, "alerts", err)
	}
	at, err := parsePlace(r.Query("after"))
	if err != nil {
		return s.refused(who, "alerts", err)
	}
	found, next, err := s.page(ctx, r, who, f, at)
	if err != nil {
		return s.refused(who, "alerts", err)
	}
	shown, _ := strconv.Atoi(r.Query("shown"))
	shown = min(max(shown, 0), 1<<30)
	data := struct {
		Filter             filter
		Severities, States []string
		Alerts             []alert
		First, Last, Total int // Total 0: not known
		Newest, Older      string
	}{
		Filter: f, Severities: severities, States: []string{"open", "Active", "InProgress", "Resolved", "Dismissed"}, Alerts: found, First: shown + 1, Last: shown + len(found),
	}
	if f.From == "" && f.To == "" && f.Text == "" {
		all, more, err := s.counts(ctx, r, who)
		if err != nil {
			return s.refused(who, "alerts", err)
		}
		if !more {
			data.Total = all.total(f)
		}
	}
	if at != (place{}) {
		data.Newest = f.link("", 0)
	}
	if next != "" {
		data.Older = f.link(next, shown+len(found))
	}
	return s.render("alerts", http.StatusOK, page{Title: "Security alerts", Who: who, Room: "alerts", Path: []step{{"Home", "/"}, {"Security", "/security"}}, Script: "portal.js", Data: data})
}

// count is one figure of the overview.
type count struct {
	Name, Link string
	N          int
}

func (s *Service) overview(ctx context.Context, r *wire.Request, who *session) (any, error) {
	all, more, err := s.counts(ctx, r, who)
	if err != nil {
		return s.refused(who, "security", err)
	}
	var data struct {
		Severities []count
		Machines   []count
		Incidents  []alert
		Older      string // incidents that aren't shown
		More       bool
	}
	data.More = more
	machines, bySeverity := map[string]int{}, map[string]int{}
	for _, m := range all {
		for _, t := range m.Properties.Counts {
			if t.open() && !t.IsIncident {
				machines[m.Properties.Compromised] += t.Count
				bySeverity[t.Severity] += t.Count
			}
		}
	}
	for _, sev := range severities {
		data.Severities = append(data.Severities, count{sev, "/security/alerts?status=open&severity=" + sev, bySeverity[sev]})
	}
	for m, n := range machines {
		data.Machines = append(data.Machines, count{m, "/security/alerts?status=open&machine=" + url.QueryEscape(m), n})
	}
	slices.SortFunc(data.Machines, func(a, b count) int { return cmp.Or(b.N-a.N, strings.Compare(a.Name, b.Name)) })
	data.Machines = data.Machines[:min(len(data.Machines), 10)]
	open := filter{Status: "open"}
	found, next, err := s.class(ctx, r, who, open, place{}, rows)
	if err != nil {
		return s.refused(who, "security", err)
	}
	if data.Incidents = found; next != "" {
		data.Older = open.link(place{name: next}.String(), len(found))
	}
	return s.render("overview", http.StatusOK, page{Title: "Security", Who: who, Room: "security", Path: []step{{"Home", "/"}}, Data: data})
}
