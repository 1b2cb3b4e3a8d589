package az

import (
	"strings"
	"testing"
)

// TestCosmosWalk: every group of az cosmosdb that is about accounts and the API for NoSQL works, or fails with a sentence that names what is not there.
func TestCosmosWalk(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	const on, at = " -a az-walk-account -g az-walk", " -n az-walk-account -g az-walk"
	c.steps(t,
		step{"group create -n az-walk -l westeurope", "name", `"az-walk"`},
		step{"cosmosdb create" + at, "[name, identity.type]", `["az-walk-account","None"]`},
		step{"cosmosdb sql database create -n app" + on, "name", `"app"`},
		step{"cosmosdb sql container create -d app -n people -p /customer" + on, "name", `"people"`},
	)
	t.Run("scripts", func(t *testing.T) {
		t.Parallel()
		for _, k := range []struct{ group, extra string }{{"stored-procedure", ""}, {"trigger", " -t Pre --operation Create"}, {"user-defined-function", ""}} {
			group, in := "cosmosdb sql "+k.group, " -d app -c people"+on
			c.steps(t, step{group + " create -n s -b 'function s() { return 1; }'" + k.extra + in, "[name, resource.body]", `["s","function s() { return 1; }"]`})
			if k.extra != "" { // one of the three shows all verbs
				c.steps(t,
					step{group + " update -n s -b 'function s() { return 2; }'" + k.extra + in, "resource.body", `"function s() { return 2; }"`},
					step{group + " show -n s" + in, "[resource.id, resource.triggerType, resource.triggerOperation]", `["s","Pre","Create"]`},
				)
				c.fails(t, group+" create -n bad -b 'function s( {'"+k.extra+in, "compiling Javascript")
				c.do(t, group+" delete -y -n s"+in)
				c.steps(t, step{group + " list" + in, "length(@)", "0"})
				continue
			}
			c.steps(t, step{group + " list" + in, "[].name", `["s"]`})
		}
	})
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		old := c.text(t, "cosmosdb keys list"+at+" --query secondaryReadonlyMasterKey")
		c.steps(t,
			step{"cosmosdb keys list --type read-only-keys" + at, "length(keys(@))", "2"},
			step{"cosmosdb keys list --type connection-strings" + at, "length(connectionStrings)", "4"},
		)
		c.do(t, "cosmosdb keys regenerate --key-kind secondaryReadonly"+at)
		if now := c.text(t, "cosmosdb keys list"+at+" --query secondaryReadonlyMasterKey"); now == old || len(now) != len(old) {
			t.Errorf("the key is %q after its regeneration", now)
		}
	})
	t.Run("account", func(t *testing.T) {
		t.Parallel()
		c.do(t, "cosmosdb failover-priority-change --failover-policies westeurope=0"+at)
		c.fails(t, "cosmosdb failover-priority-change --failover-policies westeurope=1"+at, "failoverPriority")
		c.fails(t, "cosmosdb offline-region --region westeurope"+at, "offlineRegion")
		c.fails(t, "cosmosdb update --locations regionName=westeurope failoverPriority=0 --locations regionName=northeurope failoverPriority=1"+at, "More than one region")
		c.steps(t,
			step{"cosmosdb update --default-consistency-level Eventual" + at, "consistencyPolicy.defaultConsistencyLevel", `"Eventual"`},
			step{"cosmosdb update --tags team=blue" + at, "tags", `{"team":"blue"}`},
			step{"cosmosdb identity show" + at, "type", `"None"`},
			step{"cosmosdb identity assign" + at, "type", `"SystemAssigned"`},
			step{"cosmosdb identity show" + at, "type", `"SystemAssigned"`},
			step{"cosmosdb identity remove" + at, "type", `"None"`},
			step{"cosmosdb check-name-exists -n az-walk-account", "@", "true"},
			step{"cosmosdb check-name-exists -n az-walk-free", "@", "false"},
			step{"cosmosdb list -g az-walk", "[].name", `["az-walk-account"]`},
		)
	})
	t.Run("network", func(t *testing.T) {
		t.Parallel()
		c.do(t, "network vnet create -n v -g az-walk --address-prefixes 10.1.0.0/16 -l westeurope")
		c.do(t, "network vnet subnet create -n s -g az-walk --vnet-name v --address-prefixes 10.1.1.0/24 --service-endpoints Microsoft.AzureCosmosDB")
		subnet := c.text(t, "network vnet subnet show -n s -g az-walk --vnet-name v --query id")
		c.steps(t, step{"cosmosdb network-rule list" + at, "@", `[]`})
		c.do(t, "cosmosdb network-rule add --subnet "+subnet+at)
		if got := c.text(t, "cosmosdb network-rule list"+at+" --query [].id"); !strings.EqualFold(got, subnet) {
			t.Errorf("rules: %s, want %s", got, subnet)
		}
		c.do(t, "cosmosdb network-rule remove --subnet "+subnet+at)
		c.steps(t, step{"cosmosdb network-rule list" + at, "@", `[]`})
	})
	t.Run("backups", func(t *testing.T) {
		t.Parallel()
		const instance, where = " --instance-id 11111111-1111-1111-1111-111111111111", " -l westeurope"
		c.steps(t,
			step{"cosmosdb restorable-database-account list", "@", `[]`},
			step{"cosmosdb locations list", "length(@) > `10`", "true"},
			step{"cosmosdb locations show -l westeurope", "[name, properties.status]", `["West Europe","Online"]`},
		)
		c.fails(t, "cosmosdb restorable-database-account show"+instance+where, "no continuous backups")
		c.fails(t, "cosmosdb sql restorable-database list"+instance+where, "restorableSqlDatabases")
		c.fails(t, "cosmosdb sql retrieve-latest-backup-time -d app -c people"+on+where, "retrieveContinuousBackupInformation")
	})
	t.Run("others", func(t *testing.T) {
		t.Parallel()
		c.fails(t, "cosmosdb mongodb database list"+on, "mongodbDatabases")
		c.fails(t, "cosmosdb cassandra keyspace list"+on, "cassandraKeyspaces")
		c.fails(t, "cosmosdb gremlin database list"+on, "gremlinDatabases")
		c.fails(t, "cosmosdb table list"+on, "tables")
		c.fails(t, "cosmosdb service list"+on, "services")
		c.fails(t, "cosmosdb private-link-resource list"+on, "privateLinkResources")
		c.fails(t, "cosmosdb private-endpoint-connection show -n x"+on, "privateEndpointConnections")
	})
}
