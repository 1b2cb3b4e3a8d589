package security

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/security/armsecurity"
	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// The names of checks that the tests look for.
const (
	httpsOnly  = "1b351b29-41ca-6df5-946c-c190a56be5fe"
	purge      = "4ed62ae4-5072-f9e7-8d94-51c76c48159a"
	softDelete = "78211c00-15a9-336e-17c4-0b48613dadf4"
	vaultOpen  = "52f7826a-ace7-3107-dd0d-4875853c1576"
	dataOpen   = "276b1952-c364-852b-11e5-657f0fa34dc6"
	localAuth  = "14acab4e-ad95-11ec-b909-0242ac120002"
	keyAge     = "c3f0a9d2-77b4-4c55-8d3e-0a6b1f52e7c8"
	privilege  = "6b0d4a6e-3f1c-4c8b-9d57-2e9f0c1a8b34"
	unused     = "8a2e7d15-90c6-4a7f-b1de-5c43f6089e21"
	ports      = "bc303248-3d14-44c2-96a0-55f5c326b5fe"
)

// factory is the Azure SDK for Go's clients, signed in as the administrator.
func factory(t *testing.T, p *harness.Platform, w harness.Way) *armsecurity.ClientFactory {
	t.Helper()
	env := p.Env(t, "")
	f, err := armsecurity.NewClientFactory(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// first is the first page of a list, which has to be all of it.
func first[T any](t *testing.T, pager *runtime.Pager[T]) T {
	t.Helper()
	page, err := pager.NextPage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if pager.More() {
		t.Fatal("the list has a second page")
	}
	return page
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// verdict is what a check says of a resource.
func verdict(t *testing.T, f *armsecurity.ClientFactory, resource, check string) string {
	t.Helper()
	a, err := f.NewAssessmentsClient().Get(t.Context(), resource, check, nil)
	if err != nil {
		t.Fatalf("%s of %s: %v", check, resource, err)
	}
	if d, ok := a.Properties.ResourceDetails.(*armsecurity.AzureResourceDetails); !ok || !strings.EqualFold(*d.ID, resource) {
		t.Errorf("the assessment is of %+v, want %s", a.Properties.ResourceDetails, resource)
	}
	return string(*a.Properties.Status.Code)
}

// Each check, on real resources of the real services: what it says, the fix, and what it says then.
func TestAssessments_AreFixedOnRealResources(t *testing.T) {
	p := shared.Platform(t)
	f := factory(t, p, p.ProxyWay(t))
	group := p.PutGroup(t)
	site := p.PutSite(t, group, "", nil)
	vault := group + "/providers/Microsoft.KeyVault/vaults/" + p.PutVault(t, group, "")
	account := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + p.PutAccount(t, group)
	nsg := group + "/providers/Microsoft.Network/networkSecurityGroups/g1"
	p.ARM(t, "PUT", nsg+"?api-version=2024-05-01", map[string]any{"location": "westeurope", "properties": map[string]any{"securityRules": []any{map[string]any{
		"name": "ssh", "properties": map[string]any{
			"access": "Allow", "direction": "Inbound", "protocol": "Tcp", "priority": 300, "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "22",
		},
	}}}})
	identity := p.PutIdentity(t, group)
	p.ARM(t, "PUT", "/subscriptions/"+p.Run.SubscriptionID+"/providers/Microsoft.Authorization/roleAssignments/"+uuid.NewString()+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c", "principalId": identity.PrincipalID,
	}})
	for _, test := range []struct{ resource, check, before string }{
		{site.ID, httpsOnly, "Unhealthy"},
		{site.ID, privilege, "Healthy"},
		{site.ID, unused, "NotApplicable"},
		{vault, softDelete, "Healthy"},
		{vault, purge, "Unhealthy"},
		{vault, vaultOpen, "Unhealthy"},
		{account, dataOpen, "Unhealthy"},
		{account, keyAge, "Healthy"},
		{account, localAuth, "Unhealthy"},
		{nsg, ports, "Unhealthy"},
		{identity.ID, privilege, "Unhealthy"},
	} {
		if got := verdict(t, f, test.resource, test.check); got != test.before {
			t.Errorf("%s says %s of %s, want %s", test.check, got, test.resource, test.before)
		}
		if test.before != "Unhealthy" {
			continue
		}
		p.ARM(t, "POST", test.resource+"/providers/Microsoft.Security/assessments/"+test.check+"/remediate?api-version=2020-01-01", nil)
		if got := verdict(t, f, test.resource, test.check); got != "Healthy" {
			t.Errorf("%s says %s of %s after the fix", test.check, got, test.resource)
		}
	}
}

// Every client of the posture, by both ways in.
func TestPosture_ClientsOfTheGoSDK(t *testing.T) {
	p := shared.Platform(t)
	for _, w := range p.Ways(t) {
		t.Run(w.Name, func(t *testing.T) {
			f := factory(t, p, w)
			ctx := t.Context()
			sub := "subscriptions/" + p.Run.SubscriptionID
			group := p.PutGroup(t)
			site := p.PutSite(t, group, "", nil)

			plan := must[armsecurity.PricingsClientUpdateResponse](t)(f.NewPricingsClient().Update(ctx, sub, "KeyVaults", armsecurity.Pricing{Properties: &armsecurity.PricingProperties{PricingTier: to.Ptr(armsecurity.PricingTierStandard)}}, nil))
			if *plan.Properties.PricingTier != armsecurity.PricingTierStandard || plan.Properties.EnablementTime == nil {
				t.Errorf("the plan is %+v", plan.Properties)
			}
			if list := must[armsecurity.PricingsClientListResponse](t)(f.NewPricingsClient().List(ctx, sub, nil)); len(list.Value) < 10 {
				t.Errorf("%d plans", len(list.Value))
			}
			on := must[armsecurity.SettingsClientUpdateResponse](t)(f.NewSettingsClient().Update(ctx, "MCAS", &armsecurity.DataExportSettings{Kind: to.Ptr(armsecurity.SettingKindDataExportSettings), Properties: &armsecurity.DataExportSettingProperties{Enabled: to.Ptr(true)}}, nil))
			if d, ok := on.SettingClassification.(*armsecurity.DataExportSettings); !ok || !*d.Properties.Enabled {
				t.Errorf("the setting is %+v", on.SettingClassification)
			}
			auto := must[armsecurity.AutoProvisioningSettingsClientCreateResponse](t)(f.NewAutoProvisioningSettingsClient().Create(ctx, "default", armsecurity.AutoProvisioningSetting{Properties: &armsecurity.AutoProvisioningSettingProperties{AutoProvision: to.Ptr(armsecurity.AutoProvisionOn)}}, nil))
			if *auto.Properties.AutoProvision != armsecurity.AutoProvisionOn {
				t.Errorf("auto-provisioning is %s", *auto.Properties.AutoProvision)
			}
			locations := first(t, f.NewLocationsClient().NewListPager(nil)).Value
			if len(locations) != 1 {
				t.Fatalf("%d locations", len(locations))
			}
			if _, err := f.NewContactsClient().Create(ctx, "default", armsecurity.Contact{Properties: &armsecurity.ContactProperties{
				Emails: to.Ptr("a@example.com"), NotificationsSources: []armsecurity.NotificationsSourceClassification{&armsecurity.NotificationsSourceAlert{SourceType: to.Ptr(armsecurity.SourceTypeAlert), MinimalSeverity: to.Ptr(armsecurity.MinimalSeverityLow)}},
			}}, nil); err != nil {
				t.Fatal(err)
			}
			if c := first(t, f.NewContactsClient().NewListPager(nil)).Value; len(c) != 1 || *c[0].Properties.Emails != "a@example.com" {
				t.Errorf("contacts: %+v", c)
			}
			must[armsecurity.ContactsClientDeleteResponse](t)(f.NewContactsClient().Delete(ctx, "default", nil))
			workspaces := f.NewWorkspaceSettingsClient()
			must[armsecurity.WorkspaceSettingsClientCreateResponse](t)(workspaces.Create(ctx, "default", armsecurity.WorkspaceSetting{Properties: &armsecurity.WorkspaceSettingProperties{
				Scope: to.Ptr("/" + sub), WorkspaceID: to.Ptr(group + "/providers/Microsoft.OperationalInsights/workspaces/w"),
			}}, nil))
			must[armsecurity.WorkspaceSettingsClientDeleteResponse](t)(workspaces.Delete(ctx, "default", nil))

			if v := verdict(t, f, site.ID, httpsOnly); v != "Unhealthy" {
				t.Errorf("the site is %s", v)
			}
			if n := len(first(t, f.NewAssessmentsClient().NewListPager(group, nil)).Value); n < 3 {
				t.Errorf("%d assessments of the group", n)
			}
			if m := must[armsecurity.AssessmentsMetadataClientGetResponse](t)(f.NewAssessmentsMetadataClient().Get(ctx, httpsOnly, nil)); *m.Properties.AssessmentType != armsecurity.AssessmentTypeBuiltIn {
				t.Errorf("the metadata is %+v", m.Properties)
			}
			first(t, f.NewAssessmentsMetadataClient().NewListPager(nil))
			first(t, f.NewAssessmentsMetadataClient().NewListBySubscriptionPager(nil))
			first(t, f.NewSubAssessmentsClient().NewListAllPager(group, nil))
			tasks := first(t, f.NewTasksClient().NewListByResourceGroupPager(group[strings.LastIndexByte(group, '/')+1:], *locations[0].Name, nil)).Value
			if len(tasks) == 0 || *tasks[0].Properties.State != "Active" {
				t.Fatalf("tasks: %+v", tasks)
			}
			must[armsecurity.TasksClientUpdateSubscriptionLevelTaskStateResponse](t)(f.NewTasksClient().UpdateSubscriptionLevelTaskState(ctx, *locations[0].Name, *tasks[0].Name, armsecurity.TaskUpdateActionTypeDismiss, nil))
			if one := must[armsecurity.TasksClientGetSubscriptionLevelTaskResponse](t)(f.NewTasksClient().GetSubscriptionLevelTask(ctx, *locations[0].Name, *tasks[0].Name, nil)); *one.Properties.State != "Dismissed" {
				t.Errorf("the task is %s", *one.Properties.State)
			}
			score := must[armsecurity.SecureScoresClientGetResponse](t)(f.NewSecureScoresClient().Get(ctx, "ascScore", nil))
			if s := score.Properties.Score; *s.Max == 0 || *s.Current >= float64(*s.Max) {
				t.Errorf("the score is %v of %v, with a site that answers plain HTTP", *s.Current, *s.Max)
			}
			by := first(t, f.NewSecureScoreControlsClient().NewListBySecureScorePager("ascScore", &armsecurity.SecureScoreControlsClientListBySecureScoreOptions{Expand: to.Ptr(armsecurity.ExpandControlsEnumDefinition)})).Value
			var sum float64
			for _, c := range by {
				sum += *c.Properties.Score.Current
				if c.Properties.Definition == nil {
					t.Errorf("the control %s has no definition", *c.Name)
				}
			}
			if d := sum - *score.Properties.Score.Current; d > 0.01 || d < -0.01 {
				t.Errorf("the controls come to %v, the score is %v", sum, *score.Properties.Score.Current)
			}
		})
	}
}

// told is a webhook, and what it was told.
type told struct {
	url string
	got chan string
}

func listen(t *testing.T) *told {
	t.Helper()
	h := &told{got: make(chan string, 1000)}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h.got <- string(b)
	}))
	t.Cleanup(hook.Close)
	h.url = hook.URL + "/?sig=secret"
	return h
}

