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

// Versions of the operations of Azure Monitor that pages are made of.
const (
	resourcesVersion   = "2021-04-01"
	definitionsVersion = "2018-01-01"
	namespacesVersion  = "2017-12-01-preview"
	rulesVersion       = "2018-03-01"
	groupsVersion      = "2021-09-01"
	raisedVersion      = "2019-05-05-preview"
)

// resource is one of the control plane's as lists show it.
type resource struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Location string `json:"location"`
}

// ChartLink is the resource's page of metrics.
func (r resource) ChartLink() string { return "/monitor/metrics?resource=" + url.QueryEscape(r.ID) }

// Group is the name of the resource's group.
func (r resource) Group() string { return groupOf(r.ID) }

// segmentOf gives a part of an id by the name of the segment before it.
func segmentOf(id, name string) string {
	parts := strings.Split(id, "/")
	for i := 1; i+1 < len(parts); i += 2 {
		if strings.EqualFold(parts[i], name) {
			return parts[i+1]
		}
	}
	return ""
}

func groupOf(id string) string        { return segmentOf(id, "resourceGroups") }
func subscriptionOf(id string) string { return segmentOf(id, "subscriptions") }

// lastName is the name at an id's end.
func lastName(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// typeOf is the type of a resource by its id: "Microsoft.DBforMySQL/servers".
func typeOf(id string) string {
	at := strings.LastIndex(strings.ToLower(id), "/providers/")
	if at < 0 {
		return ""
	}
	parts := strings.Split(id[at+len("/providers/"):], "/")
	out := parts[0]
	for i := 1; i < len(parts); i += 2 {
		out += "/" + parts[i]
	}
	return out
}

// resourceID demands that a text is the id of a resource, of a type ("": any), so that a page can't be led to ask for something else.
func resourceID(id, ofType string) error {
	plain := !strings.ContainsAny(id, "?#%\\") && !strings.Contains(id, "..") && !strings.Contains(id, "//")
	if !plain || len(id) > 1000 || !strings.HasPrefix(strings.ToLower(id), "/subscriptions/") || typeOf(id) == "" || ofType != "" && !strings.EqualFold(typeOf(id), ofType) {
		return fault.New(fault.Invalid, "InvalidResource", "%q is not the id of %s.", short(200, id), cmp.Or(ofType, "a resource"))
	}
	return nil
}

// everywhere lists what the user can see in all subscriptions, at "/subscriptions/{id}" + suffix, or where that is not allowed, in the groups that the user can see.
func everywhere[T any](ctx context.Context, s *Service, r *wire.Request, who *session, suffix string) (all []T, more bool, err error) {
	subs, err := s.subscriptions(ctx, r, who)
	if err != nil {
		return nil, false, err
	}
	for _, sub := range subs {
		some, cut, err := within[T](ctx, s, r, who, sub.ID, suffix)
		if err != nil {
			return nil, false, err
		}
		all, more = append(all, some...), more || cut
	}
	return all, more, nil
}

// maxGroups bounds the groups of a subscription that are asked one by one.
const maxGroups = 200

// within is everywhere in one subscription. Of alerts the subscription's list shows nothing, without a refusal, to who may read a group alone: so where it is empty the groups are asked, too.
func within[T any](ctx context.Context, s *Service, r *wire.Request, who *session, sub, suffix string) (all []T, more bool, err error) {
	base := "/subscriptions/" + url.PathEscape(sub)
	all, more, err = list[T](ctx, s, r, who, base+suffix)
	if err != nil && !fault.Is(err, fault.Forbidden) || len(all) > 0 {
		return all, more, err
	}
	groups, _, err := list[resource](ctx, s, r, who, base+"/resourcegroups?api-version="+resourcesVersion)
	if err != nil && !fault.Is(err, fault.Forbidden) {
		return nil, false, err
	}
	for _, g := range groups[:min(len(groups), maxGroups)] {
		some, cut, err := list[T](ctx, s, r, who, base+"/resourceGroups/"+url.PathEscape(g.Name)+suffix)
		if err != nil && !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.NotFound) {
			return nil, false, err
		}
		all, more = append(all, some...), more || cut
	}
	return all, more || len(groups) > maxGroups, nil
}

