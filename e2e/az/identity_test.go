package az

import (
	"os/exec"
	"strings"
	"testing"
)

// User-assigned identities by az: as resources, assigned to a web app, and as who the command line itself runs.
func TestIdentity(t *testing.T) {
	c := administrator(t)
	c.do(t, "group create -n az-i -l westeurope")
	c.steps(t,
		step{"identity create -n az-uai1 -g az-i --tags team=red", "[name, tenantId, tags.team]", `["az-uai1","$TENANT","red"]`},
		step{"identity create -n az-uai2 -g az-i", "length(principalId)", `36`},
		step{"identity list -g az-i", "sort([].name)", `["az-uai1","az-uai2"]`},
		step{"identity federated-credential create -n az-fic1 --identity-name az-uai1 -g az-i --issuer https://issuer.example --subject s1 --audiences api://AzureADTokenExchange", "subject", `"s1"`},
		step{"identity federated-credential update -n az-fic1 --identity-name az-uai1 -g az-i --issuer https://issuer.example --subject s2 --audiences api://AzureADTokenExchange", "subject", `"s2"`},
		step{"identity federated-credential list --identity-name az-uai1 -g az-i", "[].[name, subject]", `[["az-fic1","s2"]]`},
	)
	c.fails(t, "identity federated-credential create -n az-fic2 --identity-name az-uai1 -g az-i --issuer https://issuer.example --subject s2 --audiences x", "must be unique")
	c.do(t, "identity federated-credential delete -n az-fic1 --identity-name az-uai1 -g az-i -y")

	one, two := c.text(t, "identity show -n az-uai1 -g az-i --query id"), c.text(t, "identity show -n az-uai2 -g az-i --query id")
	c.do(t, "appservice plan create -n az-iplan -g az-i --is-linux --sku B1")
	c.do(t, "webapp create -n az-iweb -g az-i -p az-iplan --runtime PYTHON:3.12")
	c.steps(t,
		step{"webapp identity assign -n az-iweb -g az-i --identities [system] " + one + " " + two, "[type, length(keys(userAssignedIdentities))]", `["SystemAssigned, UserAssigned",2]`},
		step{"webapp identity remove -n az-iweb -g az-i --identities " + one, "[type, length(keys(userAssignedIdentities))]", `["SystemAssigned, UserAssigned",1]`},
		step{"webapp identity remove -n az-iweb -g az-i --identities [system]", "[type, principalId, length(keys(userAssignedIdentities))]", `["UserAssigned",null,1]`},
	)
	// The command line signs in as the identity of the machine it runs on.
	as := func(command string) (string, error) {
		args := append([]string{
			"exec", "--identity", one, "--", "env", "AZURE_CONFIG_DIR=" + t.TempDir(), "AZURE_CORE_COLLECT_TELEMETRY=0", "sh", "-c",
			`az=$1; shift; "$az" login --identity --allow-no-subscriptions -o none && exec "$az" "$@"`, "sh", c.binary,
		}, c.args(command)...)
		cmd := c.p.Command(args...)
		out, err := cmd.Output()
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as Output returns it
			return string(exit.Stderr), err
		}
		return strings.TrimSpace(string(out)), err
	}
	if out, err := as("account show --query user.assignedIdentityInfo -o tsv"); err != nil || out != "MSI" {
		t.Errorf("az login --identity: %s, %v", out, err)
	}
	if out, err := as("account get-access-token --resource https://vault.azure.net --query tokenType -o tsv"); err != nil || out != "Bearer" {
		t.Errorf("a token for vaults: %s, %v", out, err)
	}
	c.do(t, "identity delete -n az-uai1 -g az-i")
	c.fails(t, "identity show -n az-uai1 -g az-i", "ResourceNotFound")
	c.do(t, "group delete -n az-i -y")
}
