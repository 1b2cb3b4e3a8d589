package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// tacticsOf are the tactics that ATT&CK lists a technique under, by Azure's words for them. What its version of 2026 calls stealth and impairment of defences is
// DefenseEvasion here, as it is in alerts.
var tacticsOf = map[string]string{
	"T1001.002": "CommandAndControl", "T1003.007": "CredentialAccess", "T1014": "DefenseEvasion", "T1016": "Discovery", "T1027.002": "DefenseEvasion",
	"T1027.004": "DefenseEvasion", "T1030": "Exfiltration", "T1036.003": "DefenseEvasion", "T1036.005": "DefenseEvasion", "T1036.006": "DefenseEvasion",
	"T1036.008": "DefenseEvasion", "T1040": "CredentialAccess Discovery", "T1046": "Discovery", "T1048.002": "Exfiltration", "T1049": "Discovery",
	"T1053.002": "Execution Persistence PrivilegeEscalation", "T1053.006": "Execution Persistence PrivilegeEscalation", "T1055.009": "DefenseEvasion PrivilegeEscalation",
	"T1056.001": "Collection CredentialAccess", "T1057": "Discovery", "T1059.004": "Execution", "T1059.006": "Execution", "T1069.001": "Discovery", "T1069.002": "Discovery",
	"T1070.003": "DefenseEvasion", "T1070.004": "DefenseEvasion", "T1071.001": "CommandAndControl", "T1074.001": "Collection", "T1082": "Discovery", "T1083": "Discovery",
	"T1087.001": "Discovery", "T1090.003": "CommandAndControl", "T1098.004": "Persistence PrivilegeEscalation", "T1105": "CommandAndControl", "T1124": "Discovery",
	"T1132.001": "CommandAndControl", "T1135": "Discovery", "T1136.001": "Persistence", "T1136.002": "Persistence", "T1140": "DefenseEvasion", "T1176": "Persistence",
	"T1217": "Discovery", "T1486": "Impact", "T1489": "Impact", "T1496": "Impact", "T1497.001": "DefenseEvasion Discovery", "T1529": "Impact",
	"T1546.005": "Persistence PrivilegeEscalation", "T1546.018": "Persistence PrivilegeEscalation", "T1547.006": "Persistence PrivilegeEscalation",
	"T1548.001": "DefenseEvasion PrivilegeEscalation", "T1552.001": "CredentialAccess", "T1552.004": "CredentialAccess", "T1552.005": "CredentialAccess",
	"T1555.003": "CredentialAccess", "T1560.001": "Collection", "T1560.002": "Collection", "T1567.002": "Exfiltration", "T1572": "CommandAndControl",
	"T1574.006": "DefenseEvasion Persistence PrivilegeEscalation", "T1580": "Discovery", "T1595.003": "PreAttack", "T1614": "Discovery", "T1685.002": "DefenseEvasion",
	"T1685.006": "DefenseEvasion", "T1689": "DefenseEvasion",
}

// TestAtomicRedTeam_Tactics: the bars of TestAtomicRedTeam hold for each tactic. A technique of several counts in each.
func TestAtomicRedTeam_Tactics(t *testing.T) {
	t.Parallel()
	type score struct{ tests, detected, medium int }
	per := map[string]*score{}
	below := map[string][]string{}
	for _, a := range attacks(t) {
		tactics := tacticsOf[a.technique]
		if tactics == "" {
			t.Errorf("%s is in no tactic", a.technique)
		}
		found, _ := detected(t, &a)
		any, sev := worst(found)
		for _, name := range strings.Fields(tactics) {
			if per[name] == nil {
				per[name] = &score{}
			}
			s := per[name]
			s.tests++
			if any {
				s.detected++
			}
			if any && sev >= Medium {
				s.medium++
			} else {
				mark := "missed"
				if any {
					mark = sev.String()
				}
				below[name] = append(below[name], fmt.Sprintf("%-13s %s", mark, &a))
			}
		}
	}
	t.Logf("%-20s %5s %14s %16s", "tactic", "tests", "detected", "medium or higher")
	for _, name := range slices.Sorted(maps.Keys(per)) {
		s := per[name]
		t.Logf("%-20s %5d %5d (%5.1f %%) %7d (%5.1f %%)", name, s.tests, s.detected, 100*float64(s.detected)/float64(s.tests), s.medium, 100*float64(s.medium)/float64(s.tests))
		if float64(s.detected) < attacksDetected*float64(s.tests) || float64(s.medium) < attacksMedium*float64(s.tests) {
			t.Errorf("%s: %d of %d tests are detected, %d at medium or higher; want %.0f and %.0f %%. Below:\n  %s", name, s.detected, s.tests, s.medium, 100*attacksDetected, 100*attacksMedium,
				strings.Join(below[name], "\n  "))
		}
	}
}
