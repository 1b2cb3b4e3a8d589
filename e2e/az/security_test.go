package az

import (
	"path"
	"testing"
)

// TestSecurity: az security reads and decides about the alerts of a real intrusion, and keeps suppression rules.
func TestSecurity(t *testing.T) {
	c := administrator(t)
	group, _ := c.p.Intrude(t)
	c.set("$SUB", c.p.Run.SubscriptionID, "$GROUP", path.Base(group))
	name := c.text(t, "security alert list -g $GROUP --query [?alertType==`\"VM_SuspectDownload\"`].name|[0]")
	c.set("$SUB", c.p.Run.SubscriptionID, "$GROUP", path.Base(group), "$NAME", name)
	c.steps(t,
		step{"security alert list -l westeurope", "length(@) >= `14`", "true"},
		step{"security alert list -g $GROUP -l westeurope", "length(@) >= `14`", "true"},
		step{"security alert show -l westeurope -n $NAME", "[name,status,severity,alertType,compromisedEntity != null]", `["$NAME","Active","Medium","VM_SuspectDownload",true]`},
		step{"security alert update -l westeurope -n $NAME --status Dismiss", "", ""},
		step{"security alert show -g $GROUP -l westeurope -n $NAME", "status", `"Dismissed"`},
		step{"security alert update -g $GROUP -l westeurope -n $NAME --status Activate", "", ""},
		step{"security alert show -l westeurope -n $NAME", "status", `"Active"`},
		step{"security alert update -l westeurope -n $NAME --status InProgress", "", ""},
		step{"security alert show -l westeurope -n $NAME", "status", `"InProgress"`},
		step{"security alert update -g $GROUP -l westeurope -n $NAME --status Resolve", "", ""},
		step{"security alert show -l westeurope -n $NAME", "status", `"Resolved"`},

		step{"security alerts-suppression-rule update --rule-name backup --alert-type VM_SuspectDownload --reason FalsePositive --state Enabled --comment mirror", "[name,state,reason,comment]", `["backup","Enabled","FalsePositive","mirror"]`},
		step{"security alerts-suppression-rule upsert_scope --rule-name backup --field entities.process.commandline --contains-substring wget", "", ""},
		step{"security alerts-suppression-rule upsert_scope --rule-name backup --field entities.ip.address --any-of [\"192.0.2.1\",\"192.0.2.2\"]", "", ""},
		step{"security alerts-suppression-rule show --rule-name backup", "suppressionAlertsScope.allOf[].[field,contains,in]", `[["entities.process.commandline","wget",null],["entities.ip.address",null,["192.0.2.1","192.0.2.2"]]]`},
		step{"security alerts-suppression-rule delete_scope --rule-name backup --field entities.ip.address", "length(suppressionAlertsScope.allOf)", "1"},
		step{"security alerts-suppression-rule list", "[].name", `["backup"]`},
		step{"security alerts-suppression-rule delete --rule-name backup", "", ""},
		step{"security alerts-suppression-rule list", "", ""},
	)
	c.fails(t, "security alert show -l westeurope -n none", "ResourceNotFound")
}
