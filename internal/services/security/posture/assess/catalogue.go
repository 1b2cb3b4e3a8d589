package assess

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// Check is one thing that resources are judged by.
type Check struct {
	Name        string // GUID: the name of the assessment
	DisplayName string
	Severity    string // Low, Medium, High
	Description string
	Remedy      string
	Control     string // name of the control it counts in
	Policy      string // GUID of Azure's policy definition; "" if there is none
	Categories  []string
	Threats     []string
	Impact      string // on users: Low, Moderate, High
	Effort      string // Low, Moderate, High
	Manual      bool   // there is no call that puts it right

	judge func(s *State, r *arm.Resource) *Verdict
	fix   func(s *State, v *Verdict, ask arm.Object) ([]Step, error)
}

// Control is a group of checks with a share of the score.
type Control struct {
	Name, DisplayName, Description string
	Max                            int
}

// The controls' names. All but the first are Azure's.
const (
	controlPorts   = "b1c7f6a0-5e0a-4f0e-9a35-6d2c41b8c0d1"
	controlAccess  = "2d85f639-0bea-4a4a-b6c6-608952a1414a"
	controlTransit = "0e55495e-034f-4abc-8293-767229250176"
	controlNetwork = "f9d5432b-8f7b-45e9-b90c-e214a30f6a02"
	controlConfig  = "99fc8df2-e0f5-40f8-9415-a7f7ca948b5a"
	controlGood    = "76763537-9feb-42d3-b4f4-78c01117be80"
)

var controls = []Control{
	{controlPorts, "Secure management ports", "Ports for remote management that are open to everybody are where brute force begins.", 8},
	{controlAccess, "Manage access and permissions", "Who and what can reach a workload should have only the rights it needs, and use them.", 4},
	{controlTransit, "Encrypt data in transit", "Data that moves between services is protected from being read on its way.", 4},
	{controlNetwork, "Restrict unauthorized network access", "Resources answer only those networks that have a reason to ask.", 4},
	{controlConfig, "Remediate security configurations", "Machines are set up so that known ways in are closed.", 4},
	{controlGood, "Implement security best practices", "What is good practice and does not count in the score.", 0},
}

// Controls lists the controls; read only.
func Controls() []Control { return controls }

// Checks lists the checks; read only.
func Checks() []Check { return checks }

// Find gives the check of that name, in any case; nil if there is none.
func Find(name string) *Check {
	for i := range checks {
		if strings.EqualFold(checks[i].Name, name) {
			return &checks[i]
		}
	}
	return nil
}

// PolicyID is the resource id of the policy definition behind the check, "" if there is none.
func (c *Check) PolicyID() string {
	if c.Policy == "" {
		return ""
	}
	return "/providers/Microsoft.Authorization/policyDefinitions/" + c.Policy
}

