package az

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// az has the commands of single servers, both the current one and Debian's.
func TestMySQL(t *testing.T) {
	if _, err := exec.LookPath("/usr/sbin/mariadbd"); err != nil {
		t.Skip("mariadbd is not installed (Debian's package mariadb-server-core)")
	}
	name := harness.Name("az-db")
	c := administrator(t, "$DB", name)
	c.set("$DB", name, "$ID", "/subscriptions/"+c.p.Run.SubscriptionID+"/resourceGroups/az-my/providers/Microsoft.DBforMySQL/servers/"+name)
	c.do(t, "group create -n az-my -l westeurope")
	c.steps(t,
		step{"mysql server create -g az-my -n $DB -l westeurope --admin-user ada --admin-password Passw0rd!x --sku-name B_Gen5_1 --storage-size 5120", "[name, userVisibleState, sku.name]", `["$DB","Ready","B_Gen5_1"]`},
		step{"mysql server show -g az-my -n $DB", "[administratorLogin, storageProfile.storageMb, sslEnforcement]", `["ada",5120,"Enabled"]`},
		step{"mysql server list -g az-my", "[].name", `["$DB"]`},
		step{"mysql server update -g az-my -n $DB --sku-name B_Gen5_2 --storage-size 6144", "[sku.capacity, storageProfile.storageMb]", `[2,6144]`},
		step{"mysql server firewall-rule create -g az-my -s $DB -n here --start-ip-address 127.0.0.1 --end-ip-address 127.0.0.1", "name", `"here"`},
		step{"mysql server firewall-rule list -g az-my -s $DB", "[].startIpAddress", `["127.0.0.1"]`},
		step{"mysql server configuration set -g az-my -s $DB -n slow_query_log --value ON", "[value, source]", `["ON","user-override"]`},
		step{"mysql server configuration show -g az-my -s $DB -n long_query_time", "value", `"10"`},
		step{"mysql server configuration list -g az-my -s $DB", "[?name==`slow_query_log`].[value, source]", `[["ON","user-override"]]`},
		step{"mysql flexible-server list -g az-my", "[].[name, state]", `[["$DB","Ready"]]`},
		step{"mysql flexible-server show -g az-my -n $DB", "[name, administratorLogin, storage.storageSizeGb]", `["$DB","ada",6]`},
		step{"mysql server replica list -g az-my -s $DB", "@", `[]`},
		step{"monitor metrics list-definitions --resource $ID", "[?name.value==`connections_failed`].[primaryAggregationType, unit]", `[["Total","Count"]]`},
		step{"monitor metrics list --resource $ID --metric storage_limit --aggregation Maximum --interval PT1M --offset 1h", "value[0].timeseries[0].data[-1].timeStamp != null", `true`},
		step{"mysql db create -g az-my -s $DB -n shop", "name", `"shop"`},
		step{"mysql db list -g az-my -s $DB", "[?name==`shop`].charset", `["utf8mb4"]`},
		step{"mysql server list-skus -l westeurope", "[].id", `["Basic","GeneralPurpose","MemoryOptimized"]`},
		step{"mysql server-logs list -g az-my -s $DB", "length(@) >= `1`", `true`},
	)
	c.fails(t, "mysql server restore -g az-my -n $DB-old -s $DB --restore-point-in-time 2026-01-01T00:00:00Z", "createMode PointInTimeRestore is not implemented")
	c.fails(t, "mysql server replica create -g az-my -n $DB-two -s $DB", "createMode Replica is not implemented")
	c.fails(t, "mysql server stop -g az-my -n $DB", "is not implemented by this platform")
	c.do(t, "mysql server restart -g az-my -n $DB")
	c.do(t, "mysql db delete -g az-my -s $DB -n shop -y")
	c.do(t, "mysql server firewall-rule delete -g az-my -s $DB -n here -y")
	// server-logs download writes into the folder az runs in.
	name = c.text(t, "mysql server-logs list -g az-my -s $DB --query [0].name")
	c.do(t, "mysql server-logs download -g az-my -s $DB -n "+name)
	b, err := os.ReadFile(filepath.Base(name))
	if err == nil {
		defer os.Remove(filepath.Base(name))
	}
	if err != nil || !strings.Contains(string(b), "ready for connections") {
		t.Errorf("downloaded log: %v, %d bytes; want the server's log", err, len(b))
	}
	c.do(t, "mysql server delete -g az-my -n $DB -y")
	c.fails(t, "mysql server show -g az-my -n $DB", "ResourceNotFound")
	c.do(t, "group delete -n az-my -y")
}
