package portal

import (
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

// raisedFilter is what the list of alerts is narrowed down to.
type raisedFilter struct {
	State, Condition, Severity, Rule, Resource, Time string
}

func readRaisedFilter(r *wire.Request) raisedFilter {
	f := raisedFilter{State: r.Query("state"), Condition: r.Query("condition"), Severity: r.Query("severity"), Rule: r.Query("rule"), Resource: r.Query("resource"), Time: r.Query("time")}
	if f.Time == "" {
		f.Time = "30d"
	}
	return f
}

// query is what the service is asked.
func (f raisedFilter) query() url.Values {
	q := url.Values{"sortBy": {"startDateTime"}, "sortOrder": {"desc"}}
	for _, v := range [][2]string{{"alertState", f.State}, {"monitorCondition", f.Condition}, {"severity", f.Severity}, {"alertRule", f.Rule}, {"timeRange", f.Time}} {
		if v[1] != "" {
			q.Set(v[0], v[1])
		}
	}
	if strings.HasPrefix(f.Resource, "/") {
		q.Set("targetResource", f.Resource)
	}
	return q
}

// takes looks for a resource by a part of its name, which the service doesn't.
func (f raisedFilter) takes(a raised) bool {
	if f.Resource == "" || strings.HasPrefix(f.Resource, "/") {
		return true
	}
	return strings.Contains(strings.ToLower(a.Properties.Essentials.TargetName), strings.ToLower(f.Resource))
}

// link is the list from an alert on.
func (f raisedFilter) link(from int) string {
	q := url.Values{}
	for _, v := range [][2]string{{"state", f.State}, {"condition", f.Condition}, {"severity", f.Severity}, {"rule", f.Rule}, {"resource", f.Resource}, {"time", f.Time}} {
		if v[1] != "" {
			q.Set(v[0], v[1])
		}
	}
	if from > 0 {
		q.Set("from", strconv.Itoa(from))
	}
	return "/monitor/alerts?" + q.Encode()
}

func (s *Service) raisedList(ctx context.Context, r *wire.Request, who *session) (any, error) {
	f := readRaisedFilter(r)
	all, more, err := everywhere[raised](ctx, s, r, who, raisedPath(f.query()))
	if err != nil {
		return s.refused(who, "raised", err)
	}
	all = slices.DeleteFunc(all, func(a raised) bool { return !f.takes(a) })
	slices.SortStableFunc(all, func(a, b raised) int { return b.Properties.Essentials.Start.Compare(a.Properties.Essentials.Start) })
	from, _ := strconv.Atoi(r.Query("from"))
	from = min(max(from, 0), len(all))
	to := min(from+rows, len(all))
	data := struct {
		Filter                        raisedFilter
		States, Conditions, Severitys []string
		Times                         []grain
		Alerts                        []raised
		First, Last, Total            int
		More                          bool
		Newest, Older                 string
	}{
		Filter: f, States: []string{"New", "Acknowledged", "Closed"}, Conditions: []string{"Fired", "Resolved"}, Severitys: []string{"Sev0", "Sev1", "Sev2", "Sev3", "Sev4"},
		Times:  []grain{{Name: "1h", Words: "the last hour"}, {Name: "1d", Words: "the last day"}, {Name: "7d", Words: "the last 7 days"}, {Name: "30d", Words: "the last 30 days"}},
		Alerts: all[from:to], First: from + 1, Last: to, Total: len(all), More: more,
	}
	if from > 0 {
		data.Newest = f.link(0)
	}
	if to < len(all) {
		data.Older = f.link(to)
	}
	return s.render("raisedlist", http.StatusOK, page{Title: "Metric alerts", Who: who, Room: "raised", Path: []step{{"Home", "/"}}, Script: "portal.js", Data: data})
}

// raisedID demands that a text is the id of an alert, at a subscription or a group.
func raisedID(id string) error { return resourceID(id, "Microsoft.AlertsManagement/alerts") }

// happened is an entry of an alert's history.
type happened struct {
	Event       string    `json:"modificationEvent"`
	Old         string    `json:"oldValue"`
	New         string    `json:"newValue"`
	At          time.Time `json:"modifiedAt"`
	By          string    `json:"modifiedBy"`
	Comments    string    `json:"comments"`
	Description string    `json:"description"`
}

// sent tells whether the entry is about a notification.
func (h happened) sent() bool { return strings.HasPrefix(h.Event, "Action") }

// Failed tells whether the notification didn't arrive.
func (h happened) Failed() bool { return h.Event == "ActionsFailed" }

func (s *Service) raisedPage(ctx context.Context, r *wire.Request, who *session) (any, error) {
	id := r.Query("id")
	if err := raisedID(id); err != nil {
		return s.refused(who, "raised", err)
	}
	var a raised
	err := s.call(ctx, r, who, http.MethodGet, id+"?api-version="+raisedVersion, nil, &a)
	if fault.Is(err, fault.NotFound) {
		id = inSubscription(id)
		err = s.call(ctx, r, who, http.MethodGet, id+"?api-version="+raisedVersion, nil, &a)
	}
	if err != nil {
		return s.refused(who, "raised", err)
	}
	var told struct {
		Properties struct {
			Modifications []happened `json:"modifications"`
		} `json:"properties"`
	}
	if err := s.call(ctx, r, who, http.MethodGet, id+"/history?api-version="+raisedVersion, nil, &told); err != nil {
		return s.refused(who, "raised", err)
	}
	e := a.Properties.Essentials
	data := struct {
		Alert         raised
		ID            string // as it was found
		History, Sent []happened
		Actions       []action
		Charts        []named
		Rule, Server  string
	}{Alert: a, ID: id, Rule: "/monitor/rules?text=" + url.QueryEscape(a.RuleName())}
	for _, h := range told.Properties.Modifications {
		if h.sent() {
			data.Sent = append(data.Sent, h)
		} else {
			data.History = append(data.History, h)
		}
	}
	for _, v := range []action{{"Acknowledged", "Acknowledge"}, {"Closed", "Close"}, {"New", "Reopen"}} {
		if v.Verb != e.State {
			data.Actions = append(data.Actions, v)
		}
	}
	for _, c := range a.Properties.Context.Context.Condition.AllOf {
		data.Charts = append(data.Charts, named{c.Metric, a.around(c)})
	}
	if strings.EqualFold(typeOf(e.Target), serverType) {
		data.Server = serverLink(e.Target)
	}
	return s.render("raised", http.StatusOK, page{
		Title: a.RuleName(), Who: who, Room: "raised", Path: []step{{"Home", "/"}, {"Metric alerts", "/monitor/alerts"}}, Script: "portal.js", Data: data,
	})
}

// around is the chart of what raised the alert, from some time before it to some time after it.
func (a raised) around(c raisedReason) string {
	e := a.Properties.Essentials
	if typeOf(e.Target) == "" {
		return ""
	}
	end := e.Resolved
	if end.IsZero() {
		end = e.Start.Add(time.Hour)
	}
	return explorerLink(e.Target, c.Namespace, c.Metric, c.Aggregation, "") + "&from=" + url.QueryEscape(e.Start.UTC().Add(-time.Hour).Format(minutes)) + "&to=" + url.QueryEscape(end.UTC().Add(30*time.Minute).Format(minutes))
}

func (s *Service) changeState(ctx context.Context, r *wire.Request, who *session) (any, error) {
	form := r.State.(url.Values)
	id, state := form.Get("id"), form.Get("state")
	if err := raisedID(id); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"New", "Acknowledged", "Closed"}, state) {
		return nil, fault.New(fault.Invalid, "BadRequest", "The form names no state of an alert.")
	}
	if err := s.call(ctx, r, who, http.MethodPost, id+"/changestate?newState="+state+"&api-version="+raisedVersion, nil, nil); err != nil {
		return s.refused(who, "raised", err)
	}
	return seeOther(raised{ID: id}.Link()), nil
}
