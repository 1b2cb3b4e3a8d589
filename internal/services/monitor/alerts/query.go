package alerts

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func states() []string { return []string{stateNew, "Acknowledged", "Closed"} }

const (
	defaultPage = 250
	maxPage     = 250
	maxSelected = 20_000
	// maxSpan is how far back a custom time range may reach.
	maxSpan = 30 * 24 * time.Hour
)

// query is what a list or a summary asks for.
type query struct {
	from, to                            time.Time
	target, targetType, targetGroup     string
	service, condition, severity, state string
	rule, smartGroup                    string
	context, egress                     bool
	page                                int
	by                                  string
	ascending                           bool
}

// parseQuery reads the query parameters, in any case.
func parseQuery(get func(string) string, now time.Time) (*query, error) {
	q := &query{
		target: get("targetResource"), targetType: get("targetResourceType"), targetGroup: get("targetResourceGroup"), service: get("monitorService"), rule: get("alertRule"),
		smartGroup: get("smartGroupId"), page: defaultPage, by: cmp.Or(get("sortBy"), "lastModifiedDateTime"),
	}
	var err error
	for _, f := range []struct {
		name  string
		to    *string
		known []string
	}{
		{"monitorCondition", &q.condition, []string{fired, resolved}},
		{"severity", &q.severity, []string{"Sev0", "Sev1", "Sev2", "Sev3", "Sev4"}},
		{"alertState", &q.state, states()},
	} {
		if *f.to, err = known(f.name, get(f.name), f.known); err != nil {
			return nil, err
		}
	}
	for name, to := range map[string]*bool{"includeContext": &q.context, "includeEgressConfig": &q.egress} {
		if v := get(name); v != "" {
			if *to, err = strconv.ParseBool(v); err != nil {
				return nil, bad("The query parameter %s is '%.60s'; it must be true or false.", name, v)
			}
		}
	}
	if v := get("pageCount"); v != "" {
		if q.page, err = strconv.Atoi(v); err != nil || q.page < 1 || q.page > maxPage {
			return nil, bad("The query parameter pageCount is '%.60s'; it must be a number from 1 to %d.", v, maxPage)
		}
	}
	if q.by, err = known("sortBy", q.by, sortKeys()); err != nil {
		return nil, err
	}
	order, err := known("sortOrder", cmp.Or(get("sortOrder"), "desc"), []string{"asc", "desc"})
	if err != nil {
		return nil, err
	}
	q.ascending = order == "asc"
	return q, q.span(get("timeRange"), get("customTimeRange"), now)
}

// span reads the time that is asked for; without any, the last day.
func (q *query) span(name, custom string, now time.Time) error {
	q.to = now.Add(time.Hour) // a clock that went back hides nothing
	if custom != "" {
		if name != "" {
			return bad("Only one of timeRange and customTimeRange can be asked for.")
		}
		a, b, ok := strings.Cut(custom, "/")
		from, err := time.Parse(time.RFC3339, a)
		to, err2 := time.Parse(time.RFC3339, b)
		if !ok || err != nil || err2 != nil || to.Before(from) {
			return bad("The query parameter customTimeRange is '%.100s'; it must be <start>/<end>, both as 2026-01-02T03:04:05Z.", custom)
		}
		if now.Sub(from) > maxSpan+time.Minute {
			return bad("The query parameter customTimeRange begins more than 30 days ago.")
		}
		q.from, q.to = from, to
		return nil
	}
	name, err := known("timeRange", cmp.Or(name, "1d"), []string{"1h", "1d", "7d", "30d"})
	if err != nil {
		return err
	}
	q.from = now.Add(-map[string]time.Duration{"1h": time.Hour, "1d": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": maxSpan}[name])
	return nil
}

func known(name, v string, of []string) (string, error) {
	if v == "" {
		return "", nil
	}
	if i := indexFold(of, v); i >= 0 {
		return of[i], nil
	}
	return "", bad("The query parameter %s is '%.60s'; it must be one of %s.", name, v, strings.Join(of, ", "))
}

func indexFold(of []string, v string) int {
	return slices.IndexFunc(of, func(s string) bool { return strings.EqualFold(s, v) })
}

// keeps tells whether an alert is asked for.
func (q *query) keeps(a *alert) bool {
	e := a.show(false, false).Essentials
	same := func(want, have string) bool { return want == "" || strings.EqualFold(want, have) }
	under := q.target == "" || strings.EqualFold(q.target, e.Target)
	rule := q.rule == "" || strings.EqualFold(q.rule, e.Rule) || strings.EqualFold(q.rule, a.RuleName)
	return !a.Fired.Before(q.from) && !a.Fired.After(q.to) && under && rule && same(q.targetType, e.TargetType) && same(q.targetGroup, e.TargetGroup) && same(q.service, e.Service) &&
		same(q.condition, e.Condition) && same(q.severity, e.Severity) && same(q.state, e.State) && q.smartGroup == ""
}

func sortKeys() []string {
	return []string{
		"name", "severity", "alertState", "monitorCondition", "targetResource", "targetResourceName", "targetResourceGroup", "targetResourceType", "startDateTime",
		"lastModifiedDateTime",
	}
}

// sort puts alerts into the order that is asked for; of those alike, the one fired last comes first.
func (q *query) sort(list []alert) {
	key := func(a *alert) string {
		e := a.show(false, false).Essentials
		switch q.by {
		case "name":
			return a.RuleName
		case "severity":
			return e.Severity
		case "alertState":
			return e.State
		case "monitorCondition":
			return e.Condition
		case "targetResource":
			return fold(e.Target)
		case "targetResourceName":
			return fold(e.TargetName)
		case "targetResourceGroup":
			return fold(e.TargetGroup)
		case "targetResourceType":
			return e.TargetType
		case "startDateTime":
			return e.Start
		}
		return e.Modified
	}
	keys := make(map[string]string, len(list))
	for i := range list {
		keys[list[i].ID] = key(&list[i])
	}
	slices.SortStableFunc(list, func(a, b alert) int {
		d := strings.Compare(keys[a.ID], keys[b.ID])
		if !q.ascending {
			d = -d
		}
		return cmp.Or(d, b.Fired.Compare(a.Fired), strings.Compare(a.ID, b.ID))
	})
}
