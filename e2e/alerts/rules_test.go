package alerts

import (
	"encoding/json"
	"path"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func metricAlert(scope, group string, threshold float64) armmonitor.MetricAlertResource {
	return armmonitor.MetricAlertResource{
		Location: to.Ptr("global"),
		Properties: &armmonitor.MetricAlertProperties{
			Description: to.Ptr("load is high"), Severity: to.Ptr[int32](1), Enabled: to.Ptr(true), Scopes: []*string{&scope}, EvaluationFrequency: to.Ptr("PT1M"), WindowSize: to.Ptr("PT1M"),
			Actions: []*armmonitor.MetricAlertAction{{ActionGroupID: &group, WebHookProperties: map[string]*string{"team": to.Ptr("ops")}}},
			Criteria: &armmonitor.MetricAlertSingleResourceMultipleMetricCriteria{
				ODataType: to.Ptr(armmonitor.OdatatypeMicrosoftAzureMonitorSingleResourceMultipleMetricCriteria),
				AllOf: []*armmonitor.MetricCriteria{{
					CriterionType: to.Ptr(armmonitor.CriterionTypeStaticThresholdCriterion), Name: to.Ptr("load"), MetricName: to.Ptr("load"), MetricNamespace: to.Ptr("own"),
					Operator: to.Ptr(armmonitor.OperatorGreaterThan), Threshold: &threshold, TimeAggregation: to.Ptr(armmonitor.AggregationTypeEnumAverage),
					SkipMetricValidation: to.Ptr(true),
				}},
			},
		},
	}
}

func actionGroup(uri string) armmonitor.ActionGroupResource {
	return armmonitor.ActionGroupResource{Location: to.Ptr("Global"), Properties: &armmonitor.ActionGroup{
		GroupShortName: to.Ptr("ag"), Enabled: to.Ptr(true),
		WebhookReceivers: []*armmonitor.WebhookReceiver{{Name: to.Ptr("hook"), ServiceURI: &uri, UseCommonAlertSchema: to.Ptr(true)}},
	}}
}

func TestMetricAlerts(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, f *armmonitor.ClientFactory) {
		ctx, rg := t.Context(), path.Base(p.PutGroup(t))
		groups, rules := f.NewActionGroupsClient(), f.NewMetricAlertsClient()
		ag := must(groups.CreateOrUpdate(ctx, rg, "ag", actionGroup("http://127.0.0.1:9/"), nil))(t, "action group")
		scope := *ag.ID // any resource
		rule := must(rules.CreateOrUpdate(ctx, rg, "r1", metricAlert(scope, *ag.ID, 80), nil))(t, "create")
		if *rule.Properties.Severity != 1 || !*rule.Properties.AutoMitigate {
			t.Errorf("created %+v", rule.Properties)
		}
		got := must(rules.Get(ctx, rg, "r1", nil))(t, "get")
		c, ok := got.Properties.Criteria.(*armmonitor.MetricAlertSingleResourceMultipleMetricCriteria)
		if !ok || len(c.AllOf) != 1 || *c.AllOf[0].Threshold != 80 || *got.Properties.Actions[0].WebHookProperties["team"] != "ops" {
			t.Errorf("criteria %+v", got.Properties.Criteria)
		}
		changed := must(rules.Update(ctx, rg, "r1", armmonitor.MetricAlertResourcePatch{Properties: &armmonitor.MetricAlertPropertiesPatch{Enabled: to.Ptr(false)}}, nil))(t, "update")
		if *changed.Properties.Enabled || *changed.Properties.WindowSize != "PT1M" {
			t.Errorf("updated %+v", changed.Properties)
		}
		if list := must(rules.NewListByResourceGroupPager(rg, nil).NextPage(ctx))(t, "list"); len(list.Value) != 1 || *list.Value[0].Name != "r1" {
			t.Errorf("list: %d", len(list.Value))
		}
		status := must(f.NewMetricAlertsStatusClient().List(ctx, rg, "r1", nil))(t, "status")
		if len(status.Value) != 1 || *status.Value[0].Properties.Status != "Unknown" { // nothing was measured
			t.Errorf("status %+v", status.Value)
		}
		must(rules.Delete(ctx, rg, "r1", nil))(t, "delete")
		must(groups.Delete(ctx, rg, "ag", nil))(t, "delete the action group")
	})
}

