package portal

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	serversVersion = "2017-12-01"
	serverType     = "Microsoft.DBforMySQL/servers"
)

// server is what pages need of a MySQL server.
type server struct {
	resource
	SKU struct {
		Name     string `json:"name"`
		Tier     string `json:"tier"`
		Capacity int    `json:"capacity"`
	} `json:"sku"`
	Properties struct {
		State   string `json:"userVisibleState"`
		Domain  string `json:"fullyQualifiedDomainName"`
		Version string `json:"version"`
		Login   string `json:"administratorLogin"`
		SSL     string `json:"sslEnforcement"`
		Public  string `json:"publicNetworkAccess"`
		Storage struct {
			MB       int    `json:"storageMB"`
			Autogrow string `json:"storageAutogrow"`
		} `json:"storageProfile"`
		Attach *struct {
			Host string `json:"host"`
			Port int    `json:"port"`
		} `json:"attach"`
		Local struct {
			Endpoint string `json:"endpoint"`
			Engine   string `json:"engine"`
			ReadOnly bool   `json:"readOnly"`
			Problem  string `json:"problem"`
			CA       string `json:"caUrl"`
		} `json:"bulkhead"`
	} `json:"properties"`
}

func serverLink(id string) string { return "/database?id=" + url.QueryEscape(id) }

// Link is the server's page.
func (s server) Link() string { return serverLink(s.ID) }

// GB is the storage it has.
func (s server) GB() int { return s.Properties.Storage.MB >> 10 }

// serverRow is a server of the list.
type serverRow struct {
	server
	Fired int
}

