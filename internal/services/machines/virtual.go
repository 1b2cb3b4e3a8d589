package machines

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const virtualTypeName = "Microsoft.Compute/virtualMachines"

func virtualVersions() []string {
	return []string{
		"2015-06-15", "2016-03-30", "2016-04-30-preview", "2017-03-30", "2017-12-01", "2018-04-01", "2018-06-01", "2018-10-01", "2019-03-01", "2019-07-01", "2019-12-01", "2020-06-01",
		"2020-12-01", "2021-03-01", "2021-04-01", "2021-07-01", "2021-11-01", "2022-03-01", "2022-08-01", "2022-11-01", "2023-03-01", "2023-07-01", "2023-09-01", "2024-03-01", "2024-07-01",
		"2024-11-01",
	}
}

// virtual is what is kept of a virtual machine: enough to know which it is. The rest of Azure's has no meaning for a machine that runs elsewhere.
type virtual struct {
	VMID     string          `json:"vmId"`
	Hardware *vmHardware     `json:"hardwareProfile,omitempty"`
	OS       *vmSystem       `json:"osProfile,omitempty"`
	Storage  *vmStorage      `json:"storageProfile,omitempty"`
	Network  json.RawMessage `json:"networkProfile,omitempty"`

	ProvisioningState string `json:"provisioningState"`
}

type vmHardware struct {
	Size string `json:"vmSize,omitempty"`
}

type vmSystem struct {
	Computer string `json:"computerName,omitempty"`
	Admin    string `json:"adminUsername,omitempty"`
}

type vmStorage struct {
	Disk *vmDisk `json:"osDisk,omitempty"`
}

type vmDisk struct {
	OSType string `json:"osType,omitempty"`
}

// virtualPrivate is what a virtual machine's resource keeps and doesn't show.
type virtualPrivate struct {
	PublicKey string `json:"publicKey,omitempty"`
}

// virtualType is Microsoft.Compute/virtualMachines as a registration of a machine that runs elsewhere. Nothing is started, stopped or billed by it.
func (s *Service) virtualType() arm.Type {
	return arm.Type{
		Name: virtualTypeName, Versions: virtualVersions(), Identity: true, Put: putVirtual, Applied: s.applied,
		Actions: []arm.Action{{Verb: "enrolAgent", Operation: virtualTypeName + "/write", Writes: true, Handler: enrolVirtual}},
	}
}

func putVirtual(_ context.Context, c *arm.Call) error {
	if !validName(c.New.Name, 64) {
		return fault.New(fault.Invalid, "InvalidParameter", "The machine name %.200q is invalid: 1 to 64 letters, digits, hyphens, underscores and dots.", c.New.Name)
	}
	sent := c.Body.Object("properties")
	system := sent.Object("osProfile")
	for part, o := range map[string]arm.Object{"": sent, "osProfile.": system, "storageProfile.": sent.Object("storageProfile")} {
		for name := range o {
			if strings.EqualFold(name, "provisioningState") || known(part+name) || isEmpty(o.Get(name)) {
				continue
			}
			return fault.New(fault.NotImplemented, "NotImplemented",
				"This platform registers virtual machines that run elsewhere; it starts none, and can't keep the property '%.80s%.80s'. Send vmId, hardwareProfile.vmSize, osProfile.computerName and "+
					"adminUsername, storageProfile.osDisk.osType and networkProfile.", part, name)
		}
	}
	var p virtual
	if c.Old != nil {
		if err := json.Unmarshal(c.Old.Properties, &p); err != nil {
			return err
		}
	}
	was := p.VMID
	p = virtual{}
	if err := c.Body.Decode("properties", &p); err != nil {
		return err
	}
	switch {
	case was != "":
		p.VMID = was
	case p.VMID == "":
		p.VMID = ids.New()
	case !ids.IsGUID(p.VMID):
		return fault.New(fault.Invalid, "InvalidParameter", "The vmId %.60q is not a GUID.", p.VMID)
	}
	p.ProvisioningState = "Succeeded"
	var err error
	c.New.Properties, err = json.Marshal(p)
	return err
}

// known tells which properties of a virtual machine are kept.
func known(name string) bool {
	switch strings.ToLower(name) {
	case "vmid", "hardwareprofile", "osprofile", "storageprofile", "networkprofile", "osprofile.computername", "osprofile.adminusername", "storageprofile.osdisk":
		return true
	}
	return false
}

func isEmpty(v json.RawMessage) bool {
	switch strings.TrimSpace(string(v)) {
	case "", "null", "[]", "{}", "false", `""`:
		return true
	}
	return false
}

// enrolVirtual lets a machine with a key act as the virtual machine's identity, instead of the one enrolled before.
func enrolVirtual(ctx context.Context, c *arm.Call) (any, error) {
	text := c.Body.String("publicKey")
	if _, err := parseKey(text); err != nil {
		return nil, err
	}
	if c.Old.Identity == nil || c.Old.Identity.PrincipalID == "" {
		return nil, fault.New(fault.Conflict, "NoSystemAssignedIdentity", "The virtual machine %s has no system-assigned identity, as which its agent would act. Give it one first.", c.Old.Name)
	}
	private, err := json.Marshal(virtualPrivate{PublicKey: text})
	if err != nil {
		return nil, err
	}
	changed := *c.Old
	changed.Private = private
	c.New = &changed
	if err := c.Commit(ctx, func(store.Tx) error { return nil }); err != nil {
		return nil, err
	}
	return struct {
		ID string `json:"id"`
	}{c.Old.ID}, nil
}
