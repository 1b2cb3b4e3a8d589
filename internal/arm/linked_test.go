package arm

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/google/go-cmp/cmp"
)

// joiner may do one action at one scope.
type joiner struct{ action, scope string }

func (j joiner) Check(_ context.Context, _ *authn.Principal, action string, data bool, scope string) (Decision, error) {
	return Decision{Allowed: !data && action == j.action && strings.HasPrefix(strings.ToLower(scope), strings.ToLower(j.scope))}, nil
}

func TestSubnetRules(t *testing.T) {
	t.Parallel()
	const (
		vnet    = "/subscriptions/5c1d7b5e-0000-4000-8000-000000000001/resourceGroups/rg1/providers/Microsoft.Network/virtualNetworks/v1"
		foreign = "/subscriptions/5c1d7b5e-0000-4000-8000-000000000002/resourceGroups/rg1/providers/Microsoft.Network/virtualNetworks/v1"
		service = "Microsoft.KeyVault"
	)
	lookup := func(_ context.Context, id string) (*netrule.Subnet, error) {
		switch name := strings.ToLower(id[strings.LastIndexByte(id, '/')+1:]); name {
		case "ready", "second":
			return &netrule.Subnet{ID: vnet + "/subnets/" + name, GUID: "guid of " + name, Services: []string{"microsoft.keyvault"}}, nil
		case "bare":
			return &netrule.Subnet{ID: vnet + "/subnets/bare", GUID: "guid of bare", Services: []string{"microsoft.web"}}, nil
		case "broken":
			return nil, errors.New("down")
		}
		return nil, nil
	}
	access := joiner{"Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action", vnet}
	c := &Call{Request: &wire.Request{Principal: &authn.Principal{ObjectID: "oid", AppID: "app"}}, Type: &Type{Name: "Microsoft.KeyVault/vaults"}, ID: ID{Subscription: "s"}}
	sub := func(name string) string { return vnet + "/subnets/" + name }
	had := []netrule.SubnetRule{{ID: strings.ToLower(foreign) + "/subnets/old", GUID: "guid of old"}}
	for _, x := range []struct {
		name   string
		wanted []netrule.SubnetRule
		want   []netrule.SubnetRule
		kind   fault.Kind
		code   string
	}{
		{"none", nil, []netrule.SubnetRule{}, 0, ""},
		{
			"new ones, one of them twice, with a GUID of the client's",
			[]netrule.SubnetRule{{ID: sub("READY"), GUID: "theirs"}, {ID: sub("second")}, {ID: strings.ToUpper(sub("ready"))}},
			[]netrule.SubnetRule{{ID: sub("ready"), GUID: "guid of ready"}, {ID: sub("second"), GUID: "guid of second"}},
			0, "",
		},
		{"without an endpoint", []netrule.SubnetRule{{ID: sub("bare")}}, nil, fault.Invalid, "SubnetsHaveNoServiceEndpointsConfigured"},
		{"ignoring that", []netrule.SubnetRule{{ID: sub("bare"), IgnoreMissing: true}}, []netrule.SubnetRule{{ID: sub("bare"), GUID: "guid of bare", IgnoreMissing: true}}, 0, ""},
		{"not there", []netrule.SubnetRule{{ID: sub("none"), IgnoreMissing: true}}, nil, fault.Invalid, "InvalidResourceReference"},
		{"not to be joined, there or not", []netrule.SubnetRule{{ID: foreign + "/subnets/none"}}, nil, fault.Forbidden, "LinkedAuthorizationFailed"},
		{"not to be joined, but had", []netrule.SubnetRule{{ID: foreign + "/subnets/OLD", GUID: "theirs"}}, had, 0, ""},
		{"a network", []netrule.SubnetRule{{ID: vnet}}, nil, fault.Invalid, "InvalidResourceId"},
		{"a collection", []netrule.SubnetRule{{ID: vnet + "/subnets"}}, nil, fault.Invalid, "InvalidResourceId"},
		{"an extension of one", []netrule.SubnetRule{{ID: sub("ready") + "/providers/Microsoft.Network/virtualNetworks/v/subnets/ready"}}, nil, fault.Invalid, "InvalidResourceId"},
		{"no id", []netrule.SubnetRule{{ID: ""}}, nil, fault.Invalid, "InvalidResourceId"},
	} {
		got, err := SubnetRules(t.Context(), access, c, lookup, service, x.wanted, had)
		if x.code == "" {
			if diff := cmp.Diff(x.want, got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", x.name, err, diff)
			}
			continue
		}
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != x.kind || f.Code != x.code {
			t.Errorf("%s: got %v, %v, want %s", x.name, got, err, x.code)
		}
	}
	if _, err := SubnetRules(t.Context(), access, c, lookup, service, []netrule.SubnetRule{{ID: sub("broken")}}, nil); err == nil || fault.Is(err, fault.Invalid) {
		t.Errorf("a lookup that fails: got %v", err)
	}
}
