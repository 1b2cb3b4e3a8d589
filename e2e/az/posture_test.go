package az

import "testing"

const httpsOnlyCheck = "1b351b29-41ca-6df5-946c-c190a56be5fe"

// Microsoft.Security beside alerts.
func TestSecurityPosture(t *testing.T) {
	c := administrator(t)
	c.do(t, "group create -n az-sec -l westeurope")
	c.do(t, "appservice plan create -n az-secplan -g az-sec --is-linux --sku B1")
	site := c.text(t, "webapp create -n az-secsite -g az-sec -p az-secplan --runtime PYTHON:3.12 --query id")
	c.set("$SUB", c.vars.Replace("$SUB"), "$SITE", site, "$CHECK", httpsOnlyCheck, "$OWN", "ca039e75-a276-4175-aebc-bcd41e4b14b7")
	c.steps(t,
		step{"security pricing create -n VirtualMachines --tier Standard --subplan P1", "[name, pricingTier, subPlan]", `["VirtualMachines","Standard","P1"]`},
		step{"security pricing list", "value[?name==`VirtualMachines`].pricingTier", `["Standard"]`},
		step{"security setting update -n MCAS --data-export-settings enabled=true", "", ""},
		step{"security contact create -n default --emails a@example.com --phone 1 --alert-notifications '{\"state\":\"On\",\"minimalSeverity\":\"Low\"}' --notifications-by-role '{\"state\":\"On\",\"roles\":[\"Owner\"]}'", "alertNotifications.minimalSeverity", `"Low"`},
		step{"security contact list", "[].emails", `["a@example.com"]`},
		step{"security auto-provisioning-setting update -n default --auto-provision On", "", ""},
		step{"security auto-provisioning-setting show -n default", "autoProvision", `"On"`},
		step{"security workspace-setting create -n default --target-workspace /subscriptions/$SUB/resourceGroups/az-sec/providers/Microsoft.OperationalInsights/workspaces/w", "name", `"default"`},
		step{"security location list", "[].name", `["westeurope"]`},
		step{"security assessment show -n $CHECK --assessed-resource-id $SITE", "status.code", `"Unhealthy"`},
		step{"security assessment-metadata show -n $CHECK", "[assessmentType, severity]", `["BuiltIn","Medium"]`},
		step{"security assessment-metadata create -n $OWN --display-name Mine --severity Low --description d", "assessmentType", `"CustomerManaged"`},
		step{"security assessment create -n $OWN --status-code Unhealthy --assessed-resource-id $SITE", "status.code", `"Unhealthy"`},
		step{"security assessment list", "[?name==`$OWN`].displayName", `["Mine"]`},
		step{"security assessment delete -n $OWN --assessed-resource-id $SITE", "", ""},
		step{"security task list -g az-sec", "[?securityTaskParameters.assessmentKey==`$CHECK`].state", `["Active"]`},
		step{"security secure-scores show -n ascScore", "current < max", `true`},
		step{"security secure-score-controls list", "length([?displayName==`Encrypt data in transit`])", `1`},
		step{"rest --method post --url $SITE/providers/Microsoft.Security/assessments/$CHECK/remediate?api-version=2020-01-01", "properties.status.code", `"Healthy"`},
		step{"webapp show -n az-secsite -g az-sec", "httpsOnly", `true`},
		step{"security task list -g az-sec", "[?securityTaskParameters.assessmentKey==`$CHECK`].state", `["Resolved"]`},
		step{"security automation create_or_update -n tell -g az-sec -l westeurope --scopes '[{\"description\":\"all\",\"scopePath\":\"/subscriptions/$SUB\"}]' --sources '[{\"eventSource\":\"Alerts\",\"ruleSets\":null}]' --actions '[{\"actionType\":\"LogicApp\",\"logicAppResourceId\":\"/subscriptions/$SUB/resourceGroups/az-sec/providers/Microsoft.Logic/workflows/w\",\"uri\":\"https://hooks.example.com/x?sig=y\"}]'", "[name, actions[0].uri]", `["tell",null]`},
		step{"security automation list -g az-sec", "[].name", `["tell"]`},
		step{"security automation delete -n tell -g az-sec", "", ""},
	)
	for command, want := range map[string]string{
		"security regulatory-compliance-standards list": "Regulatory compliance is not implemented",
		"security jit-policy list":                      "Just-in-time access to machines is not implemented",
		"security discovered-security-solution list":    "Discovery of security solutions is not implemented",
	} {
		c.fails(t, command, want)
	}
	c.do(t, "group delete -n az-sec -y")
}
