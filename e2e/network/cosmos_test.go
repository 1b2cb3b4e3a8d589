package network

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const accountVersion = "?api-version=2024-05-15"

// rules sets the account's virtual network rules by PATCH, as az does.
func (w *world) rules(t *testing.T, account string, subnets ...string) {
	t.Helper()
	list := []any{}
	for _, s := range subnets {
		list = append(list, map[string]any{"id": s})
	}
	w.p.ARM(t, "PATCH", account+accountVersion, map[string]any{"properties": map[string]any{"isVirtualNetworkFilterEnabled": true, "virtualNetworkRules": list}})
}

// putAccount makes an account with an item, before there is any rule.
func (w *world) putAccount(t *testing.T) (name, id, key string) {
	t.Helper()
	name = w.p.PutAccount(t, w.group)
	key = w.p.Key(t, w.group, name, "primaryMasterKey")
	way := w.way(t, w.out)
	c := harness.PutContainer(t, way.Cosmos(t, name, key, way.ClientOptions()))
	if _, err := c.CreateItem(t.Context(), azcosmos.NewPartitionKeyString("p"), []byte(`{"id":"1","pk":"p"}`), nil); err != nil {
		t.Fatal(err)
	}
	return name, w.group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + name, key
}

func TestCosmos(t *testing.T) {
	w := newWorld(t)
	name, id, key := w.putAccount(t)
	inside, outside := readItem(container(t, w.way(t, w.in), name, key)), readItem(container(t, w.way(t, w.out), name, key))
	s1 := w.vnet + "/subnets/s1"
	passes(t, "without rules, inside", inside)
	passes(t, "without rules, outside", outside)

	w.rules(t, id, s1)
	passes(t, "in the subnet", inside)
	refused(t, "outside of it", outside, "IP "+other+" through public internet", "firewall settings")
	if got := w.curl(t, w.in, w.way(t, w.in).Account(name)+"/"); got != "401" {
		t.Errorf("curl without a key in the subnet: got %s, want 401", got)
	}
	if got := w.curl(t, w.out, w.way(t, w.out).Account(name)+"/"); got != "403" {
		t.Errorf("curl outside of the subnet: got %s, want 403", got)
	}

	w.rules(t, id)
	refused(t, "the rule is gone, at the next call of the same connection", inside, "client VNET through service endpoint", client)
	w.rules(t, id, s1)
	passes(t, "it is back", inside)

	w.p.ARM(t, "PATCH", id+accountVersion, map[string]any{"properties": map[string]any{"ipRules": []any{map[string]any{"ipAddressOrRange": other}}}})
	passes(t, "the other client by its address", outside)
	passes(t, "and the subnet still", inside)
	w.p.ARM(t, "PATCH", id+accountVersion, map[string]any{"properties": map[string]any{"isVirtualNetworkFilterEnabled": false}})
	refused(t, "rules don't count while the filter is off", inside, "firewall settings", client)
	w.p.ARM(t, "PATCH", id+accountVersion, map[string]any{"properties": map[string]any{"ipRules": []any{}}})
	passes(t, "and without the list everybody may call", outside)
	w.rules(t, id, s1)

	t.Run("proxy", func(t *testing.T) { w.throughProxy(t, name, key) })
	t.Run("subnet", func(t *testing.T) { w.subnetChanges(t, id, inside) })
	t.Run("group", func(t *testing.T) {
		g := w.denyRule(t, "no-cosmos", "AzureCosmosDB")
		w.putSubnet(t, s1, "10.213.1.0/24", g, "Microsoft.AzureCosmosDB")
		refused(t, "the subnet's group denies it", inside, client, s1, "securityRules/closed")
		refused(t, "the other client stays outside", outside, "IP "+other+" through public internet")
		allow := g + "/securityRules/but-here"
		w.p.ARM(t, "PUT", allow+networkVersion, rule("", "Allow", "AzureCosmosDB.WestEurope", 100))
		passes(t, "a rule before it allows this region", inside)
		w.p.ARM(t, "DELETE", allow+networkVersion, nil)
		refused(t, "until it is gone", inside, "securityRules/closed")
		w.putSubnet(t, s1, "10.213.1.0/24", "", "Microsoft.AzureCosmosDB", "Microsoft.KeyVault")
		passes(t, "without a group", inside)
	})
}

// throughProxy: a client that comes by the proxy has the address it has towards the proxy.
func (w *world) throughProxy(t *testing.T, name, key string) {
	passes(t, "by the proxy, in the subnet", readItem(container(t, w.p.ProxyWayFrom(t, w.in.ns, hubIn), name, key)))
	refused(t, "by the proxy, outside", readItem(container(t, w.p.ProxyWayFrom(t, w.out.ns, hubOut), name, key)), "IP "+other)
	refused(t, "on the platform's own loopback", readItem(container(t, w.p.SuffixWay(t), name, key)), "IP 127.0.0.1")
}

// subnetChanges: what happens to the subnet counts at the next call.
func (w *world) subnetChanges(t *testing.T, account string, inside func(*testing.T) error) {
	s1 := w.vnet + "/subnets/s1"
	w.putSubnet(t, s1, "10.213.1.0/24", "")
	refused(t, "without the endpoint", inside, "IP "+client+" through public internet")
	w.putSubnet(t, s1, "10.213.1.0/25", "", "Microsoft.AzureCosmosDB")
	passes(t, "with it, in a smaller range", inside)
	w.putSubnet(t, s1, "10.213.1.128/25", "", "Microsoft.AzureCosmosDB")
	refused(t, "in a range without the client", inside, "IP "+client)
	w.putSubnet(t, s1, "10.213.1.0/24", "", "Microsoft.AzureCosmosDB")
	passes(t, "as before", inside)

	w.p.ARM(t, "DELETE", s1+networkVersion, nil)
	refused(t, "the subnet is gone", inside, "IP "+client)
	w.putSubnet(t, s1, "10.213.1.0/24", "", "Microsoft.AzureCosmosDB")
	refused(t, "another one has its name", inside, "client VNET through service endpoint", client)
	w.rules(t, account)
	w.rules(t, account, s1)
	passes(t, "a rule is made for that one", inside)
}

