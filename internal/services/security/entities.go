package security

import (
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// drawing turns an alert's graph into Azure's list of entities: each has a number, "$id", and refers to others by it.
type drawing struct {
	a      *alerts.Alert
	number map[string]string // $id by entity id
	from   map[string][]alerts.Edge
	parent map[string]string // process -> what started it
}

func entities(a *alerts.Alert) []map[string]any {
	d := drawing{a: a, number: map[string]string{}, from: map[string][]alerts.Edge{}, parent: map[string]string{}}
	for i := range a.Entities {
		d.number[a.Entities[i].ID] = strconv.Itoa(i + 1)
	}
	for _, e := range a.Edges {
		d.from[e.From] = append(d.from[e.From], e)
		if e.Kind == alerts.EdgeStarted {
			d.parent[e.To] = e.From
		}
	}
	out := make([]map[string]any, 0, len(a.Entities)+len(a.Members))
	for i := range a.Entities {
		out = append(out, d.entity(&a.Entities[i]))
	}
	for i, name := range a.Members {
		out = append(out, map[string]any{"$id": strconv.Itoa(len(a.Entities) + i + 1), "type": "security-alert", "systemAlertId": name})
	}
	return out
}

// entity is one, in Azure's words. Kind network is Bulkhead's own.
func (d *drawing) entity(e *alerts.Entity) map[string]any {
	x := map[string]any{"$id": d.number[e.ID], "type": string(e.Kind)}
	switch e.Kind {
	case alerts.Host:
		x["hostName"], x["azureID"], x["osFamily"] = e.Name, e.Resource, "Linux"
	case alerts.Account:
		x["name"] = e.Name
		d.refer(x, "host", e.ID, alerts.EdgeOn)
	case alerts.Session:
		x["sessionId"], x["startTimeUtc"] = e.Name, stamp(e.Time)
		d.refer(x, "account", e.ID, alerts.EdgeAs)
		d.refer(x, "host", e.ID, alerts.EdgeOn)
		d.refer(x, "ipAddress", e.ID, alerts.EdgeFrom)
	case alerts.Process:
		d.process(x, e)
	case alerts.File:
		i := strings.LastIndexByte(e.Name, '/')
		x["directory"], x["name"] = e.Name[:max(i, 0)], e.Name[i+1:]
		if len(d.a.Entities) > 0 && d.a.Entities[0].Kind == alerts.Host {
			x["host"] = map[string]any{"$ref": "1"}
		}
	case alerts.IP:
		x["address"] = e.Name
	case alerts.DNS:
		x["domainName"] = e.Name
	case alerts.URL:
		x["url"] = e.Name
	case alerts.Network:
		x["prefix"] = e.Name
	}
	return x
}

func (d *drawing) process(x map[string]any, e *alerts.Entity) {
	x["processId"], x["commandLine"], x["creationTimeUtc"] = strconv.FormatUint(uint64(e.PID), 10), e.Line, stamp(e.Time)
	if !d.refer(x, "imageFile", e.ID, alerts.EdgeRan) && e.Image != "" {
		i := strings.LastIndexByte(e.Image, '/')
		x["imageFile"] = map[string]any{"type": "file", "directory": e.Image[:max(i, 0)], "name": e.Image[i+1:]}
	}
	if n := d.number[d.parent[e.ID]]; n != "" {
		x["parentProcess"] = map[string]any{"$ref": n}
	}
	for _, edge := range d.from[e.ID] {
		if edge.Kind == alerts.EdgeIn {
			d.refer(x, "account", edge.To, alerts.EdgeAs)
			d.refer(x, "host", edge.To, alerts.EdgeOn)
			x["logonSession"] = map[string]any{"$ref": d.number[edge.To]}
		}
	}
}

// refer sets a field to the end of the first edge of a kind.
func (d *drawing) refer(x map[string]any, field, from string, kind alerts.EdgeKind) bool {
	for _, e := range d.from[from] {
		if n := d.number[e.To]; e.Kind == kind && n != "" {
			x[field] = map[string]any{"$ref": n}
			return true
		}
	}
	return false
}
