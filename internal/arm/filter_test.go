package arm

import (
	"strings"
	"testing"
)

func TestResourceFilter(t *testing.T) {
	r := &Resource{
		ID: "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/Rg1/providers/Test.Things/things/alpha", Name: "alpha", Type: "Test.Things/things",
		Location: "westeurope", Kind: "app", Tags: map[string]string{"Env": "Test and more", "dept": "it's"}, Identity: &Identity{Type: "SystemAssigned", PrincipalID: "p1"},
	}
	for _, tt := range []struct {
		filter string
		keeps  bool
	}{
		{"", true},
		{"resourceType eq 'test.things/THINGS'", true},
		{"resourceType eq 'Other/x'", false},
		{"resourceType eq 'Other/x' or resourceType eq 'Test.Things/things'", true},
		{"resourceType eq 'Other/x' or name eq 'alpha' and location eq 'eastus'", false},
		{"name eq 'alpha' and location eq 'West Europe'", true},
		{"name ne 'alpha'", false},
		{"resourceGroup eq 'rg1'", true},
		{"resourceGroup eq 'rg'", false},
		{"tagName eq 'env'", true},
		{"tagName eq 'env' and tagValue eq 'test and more'", true},
		{"tagName eq 'dept' and tagValue eq 'it''s'", true},
		{"tagName eq 'env' and tagValue eq 'test'", false},
		{"startswith(tagName, 'de')", true},
		{"startswith(tagName, 'x')", false},
		{"substringof('lph', name)", true},
		{"substringof('x', name)", false},
		{"startswith(name,'al')", true},
		{"identity/principalId eq 'P1'", true},
		{"kind eq 'app'", true},
	} {
		f, err := parseResourceFilter(tt.filter)
		if err != nil {
			t.Errorf("%q: %v", tt.filter, err)
		} else if got := f.keeps(r); got != tt.keeps {
			t.Errorf("%q keeps: got %v, want %v", tt.filter, got, tt.keeps)
		}
	}
	for _, bad := range []string{
		"nonsense", "name eq alpha", "foo eq 'x'", "name gt 'x'", "tagValue eq 'x'", "substringof('x',type)", "name eq 'x' and ",
		strings.Repeat("name eq 'x' or ", 100) + "name eq 'x'",
	} {
		if _, err := parseResourceFilter(bad); err == nil {
			t.Errorf("%.40q is accepted", bad)
		}
	}
}

func FuzzResourceFilter(f *testing.F) {
	f.Add("resourceType eq 'a' or tagName eq 'b' and tagValue eq 'c'")
	f.Add("substringof('x',name)")
	f.Add("startswith(tagName,'''')")
	f.Add("atScope() and assignedTo('x')")
	r := &Resource{Name: "n", Tags: map[string]string{"a": "b"}}
	f.Fuzz(func(t *testing.T, text string) {
		if parsed, err := parseResourceFilter(text); err == nil {
			parsed.keeps(r)
			if strings.TrimSpace(text) != "" && len(parsed) == 0 {
				t.Errorf("%q parses as no filter at all", text)
			}
		}
		_, _ = scopeFilter(text, "principalid", "rolename", "type")
	})
}

func FuzzChangedTags(f *testing.F) {
	f.Add("a", "b", "Merge")
	f.Add("A", "", "Delete")
	f.Fuzz(func(t *testing.T, name, value, operation string) {
		out, err := changedTags(map[string]string{"a": "1"}, map[string]string{name: value}, operation)
		if err == nil && len(out) > 2 {
			t.Errorf("%d tags of two", len(out))
		}
	})
}
