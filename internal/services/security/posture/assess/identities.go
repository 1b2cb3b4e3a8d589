package assess

import (
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

const (
	typeIdentity    = "Microsoft.ManagedIdentity/userAssignedIdentities"
	grantVersion    = "?api-version=2022-04-01"
	identityVersion = "?api-version=2023-01-31"
)

// principalOf is the object id of the managed identity that a resource is or has of its own, in lower case; "" if it has none.
func principalOf(r *arm.Resource) string {
	if p := properties[struct {
		PrincipalID string `json:"principalId"`
	}](r, typeIdentity); p != nil {
		return strings.ToLower(p.PrincipalID)
	}
	if r.Identity != nil {
		return strings.ToLower(r.Identity.PrincipalID)
	}
	return ""
}

// Principals lists the managed identities of resources.
func Principals(all []*arm.Resource) []string {
	var out []string
	for _, r := range all {
		if p := principalOf(r); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// wide lists the assignments that let a principal do everything in the whole subscription.
func (s *State) wide(principal string) []arm.Grant {
	var out []arm.Grant
	for _, g := range s.Grants {
		scope := strings.ToLower(g.Scope)
		whole := scope == "/subscriptions/"+strings.ToLower(s.Subscription) || !strings.HasPrefix(scope, "/subscriptions/")
		if g.PrincipalID == principal && whole && g.Everything() {
			out = append(out, g)
		}
	}
	return out
}

func judgePrivilege(s *State, r *arm.Resource) *Verdict {
	principal := principalOf(r)
	if principal == "" {
		return nil
	}
	var parts []Part
	var roles []string
	for _, g := range s.wide(principal) {
		roles = append(roles, g.Role)
		parts = append(parts, Part{Key: g.ID, DisplayName: "The identity is " + g.Role + " at " + g.Scope, Description: "Role assignment " + g.ID + "."})
	}
	if len(parts) == 0 {
		return healthy()
	}
	return unhealthy("OverProvisioned", "The identity "+principal+" is "+strings.Join(roles, ", ")+" of the whole subscription.", parts...)
}

// fixPrivilege removes the assignments. The narrower role that the identity needs instead only its owner knows.
func fixPrivilege(_ *State, v *Verdict, _ arm.Object) ([]Step, error) {
	var steps []Step
	for _, p := range v.Parts {
		steps = append(steps, Step{Method: "DELETE", Path: p.Key + grantVersion})
	}
	return steps, nil
}

func judgeUnused(s *State, r *arm.Resource) *Verdict {
	principal := principalOf(r)
	if principal == "" {
		return nil
	}
	if s.UsedSince.IsZero() {
		return notApplicable("NotRecorded", "Which identities get tokens is not recorded here.")
	}
	if last, ok := s.Used[principal]; ok {
		if idle := s.Now.Sub(last); idle > s.Limits.unused() {
			return unhealthy("Unused", fmt.Sprintf("The identity %s last got a token on %s, %d days ago.", principal, last.UTC().Format(time.DateOnly), int(idle.Hours()/24)))
		}
		return healthy()
	}
	since := r.Created
	if s.UsedSince.After(since) {
		since = s.UsedSince
	}
	if s.Now.Sub(since) <= s.Limits.neverUsed() {
		return notApplicable("TooYoung", "The identity got no token yet; it is watched since "+since.UTC().Format(time.DateOnly)+".")
	}
	return unhealthy("NeverUsed", "The identity "+principal+" got no token since "+since.UTC().Format(time.DateOnly)+".")
}

// fixUnused deletes a user-assigned identity, or turns off a resource's own.
func fixUnused(_ *State, v *Verdict, _ arm.Object) ([]Step, error) {
	r := v.Resource
	if strings.EqualFold(r.Type, typeIdentity) {
		return []Step{{Method: "DELETE", Path: r.ID + identityVersion}}, nil
	}
	version := map[string]string{typeSite: siteVersion, typeAccount: accountVersion}[r.Type]
	if version == "" {
		return nil, invalid("How to turn the identity of a %s off is not known here: change its identity block yourself.", r.Type)
	}
	left := "None"
	if len(r.Identity.UserAssigned) > 0 {
		left = "UserAssigned"
	}
	return []Step{{Method: "PATCH", Path: r.ID + version, Body: map[string]any{"identity": map[string]any{"type": left}}}}, nil
}

const (
	typeArc     = "Microsoft.HybridCompute/machines"
	typeMachine = "Microsoft.Compute/virtualMachines"
)

// hardening gives what a machine told, nil of what is no machine.
func (s *State) hardening(r *arm.Resource) *Hardening {
	if !strings.EqualFold(r.Type, typeArc) && !strings.EqualFold(r.Type, typeMachine) {
		return nil
	}
	h := s.Machines[strings.ToLower(r.ID)]
	return &h
}

func judgePasswordLogin(s *State, r *arm.Resource) *Verdict {
	h := s.hardening(r)
	if h == nil {
		return nil
	}
	return told(h.PasswordLogin, "PasswordLogin", "sshd lets users in by password.", h.Why)
}

func judgeDefaultCredentials(s *State, r *arm.Resource) *Verdict {
	h := s.hardening(r)
	if h == nil {
		return nil
	}
	return told(h.DefaultCredentials, "DefaultCredentials", "Software on the machine is open by the credentials it is delivered with.", h.Why)
}

func told(bad *bool, cause, text, why string) *Verdict {
	switch {
	case bad == nil:
		return notApplicable("NotReported", "The machine's agent has not told.")
	case !*bad:
		return healthy()
	case why != "":
		text += " " + why
	}
	return unhealthy(cause, text)
}
