package machines

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

const hybridTypeName = "Microsoft.HybridCompute/machines"

// hybridVersions are the api-versions of Microsoft.HybridCompute; any later one is answered like the last.
func hybridVersions() []string {
	return []string{
		"2019-08-02-preview", "2019-12-12", "2020-07-30-preview", "2020-08-02", "2020-08-15-preview", "2021-01-28-preview", "2021-03-25-preview", "2021-04-22-preview", "2021-05-17-preview",
		"2021-05-20", "2021-06-10-preview", "2021-12-10-preview", "2022-03-10", "2022-05-10-preview", "2022-08-11-preview", "2022-11-10", "2022-12-27", "2022-12-27-preview",
		"2023-03-15-preview", "2023-06-20-preview", "2023-10-03-preview", "2024-03-31-preview", "2024-05-20-preview", "2024-07-10", "2024-07-31-preview", "2024-09-10-preview",
		"2024-11-10-preview", "2025-01-13", "2025-02-19-preview",
	}
}

// hybrid is what a caller says of a hybrid machine; what the machine says of itself is added when it is shown.
type hybrid struct {
	VMID            string          `json:"vmId,omitempty"`
	ClientPublicKey string          `json:"clientPublicKey,omitempty"`
	OSType          string          `json:"osType,omitempty"`
	LocationData    json.RawMessage `json:"locationData,omitempty"`
	OSProfile       json.RawMessage `json:"osProfile,omitempty"`
	ParentCluster   string          `json:"parentClusterResourceId,omitempty"`
	MSSQLDiscovered string          `json:"mssqlDiscovered,omitempty"`
}

// shownHybrid is a hybrid machine's properties on the wire.
type shownHybrid struct {
	hybrid
	ProvisioningState string            `json:"provisioningState"`
	Status            string            `json:"status"`
	LastStatusChange  string            `json:"lastStatusChange"`
	DisplayName       string            `json:"displayName"`
	AgentVersion      string            `json:"agentVersion,omitempty"`
	OSName            string            `json:"osName,omitempty"`
	OSVersion         string            `json:"osVersion,omitempty"`
	MachineFQDN       string            `json:"machineFqdn,omitempty"`
	DNSFQDN           string            `json:"dnsFqdn,omitempty"`
	Detected          map[string]string `json:"detectedProperties,omitempty"`
}

func hybridOf(r *arm.Resource) (hybrid, error) {
	var p hybrid
	if r == nil || len(r.Properties) == 0 {
		return p, nil
	}
	err := json.Unmarshal(r.Properties, &p)
	return p, err
}

// hybridType is Microsoft.HybridCompute/machines. Azure answers a creating PUT with 200.
func (s *Service) hybridType() arm.Type {
	return arm.Type{
		Name: hybridTypeName, Versions: hybridVersions(), Identity: true, OnCreate: 200, Put: putHybrid, Render: s.renderHybrid, Applied: s.applied,
	}
}

// applied forgets what a machine said, and what happened on it, once it is gone.
func (s *Service) applied(ctx context.Context, c *arm.Call) error {
	if c.New != nil {
		return nil
	}
	return errors.Join(s.forget(ctx, c.Old.GUID), s.deps.Sink.Forget(ctx, c.Old.GUID))
}

// validName is the rule for names of hybrid machines: 1 to 54 letters, digits, hyphens, underscores and dots.
func validName(name string, longest int) bool {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.') {
			return false
		}
	}
	return name != "" && len(name) <= longest
}

func putHybrid(_ context.Context, c *arm.Call) error {
	if !validName(c.New.Name, 54) {
		return fault.New(fault.Invalid, "InvalidResourceName", "The machine name %.200q is invalid: 1 to 54 letters, digits, hyphens, underscores and dots.", c.New.Name)
	}
	sent := c.Body.Object("properties")
	if err := refuse(sent, map[string]string{
		"privateLinkScopeResourceId": "Private link scopes", "licenseProfile": "Licence profiles", "agentUpgrade": "Upgrades of agents", "extensions": "Extensions of machines",
	}); err != nil {
		return err
	}
	old, err := hybridOf(c.Old)
	if err != nil {
		return err
	}
	var p hybrid
	if err := c.Body.Decode("properties", &p); err != nil {
		return err
	}
	if p.ClientPublicKey == "" {
		p.ClientPublicKey = old.ClientPublicKey // it is sent at enrolment only
	} else if _, err := parseKey(p.ClientPublicKey); err != nil {
		return err
	}
	switch {
	case p.VMID == "" && old.VMID != "":
		p.VMID = old.VMID
	case p.VMID == "":
		p.VMID = ids.New()
	case !ids.IsGUID(p.VMID):
		return fault.New(fault.Invalid, "InvalidVmId", "The vmId %.60q is not a GUID.", p.VMID)
	}
	if p.OSType = strings.ToLower(p.OSType); p.OSType == "" {
		p.OSType = "linux"
	}
	c.New.Properties, err = json.Marshal(p)
	return err
}

// renderHybrid adds what the machine said of itself.
func (s *Service) renderHybrid(ctx context.Context, _ *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	p, err := hybridOf(r)
	if err != nil {
		return nil, err
	}
	st, err := s.load(ctx, r.GUID)
	if err != nil {
		return nil, err
	}
	status, since := s.connection(r, st)
	out := shownHybrid{
		hybrid: p, ProvisioningState: "Succeeded", Status: status, LastStatusChange: since.UTC().Format("2006-01-02T15:04:05.0000000Z"), DisplayName: r.Name,
	}
	if st != nil {
		out.AgentVersion, out.OSName, out.OSVersion, out.Detected = st.Agent, st.OSName, st.OSVer, st.Detected
		out.MachineFQDN, out.DNSFQDN = st.Host, st.Host
	}
	return json.Marshal(out)
}

// refuse names what a body asks for and can't have here.
func refuse(o arm.Object, what map[string]string) error {
	for name, words := range what {
		switch v := strings.TrimSpace(string(o.Get(name))); v {
		case "", "null", "[]", "{}", "false", `""`:
		default:
			return fault.New(fault.NotImplemented, "NotImplemented", "%s (%s) are not implemented by this platform.", words, name)
		}
	}
	return nil
}
