package az

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCosmosSQL: databases, containers, throughput, data-plane roles and the firewall by az cosmosdb.
func TestCosmosSQL(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	c.steps(t, step{"group create -n az-sql -l westeurope", "name", `"az-sql"`})
	c.steps(t, step{"cosmosdb check-name-exists -n az-sql-account", "@", "false"})
	c.steps(t, step{"cosmosdb create -n az-sql-account -g az-sql", "name", `"az-sql-account"`})
	c.steps(t, step{"cosmosdb check-name-exists -n az-sql-account", "@", "true"})
	const on = " -a az-sql-account -g az-sql"
	c.steps(t,
		step{"cosmosdb sql database create -n app --throughput 600" + on, "[name, resource.id]", `["app","app"]`},
		step{"cosmosdb sql database show -n app" + on, "resource.id", `"app"`},
		step{"cosmosdb sql database list" + on, "[].name", `["app"]`},
		step{"cosmosdb sql database exists -n app" + on, "@", "true"},
		step{"cosmosdb sql database exists -n none" + on, "@", "false"},
		step{"cosmosdb sql database throughput show -n app" + on, "resource.throughput", "600"},
		step{"cosmosdb sql database throughput update -n app --throughput 700" + on, "resource.throughput", "700"},
		step{"cosmosdb sql database throughput migrate -n app -t autoscale" + on, "resource.autoscaleSettings.maxThroughput", "1000"},
		step{"cosmosdb sql container create -d app -n people -p /customer --max-throughput 4000" + on, "[resource.id, resource.partitionKey.paths[0]]", `["people","/customer"]`},
		step{"cosmosdb sql container update -d app -n people --ttl 3600" + on, "resource.defaultTtl", "3600"},
		step{"cosmosdb sql container show -d app -n people" + on, "[resource.defaultTtl, resource.partitionKey.paths[0]]", `[3600,"/customer"]`},
		step{"cosmosdb sql container list -d app" + on, "[].name", `["people"]`},
		step{"cosmosdb sql container throughput update -d app -n people --max-throughput 5000" + on, "resource.autoscaleSettings.maxThroughput", "5000"},
		step{"cosmosdb sql container throughput migrate -d app -n people -t manual" + on, "resource.throughput", "5000"},
	)
	// Data-plane roles.
	file := filepath.Join(t.TempDir(), "role.json")
	if err := os.WriteFile(file, []byte(`{"Id":"10000000-0000-0000-0000-0000000000a1","RoleName":"reads","Type":"CustomRole","AssignableScopes":["/dbs/app"],
		"Permissions":[{"DataActions":["Microsoft.DocumentDB/databaseAccounts/readMetadata","Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read"]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	oid := c.text(t, "ad sp show --id $APP --query id")
	c.steps(t,
		step{"cosmosdb sql role definition create --body @" + file + on, "roleName", `"reads"`},
		step{"cosmosdb sql role definition list" + on, "length(@)", "3"},
		step{"cosmosdb sql role definition exists -i 10000000-0000-0000-0000-0000000000a1" + on, "@", "true"},
		step{"cosmosdb sql role assignment create --role-definition-name reads --scope /dbs/app --principal-id " + oid + " -i 20000000-0000-0000-0000-0000000000a1" + on, "principalId", `"` + oid + `"`},
		step{"cosmosdb sql role assignment create -d 00000000-0000-0000-0000-000000000002 --scope / --principal-id " + oid + on, "", ""},
		step{"cosmosdb sql role assignment list" + on, "length(@)", "2"},
	)
	c.fails(t, "cosmosdb sql role definition delete -y -i 10000000-0000-0000-0000-0000000000a1"+on, "still has role assignments")
	c.do(t, "cosmosdb sql role assignment delete -y -i 20000000-0000-0000-0000-0000000000a1"+on)
	c.do(t, "cosmosdb sql role definition delete -y -i 10000000-0000-0000-0000-0000000000a1"+on)
	c.steps(t, step{"cosmosdb sql role definition list" + on, "length(@)", "2"})
	// The firewall: what the present api-version sets, the one of 2015 shows.
	c.do(t, "cosmosdb update -n az-sql-account -g az-sql --ip-range-filter 203.0.113.0/24,192.0.2.7")
	url := "https://management.azure.com/subscriptions/$SUB/resourceGroups/az-sql/providers/Microsoft.DocumentDB/databaseAccounts/az-sql-account?api-version="
	c.steps(t,
		step{"rest --url " + url + "2015-04-08", "properties.ipRangeFilter", `"203.0.113.0/24,192.0.2.7"`},
		step{"cosmosdb show -n az-sql-account -g az-sql", "ipRules[].ipAddressOrRange", `["203.0.113.0/24","192.0.2.7"]`},
	)
	c.do(t, "rest --method patch --url "+url+"2015-04-08 --body {\"properties\":{\"ipRangeFilter\":\"198.51.100.4\"}}")
	c.steps(t, step{"cosmosdb show -n az-sql-account -g az-sql", "ipRules[].ipAddressOrRange", `["198.51.100.4"]`})
	c.do(t, "cosmosdb sql container delete -y -d app -n people"+on)
	c.do(t, "cosmosdb sql database delete -y -n app"+on)
	if out := strings.TrimSpace(string(c.do(t, "cosmosdb sql database list"+on+" -o tsv"))); out != "" {
		t.Errorf("databases left: %s", out)
	}
}

// TestCosmosScripts: stored procedures, triggers and user-defined functions by az cosmosdb sql, and the paths of 2015 by az rest.
func TestCosmosScripts(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	c.steps(t, step{"group create -n az-scripts -l westeurope", "name", `"az-scripts"`})
	c.steps(t, step{"cosmosdb create -n az-scripts-account -g az-scripts", "name", `"az-scripts-account"`})
	const on, in = " -a az-scripts-account -g az-scripts", " -a az-scripts-account -g az-scripts -d app -c people"
	c.do(t, "cosmosdb sql database create -n app"+on)
	c.do(t, "cosmosdb sql container create -d app -n people -p /customer"+on)
	file := filepath.Join(t.TempDir(), "script.js")
	if err := os.WriteFile(file, []byte(`function first() { return 1 }`), 0o600); err != nil {
		t.Fatal(err)
	}
	for kind, extra := range map[string]string{"stored-procedure": "", "trigger": " -t Pre --operation Create", "user-defined-function": ""} {
		k := "cosmosdb sql " + kind + " "
		c.steps(t,
			step{k + "create -n one -b @" + file + in + extra, "[name, resource.id, resource.body]", `["one","one","function first() { return 1 }"]`},
			step{k + "show -n one" + in, "resource.body", `"function first() { return 1 }"`},
			step{k + "list" + in, "[].name", `["one"]`},
		)
		if kind == "trigger" {
			c.steps(t, step{k + "update -n one -b function(){} -t Post --operation All" + in, "[resource.body, resource.triggerType, resource.triggerOperation]", `["function(){}","Post","All"]`})
		}
		c.do(t, k+"delete -y -n one"+in)
	}
	c.fails(t, "cosmosdb sql stored-procedure create -n two -b function("+in, "SyntaxError")
	c.steps(t, step{"cosmosdb sql trigger list" + in, "length(@)", "0"})
	url := "https://management.azure.com/subscriptions/$SUB/resourceGroups/az-scripts/providers/Microsoft.DocumentDB/databaseAccounts/az-scripts-account/apis/sql/databases"
	c.steps(t,
		step{"rest --url " + url + "?api-version=2015-04-08", "value[].properties.id", `["app"]`},
		step{"rest --url " + url + "/app/containers/people?api-version=2015-04-08", "properties.partitionKey.paths", `["/customer"]`},
	)
}