func TestActionGroups(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, f *armmonitor.ClientFactory) {
		ctx, rg, hook := t.Context(), path.Base(p.PutGroup(t)), newHook(t)
		groups := f.NewActionGroupsClient()
		must(groups.CreateOrUpdate(ctx, rg, "ag", actionGroup(hook.URL+"/x?sig=1"), nil))(t, "create")
		got := must(groups.Get(ctx, rg, "ag", nil))(t, "get")
		if *got.Properties.WebhookReceivers[0].ServiceURI != hook.URL+"/x?sig=1" {
			t.Errorf("got %s", *got.Properties.WebhookReceivers[0].ServiceURI)
		}
		off := must(groups.Update(ctx, rg, "ag", armmonitor.ActionGroupPatchBody{Properties: &armmonitor.ActionGroupPatch{Enabled: to.Ptr(false)}}, nil))(t, "update")
		if *off.Properties.Enabled || len(off.Properties.WebhookReceivers) != 1 {
			t.Errorf("updated %+v", off.Properties)
		}
		poller := must(groups.BeginCreateNotificationsAtActionGroupResourceLevel(ctx, rg, "ag", armmonitor.NotificationRequestBody{
			AlertType: to.Ptr("metricstaticthreshold"), WebhookReceivers: off.Properties.WebhookReceivers,
		}, nil))(t, "test notification")
		must(poller.PollUntilDone(ctx, nil))(t, "wait for the test notification")
		if body := hook.wait(t, 1)[0]; body.Data.Essentials.Condition != "Fired" {
			t.Errorf("the test told %+v", body)
		}
	})
}

func TestClassicAlertRules(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, f *armmonitor.ClientFactory) {
		ctx, group := t.Context(), p.PutGroup(t)
		rg, rules := path.Base(group), f.NewAlertRulesClient()
		scope := "/subscriptions/" + p.Run.SubscriptionID + "/resourceGroups/" + rg + "/providers/Microsoft.KeyVault/vaults/any"
		must(rules.CreateOrUpdate(ctx, rg, "c1", armmonitor.AlertRuleResource{Location: to.Ptr("westeurope"), Properties: &armmonitor.AlertRule{
			Name: to.Ptr("c1"), IsEnabled: to.Ptr(true),
			Condition: &armmonitor.ThresholdRuleCondition{
				ODataType:  to.Ptr("Microsoft.Azure.Management.Insights.Models.ThresholdRuleCondition"),
				DataSource: &armmonitor.RuleMetricDataSource{ODataType: to.Ptr("Microsoft.Azure.Management.Insights.Models.RuleMetricDataSource"), ResourceURI: &scope, MetricName: to.Ptr("load")},
				Operator:   to.Ptr(armmonitor.ConditionOperatorGreaterThan), Threshold: to.Ptr(3.0), WindowSize: to.Ptr("PT5M"), TimeAggregation: to.Ptr(armmonitor.TimeAggregationOperatorTotal),
			},
			Actions: []armmonitor.RuleActionClassification{&armmonitor.RuleWebhookAction{ODataType: to.Ptr("Microsoft.Azure.Management.Insights.Models.RuleWebhookAction"), ServiceURI: to.Ptr("http://127.0.0.1:9/y")}},
		}}, nil))(t, "create")
		got := must(rules.Get(ctx, rg, "c1", nil))(t, "get")
		hook, ok := got.Properties.Actions[0].(*armmonitor.RuleWebhookAction)
		if !ok || *hook.ServiceURI != "http://127.0.0.1:9/y" {
			b, _ := json.Marshal(got)
			t.Errorf("got %s", b)
		}
		if list := must(f.NewAlertRuleIncidentsClient().NewListByAlertRulePager(rg, "c1", nil).NextPage(ctx))(t, "incidents"); len(list.Value) != 0 {
			t.Errorf("incidents %v", list.Value)
		}
		must(rules.Delete(ctx, rg, "c1", nil))(t, "delete")
	})
}
