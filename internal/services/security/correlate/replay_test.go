package correlate

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

const sub = "11111111-2222-3333-4444-555555555555"

func machineID(name string) string {
	return "/subscriptions/" + sub + "/resourceGroups/g/providers/Microsoft.HybridCompute/machines/" + name
}

// seen are the alerts of a machine's audit log.
func seen(machine, log string) (out []*alerts.Alert) {
	known := map[string]*alerts.Alert{}
	from := alerts.Source{Machine: machineID(machine), Subscription: sub, Host: machine}
	m := detect.New(detect.DefaultParams(), detect.ShippedIndicators(), func(f *detect.Finding) {
		a := alerts.Of(from, f)
		if was := known[a.Key]; was != nil {
			was.Merge(a)
			return
		}
		a.Name = alerts.NewName(a.First, fmt.Sprintf("%x", sha256.Sum256([]byte(a.Key)))[:32])
		known[a.Key] = a
		out = append(out, a)
	})
	var n activity.Normalizer
	r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) { m.Apply(n.Audit(e)) })
	for line := range strings.Lines(log) {
		r.Line([]byte(line))
	}
	r.Flush()
	return out
}

var began = time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC)

func intruded(machine string, d replay.Disguise) []*alerts.Alert {
	log := &replay.Log{Now: began, Host: machine}
	replay.Intrusion(log, d)
	return seen(machine, log.Audit())
}

// TestIntrusion: the post's intrusion, over two sessions, two addresses of one network and two kits, is one incident with all its alerts, as it was told and in every disguise.
func TestIntrusion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		d    replay.Disguise
	}{
		{"as it was told", replay.Disguise{}},
		{"tools renamed", replay.Disguise{Rename: true}},
		{"in base64 and eval", replay.Disguise{Wrap: true}},
		{"arguments longer than a record", replay.Disguise{Pad: true}},
		{"through busybox", replay.Disguise{Through: "busybox"}},
		{"through perl", replay.Disguise{Through: "perl"}},
		{"through python", replay.Disguise{Through: "python"}},
		{"other networks, ports and files", replay.Disguise{Other: true}},
		{"everything at once", replay.Disguise{Rename: true, Wrap: true, Pad: true, Through: "perl", Other: true}},
	} {
		for seed := range uint64(5) {
			c.d.Seed = seed
			all := intruded("cassandra1", c.d)
			x := New(DefaultParams())
			ch := &Changes{}
			for _, a := range all {
				ch = x.Add(a.Last, a)
			}
			if len(ch.Incidents) != 1 {
				t.Fatalf("%s, seed %d: %d incidents", c.name, seed, len(ch.Incidents))
			}
			in := ch.Incidents[0]
			if n := len(in.Members); n != len(all) || n < 10 || in.Severity != alerts.High || in.Confidence < 0.99 || !in.First.Equal(all[0].First) {
				t.Errorf("%s, seed %d: %d of %d alerts, severity %s, score %f", c.name, seed, n, len(all), in.Severity, in.Confidence)
			}
			for _, want := range []string{"InitialAccess", "Discovery", "CredentialAccess", "CommandAndControl", "DefenseEvasion"} {
				if !strings.Contains(in.Intent, want) {
					t.Errorf("%s: the phases are %s, without %s", c.name, in.Intent, want)
				}
			}
		}
	}
}
