package az

import (
	"strings"
	"testing"
)

// A cloud of one's own, registered with az: the authority ends in /adfs, which az asks nobody else about, and every name is under the platform's suffix.
func TestRegisteredCloud(t *testing.T) {
	t.Parallel()
	registeredCloud(t, "--endpoint-microsoft-graph-resource-id $GRAPH/")
}

// registeredCloud registers the cloud with further options and uses it.
func registeredCloud(t *testing.T, options string) {
	c := newCLI(t)
	env, way := c.p.Env(t, ""), c.p.SuffixWay(t)
	c.set("$SUB", env["AZURE_SUBSCRIPTION_ID"], "$TENANT", env["AZURE_TENANT_ID"], "$APP", env["AZURE_CLIENT_ID"], "$SECRET", env["AZURE_CLIENT_SECRET"],
		"$LOGIN", way.Login(), "$ARM", way.ARM(), "$GRAPH", way.Graph(), "$VAULT", strings.TrimPrefix(way.VaultAudience(), "https://"))
	c.do(t, "cloud register -n Bulkhead --endpoint-resource-manager $ARM/ --endpoint-management $ARM/ --endpoint-active-directory $LOGIN/adfs"+
		" --endpoint-active-directory-resource-id $ARM/ --endpoint-active-directory-graph-resource-id $GRAPH/ --suffix-keyvault-dns .$VAULT "+options)
	c.do(t, "cloud set -n Bulkhead")
	c.do(t, "login --service-principal -u $APP -p $SECRET --tenant $TENANT")
	c.do(t, "account set --subscription $SUB") // a test beside this one may have made another
	c.steps(t,
		step{"account show", "[environmentName, id]", `["Bulkhead","$SUB"]`},
		step{"group create -n az-cloud -l westeurope", "name", `"az-cloud"`},
		step{"group list", "[?name==`az-cloud`].name", `["az-cloud"]`},
	)
	c.do(t, "group delete -n az-cloud -y")
}
