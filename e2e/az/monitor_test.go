package az

import (
	"net/http"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// Metrics as the command line asks for them.
func TestMonitorMetrics(t *testing.T) {
	c := administrator(t)
	c.do(t, "group create -n az-mon -l westeurope")
	vault := harness.Name("az-mon-")
	group := "/subscriptions/" + c.p.Run.SubscriptionID + "/resourceGroups/az-mon"
	c.p.PutVault(t, group, vault)
	id := group + "/providers/Microsoft.KeyVault/vaults/" + vault
	w := c.p.SuffixWay(t)
	for range 3 {
		w.Do(t, http.MethodGet, w.Vault(vault)+"/secrets/none?api-version=7.4", nil, nil)
	}
	c.set("$ID", id, "$FILTER", "StatusCode eq '*'")
	c.steps(t, step{"monitor metrics list-definitions --resource $ID", "[?name.value==`ServiceApiHit`].[primaryAggregationType, unit, length(metricAvailabilities)]", `[["Count","Count",8]]`})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		if got := c.text(t, "monitor metrics list --resource $ID --metric ServiceApiHit --interval PT1H --offset 2h --aggregation Count --query 'sum(value[0].timeseries[0].data[].count)'"); got == "3" || got == "3.0" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the vault was asked 3 times, az says %s", got)
		}
	}
	c.steps(t,
		step{"monitor metrics list --resource $ID --metrics ServiceApiResult --interval PT1H --offset 2h --filter $FILTER", "value[0].timeseries[].metadatavalues[].value", `["401"]`},
	)
	c.fails(t, "monitor metrics list --resource $ID --metric Nonsense", "Valid metrics: Availability,ServiceApiHit")
	c.do(t, "group delete -n az-mon -y")
}