// waits until the webhook is told something that has all the words.
func (h *told) waits(t *testing.T, words ...string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case body := <-h.got:
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(body, w) }) {
				return
			}
		case <-deadline:
			t.Fatalf("the webhook was not told of %q", words)
		}
	}
}

// automate tells the webhook of what a rule lets through.
func (h *told) automate(t *testing.T, f *armsecurity.ClientFactory, group, scope string, source armsecurity.EventSource, path, expected string) {
	t.Helper()
	a := must[armsecurity.AutomationsClientCreateOrUpdateResponse](t)(f.NewAutomationsClient().CreateOrUpdate(t.Context(), group[strings.LastIndexByte(group, '/')+1:], "tell", armsecurity.Automation{
		Location: to.Ptr("westeurope"), Properties: &armsecurity.AutomationProperties{
			IsEnabled: to.Ptr(true), Scopes: []*armsecurity.AutomationScope{{ScopePath: to.Ptr(scope)}},
			Sources: []*armsecurity.AutomationSource{{EventSource: to.Ptr(source), RuleSets: []*armsecurity.AutomationRuleSet{{Rules: []*armsecurity.AutomationTriggeringRule{{
				PropertyJPath: to.Ptr(path), PropertyType: to.Ptr(armsecurity.PropertyTypeString), ExpectedValue: to.Ptr(expected), Operator: to.Ptr(armsecurity.OperatorEquals),
			}}}}}},
			Actions: []armsecurity.AutomationActionClassification{&armsecurity.AutomationActionLogicApp{
				ActionType: to.Ptr(armsecurity.ActionTypeLogicApp), LogicAppResourceID: to.Ptr(group + "/providers/Microsoft.Logic/workflows/w"), URI: to.Ptr(h.url),
			}},
		},
	}, nil))
	if act := a.Properties.Actions[0].(*armsecurity.AutomationActionLogicApp); act.URI != nil {
		t.Errorf("the address is shown: %s", *act.URI)
	}
}

