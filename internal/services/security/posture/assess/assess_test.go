package assess

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// verdicts makes one for each letter: h, u or n, of resources counted from one on.
func verdicts(check *Check, letters string, from int) (out []Verdict) {
	codes := map[rune]Code{'h': Healthy, 'u': Unhealthy, 'n': NotApplicable}
	for i, l := range letters {
		out = append(out, Verdict{Check: check, Resource: &arm.Resource{ID: fmt.Sprint("/R", from+i)}, Code: codes[l]})
	}
	return out
}

func TestScores(t *testing.T) {
	t.Parallel()
	var transit, access, good *Check
	for i := range checks {
		switch c := &checks[i]; c.Control {
		case controlTransit:
			transit = c
		case controlAccess:
			access = c
		case controlGood:
			good = c
		}
	}
	for _, test := range []struct {
		name string
		in   []Verdict
		want Score
	}{
		{"nothing", nil, Score{}},
		{"not applicable has no maximum", verdicts(transit, "nnn", 0), Score{}},
		{"one of two", verdicts(transit, "hu", 0), Score{4, 2, 0.5}},
		{"five of six, as Azure's example", verdicts(transit, "hhhhhu", 0), Score{4, 3.33, 0.8325}},
		{"a resource counts once, by its worst", append(verdicts(access, "hhu", 0), verdicts(access, "uhn", 0)...), Score{4, 1.33, 0.3325}},
		{"controls add up", append(verdicts(access, "u", 0), verdicts(transit, "h", 0)...), Score{8, 4, 0.5}},
		{"good practice counts nothing", append(verdicts(good, "u", 0), verdicts(transit, "h", 0)...), Score{4, 4, 1}},
	} {
		_, got := Scores(test.in)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	by, _ := Scores(append(verdicts(transit, "hun", 0), verdicts(access, "n", 0)...))
	for _, c := range by {
		if c.Control.Name == controlTransit && (c.Healthy != 1 || c.Unhealthy != 1 || c.NotApplicable != 1 || c.Weight() != 2) {
			t.Errorf("counts of a control: %+v", c)
		}
		if c.Control.Name == controlAccess && (c.Score != Score{} || c.NotApplicable != 1) {
			t.Errorf("a control nothing applies to: %+v", c)
		}
	}
}

func ruleOf(name, access, protocol string, priority int, source, port string) string {
	return fmt.Sprintf(`{"name":%q,"properties":{"access":%q,"direction":"Inbound","protocol":%q,"priority":%d,"sourceAddressPrefix":%q,"destinationPortRange":%q}}`, name, access, protocol, priority, source, port)
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		rules string
		open  []string
		step  int // priority of the rule that closes them; 0: none is needed
	}{
		{"no rules", ``, nil, 0},
		{"ssh from anywhere", ruleOf("a", "Allow", "Tcp", 300, "*", "22"), []string{"a/22"}, 299},
		{"a range, any protocol, Internet", ruleOf("a", "Allow", "*", 300, "Internet", "20-4000"), []string{"a/22", "a/3389"}, 299},
		{"UDP is no ssh", ruleOf("a", "Allow", "Udp", 300, "*", "22"), nil, 0},
		{"from one network", ruleOf("a", "Allow", "Tcp", 300, "203.0.113.0/24", "22"), nil, 0},
		{"denied before", ruleOf("b", "Allow", "Tcp", 300, "*", "22") + "," + ruleOf("a", "Deny", "*", 200, "Internet", "*"), nil, 0},
		{"denied after", ruleOf("b", "Allow", "Tcp", 300, "0.0.0.0/0", "3389") + "," + ruleOf("a", "Deny", "*", 400, "*", "*"), []string{"b/3389"}, 299},
		{"denied for one network only", ruleOf("b", "Allow", "Tcp", 300, "*", "22") + "," + ruleOf("a", "Deny", "*", 200, "10.0.0.0/8", "*"), []string{"b/22"}, 299},
		{"a priority that is taken", ruleOf("b", "Allow", "Tcp", 102, "*", "22") + "," + ruleOf("a", "Allow", "Tcp", 101, "*", "443"), []string{"b/22"}, 100},
		{"no room before", ruleOf("b", "Allow", "Tcp", 100, "*", "22"), []string{"b/22"}, -1},
		{"ports that are no numbers", ruleOf("b", "Allow", "Tcp", 100, "*", "22-x"), nil, 0},
	} {
		r := &arm.Resource{ID: "/g", Type: typeGroup, Properties: json.RawMessage(`{"securityRules":[` + test.rules + `]}`)}
		v := judgePorts(nil, r)
		var open []string
		for _, p := range v.Parts {
			open = append(open, p.Key)
		}
		if diff := cmp.Diff(test.open, open); diff != "" || (v.Code == Unhealthy) != (open != nil) {
			t.Errorf("%s: %s %s", test.name, v.Code, diff)
		}
		if open == nil {
			continue
		}
		v.Resource, v.Check = r, Find("bc303248-3d14-44c2-96a0-55f5c326b5fe")
		steps, err := Fix(&State{}, v, nil)
		if test.step < 0 {
			if err == nil {
				t.Errorf("%s: fixed by %v", test.name, steps)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		props := steps[0].Body.(map[string]any)["properties"].(map[string]any)
		if props["priority"] != test.step {
			t.Errorf("%s: the rule's priority is %v, want %d", test.name, props["priority"], test.step)
		}
	}
}

// TestCatalogue: names are unique, and what can't be fixed from here says how.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	known := map[string]bool{}
	for _, c := range controls {
		known[c.Name] = true
	}
	for i := range checks {
		c := &checks[i]
		if seen[c.Name] || !known[c.Control] || c.judge == nil || c.Manual != (c.fix == nil) || c.Remedy == "" || c.Severity == "" || len(c.Categories) == 0 {
			t.Errorf("check %s %q is not whole", c.Name, c.DisplayName)
		}
		seen[c.Name] = true
	}
}

// FuzzEvaluate: whatever services keep, it is judged or left alone.
func FuzzEvaluate(f *testing.F) {
	for _, typ := range []string{typeSite, typeVault, typeAccount, typeGroup, typeIdentity, typeArc} {
		f.Add(typ, `{"securityRules":[{"properties":{"destinationPortRange":"1-"}}],"networkAcls":{"ipRules":[1],"virtualNetworkRules":[{}]},"principalId":"p"}`)
	}
	f.Fuzz(func(_ *testing.T, typ, props string) {
		s := &State{Subscription: "s", Resources: []*arm.Resource{{ID: "/r", Type: typ, Properties: json.RawMessage(props)}}}
		for _, v := range Evaluate(s) {
			_, _ = Fix(s, &v, nil)
		}
	})
}
