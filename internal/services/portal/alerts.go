package portal

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// alert is what pages need of an alert of Microsoft.Security, 2022-01-01.
type alert struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		DisplayName    string            `json:"alertDisplayName"`
		Description    string            `json:"description"`
		Severity       string            `json:"severity"`
		Status         string            `json:"status"`
		Intent         string            `json:"intent"`
		Start          time.Time         `json:"startTimeUtc"`
		End            time.Time         `json:"endTimeUtc"`
		Compromised    string            `json:"compromisedEntity"`
		IsIncident     bool              `json:"isIncident"`
		CorrelationKey string            `json:"correlationKey"`
		Techniques     []string          `json:"techniques"`
		SubTechniques  []string          `json:"subTechniques"`
		Remedy         []string          `json:"remediationSteps"`
		Type           string            `json:"alertType"`
		Extended       map[string]string `json:"extendedProperties"`
		Entities       []map[string]any  `json:"entities"`
		Evidence       *struct {
			Title   string     `json:"title"`
			Columns []string   `json:"columns"`
			Rows    [][]string `json:"rows"`
		} `json:"supportingEvidence"`
		Resources []struct {
			ID string `json:"azureResourceId"`
		} `json:"resourceIdentifiers"`
	} `json:"properties"`
}

// Link is the alert's page.
func (a alert) Link() string { return "/security/alert?id=" + url.QueryEscape(a.ID) }

// Count is how often it was seen.
func (a alert) Count() string { return cmp.Or(a.Properties.Extended["count"], "1") }

// Open reports whether it asks for attention.
func (a alert) Open() bool {
	return a.Properties.Status == "Active" || a.Properties.Status == "InProgress"
}

// Subscription is the alert's subscription id.
func (a alert) Subscription() string {
	parts := strings.Split(a.ID, "/")
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}

var severities = []string{"High", "Medium", "Low", "Informational"}

// killChain orders intents.
var killChain = []string{
	"PreAttack", "Probing", "InitialAccess", "Exploitation", "Execution", "Persistence", "PrivilegeEscalation", "DefenseEvasion", "CredentialAccess", "Discovery",
	"LateralMovement", "Collection", "CommandAndControl", "Exfiltration", "Impact",
}

func (s *Service) home(ctx context.Context, r *wire.Request, who *session) (any, error) {
	subs, err := s.subscriptions(ctx, r, who)
	if err != nil {
		return s.refused(who, "home", err)
	}
	return s.render("home", http.StatusOK, page{Title: "Home", Who: who, Room: "home", Data: subs})
}

// one reads an alert by its id.
func (s *Service) one(ctx context.Context, r *wire.Request, who *session, id string) (alert, error) {
	var a alert
	if !alertID(id) {
		return a, fault.New(fault.Invalid, "InvalidAlert", "%q is not the id of an alert.", short(200, id))
	}
	return a, s.call(ctx, r, who, http.MethodGet, id+"?api-version="+alertsVersion, nil, &a)
}

// entityRow is an entity as the page shows it.
type entityRow struct{ Kind, Name, More string }

func (s *Service) alertPage(ctx context.Context, r *wire.Request, who *session) (any, error) {
	a, err := s.one(ctx, r, who, r.Query("id"))
	if err != nil {
		return s.refused(who, "alerts", err)
	}
	data := struct {
		Alert         alert
		Entities      []entityRow
		Members       []alert
		Incident      *alert
		Line          *timeline
		Investigation string
		Actions       []action
	}{Alert: a, Entities: entityRows(a), Investigation: "/security/investigation?id=" + url.QueryEscape(a.ID), Actions: actions(a)}
	if key := a.Properties.CorrelationKey; key != "" {
		all, _, err := list[alert](ctx, s, r, who, alertsOf(a.Subscription(), []string{"correlationKey eq " + quoted(key)}, ""))
		if err != nil {
			return s.refused(who, "alerts", err)
		}
		for i, m := range all {
			switch {
			case m.Name == key && !a.Properties.IsIncident:
				data.Incident = &all[i]
			case a.Properties.IsIncident && m.Properties.CorrelationKey == key && !m.Properties.IsIncident:
				data.Members = append(data.Members, m)
			}
		}
		slices.SortStableFunc(data.Members, func(a, b alert) int { return a.Properties.Start.Compare(b.Properties.Start) })
		if len(data.Members) > 0 {
			data.Line = newTimeline(data.Members)
		}
	}
	return s.render("alert", http.StatusOK, page{
		Title: a.Properties.DisplayName, Who: who, Room: "alerts", Path: []step{{"Home", "/"}, {"Security", "/security"}, {"Alerts", "/security/alerts"}}, Script: "portal.js", Data: data,
	})
}

// entityRows names the entities of an alert, the fields that others refer to left out.
func entityRows(a alert) []entityRow {
	var out []entityRow
	text := func(e map[string]any, name string) string { v, _ := e[name].(string); return v }
	for _, e := range a.Properties.Entities {
		row := entityRow{Kind: text(e, "type")}
		switch row.Kind {
		case "host":
			row.Name, row.More = text(e, "hostName"), text(e, "azureID")
		case "process":
			row.Name, row.More = text(e, "commandLine"), "process "+text(e, "processId")+", started "+clockTime(text(e, "creationTimeUtc"))
		case "file":
			row.Name = strings.TrimSuffix(text(e, "directory"), "/") + "/" + text(e, "name")
		case "security-alert":
			continue // listed as members
		default:
			for _, field := range []string{"name", "sessionId", "address", "domainName", "url", "prefix", "resourceId"} {
				if v := text(e, field); v != "" {
					row.Name = v
					break
				}
			}
			row.More = clockTime(text(e, "startTimeUtc"))
		}
		if row.Name == "" {
			b, _ := json.Marshal(e)
			row.Name = string(b)
		}
		out = append(out, row)
	}
	return out
}

// action is a change of status that can be asked for.
type action struct{ Verb, Name string }

func actions(a alert) []action {
	all := []struct{ verb, name, leads string }{
		{"inProgress", "Take it on", "InProgress"}, {"resolve", "Resolve", "Resolved"}, {"dismiss", "Dismiss", "Dismissed"}, {"activate", "Reopen", "Active"},
	}
	var out []action
	for _, v := range all {
		if v.leads != a.Properties.Status {
			out = append(out, action{v.verb, v.name})
		}
	}
	return out
}

func (s *Service) changeStatus(ctx context.Context, r *wire.Request, who *session) (any, error) {
	form := r.State.(url.Values)
	id, verb := form.Get("id"), form.Get("verb")
	if !alertID(id) || !slices.Contains([]string{"inProgress", "resolve", "dismiss", "activate"}, verb) {
		return nil, fault.New(fault.Invalid, "BadRequest", "The form names no alert or no status.")
	}
	if err := s.call(ctx, r, who, http.MethodPost, id+"/"+verb+"?api-version="+alertsVersion, nil, nil); err != nil {
		return s.refused(who, "alerts", err)
	}
	reply := redirect(alert{ID: id}.Link())
	reply.Status = http.StatusSeeOther
	return reply, nil
}