// A subnet of a subscription of another tenant: joining it takes a role there; its end is the end of the rule.
func TestCosmos_ForeignSubnet(t *testing.T) {
	w := newWorld(t)
	name, id, key := w.putAccount(t)
	inside := readItem(container(t, w.way(t, w.in), name, key))
	tenant := w.p.CreateTenant(t, "Fabrikam")
	app := w.p.CreateApp(t, tenant, "network-owner")
	out := strings.TrimSpace(string(w.p.Output(t, "subscription", "create", "--tenant", tenant, "--name", "Fabrikam", "--owner", app.Principal)))
	sub := out[strings.LastIndexByte(out, '/')+1:]
	if i := strings.Index(out, `"subscriptionId": "`); i >= 0 {
		sub = out[i+19 : i+19+36]
	}
	way := w.p.SuffixWay(t)
	token := harness.Bearer(way.AppToken(t, app, harness.ARMResource))
	foreign := func(method, path string, body any) harness.Answer {
		t.Helper()
		a := way.Do(t, method, way.ARM()+path, token, body)
		if a.Status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
		}
		return a
	}
	group := "/subscriptions/" + sub + "/resourceGroups/far"
	vnet := group + "/providers/Microsoft.Network/virtualNetworks/v9"
	foreign("PUT", group+"?api-version=2021-04-01", map[string]any{"location": "westeurope"})
	foreign("PUT", vnet+networkVersion, map[string]any{"location": "westeurope", "properties": map[string]any{
		"addressSpace": map[string]any{"addressPrefixes": []string{"10.213.0.0/16"}},
		"subnets":      []any{map[string]any{"name": "s", "properties": map[string]any{"addressPrefix": "10.213.1.0/24", "serviceEndpoints": []any{map[string]any{"service": "Microsoft.AzureCosmosDB"}}}}},
	}})
	patch := map[string]any{"properties": map[string]any{"isVirtualNetworkFilterEnabled": true, "virtualNetworkRules": []any{map[string]any{"id": vnet + "/subnets/s"}}}}
	if a := w.p.TryARM(t, "PATCH", id+accountVersion, patch); a.Status != 403 || !strings.Contains(string(a.Body), "joinViaServiceEndpoint") {
		t.Fatalf("a rule for a subnet that one may not join: %d %s", a.Status, a.Body)
	}
	passes(t, "nothing was changed", inside)
	const contributor = "5bd9cd88-fe45-4216-938b-f97437e15450" // DocumentDB Account Contributor: it may join subnets
	admin := w.p.Env(t, "")["AZURE_CLIENT_ID"]
	assignment := vnet + "/subnets/s/providers/Microsoft.Authorization/roleAssignments/20000000-0000-0000-0000-000000000001?api-version=2022-04-01"
	foreign("PUT", assignment, map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/" + contributor, "principalId": w.objectID(t, admin), "principalType": "ServicePrincipal",
	}})
	w.p.ARM(t, "PATCH", id+accountVersion, patch)
	passes(t, "in the foreign subnet", inside)
	foreign("DELETE", assignment, nil)
	passes(t, "what was joined stays so", inside)
	foreign("DELETE", vnet+networkVersion, nil)
	refused(t, "the foreign network is gone", inside, client)
}

// objectID is the object id of an application's service principal in the platform's tenant.
func (w *world) objectID(t *testing.T, appID string) string {
	t.Helper()
	way := w.p.SuffixWay(t)
	a := way.Do(t, "GET", way.Graph()+"/v1.0/servicePrincipals?$filter=appId%20eq%20'"+appID+"'", harness.Bearer(w.p.AdminToken(t, "https://graph.microsoft.com")), nil)
	list, _ := a.JSON()["value"].([]any)
	if a.Status != 200 || len(list) != 1 {
		t.Fatalf("service principal of %s: %d %s", appID, a.Status, a.Body)
	}
	return list[0].(map[string]any)["id"].(string)
}

// Isolated commands come from loopback: they reach the platform by its proxy. This needs no namespaces with addresses.
func TestSourceAddress(t *testing.T) {
	p := shared.Platform(t)
	group := p.PutGroup(t)
	name := p.PutAccount(t, group)
	id := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + name
	url := "https://" + name + ".documents.azure.com/"
	for _, c := range []struct{ rule, want string }{{"198.51.100.7", "IP 127.0.0.1"}, {"127.0.0.1", "Required Header authorization is missing"}} {
		p.ARM(t, "PATCH", id+accountVersion, map[string]any{"properties": map[string]any{"ipRules": []any{map[string]any{"ipAddressOrRange": c.rule}}}})
		for _, flags := range [][]string{{"exec"}, {"exec", "--isolate"}} {
			out, err := p.Command(append(flags, "--", "curl", "-sS", url)...).CombinedOutput()
			if err != nil && strings.Contains(string(out), "does not allow the namespaces") {
				t.Skip(string(out))
			}
			if err != nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v with the rule %s: %v %s, want %q", flags, c.rule, err, out, c.want)
			}
		}
	}
}
