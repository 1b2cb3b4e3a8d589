package az

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestMonitorAlerts: metric alerts, action groups and the activity log, by az's own commands.
func TestMonitorAlerts(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	c.set("$SUB", c.p.Run.SubscriptionID, "$RG", harness.Name("rg-"), "$VAULT", harness.Name("kv"))
	const vault = "/subscriptions/$SUB/resourceGroups/$RG/providers/Microsoft.KeyVault/vaults/$VAULT"
	const group = "/subscriptions/$SUB/resourceGroups/$RG/providers/microsoft.insights/actionGroups/ag1"
	c.steps(t,
		step{"group create -n $RG -l westeurope", "", ""},
		step{"keyvault create -g $RG -n $VAULT --enable-rbac-authorization false", "name", `"$VAULT"`},
		step{"monitor action-group create -g $RG -n ag1 --short-name ag1 --action webhook hook http://127.0.0.1:9/x usecommonalertschema --action email admin admin@example.com", "[groupShortName, webhookReceivers[].[name, useCommonAlertSchema], emailReceivers[].[name, status]]", `["ag1",[["hook",true]],[["admin","Enabled"]]]`},
		step{"monitor action-group show -g $RG -n ag1", "webhookReceivers[0].serviceUri", `"http://127.0.0.1:9/x"`},
		step{"monitor action-group list -g $RG", "[].name", `["ag1"]`},
		step{"monitor action-group update -g $RG -n ag1 --short-name ag2 --add-action email second second@example.com --remove-action admin", "[groupShortName, emailReceivers[].name]", `["ag2",["second"]]`},

		step{
			"monitor metrics alert create -g $RG -n a1 --scopes " + vault + " --condition 'avg Availability < 90' --condition 'total ServiceApiHit > 5 with skipmetricvalidation' --action " + group + " k=v --window-size 15m --evaluation-frequency 5m --severity 1 --description high",
			"[severity, enabled, autoMitigate, windowSize, evaluationFrequency, criteria.allOf[].[metricName, operator, threshold, timeAggregation]]",
			`[1,true,true,"PT15M","PT5M",[["Availability","LessThan",90,"Average"],["ServiceApiHit","GreaterThan",5,"Total"]]]`,
		},
		step{"monitor metrics alert show -g $RG -n a1", "[name, length(actions), actions[0].webHookProperties.k]", `["a1",1,"v"]`},
		step{
			"monitor metrics alert create -g $RG -n dyn --scopes " + vault + " --condition 'avg Availability < dynamic medium 2 of 4 since 2026-01-01T10:23:00Z where ActivityName includes vaultget or secretget'",
			"criteria.allOf[0].[criterionType, alertSensitivity, failingPeriods.minFailingPeriodsToAlert, dimensions[0].values]", `["DynamicThresholdCriterion","Medium",2,["vaultget","secretget"]]`,
		},
		step{"monitor metrics alert update -g $RG -n a1 --enabled false --add-condition 'max Availability >= 3' --remove-conditions cond1", "[enabled, length(criteria.allOf)]", `[false,2]`},
		step{"monitor metrics alert list -g $RG", "sort([].name)", `["a1","dyn"]`},
		step{"monitor metrics alert delete -g $RG -n a1", "", ""},
		step{"monitor metrics alert list -g $RG", "[].name", `["dyn"]`},

		step{"monitor metrics alert update -g $RG -n dyn --severity 4 --window-size 30m --evaluation-frequency 30m --tags k=v", "[severity, windowSize, evaluationFrequency, tags.k]", `[4,"PT30M","PT30M","v"]`},
		step{"monitor metrics alert show --ids /subscriptions/$SUB/resourceGroups/$RG/providers/Microsoft.Insights/metricAlerts/dyn", "[severity, criteria.allOf[0].criterionType]", `[4,"DynamicThresholdCriterion"]`},
		step{
			"monitor metrics alert create -g $RG -n group --scopes /subscriptions/$SUB/resourceGroups/$RG --target-resource-type Microsoft.KeyVault/vaults --region westeurope --condition 'avg Availability < 90'",
			`[targetResourceType, targetResourceRegion, criteria."odata.type"]`, `["Microsoft.KeyVault/vaults","westeurope","Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria"]`,
		},
		step{"monitor metrics alert delete -g $RG -n group", "", ""},
		step{
			"monitor action-group test-notifications create -g $RG --action-group ag1 --alert-type metricstaticthreshold -a webhook w http://127.0.0.1:9/x usecommonalertschema",
			"[context.notificationSource, actionDetails[].[MechanismType || mechanismType, Name || name]]", `["Microsoft.Insights/TestNotification",[["Webhook","w"]]]`,
		},

		// Alert processing rules and alerts have commands in extensions only.
		step{
			`rest -m put -u /subscriptions/$SUB/resourceGroups/$RG/providers/Microsoft.AlertsManagement/actionRules/night?api-version=2021-08-08 -b '{"location":"Global","properties":{"scopes":["/subscriptions/$SUB/resourceGroups/$RG"],"actions":[{"actionType":"RemoveAllActionGroups"}],"schedule":{"timeZone":"W. Europe Standard Time","recurrences":[{"recurrenceType":"Daily","startTime":"22:00:00","endTime":"06:00:00"}]}}}'`,
			"[properties.enabled, properties.schedule.recurrences[0].recurrenceType, systemData.createdByType]", `[true,"Daily","Application"]`,
		},
		step{"rest -u /subscriptions/$SUB/resourceGroups/$RG/providers/Microsoft.AlertsManagement/actionRules?api-version=2021-08-08", "value[].name", `["night"]`},
		step{"rest -m delete -u /subscriptions/$SUB/resourceGroups/$RG/providers/Microsoft.AlertsManagement/actionRules/night?api-version=2021-08-08", "", ""},
		step{"rest -u /subscriptions/$SUB/resourceGroups/$RG/providers/Microsoft.AlertsManagement/alerts?api-version=2019-05-05-preview", "value", `[]`},
		step{"rest -u /subscriptions/$SUB/providers/Microsoft.AlertsManagement/alertsSummary?api-version=2019-05-05-preview&groupby=severity", "properties.groupedby", `"severity"`},

		step{"monitor activity-log list -g $RG --offset 1h", "length([?operationName.value==`Microsoft.Insights/metricAlerts/write`]) > `1`", `true`},
		step{
			"monitor activity-log alert create -g $RG -n l1 --condition category=Administrative and operationName=Microsoft.KeyVault/vaults/delete --action-group " + group,
			"[enabled, condition.allOf[].field]", `[true,["category","operationName"]]`,
		},
		step{"monitor activity-log alert list -g $RG", "[].name", `["l1"]`},
		step{"monitor activity-log alert delete -g $RG -n l1", "", ""},
		step{"monitor action-group delete -g $RG -n ag1", "", ""},
		step{"monitor action-group list -g $RG", "[].name", `[]`},
	)
	c.fails(t, "monitor metrics alert create -g $RG -n bad --scopes "+vault+" --condition 'avg Availability < 90' --window-size 1m --evaluation-frequency 5m", "longer than the windowSize")
}