// kindOf is resources of one type, as pages list them.
type kindOf struct {
	Type      string
	Resources []resource
}

// resources lists those that the user can see, by their types.
func (s *Service) resources(ctx context.Context, r *wire.Request, who *session) (out []kindOf, more bool, err error) {
	all, more, err := everywhere[resource](ctx, s, r, who, "/resources?api-version="+resourcesVersion)
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(all, func(a, b resource) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Type), strings.ToLower(b.Type)), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	for _, one := range all {
		if strings.HasPrefix(strings.ToLower(one.Type), "microsoft.insights/") {
			continue // rules and groups aren't measured
		}
		if n := len(out); n == 0 || !strings.EqualFold(out[n-1].Type, one.Type) {
			out = append(out, kindOf{Type: one.Type})
		}
		out[len(out)-1].Resources = append(out[len(out)-1].Resources, one)
	}
	return out, more, nil
}

// metricRule is what pages need of a Microsoft.Insights/metricAlerts.
type metricRule struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Location   string `json:"location"`
	Properties struct {
		Description string   `json:"description"`
		Severity    int      `json:"severity"`
		Enabled     bool     `json:"enabled"`
		Scopes      []string `json:"scopes"`
		Frequency   string   `json:"evaluationFrequency"`
		Window      string   `json:"windowSize"`
		TargetType  string   `json:"targetResourceType"`
		Criteria    struct {
			AllOf []ruleCriterion `json:"allOf"`
		} `json:"criteria"`
		Actions []struct {
			Group string `json:"actionGroupId"`
		} `json:"actions"`
	} `json:"properties"`
}

type ruleCriterion struct {
	Type        string   `json:"criterionType"`
	Metric      string   `json:"metricName"`
	Namespace   string   `json:"metricNamespace"`
	Operator    string   `json:"operator"`
	Threshold   *float64 `json:"threshold"`
	Aggregation string   `json:"timeAggregation"`
	Sensitivity string   `json:"alertSensitivity"`
}

var signs = map[string]string{
	"GreaterThan": ">", "GreaterThanOrEqual": "≥", "LessThan": "<", "LessThanOrEqual": "≤", "Equals": "=", "NotEquals": "≠", "GreaterOrLessThan": "outside of",
}

// Text says the criterion as people do.
func (c ruleCriterion) Text() string {
	text := c.Aggregation + " of " + c.Metric + " " + cmp.Or(signs[c.Operator], c.Operator) + " "
	if c.Threshold == nil {
		return text + "what is usual (" + c.Sensitivity + ")"
	}
	return text + amount(*c.Threshold, "")
}

// Text says the rule's criteria.
func (m metricRule) Text() string {
	var parts []string
	for _, c := range m.Properties.Criteria.AllOf {
		parts = append(parts, c.Text())
	}
	return strings.Join(parts, " and ") + " over " + durationWords(m.Properties.Window)
}

// Alerts is the page of the alerts that it raised.
func (m metricRule) Alerts() string { return "/monitor/alerts?rule=" + url.QueryEscape(m.ID) }

// Chart is the page of what it watches; "" for rules of many resources.
func (m metricRule) Chart() string {
	p := m.Properties
	if len(p.Scopes) != 1 || len(p.Criteria.AllOf) == 0 || typeOf(p.Scopes[0]) == "" {
		return ""
	}
	c := p.Criteria.AllOf[0]
	return explorerLink(p.Scopes[0], c.Namespace, c.Metric, c.Aggregation, "")
}

// watches tells whether the rule looks at a resource's metric, and by which criteria.
func (m metricRule) watches(id, namespace, metric string) (out []ruleCriterion) {
	covered := slices.ContainsFunc(m.Properties.Scopes, func(scope string) bool {
		if strings.EqualFold(scope, id) {
			return true
		}
		return typeOf(scope) == "" && len(id) > len(scope) && strings.EqualFold(id[:len(scope)], scope) && id[len(scope)] == '/' && strings.EqualFold(m.Properties.TargetType, typeOf(id))
	})
	if !covered {
		return nil
	}
	for _, c := range m.Properties.Criteria.AllOf {
		if strings.EqualFold(c.Metric, metric) && strings.EqualFold(cmp.Or(c.Namespace, typeOf(id)), cmp.Or(namespace, typeOf(id))) {
			out = append(out, c)
		}
	}
	return out
}

