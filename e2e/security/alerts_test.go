package security

import (
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/security/armsecurity"
)

const region = "westeurope"

// The Azure SDK for Go lists, reads and decides about alerts, by both ways in.
func TestAlerts(t *testing.T) {
	group := intruded(t)
	eachWay(t, func(t *testing.T, f *armsecurity.ClientFactory) {
		ctx, c := t.Context(), f.NewAlertsClient()
		found := all(t, c.NewListByResourceGroupPager(group, nil), func(p armsecurity.AlertsClientListByResourceGroupResponse) []*armsecurity.Alert { return p.Value })
		if len(found) < 14 {
			t.Fatalf("%d alerts in the group, want those of 14 behaviours", len(found))
		}
		sub := all(t, c.NewListPager(nil), func(p armsecurity.AlertsClientListResponse) []*armsecurity.Alert { return p.Value })
		here := all(t, c.NewListSubscriptionLevelByRegionPager(region, nil), func(p armsecurity.AlertsClientListSubscriptionLevelByRegionResponse) []*armsecurity.Alert {
			return p.Value
		})
		both := all(t, c.NewListResourceGroupLevelByRegionPager(region, group, nil), func(p armsecurity.AlertsClientListResourceGroupLevelByRegionResponse) []*armsecurity.Alert {
			return p.Value
		})
		if len(sub) < len(found) || len(here) != len(sub) || len(both) != len(found) {
			t.Errorf("the lists have %d, %d, %d and %d alerts", len(sub), len(here), len(found), len(both))
		}
		var one *armsecurity.Alert
		for _, a := range found {
			if *a.Properties.AlertType == "VM_SuspectDownload" {
				one = a
			}
		}
		if one == nil {
			t.Fatal("no alert of a download from a known malicious source")
		}
		name := *one.Name
		got, err := c.GetResourceGroupLevel(ctx, group, region, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkDownload(t, got.Properties)
		for _, step := range []struct {
			do   func() error
			want armsecurity.AlertStatus
		}{
			{func() error {
				_, err := c.UpdateResourceGroupLevelStateToInProgress(ctx, group, region, name, nil)
				return err
			}, armsecurity.AlertStatusInProgress},
			{func() error { _, err := c.UpdateSubscriptionLevelStateToDismiss(ctx, region, name, nil); return err }, armsecurity.AlertStatusDismissed},
			{func() error { _, err := c.UpdateSubscriptionLevelStateToInProgress(ctx, region, name, nil); return err }, armsecurity.AlertStatusInProgress},
			{func() error {
				_, err := c.UpdateResourceGroupLevelStateToResolve(ctx, group, region, name, nil)
				return err
			}, armsecurity.AlertStatusResolved},
			{func() error {
				_, err := c.UpdateResourceGroupLevelStateToActivate(ctx, group, region, name, nil)
				return err
			}, armsecurity.AlertStatusActive},
			{func() error { _, err := c.UpdateSubscriptionLevelStateToResolve(ctx, region, name, nil); return err }, armsecurity.AlertStatusResolved},
			{func() error {
				_, err := c.UpdateResourceGroupLevelStateToDismiss(ctx, group, region, name, nil)
				return err
			}, armsecurity.AlertStatusDismissed},
			{func() error { _, err := c.UpdateSubscriptionLevelStateToActivate(ctx, region, name, nil); return err }, armsecurity.AlertStatusActive},
		} {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			now, err := c.GetSubscriptionLevel(ctx, region, name, nil)
			if err != nil || *now.Properties.Status != step.want {
				t.Errorf("the status is %v, %v; want %s", now.Properties, err, step.want)
			}
		}
		_, err = c.GetSubscriptionLevel(ctx, region, "2518770965529163669_none", nil)
		fails(t, "an alert that isn't there", err, 404, "ResourceNotFound")
	})
}

// checkDownload looks at the alert that the post of 24 November 2018 names.
func checkDownload(t *testing.T, p *armsecurity.AlertProperties) {
	t.Helper()
	if !strings.HasPrefix(*p.AlertDisplayName, "Detected file download from a known malicious source") || *p.Severity != armsecurity.AlertSeverityMedium || *p.IsIncident ||
		len(p.RemediationSteps) == 0 || *p.Techniques[0] != "T1105" || p.StartTimeUTC.Year() != 2018 {
		t.Errorf("the alert is %+v", p)
	}
	id, ok := p.ResourceIdentifiers[0].(*armsecurity.AzureResourceIdentifier)
	if !ok || !strings.Contains(*id.AzureResourceID, "/providers/Microsoft.HybridCompute/machines/") {
		t.Errorf("it is about %+v", p.ResourceIdentifiers[0])
	}
	domain := false
	for _, e := range p.Entities {
		domain = domain || *e.Type == "dns" && e.AdditionalProperties["domainName"] == "nasapaul.com"
	}
	rows, _ := p.SupportingEvidence.AdditionalProperties["rows"].([]any)
	if !domain || len(rows) == 0 || !strings.Contains(rows[0].([]any)[2].(string), "nasapaul.com") {
		t.Errorf("its entities don't have the domain, or its evidence not the command: %v", rows)
	}
}

// Suppression rules and sample alerts, with the Azure SDK for Go.
func TestSuppressionAndSimulation(t *testing.T) {
	eachWay(t, func(t *testing.T, f *armsecurity.ClientFactory) {
		ctx, rules, c := t.Context(), f.NewAlertsSuppressionRulesClient(), f.NewAlertsClient()
		rule := armsecurity.AlertsSuppressionRule{Properties: &armsecurity.AlertsSuppressionRuleProperties{
			AlertType: to.Ptr("KV_TORAccess"), Reason: to.Ptr("FalsePositive"), State: to.Ptr(armsecurity.RuleStateEnabled), ExpirationDateUTC: to.Ptr(time.Now().Add(time.Hour)),
			SuppressionAlertsScope: &armsecurity.SuppressionAlertsScope{AllOf: []*armsecurity.ScopeElement{
				{Field: to.Ptr("entities.host.hostName"), AdditionalProperties: map[string]any{"in": []string{"sample-kv"}}},
			}},
		}}
		put, err := rules.Update(ctx, "tor", rule, nil)
		if err != nil || *put.Properties.State != armsecurity.RuleStateEnabled || put.Properties.LastModifiedUTC == nil {
			t.Fatalf("the rule is %+v, %v", put.Properties, err)
		}
		got, err := rules.Get(ctx, "tor", nil)
		if err != nil || *got.Properties.SuppressionAlertsScope.AllOf[0].Field != "entities.host.hostName" {
			t.Fatalf("the rule is %+v, %v", got.Properties, err)
		}
		listed := all(t, rules.NewListPager(nil), func(p armsecurity.AlertsSuppressionRulesClientListResponse) []*armsecurity.AlertsSuppressionRule {
			return p.Value
		})
		if len(listed) != 1 {
			t.Errorf("%d rules, want 1", len(listed))
		}
		before := samples(t, c)
		poll, err := c.BeginSimulate(ctx, region, armsecurity.AlertSimulatorRequestBody{Properties: &armsecurity.AlertSimulatorBundlesRequestProperties{
			Kind: to.Ptr(armsecurity.KindBundles), Bundles: []*armsecurity.BundleType{to.Ptr(armsecurity.BundleTypeVirtualMachines), to.Ptr(armsecurity.BundleTypeKeyVaults)},
		}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := poll.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: 100 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		after := samples(t, c)
		if after["Dismissed"]-before["Dismissed"] != 1 || after["Active"]-before["Active"] != 4 {
			t.Errorf("sample alerts by status: before %v, after %v; want one dismissed and four active more", before, after)
		}
		if _, err := rules.Delete(ctx, "tor", nil); err != nil {
			t.Fatal(err)
		}
		_, err = rules.Get(ctx, "tor", nil)
		fails(t, "a deleted rule", err, 404, "ResourceNotFound")
	})
}

// samples counts sample alerts by status.
func samples(t *testing.T, c *armsecurity.AlertsClient) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, a := range all(t, c.NewListPager(nil), func(p armsecurity.AlertsClientListResponse) []*armsecurity.Alert { return p.Value }) {
		if a.Properties.ExtendedProperties["simulated"] != nil {
			out[string(*a.Properties.Status)]++
		}
	}
	return out
}
