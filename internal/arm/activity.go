package arm

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// event is one record of the activity log, committed with the write it tells of.
type event struct {
	ID            string    `json:"id"`
	Time          time.Time `json:"time"`
	Operation     string    `json:"operation"`
	Status        int       `json:"status"`
	ResourceID    string    `json:"resourceId"`
	ResourceType  string    `json:"resourceType"`
	Group         string    `json:"group,omitempty"`
	Caller        string    `json:"caller"` // object id
	AppID         string    `json:"appId,omitempty"`
	TenantID      string    `json:"tenantId"` // of the caller
	Role          string    `json:"role,omitempty"`
	CorrelationID string    `json:"correlationId"`
	RequestID     string    `json:"requestId"`
	ClientID      string    `json:"clientRequestId,omitempty"`
	ClientIP      string    `json:"clientIp,omitempty"`
	Method        string    `json:"method"`
}

func (u *run) event(c *Call, status int) event {
	return event{
		ID: ids.New(), Time: u.p.deps.Clock.Now(), Operation: u.operation(), Status: status, ResourceID: c.ID.String(), ResourceType: c.Type.name(),
		Group: c.ID.ResourceGroup, Caller: c.Principal.ObjectID, AppID: c.Principal.AppID, TenantID: c.Principal.TenantID, Role: c.Auth.By,
		CorrelationID: c.CorrelationID, RequestID: c.RequestID, ClientID: c.ClientRequestID, ClientIP: c.Client.String(), Method: c.HTTP.Method,
	}
}

// value is a name as the activity log shows it.
type value struct {
	Value     string `json:"value"`
	Localized string `json:"localizedValue"`
}

func named(s string) value { return value{s, s} }

func (e *event) shown(subscription string) map[string]any {
	ns, _, _ := strings.Cut(e.ResourceType, "/")
	return map[string]any{
		"eventDataId": e.ID, "eventTimestamp": stamp(e.Time), "submissionTimestamp": stamp(e.Time), "operationName": named(e.Operation),
		"operationId": e.CorrelationID, "status": named("Succeeded"), "subStatus": value{"", ""}, "eventName": named("EndRequest"),
		"caller": e.Caller, "claims": map[string]string{
			"appid": e.AppID, "http://schemas.microsoft.com/identity/claims/objectidentifier": e.Caller,
			"http://schemas.microsoft.com/identity/claims/tenantid": e.TenantID,
		},
		"authorization": map[string]string{"action": e.Operation, "role": e.Role, "scope": e.ResourceID},
		"httpRequest":   map[string]string{"clientRequestId": e.ClientID, "clientIpAddress": e.ClientIP, "method": e.Method},
		"resourceId":    e.ResourceID, "resourceGroupName": e.Group, "resourceProviderName": named(ns), "resourceType": named(e.ResourceType),
		"level": "Informational", "correlationId": e.CorrelationID, "category": named("Administrative"), "subscriptionId": subscription, "description": "", "properties": map[string]string{},
		"id": e.ResourceID + "/events/" + e.ID + "/ticks/" + e.Time.Format("20060102150405"),
	}
}

func (p *Pipeline) activityLogRoutes() []wire.Route {
	return []wire.Route{p.plain("GET", subPath+"/providers/Microsoft.Insights/eventtypes/management/values", "Microsoft.Insights/eventtypes/values/read", "2014-04-01", p.listEvents)}
}

// logFilter is the $filter of the activity log.
type logFilter struct {
	from, to                         time.Time
	group, resource, correlation, ns string
	caller, status                   string
}