func (s *Service) serverList(ctx context.Context, r *wire.Request, who *session) (any, error) {
	all, _, err := everywhere[server](ctx, s, r, who, "/providers/"+serverType+"?api-version="+serversVersion)
	if err != nil {
		return s.refused(who, "databases", err)
	}
	_, fired, err := s.firedNow(ctx, r, who)
	if err != nil {
		return s.refused(who, "databases", err)
	}
	var data []serverRow
	for _, one := range all {
		data = append(data, serverRow{one, fired[strings.ToLower(one.ID)]})
	}
	slices.SortFunc(data, func(a, b serverRow) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return s.render("servers", http.StatusOK, page{Title: "MySQL servers", Who: who, Room: "databases", Path: []step{{"Home", "/"}}, Data: data})
}

// gauge is a half circle that is filled as far as something is used.
type gauge struct {
	Name, Value, Of string
	Percent         float64 // of the limit; NaN: not known
	Link            string
}

const gaugeRadius = 54

// Arc is the filled part's path; "" where there is nothing to fill.
func (g gauge) Arc() string {
	if math.IsNaN(g.Percent) || g.Percent <= 0 {
		return ""
	}
	angle := math.Pi * (1 - min(g.Percent, 100)/100)
	return fmt.Sprintf("M%s %sA%d %d 0 0 1 %s %s", pixel(70-gaugeRadius), pixel(66), gaugeRadius, gaugeRadius, pixel(70+gaugeRadius*math.Cos(angle)), pixel(66-gaugeRadius*math.Sin(angle)))
}

// State says how far it is: the best practice looks at 80 and at 95 percent.
func (g gauge) State() string {
	switch {
	case g.Percent >= 95:
		return "high"
	case g.Percent >= 80:
		return "medium"
	}
	return "fine"
}

// serverLog is a log to download.
type serverLog struct {
	Name       string `json:"name"`
	Properties struct {
		SizeKB   int64     `json:"sizeInKB"`
		Modified time.Time `json:"lastModifiedTime"`
		Kind     string    `json:"type"`
		URL      string    `json:"url"`
	} `json:"properties"`
}

type firewallRule struct {
	Name       string `json:"name"`
	Properties struct {
		Start string `json:"startIpAddress"`
		End   string `json:"endIpAddress"`
	} `json:"properties"`
}

// recommended is a rule of the best practice.
type recommended struct {
	Name       string `json:"name"`
	Properties struct {
		Description string `json:"description"`
		Severity    int    `json:"severity"`
		Window      string `json:"windowSize"`
		Criteria    struct {
			AllOf []ruleCriterion `json:"allOf"`
		} `json:"criteria"`
	} `json:"properties"`

	State, Link string // of the rule that was made of it
	Fired       int
}

// Text says what it watches.
func (r recommended) Text() string {
	var m metricRule
	m.Properties.Window, m.Properties.Criteria.AllOf = r.Properties.Window, r.Properties.Criteria.AllOf
	return m.Text()
}

// reason is why connections failed, and how many.
type reason struct {
	Name  string
	Count string
}

// serverPage is what a server's page shows. A part that the user may not see is empty, and named in Hidden.
type serverPage struct {
	Server      server
	Limit       int // connections; 0: not known
	Gauges      []gauge
	Reasons     []reason
	FailedLink  string
	Logs        []serverLog
	Firewall    []firewallRule
	Recommended []recommended
	Missing     int        // of those
	Groups      []resource // action groups that new ones may tell
	Alerts      string
	Fired       int
	Hidden      []string
}

func (s *Service) serverPage(ctx context.Context, r *wire.Request, who *session) (any, error) {
	id := r.Query("id")
	if err := resourceID(id, serverType); err != nil {
		return s.refused(who, "databases", err)
	}
	var data serverPage
	if err := s.call(ctx, r, who, http.MethodGet, id+"?api-version="+serversVersion, nil, &data.Server); err != nil {
		return s.refused(who, "databases", err)
	}
	data.Alerts = "/monitor/alerts?resource=" + url.QueryEscape(data.Server.ID)
	data.FailedLink = explorerLink(id, "", "connections_failed", "Total", "Reason") + "&span=1d"
	for _, part := range []struct {
		name string
		fill func(context.Context, *wire.Request, *session, *serverPage) error
	}{
		{"its limits", s.fillLimit},
		{"its metrics", s.fillGauges},
		{"its failed connections", s.fillReasons},
		{"its logs", s.fillLogs},
		{"its firewall", s.fillFirewall},
		{"its recommended rules", s.fillRecommended},
	} {
		switch err := part.fill(ctx, r, who, &data); {
		case fault.Is(err, fault.Forbidden), fault.Is(err, fault.NotImplemented):
			data.Hidden = append(data.Hidden, part.name)
		case err != nil:
			return s.refused(who, "databases", err)
		}
	}
	return s.render("server", http.StatusOK, page{
		Title: data.Server.Name, Who: who, Room: "databases", Path: []step{{"Home", "/"}, {"MySQL servers", "/databases"}}, Script: "portal.js", Data: data,
	})
}

// fillLimit finds the connections that the SKU allows.
func (s *Service) fillLimit(ctx context.Context, r *wire.Request, who *session, data *serverPage) error {
	type tier struct {
		Levels []struct {
			ID          string `json:"id"`
			Connections int    `json:"maxConnections"`
		} `json:"serviceLevelObjectives"`
	}
	tiers, _, err := list[tier](ctx, s, r, who, data.Server.ID+"/performanceTiers?api-version="+serversVersion)
	for _, t := range tiers {
		for _, l := range t.Levels {
			if l.ID == data.Server.SKU.Name {
				data.Limit = l.Connections
			}
		}
	}
	return err
}

// fillGauges reads the newest measurements of the last ten minutes.
func (s *Service) fillGauges(ctx context.Context, r *wire.Request, who *session, data *serverPage) error {
	now := s.deps.Clock.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	names := []string{"active_connections", "cpu_percent", "memory_percent", "io_consumption_percent", "storage_percent", "storage_used", "storage_limit"}
	got, err := s.measured(ctx, r, who, data.Server.ID, url.Values{
		"metricnames": {strings.Join(names, ",")}, "aggregation": {"Average"}, "interval": {"PT1M"}, "timespan": {now.Add(-10*time.Minute).Format(time.RFC3339) + "/" + now.Format(time.RFC3339)},
	})
	if err != nil {
		return err
	}
	last := map[string]float64{}
	for _, m := range got {
		last[m.Name.Value] = math.NaN()
		for _, l := range m.Lines {
			for _, p := range l.Data {
				if v := p.of("Average"); !math.IsNaN(v) {
					last[m.Name.Value] = v
				}
			}
		}
	}
	data.Gauges = gauges(data.Server.ID, last, data.Limit)
	return nil
}

// gauges makes the gauges of a server of its newest measurements.
func gauges(id string, last map[string]float64, limit int) []gauge {
	value := func(name, unit string) string {
		v, ok := last[name]
		if !ok || math.IsNaN(v) {
			return "no data"
		}
		return amount(v, unit)
	}
	connections := gauge{Name: "Connections", Value: value("active_connections", ""), Percent: math.NaN(), Link: explorerLink(id, "", "active_connections", "Average", "")}
	if v, ok := last["active_connections"]; ok && limit > 0 {
		connections.Of, connections.Percent = fmt.Sprintf("of %d", limit), 100*v/float64(limit)
	}
	out := []gauge{connections}
	for _, g := range [][2]string{{"CPU", "cpu_percent"}, {"Memory", "memory_percent"}, {"IO", "io_consumption_percent"}, {"Storage", "storage_percent"}} {
		percent, ok := last[g[1]]
		if !ok {
			percent = math.NaN()
		}
		one := gauge{Name: g[0], Value: value(g[1], "Percent"), Percent: percent, Link: explorerLink(id, "", g[1], "Average", "")}
		if g[0] == "Storage" && !math.IsNaN(percent) {
			one.Of = value("storage_used", "Bytes") + " of " + value("storage_limit", "Bytes")
		}
		out = append(out, one)
	}
	return out
}

// fillReasons counts the failed connections of the last day by reason.
func (s *Service) fillReasons(ctx context.Context, r *wire.Request, who *session, data *serverPage) error {
	now := s.deps.Clock.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	got, err := s.measured(ctx, r, who, data.Server.ID, url.Values{
		"metricnames": {"connections_failed"}, "aggregation": {"Total"}, "interval": {"FULL"}, "$filter": {"Reason eq '*'"}, "top": {"20"}, "orderby": {"total desc"},
		"timespan": {now.Add(-24*time.Hour).Format(time.RFC3339) + "/" + now.Format(time.RFC3339)},
	})
	if err != nil {
		return err
	}
	for _, m := range got {
		for _, l := range m.Lines {
			if len(l.Data) == 0 || len(l.Dimensions) == 0 {
				continue
			}
			if v := l.Data[0].of("Total"); v > 0 {
				data.Reasons = append(data.Reasons, reason{l.Dimensions[0].Value, amount(v, "")})
			}
		}
	}
	return nil
}

func (s *Service) fillLogs(ctx context.Context, r *wire.Request, who *session, data *serverPage) (err error) {
	data.Logs, _, err = list[serverLog](ctx, s, r, who, data.Server.ID+"/logFiles?api-version="+serversVersion)
	return err
}

func (s *Service) fillFirewall(ctx context.Context, r *wire.Request, who *session, data *serverPage) (err error) {
	data.Firewall, _, err = list[firewallRule](ctx, s, r, who, data.Server.ID+"/firewallRules?api-version="+serversVersion)
	return err
}

// fillRecommended finds of each recommended rule the one that was made of it: it has its name, and watches the server.
func (s *Service) fillRecommended(ctx context.Context, r *wire.Request, who *session, data *serverPage) error {
	var err error
	if data.Recommended, _, err = list[recommended](ctx, s, r, who, data.Server.ID+"/recommendations?api-version="+serversVersion); err != nil {
		return err
	}
	sub := subscriptionOf(data.Server.ID)
	rules, _, err := within[metricRule](ctx, s, r, who, sub, rulesSuffix)
	if err != nil {
		return err
	}
	fired, _, err := within[raised](ctx, s, r, who, sub, raisedPath(url.Values{"monitorCondition": {"Fired"}, "timeRange": {"30d"}, "targetResource": {data.Server.ID}}))
	if err != nil {
		return err
	}
	data.Fired = len(fired)
	for i := range data.Recommended {
		one := &data.Recommended[i]
		one.State = "missing"
		for _, m := range rules {
			if !strings.EqualFold(m.Name, one.Name) || !slices.ContainsFunc(m.Properties.Scopes, func(scope string) bool { return strings.EqualFold(scope, data.Server.ID) }) {
				continue
			}
			if one.State, one.Link = "off", m.Chart(); m.Properties.Enabled {
				one.State = "on"
			}
			for _, a := range fired {
				if strings.EqualFold(a.Properties.Essentials.Rule, m.ID) {
					one.Fired++
				}
			}
		}
		if one.State == "missing" {
			data.Missing++
		}
	}
	if data.Missing > 0 {
		data.Groups, _, err = within[resource](ctx, s, r, who, sub, "/providers/"+groupType+"?api-version="+groupsVersion)
	}
	return err
}

// makeRecommended makes the recommended rules that are not there, in the server's group; those that are there stay as they are.
func (s *Service) makeRecommended(ctx context.Context, r *wire.Request, who *session) (any, error) {
	form := r.State.(url.Values)
	id, group := form.Get("id"), form.Get("actionGroup")
	if err := resourceID(id, serverType); err != nil {
		return nil, err
	}
	if group != "" {
		if err := resourceID(group, groupType); err != nil {
			return nil, err
		}
	}
	type whole struct {
		Name       string         `json:"name"`
		Properties map[string]any `json:"properties"`
		Advice     [][2]string    `json:"advice"` // what to check, sent along with notifications
	}
	all, _, err := list[whole](ctx, s, r, who, id+"/recommendations?api-version="+serversVersion)
	if err != nil {
		return s.refused(who, "databases", err)
	}
	for _, one := range all {
		actions := []any{}
		if group != "" {
			advice := map[string]string{}
			for _, a := range one.Advice {
				advice[a[0]] = a[1]
			}
			actions = append(actions, map[string]any{"actionGroupId": group, "webHookProperties": advice})
		}
		one.Properties["actions"] = actions
		path := "/subscriptions/" + subscriptionOf(id) + "/resourceGroups/" + groupOf(id) + "/providers/" + ruleType + "/" + url.PathEscape(one.Name) + "?api-version=" + rulesVersion
		err := s.ask(ctx, r, who, http.MethodPut, path, http.Header{"If-None-Match": {"*"}}, map[string]any{"location": "global", "properties": one.Properties}, nil)
		if err != nil && !fault.Is(err, fault.Precondition) {
			return s.refused(who, "databases", err)
		}
	}
	return seeOther(serverLink(id)), nil
}