var checks = []Check{
	{
		Name: "1b351b29-41ca-6df5-946c-c190a56be5fe", DisplayName: "Web Application should only be accessible over HTTPS", Severity: "Medium",
		Description: "A site that also answers plain HTTP lets whoever is on the way read and change what is sent.",
		Remedy:      "Turn HTTPS Only on: az webapp update --https-only true.", Control: controlTransit, Policy: "a4af4a39-4135-47fb-b175-47fbdf85311d",
		Categories: []string{"AppServices"}, Threats: []string{"DataExfiltration", "AccountBreach"}, Impact: "Low", Effort: "Low",
		judge: judgeHTTPS, fix: fixHTTPS,
	},
	{
		Name: "78211c00-15a9-336e-17c4-0b48613dadf4", DisplayName: "Key vaults should have soft delete enabled", Severity: "High",
		Description: "Without soft delete a vault that is deleted, by mistake or in malice, takes its secrets, keys and certificates with it for good.",
		Remedy:      "Turn soft delete on: az keyvault update --enable-soft-delete true. It can't be turned off again.", Control: controlGood, Policy: "1e66c121-a66a-4b1f-9b83-0fd99bf0fc2d",
		Categories: []string{"Data"}, Threats: []string{"MaliciousInsider", "DenialOfService"}, Impact: "Low", Effort: "Low",
		judge: judgeSoftDelete, fix: patchVault(map[string]any{"enableSoftDelete": true}),
	},
	{
		Name: "4ed62ae4-5072-f9e7-8d94-51c76c48159a", DisplayName: "Key vaults should have purge protection enabled", Severity: "High",
		Description: "Without purge protection an insider can delete a vault and purge it at once.",
		Remedy:      "Turn purge protection on: az keyvault update --enable-purge-protection true. It can't be turned off again.", Control: controlGood, Policy: "0b60c0b2-2dc2-4e1c-b5c9-abbed971de53",
		Categories: []string{"Data"}, Threats: []string{"MaliciousInsider", "DenialOfService"}, Impact: "Low", Effort: "Low",
		judge: judgePurgeProtection, fix: patchVault(map[string]any{"enableSoftDelete": true, "enablePurgeProtection": true}),
	},
	{
		Name: "52f7826a-ace7-3107-dd0d-4875853c1576", DisplayName: "Firewall should be enabled on Key Vault", Severity: "Medium",
		Description: "A vault that answers all networks can be tried from anywhere with a stolen token.",
		Remedy:      "Set the vault's default action to Deny and name the networks that need it.", Control: controlNetwork, Policy: "55615ac9-af46-4a59-874e-391cc3dfb490",
		Categories: []string{"Data", "Networking"}, Threats: []string{"DataExfiltration"}, Impact: "Moderate", Effort: "Moderate",
		judge: judgeVaultNetwork, fix: fixVaultNetwork,
	},
	{
		Name: "276b1952-c364-852b-11e5-657f0fa34dc6", DisplayName: "Azure Cosmos DB accounts should have firewall rules", Severity: "Medium",
		Description: "An account that answers all networks can be read from anywhere with a stolen key.",
		Remedy:      "Name the addresses or subnets that need the account, or turn public network access off.", Control: controlNetwork, Policy: "862e97cf-49fc-4a5c-9de4-40d4e2e7c8eb",
		Categories: []string{"Data", "Networking"}, Threats: []string{"DataExfiltration"}, Impact: "Moderate", Effort: "Moderate",
		judge: judgeAccountNetwork, fix: fixAccountNetwork,
	},
	{
		Name: "14acab4e-ad95-11ec-b909-0242ac120002", DisplayName: "Azure Cosmos DB accounts should use Azure Active Directory as the only authentication method", Severity: "Medium",
		Description: "Account keys open everything to whoever has one, and say nothing of who that is.",
		Remedy:      "Move clients to tokens and data-plane roles, then set disableLocalAuth.", Control: controlAccess, Policy: "5450f5bd-9c72-4390-a9c4-a7aba4edfdd2",
		Categories: []string{"Data", "IdentityAndAccess"}, Threats: []string{"AccountBreach", "DataExfiltration"}, Impact: "High", Effort: "Moderate",
		judge: judgeLocalAuth, fix: fixLocalAuth,
	},
	{
		Name: "c3f0a9d2-77b4-4c55-8d3e-0a6b1f52e7c8", DisplayName: "Account keys should be regenerated regularly", Severity: "Medium",
		Description: "A key that leaked long ago opens the account until it is replaced.",
		Remedy:      "Regenerate the secondary keys, move clients to them, then regenerate the primary keys.", Control: controlAccess,
		Categories: []string{"Data", "IdentityAndAccess"}, Threats: []string{"AccountBreach", "DataExfiltration"}, Impact: "Moderate", Effort: "Low",
		judge: judgeKeyAge, fix: fixKeyAge,
	},
	{
		Name: "6b0d4a6e-3f1c-4c8b-9d57-2e9f0c1a8b34", DisplayName: "Azure overprovisioned identities should have only the necessary permissions", Severity: "High",
		Description: "A managed identity that may do everything in a subscription hands it over to whoever takes the process that has it.",
		Remedy:      "Remove the assignment at the subscription and give the identity a narrower role at the resources it works with.", Control: controlAccess,
		Categories: []string{"IdentityAndAccess"}, Threats: []string{"ElevationOfPrivilege", "AccountBreach"}, Impact: "High", Effort: "Moderate",
		judge: judgePrivilege, fix: fixPrivilege,
	},
	{
		Name: "8a2e7d15-90c6-4a7f-b1de-5c43f6089e21", DisplayName: "Unused identities in your Azure environment should be removed", Severity: "Medium",
		Description: "An identity nobody uses is missed by nobody when somebody else does.",
		Remedy:      "Delete the user-assigned identity, or turn the resource's own off.", Control: controlAccess,
		Categories: []string{"IdentityAndAccess"}, Threats: []string{"AccountBreach"}, Impact: "Low", Effort: "Low",
		judge: judgeUnused, fix: fixUnused,
	},
	{
		Name: "bc303248-3d14-44c2-96a0-55f5c326b5fe", DisplayName: "Management ports should be closed on your virtual machines", Severity: "Medium",
		Description: "Ports 22 and 3389 that are open to the Internet are tried by brute force day and night.",
		Remedy:      "Name the addresses that administer the machines instead of any, or put a rule before it that denies these ports to the Internet.", Control: controlPorts,
		Policy:     "22730e10-96f6-4aac-ad84-9383d35b5917",
		Categories: []string{"Networking"}, Threats: []string{"AccountBreach", "ElevationOfPrivilege"}, Impact: "Moderate", Effort: "Low",
		judge: judgePorts, fix: fixPorts,
	},
	{
		Name: "22441184-2f7b-d4a0-e00b-4c5eaef4afc9", DisplayName: "Authentication to Linux machines should require SSH keys", Severity: "Medium",
		Description: "A password can be guessed over the network; a key can't.",
		Remedy:      "Set PasswordAuthentication no and KbdInteractiveAuthentication no in the machine's sshd_config, then reload sshd.", Control: controlConfig,
		Policy:     "630c64f9-8b6b-4c64-b511-6544ceff6fd6",
		Categories: []string{"Compute"}, Threats: []string{"AccountBreach"}, Impact: "Moderate", Effort: "Moderate", Manual: true,
		judge: judgePasswordLogin,
	},
	{
		Name: "e5a1c9b7-0d42-4f36-a8c1-74b9d2e6035f", DisplayName: "Accounts with default credentials should be removed from machines", Severity: "High",
		Description: "Credentials that software is delivered with are known to everybody and tried first.",
		Remedy:      "Give the account another password or lock it.", Control: controlConfig,
		Categories: []string{"Compute"}, Threats: []string{"AccountBreach"}, Impact: "Low", Effort: "Low", Manual: true,
		judge: judgeDefaultCredentials,
	},
}
