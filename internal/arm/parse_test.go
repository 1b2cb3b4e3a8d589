package arm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

const aSub = "0af76519-16cd-43dd-8448-eb211c80319c"

func TestParseID(t *testing.T) {
	t.Parallel()
	const s = "/subscriptions/" + aSub
	for _, tt := range []struct {
		in, canonical, typ, name string
		want                     ID
	}{
		{"/", "/", "Microsoft.Resources/subscriptions", "", ID{}},
		{s, s, "Microsoft.Resources/subscriptions", aSub, ID{Subscription: aSub}},
		{"//SUBSCRIPTIONS//" + strings.ToUpper(aSub) + "/", s, "Microsoft.Resources/subscriptions", aSub, ID{Subscription: aSub}},
		{s + "/resourcegroups/Rg.1", s + "/resourceGroups/Rg.1", typeGroup, "Rg.1", ID{Subscription: aSub, ResourceGroup: "Rg.1"}},
		{
			s + "/resourcegroups/rg/PROVIDERS/Microsoft.Web//sites/Mine/config/web", s + "/resourceGroups/rg/providers/Microsoft.Web/sites/Mine/config/web",
			"Microsoft.Web/sites/config", "web",
			ID{Subscription: aSub, ResourceGroup: "rg", Namespace: "Microsoft.Web", Types: []string{"sites", "config"}, Names: []string{"Mine", "web"}},
		},
		{
			s + "/resourceGroups/rg/providers/Microsoft.Web/sites", s + "/resourceGroups/rg/providers/Microsoft.Web/sites", "Microsoft.Web/sites", "rg",
			ID{Subscription: aSub, ResourceGroup: "rg", Namespace: "Microsoft.Web", Types: []string{"sites"}},
		},
		{
			s + "/resourceGroups/rg/providers/A.B/c/providers/providers/Microsoft.Authorization/locks/l", // a resource named "providers"
			s + "/resourceGroups/rg/providers/A.B/c/providers/providers/Microsoft.Authorization/locks/l", typeLock, "l",
			ID{
				Subscription: aSub, ResourceGroup: "rg", Namespace: "Microsoft.Authorization", Types: []string{"locks"}, Names: []string{"l"}, Extension: true,
				Scope: s + "/resourceGroups/rg/providers/A.B/c/providers",
			},
		},
		{
			"/providers/Microsoft.Authorization/roleAssignments/x", "/providers/Microsoft.Authorization/roleAssignments/x", typeAssignment, "x",
			ID{Namespace: "Microsoft.Authorization", Types: []string{"roleAssignments"}, Names: []string{"x"}},
		},
	} {
		got, err := ParseID(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.in, diff)
		}
		if got.String() != tt.canonical || got.Type() != tt.typ || got.Name() != tt.name {
			t.Errorf("%s: got %s of type %s named %s, want %s, %s, %s", tt.in, got, got.Type(), got.Name(), tt.canonical, tt.typ, tt.name)
		}
	}
}

func TestParseID_Refuses(t *testing.T) {
	t.Parallel()
	const s = "/subscriptions/" + aSub
	for in, code := range map[string]string{
		"":                                                 "InvalidResourceId",
		"subscriptions/" + aSub:                            "InvalidResourceId",
		"/subscriptions":                                   "InvalidResourceId",
		"/subscriptions/x":                                 "InvalidSubscriptionId",
		s + "/resourceGroups":                              "InvalidResourceId",
		s + "/resourceGroups/a.":                           "InvalidResourceGroupName",
		s + "/resourceGroups/a b":                          "InvalidResourceGroupName",
		s + "/resourceGroups/a|b":                          "InvalidResourceGroupName",
		s + "/foo":                                         "InvalidResourceId",
		s + "/providers":                                   "InvalidResourceId",
		s + "/providers/A.B":                               "InvalidResourceId",
		s + "/providers/A B/c":                             "InvalidResourceId",
		s + "/providers/A.B/c/x|y":                         "InvalidResourceName",
		s + "/providers/A.B/c/..":                          "InvalidResourceName",
		s + "/providers/A.B/c/\x00":                        "InvalidResourceName",
		s + "/providers/A.B/c/\xff":                        "InvalidResourceName",
		s + "/providers/A.B/c/%2F":                         "InvalidResourceName",
		s + "/providers/A.B/providers/C.D/e/f":             "InvalidResourceId",
		s + "/resourceGroups/" + strings.Repeat("a", 91):   "InvalidResourceGroupName",
		s + "/providers/A.B/c/" + strings.Repeat("a", 261): "InvalidResourceName",
		s + strings.Repeat("/providers/A.B/c/d", 100):      "InvalidResourceId",
	} {
		id, err := ParseID(in)
		if f := fault.As(err); f == nil || f.Code != code || f.Kind != fault.Invalid {
			t.Errorf("%q: got %+v, %v, want %s", in, id, err, code)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("/subscriptions/" + aSub + "/resourceGroups/rg/providers/Microsoft.Web/sites/x/providers/Microsoft.Authorization/locks/l")
	f.Add("//providers///a/b")
	f.Add("/subscriptions/" + aSub + "/providers/providers/providers/providers")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := ParseID(id.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", s, id, err)
		}
		if diff := cmp.Diff(id, again); diff != "" {
			t.Fatalf("%q became %q: %s", s, id, diff)
		}
		_, _, _, _ = id.Fold(), id.Name(), id.Type(), id.Parent().Fold()
	})
}
