package keyvault

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// right is what an operation demands: a permission in an access policy, or a data action in RBAC mode.
type right struct {
	kind   *kind
	policy string // "get"
	action string // below Microsoft.KeyVault/vaults/
}

// authorize is the stage that asks the vault's policies, or the role assignments when the vault is in RBAC mode.
func (s *Service) authorize(need right) func(ctx context.Context, r *wire.Request) error {
	wanted := need.kind.plural + " " + need.policy
	action := "Microsoft.KeyVault/vaults/" + need.action
	return func(ctx context.Context, r *wire.Request) error {
		v := r.State.(*vault)
		name := r.Param("name")
		r.Resource = r.URL(wire.HostVault, v.name) + "/" + need.kind.plural
		scope := v.id
		if validName(name) {
			r.Resource += "/" + name
			scope += "/" + need.kind.plural + "/" + name
			if version := r.Param("version"); validVersion(version) {
				r.Resource += "/" + version
			}
		}
		if !v.rbac {
			if by, ok := v.granted(r.Principal, wanted); ok {
				r.AllowedBy = "access policy of " + by + ": " + wanted
				return nil
			}
			return s.headed(r, v, forbidden(innerAccessDenied, "The user, group or application '%s' does not have %s permission on key vault '%s;location=%s'. "+
				"For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287", caller(r.Principal), wanted, v.name, v.location))
		}
		d, err := s.deps.Access.Check(ctx, r.Principal, action, true, scope)
		if err != nil {
			return err
		}
		if d.Allowed {
			r.AllowedBy = d.By
			return nil
		}
		assignment, denial := "(not found)", "null"
		if d.Denied {
			assignment, denial = "(found)", d.By
		}
		return s.headed(r, v, forbidden(innerRBAC, "Caller is not authorized to perform action on resource.\r\n"+
			"If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\n"+
			"Caller: %s\r\nAction: '%s'\r\nResource: '%s'\r\nAssignment: %s\r\nDenyAssignmentId: %s\r\nDecisionReason: null \r\nVault: %s;location=%s\r\n",
			caller(r.Principal), action, strings.ToLower(scope), assignment, denial, v.name, v.location))
	}
}

// granted tells whether an access policy gives p the permission ("secrets get"), and whose policy it is.
func (v *vault) granted(p *authn.Principal, wanted string) (by string, ok bool) {
	kind, _, _ := strings.Cut(wanted, " ")
	try := func(oid string) bool {
		for _, g := range v.grants[strings.ToLower(oid)] {
			if g.application != "" && g.application != strings.ToLower(p.AppID) {
				continue
			}
			if g.allowed[wanted] || g.allowed[kind+" all"] && wanted != kind+" purge" {
				return true
			}
		}
		return false
	}
	if p.ObjectID != "" && try(p.ObjectID) {
		return p.ObjectID, true
	}
	for _, g := range p.Groups {
		if try(g) {
			return g, true
		}
	}
	return "", false
}

// caller is how Key Vault's errors name who called.
func caller(p *authn.Principal) string {
	var b strings.Builder
	if p.AppID != "" {
		b.WriteString("appid=" + p.AppID + ";")
	}
	b.WriteString("oid=" + p.ObjectID)
	if p.Resource != "" {
		b.WriteString(";xms_mirid=" + p.Resource)
	}
	b.WriteString(";iss=" + p.Issuer)
	return b.String()
}

// validName tells whether name is one Key Vault accepts for an object: 1 to 127 letters, digits and dashes.
func validName(name string) bool {
	if name == "" || len(name) > 127 {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-') {
			return false
		}
	}
	return true
}

// validVersion tells whether v is 32 hexadecimal digits.
func validVersion(v string) bool {
	if len(v) != 32 {
		return false
	}
	for i := 0; i < len(v); i++ {
		c := v[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

func checkName(name string) error {
	if !validName(name) {
		return badParameter("The request URI contains an invalid name: %s", clip(name))
	}
	return nil
}

func checkVersion(version string) error {
	if version != "" && !validVersion(version) {
		return badParameter("The request URI contains an invalid version: %s", clip(version))
	}
	return nil
}

// clip bounds what an error repeats of the caller's input.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