// Automations tell a webhook of an assessment that changed and of an alert.
func TestAutomation_CallsTheWebhook(t *testing.T) {
	p := shared.Platform(t)
	f := factory(t, p, p.ProxyWay(t))
	group, other := p.PutGroup(t), p.PutGroup(t)
	assessments, alerts := listen(t), listen(t)
	assessments.automate(t, f, group, group, armsecurity.EventSourceAssessments, "properties.status.code", "Unhealthy")
	alerts.automate(t, f, other, "/subscriptions/"+p.Run.SubscriptionID, armsecurity.EventSourceAlerts, "vendorName", "Microsoft")
	vault := group + "/providers/Microsoft.KeyVault/vaults/" + p.PutVault(t, group, "")
	if v := verdict(t, f, vault, purge); v != "Unhealthy" {
		t.Fatalf("the vault is %s", v)
	}
	assessments.waits(t, vault, purge)
	p.ARM(t, "POST", "/subscriptions/"+p.Run.SubscriptionID+"/providers/Microsoft.Security/locations/westeurope/alerts/default/simulate?api-version=2022-01-01", map[string]any{
		"properties": map[string]any{"kind": "Bundles", "bundles": []string{"VirtualMachines"}},
	})
	alerts.waits(t, `"type":"Microsoft.Security/Locations/alerts"`, `"alertType":"VM_`)
}
