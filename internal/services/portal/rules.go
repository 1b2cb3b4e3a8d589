package portal

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// tried is what a rule would have done.
type tried struct {
	Evaluations int        `json:"evaluations"`
	NoData      int        `json:"noData"`
	Changes     []tryEvent `json:"changes"`
	Lines       []struct {
		Resource   string                         `json:"resource"`
		Metric     string                         `json:"metricName"`
		Dimensions []struct{ Name, Value string } `json:"dimensions"`
		Points     []struct {
			At    time.Time `json:"timeStamp"`
			Value float64   `json:"value"`
			Low   *float64  `json:"low"`
			High  *float64  `json:"high"`
		} `json:"points"`
	} `json:"lines"`
}

type tryEvent struct {
	At        time.Time `json:"at"`
	Condition string    `json:"condition"`
	Resource  string    `json:"resource"`
	Why       string    `json:"why"`
}

// tried asks what a rule would have done: the stored one, or the one of a body.
func (s *Service) tried(ctx context.Context, r *wire.Request, who *session, rule string, from, to time.Time, body any) (out tried, err error) {
	q := url.Values{"api-version": {rulesVersion}, "from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}, "points": {"400"}}
	return out, s.call(ctx, r, who, http.MethodPost, rule+"/try?"+q.Encode(), body, &out)
}

// ruleRow is a rule of the list.
type ruleRow struct {
	metricRule
	Fired int // alerts of it that are fired
}

const (
	ruleType  = "Microsoft.Insights/metricAlerts"
	groupType = "Microsoft.Insights/actionGroups"
	maxRules  = 500 // on the page
)

func (s *Service) ruleList(ctx context.Context, r *wire.Request, who *session) (any, error) {
	all, more, err := everywhere[metricRule](ctx, s, r, who, rulesSuffix)
	if err != nil {
		return s.refused(who, "rules", err)
	}
	fired, _, err := s.firedNow(ctx, r, who)
	if err != nil {
		return s.refused(who, "rules", err)
	}
	text := strings.ToLower(r.Query("text"))
	data := struct {
		Rules []ruleRow
		Text  string
		More  bool
	}{Text: r.Query("text"), More: more}
	for _, m := range all {
		if text != "" && !strings.Contains(strings.ToLower(m.Name+"\n"+m.Text()+"\n"+strings.Join(m.Properties.Scopes, "\n")), text) {
			continue
		}
		data.Rules = append(data.Rules, ruleRow{m, fired[strings.ToLower(m.ID)]})
	}
	slices.SortFunc(data.Rules, func(a, b ruleRow) int {
		return cmp.Or(b.Fired-a.Fired, strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	if len(data.Rules) > maxRules {
		data.Rules, data.More = data.Rules[:maxRules], true
	}
	return s.render("rules", http.StatusOK, page{Title: "Alert rules", Who: who, Room: "rules", Path: []step{{"Home", "/"}}, Data: data})
}

// firedNow counts the alerts of the last 30 days that are fired, by rule and by resource, both in lower case.
func (s *Service) firedNow(ctx context.Context, r *wire.Request, who *session) (rules, resources map[string]int, err error) {
	all, _, err := everywhere[raised](ctx, s, r, who, raisedPath(url.Values{"monitorCondition": {"Fired"}, "timeRange": {"30d"}}))
	if err != nil {
		return nil, nil, err
	}
	rules, resources = map[string]int{}, map[string]int{}
	for _, a := range all {
		rules[strings.ToLower(a.Properties.Essentials.Rule)]++
		resources[strings.ToLower(a.Properties.Essentials.Target)]++
	}
	return rules, resources, nil
}

// changeRule turns a rule on or off, or deletes it.
func (s *Service) changeRule(ctx context.Context, r *wire.Request, who *session) (any, error) {
	form := r.State.(url.Values)
	id, verb := form.Get("id"), form.Get("verb")
	if err := resourceID(id, ruleType); err != nil {
		return nil, err
	}
	path := id + "?api-version=" + rulesVersion
	var err error
	switch verb {
	case "enable", "disable":
		err = s.call(ctx, r, who, http.MethodPatch, path, map[string]any{"properties": map[string]any{"enabled": verb == "enable"}}, nil)
	case "delete":
		err = s.call(ctx, r, who, http.MethodDelete, path, nil, nil)
	default:
		return nil, fault.New(fault.Invalid, "BadRequest", "The form asks for nothing that can be done to a rule.")
	}
	if err != nil {
		return s.refused(who, "rules", err)
	}
	return seeOther("/monitor/rules"), nil
}