func parseLogFilter(text string) (f logFilter, err error) {
	for _, part := range strings.Split(text, " and ") {
		fields := strings.SplitN(strings.TrimSpace(part), " ", 3) // a value may hold blanks: 'Admin, Operation'
		if fields[0] == "" {
			continue
		}
		if len(fields) != 3 {
			return f, badFilter(part)
		}
		v := strings.Trim(strings.TrimSpace(fields[2]), "'")
		switch name, op := strings.ToLower(fields[0]), strings.ToLower(fields[1]); {
		case name == "eventtimestamp" && (op == "ge" || op == "le"):
			t, err := time.Parse(time.RFC3339, v)
			if err != nil { // az sends times without a zone
				t, err = time.Parse("2006-01-02T15:04:05.999999999", v)
			}
			if err != nil {
				return f, badFilter(part)
			}
			if op == "ge" {
				f.from = t
			} else {
				f.to = t
			}
		case op != "eq":
			return f, badFilter(part)
		case name == "resourcegroupname":
			f.group = v
		case name == "resourceuri", name == "resourceid":
			f.resource = v
		case name == "correlationid":
			f.correlation = v
		case name == "resourceprovider":
			f.ns = v
		case name == "caller":
			f.caller = v
		case name == "status":
			f.status = v
		case name == "eventchannels":
		default:
			return f, badFilter(part)
		}
	}
	return f, nil
}

func (f *logFilter) keeps(e *event) bool {
	same := func(want, have string) bool { return want == "" || strings.EqualFold(want, have) }
	return (f.to.IsZero() || !e.Time.After(f.to)) && same(f.group, e.Group) && same(f.resource, e.ResourceID) && same(f.correlation, e.CorrelationID) && same(f.caller, e.Caller) && same(f.status, "Succeeded") &&
		(f.ns == "" || len(e.ResourceType) > len(f.ns) && strings.EqualFold(e.ResourceType[:len(f.ns)], f.ns))
}

// maxEvents bounds one answer; the newest come first.
const maxEvents = 200

func (p *Pipeline) listEvents(ctx context.Context, r *wire.Request) (any, error) {
	sub, err := p.mayRead(ctx, r, r.Route.Operation)
	if err != nil {
		return nil, err
	}
	f, err := parseLogFilter(r.Query("$filter"))
	if err != nil {
		return nil, err
	}
	from, err := r.SkipToken()
	if err != nil {
		return nil, err
	}
	rng := store.Prefix([]byte(tagLog))
	rng.Reverse = true
	if !f.from.IsZero() {
		rng.Start = logKey(f.from)
	}
	if from != nil {
		if !bytes.HasPrefix(from, []byte(tagLog)) {
			return nil, fault.New(fault.Invalid, "InvalidSkipToken", "The $skiptoken is not one of this list.")
		}
		rng.End = from
	}
	var found []event
	var next []byte
	var failed error
	err = p.deps.Store.View(ctx, subShard(sub), func(s store.Snapshot) error {
		found, next = nil, nil
		rows := 0
		return s.Scan(rng, func(k, v []byte) bool {
			if rows++; len(found) == maxEvents || rows > scanSize {
				next = append(bytes.Clone(k), 0) // an end is not part of a range
				return false
			}
			var e event
			if e, failed = eventCodec.Decode(v); failed != nil {
				return false
			}
			if f.keeps(&e) {
				found = append(found, e)
			}
			return true
		})
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(found))
	for i := range found {
		out = append(out, found[i].shown(sub))
	}
	link := ""
	if next != nil {
		link = r.NextLink(next)
	}
	return wire.NewPage(out, link), nil
}

// pruneLog removes what is older than the retention, in steps.
func (p *Pipeline) pruneLog(ctx context.Context, shard string) error {
	limit := logKey(p.deps.Clock.Now().Add(-logRetention))
	for {
		var old [][]byte
		err := p.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
			old = nil
			return s.Scan(store.Range{Start: []byte(tagLog), End: limit}, func(k, _ []byte) bool {
				old = append(old, bytes.Clone(k))
				return len(old) < 1000
			})
		})
		if err != nil || len(old) == 0 {
			return err
		}
		_, err = p.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
			for _, k := range old {
				if err := tx.Delete(k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
