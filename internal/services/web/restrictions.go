package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

// restriction is one access rule as clients send it.
type restriction struct {
	IPAddress            string              `json:"ipAddress,omitempty"`
	Action               string              `json:"action,omitempty"`
	Tag                  string              `json:"tag,omitempty"`
	Priority             number              `json:"priority,omitempty"`
	Name                 string              `json:"name,omitempty"`
	Description          string              `json:"description,omitempty"`
	VnetSubnetResourceID string              `json:"vnetSubnetResourceId,omitempty"`
	SubnetGUID           string              `json:"bulkheadGuid,omitempty"` // never taken from a client, never shown
	Headers              map[string][]string `json:"headers,omitempty"`
}

// number is one that clients may send as text: az does.
type number int

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	var v int
	err := json.Unmarshal(bytes.Trim(b, `"`), &v)
	*n = number(v)
	return err
}

// accessRules decides which clients may reach a site.
type accessRules struct {
	rules []accessRule // by priority
	deny  bool         // when no rule matches
}

type accessRule struct {
	prefixes netrule.Prefixes  // nil: any address
	subnet   *netrule.Firewall // or the one subnet whose clients are meant
	allow    bool
}

const lastPriority = 2147483647

func restrictionsName(scm bool) string {
	if scm {
		return "scmIpSecurityRestrictions"
	}
	return "ipSecurityRestrictions"
}

// restrictions are the rules for the site or for its scm host. As soon as there is one rule, what matches none is denied, unless a default action says otherwise.
func (w webConfig) restrictions(scm bool) (accessRules, error) {
	var useMain bool
	if scm {
		if raw := field(w.Values, "scmIpSecurityRestrictionsUseMain"); !isNull(raw) {
			if err := decode(raw, "siteConfig.scmIpSecurityRestrictionsUseMain", &useMain); err != nil {
				return accessRules{}, err
			}
		}
	}
	name := restrictionsName(scm && !useMain)
	var list []restriction
	if raw := field(w.Values, name); !isNull(raw) {
		if err := decode(raw, "siteConfig."+name, &list); err != nil {
			return accessRules{}, err
		}
	}
	slices.SortStableFunc(list, func(a, b restriction) int { return cmp.Compare(priority(a), priority(b)) })
	var out accessRules
	for _, r := range list {
		rule, err := r.rule()
		if err != nil {
			return accessRules{}, err
		}
		out.rules = append(out.rules, rule)
	}
	var err error
	out.deny, err = w.deniesRest(name, len(list))
	return out, err
}

// deniesRest tells whether an address that none of n rules matches is refused.
func (w webConfig) deniesRest(name string, n int) (bool, error) {
	var action string
	if raw := field(w.Values, name+"DefaultAction"); !isNull(raw) {
		if err := decode(raw, "siteConfig."+name+"DefaultAction", &action); err != nil {
			return true, err
		}
	}
	if action == "" {
		return n > 0, nil
	}
	return !strings.EqualFold(action, "Allow"), nil
}

func priority(r restriction) number {
	if r.Priority == 0 {
		return lastPriority
	}
	return r.Priority
}

func (r restriction) rule() (accessRule, error) {
	switch {
	case r.VnetSubnetResourceID != "" && r.IPAddress != "":
		return accessRule{}, fault.New(fault.Invalid, "BadRequest", "The access restriction %q has an address and a subnet; it must have one of them.", r.Name)
	case len(r.Headers) > 0:
		return accessRule{}, notImplemented("Access restrictions by header are")
	case r.Tag != "" && !strings.EqualFold(r.Tag, "Default"):
		return accessRule{}, notImplemented("Access restrictions by service tag are")
	case r.Action != "" && !strings.EqualFold(r.Action, "Allow") && !strings.EqualFold(r.Action, "Deny"):
		return accessRule{}, fault.New(fault.Invalid, "BadRequest", "The access restriction %q has the action %q; it must be Allow or Deny.", r.Name, r.Action)
	}
	out := accessRule{allow: !strings.EqualFold(r.Action, "Deny")}
	if strings.EqualFold(r.IPAddress, "Any") {
		return out, nil
	}
	if r.VnetSubnetResourceID != "" {
		out.subnet = r.subnetRule()
		return out, nil
	}
	for text := range strings.SplitSeq(r.IPAddress, ",") {
		text = strings.TrimSpace(text)
		p, err := netrule.ParsePrefix(text)
		if err != nil {
			return accessRule{}, fault.New(fault.Invalid, "BadRequest", "The access restriction %q has the address %q; it must be Any, an IP address or a CIDR range.", r.Name, text)
		}
		out.prefixes = append(out.prefixes, p)
	}
	return out, nil
}

// allows decides by the first rule that matches.
func (a accessRules) allows(ctx context.Context, addr netip.Addr, subnet netrule.Lookup) (bool, error) {
	for _, r := range a.rules {
		if r.subnet != nil {
			v, err := r.subnet.Admit(ctx, addr, subnet)
			if err != nil {
				return false, err
			}
			if v.Allowed {
				return r.allow, nil
			}
			continue
		}
		if r.prefixes == nil || r.prefixes.Contains(addr) {
			return r.allow, nil
		}
	}
	return !a.deny, nil
}

// admit refuses a client whom the rules do not allow.
func (s *Service) admit(ctx context.Context, a accessRules, addr netip.Addr) error {
	ok, err := a.allows(ctx, addr, s.deps.Subnet)
	if err == nil && !ok {
		err = fault.New(fault.Forbidden, "IpForbidden", "Ip Forbidden: the site's access restrictions do not allow your address.")
	}
	return err
}

// shownRestrictions is the list with the rule that stands for all the rest, as App Service shows it.
func (w webConfig) shownRestrictions(scm bool) json.RawMessage {
	var list []restriction
	_ = json.Unmarshal(field(w.Values, restrictionsName(scm)), &list) // checked when it was stored
	for i := range list {
		list[i].SubnetGUID = ""
	}
	if !slices.ContainsFunc(list, func(r restriction) bool { return strings.EqualFold(r.IPAddress, "Any") }) {
		rest := restriction{IPAddress: "Any", Action: "Deny", Priority: lastPriority, Name: "Deny all", Description: "Deny all access"}
		if deny, _ := w.deniesRest(restrictionsName(scm), len(list)); !deny {
			rest.Action, rest.Name, rest.Description = "Allow", "Allow all", "Allow all access"
		}
		list = append(list, rest)
	}
	b, _ := json.Marshal(list) // of plain fields: can't fail
	return b
}
