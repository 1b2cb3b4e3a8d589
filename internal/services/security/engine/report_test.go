package engine

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// TestReport: what others found out about a machine is an alert of it, once for each report, and repetitions are one alert.
func TestReport(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	found := func(why string) []*detect.Finding {
		return []*detect.Finding{{
			Alert: &detect.Alert{Type: "BH_HoneypotAttacked", Name: "Machine attacked the honeypot", Severity: detect.High, Intent: "LateralMovement"}, Rule: "honeypot", Key: "honeypot",
			Millis: r.clock.Now().UnixMilli(), Why: why, Confidence: 0.95, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.4")}, Commands: []detect.Evidence{{Line: "uname -a"}},
		}}
	}
	for _, id := range []string{"s1", "s1", "s1-end"} {
		if err := r.engine.Report(t.Context(), machineID, id, found(id)); err != nil {
			t.Fatal(err)
		}
	}
	var got []*alerts.Alert
	for _, a := range r.alerts() {
		if a.Type == "BH_HoneypotAttacked" {
			got = append(got, a)
		}
	}
	if len(got) != 1 || got[0].Count != 2 || got[0].Severity != "High" || got[0].Machine != machineID || got[0].Evidence[0].Line != "uname -a" {
		t.Errorf("%d alerts: %+v", len(got), got)
	}
	if err := r.engine.Report(t.Context(), strings.Replace(machineID, "db1", "db2", 1), "x", found("x")); !fault.Is(err, fault.NotFound) {
		t.Errorf("a machine that isn't there: %v", err)
	}
}
