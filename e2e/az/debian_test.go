package az

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// debianAZ is where Debian's package azure-cli puts its az, 2.45 of February 2023.
const debianAZ = "/usr/bin/az"

// The az of Debian 12 does what it can: the same commands, as an older client sends them. The package lacks modules of its own that secrets, keys and certificates
// (azure.keyvault.v7_0, KeyVaultAuthentication) and role definitions and assignments (an SDK newer than the commands) need, and options that came
// later (--endpoint-microsoft-graph-resource-id, --requested-access-token-version); those end inside az, before any request.
func TestDebian(t *testing.T) {
	out, err := exec.Command(debianAZ, "version", "--query", `"azure-cli"`, "-o", "tsv").Output()
	if err != nil {
		t.Skipf("Debian's az is not installed: %v", err)
	}
	if v := strings.TrimSpace(string(out)); v != "2.45.0" {
		t.Skipf("%s is version %s, not Debian 12's 2.45.0", debianAZ, v)
	}
	t.Setenv("BULKHEAD_AZ", debianAZ)
	for name, test := range map[string]func(*testing.T){
		"GroupsAndResources": TestGroupsAndResources,
		"Locks":              TestLocks,
		"Cosmos":             TestCosmos,
		"WebApp":             TestWebApp,
		"UsersAndGroups":     TestUsersAndGroups,
		"Identity":           TestIdentity,
		"MonitorMetrics":     TestMonitorMetrics,
		"Vault":              debianVault,
	} {
		t.Run(name, test)
	}
}

// debianVault makes, changes, loses and finds again a vault; what is in it this az can't reach but by `az rest`.
func debianVault(t *testing.T) {
	c := administrator(t, "$KV", harness.Name("az-debian"))
	c.do(t, "group create -n az-dv -l westeurope")
	c.steps(t,
		step{"keyvault create -n $KV -g az-dv -l westeurope --enable-rbac-authorization false", "properties.enableSoftDelete", `true`},
		step{"keyvault set-policy -n $KV --spn $APP --secret-permissions get set", "length(properties.accessPolicies) > `0`", `true`},
		step{"rest --method put --url https://$KV.vault.azure.net/secrets/s?api-version=7.3 --resource https://vault.azure.net --body {\"value\":\"kept\"}", "value", `"kept"`},
		step{"keyvault list -g az-dv", "[].name", `["$KV"]`},
	)
	c.do(t, "keyvault delete -n $KV")
	c.do(t, "keyvault recover -n $KV")
	c.steps(t, step{"rest --method get --url https://$KV.vault.azure.net/secrets/s?api-version=7.3 --resource https://vault.azure.net", "value", `"kept"`})
	c.do(t, "keyvault delete -n $KV")
	c.do(t, "keyvault purge -n $KV")
	c.do(t, "group delete -n az-dv -y")
}

// Debian's az against a cloud of one's own, by names under the platform's suffix.
func TestDebianCloud(t *testing.T) {
	if _, err := exec.LookPath(debianAZ); err != nil {
		t.Skipf("Debian's az is not installed: %v", err)
	}
	t.Setenv("BULKHEAD_AZ", debianAZ)
	registeredCloud(t, "")
}