const rulesSuffix = "/providers/Microsoft.Insights/metricAlerts?api-version=" + rulesVersion

// raised is what pages need of an alert of Microsoft.AlertsManagement.
type raised struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		Essentials struct {
			Severity    string    `json:"severity"`
			State       string    `json:"alertState"`
			Condition   string    `json:"monitorCondition"`
			Service     string    `json:"monitorService"`
			Target      string    `json:"targetResource"`
			TargetName  string    `json:"targetResourceName"`
			Rule        string    `json:"alertRule"`
			Start       time.Time `json:"startDateTime"`
			Modified    time.Time `json:"lastModifiedDateTime"`
			Resolved    time.Time `json:"monitorConditionResolvedDateTime"`
			By          string    `json:"lastModifiedUserName"`
			Description string    `json:"description"`
			Check       string    `json:"thingsToCheck"`
		} `json:"essentials"`
		Context struct {
			Context struct {
				Condition struct {
					Window string         `json:"windowSize"`
					From   time.Time      `json:"windowStartTime"`
					To     time.Time      `json:"windowEndTime"`
					AllOf  []raisedReason `json:"allOf"`
				} `json:"condition"`
			} `json:"context"`
		} `json:"context"`
	} `json:"properties"`
}

type raisedReason struct {
	Metric      string   `json:"metricName"`
	Namespace   string   `json:"metricNamespace"`
	Operator    string   `json:"operator"`
	Threshold   string   `json:"threshold"`
	Aggregation string   `json:"timeAggregation"`
	Value       *float64 `json:"metricValue"`
	Dimensions  []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"dimensions"`
}

// Text says what was measured.
func (c raisedReason) Text() string {
	text := c.Aggregation + " of " + c.Metric
	if c.Value == nil {
		text += " had no data"
	} else {
		text += " was " + amount(*c.Value, "")
	}
	text += " (" + cmp.Or(signs[c.Operator], c.Operator) + " " + c.Threshold + ")"
	for _, d := range c.Dimensions {
		text += ", " + d.Name + " " + d.Value
	}
	return text
}

// Link is the alert's page.
func (a raised) Link() string { return "/monitor/alert?id=" + url.QueryEscape(a.Place()) }

// Place is the alert's id in the group of its resource, where those find it, too, who may see the group alone. Alerts of a subscription have none.
func (a raised) Place() string {
	group := groupOf(a.Properties.Essentials.Target)
	if group == "" || groupOf(a.ID) != "" {
		return a.ID
	}
	return "/subscriptions/" + subscriptionOf(a.ID) + "/resourceGroups/" + group + raisedProvider + lastName(a.ID)
}

// inSubscription is an alert's id without its group, which may be gone.
func inSubscription(id string) string {
	return "/subscriptions/" + subscriptionOf(id) + raisedProvider + lastName(id)
}

const raisedProvider = "/providers/Microsoft.AlertsManagement/alerts/"

// RuleName is the name of the rule that raised it.
func (a raised) RuleName() string { return lastName(a.Properties.Essentials.Rule) }

// level is the number of the severity: 0 is the worst.
func (a raised) level() int {
	s := a.Properties.Essentials.Severity
	if len(s) == 4 && s[3] >= '0' && s[3] <= '4' {
		return int(s[3] - '0')
	}
	return 4
}

// Level is the number of the severity, for the style.
func (a raised) Level() int { return a.level() }

// raisedPath is a list of alerts.
func raisedPath(query url.Values) string {
	query.Set("api-version", raisedVersion)
	return "/providers/Microsoft.AlertsManagement/alerts?" + query.Encode()
}

// seeOther sends a browser on after a form.
func seeOther(to string) wire.Reply {
	reply := redirect(to)
	reply.Status = http.StatusSeeOther
	return reply
}
