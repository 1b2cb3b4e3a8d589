// Package network proves what is decided by a client's network: clients in network namespaces of their own, whose source addresses are what the kernel says. It
// needs root and iproute2; elsewhere it skips. Addresses are of 10.213.0.0/16, which no route of the machine leads to: the namespaces are connected with each other only.
package network

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const (
	hubIn  = "10.213.1.1" // the platform, as the two clients see it
	hubOut = "10.213.2.1"
	client = "10.213.1.10"
	other  = "10.213.2.10"
)

// place is a client's network.
type place struct {
	ns   *harness.Namespace
	host string // where the platform is from here
}

// world is a platform in a namespace of its own, and two more that can reach it.
type world struct {
	p           *harness.Platform
	in, out     place
	group, vnet string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	hub := harness.NewNamespace(t, "hub")
	w := &world{in: place{harness.NewNamespace(t, "in"), hubIn}, out: place{harness.NewNamespace(t, "out"), hubOut}}
	hub.Join(t, hubIn+"/24", w.in.ns, client+"/24")
	hub.Join(t, hubOut+"/24", w.out.ns, other+"/24")
	w.p = harness.Start(t, harness.Options{Inside: hub, Listen: "0.0.0.0:0"})
	w.group = w.p.PutGroup(t)
	w.vnet = w.group + "/providers/Microsoft.Network/virtualNetworks/v1"
	w.p.ARM(t, "PUT", w.vnet+networkVersion, map[string]any{
		"location": "westeurope", "properties": map[string]any{"addressSpace": map[string]any{"addressPrefixes": []string{"10.213.0.0/16"}}},
	})
	w.putSubnet(t, w.vnet+"/subnets/s1", "10.213.1.0/24", "", "Microsoft.AzureCosmosDB", "Microsoft.KeyVault")
	return w
}

const networkVersion = "?api-version=2024-05-01"

// putSubnet makes or changes a subnet; group is its security group's id.
func (w *world) putSubnet(t *testing.T, id, prefix, group string, endpoints ...string) {
	t.Helper()
	list := []any{}
	for _, e := range endpoints {
		list = append(list, map[string]any{"service": e})
	}
	props := map[string]any{"addressPrefix": prefix, "serviceEndpoints": list}
	if group != "" {
		props["networkSecurityGroup"] = map[string]any{"id": group}
	}
	w.p.ARM(t, "PUT", id+networkVersion, map[string]any{"properties": props})
}

// way is how a client in a place reaches the platform by names under its own suffix.
func (w *world) way(t *testing.T, at place) harness.Way {
	t.Helper()
	return w.p.SuffixWayFrom(t, at.ns, at.host)
}

// container is a client of container c of an account.
func container(t *testing.T, w harness.Way, account, key string) *azcosmos.ContainerClient {
	t.Helper()
	c, err := w.Cosmos(t, account, key, w.ClientOptions()).NewContainer("d", "c")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// readItem reads the item the test wrote.
func readItem(c *azcosmos.ContainerClient) func(t *testing.T) error {
	return func(t *testing.T) error {
		_, err := c.ReadItem(t.Context(), azcosmos.NewPartitionKeyString("p"), "1", nil)
		return err
	}
}

// readSecret reads the secret the test set.
func readSecret(t *testing.T, w harness.Way, vault string, app harness.App) func(t *testing.T) error {
	t.Helper()
	c, err := azsecrets.NewClient(w.Vault(vault), w.Credential(t, app.TenantID, app.AppID, app.Secret.SecretText), &azsecrets.ClientOptions{ClientOptions: w.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) error {
		_, err := c.GetSecret(t.Context(), "s", "", nil)
		return err
	}
}

// passes wants a call to succeed.
func passes(t *testing.T, what string, call func(t *testing.T) error) {
	t.Helper()
	if err := call(t); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// refused wants a 403 that says each of these.
func refused(t *testing.T, what string, call func(t *testing.T) error, says ...string) {
	t.Helper()
	err := call(t)
	var answer *azcore.ResponseError
	known := errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden
	if !known && (err == nil || !strings.Contains(err.Error(), "RESPONSE 403")) { // azcosmos passes on the text of its first request's answer only
		t.Errorf("%s: got %v, want a 403", what, err)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: got %v, want it to say %q", what, err, s)
		}
	}
}

// denyRule is a group with one rule against a service tag.
func (w *world) denyRule(t *testing.T, name, tag string) (group string) {
	t.Helper()
	group = w.group + "/providers/Microsoft.Network/networkSecurityGroups/" + name
	w.p.ARM(t, "PUT", group+networkVersion, map[string]any{"location": "westeurope", "properties": map[string]any{"securityRules": []any{rule("closed", "Deny", tag, 200)}}})
	return group
}

func rule(name, access, tag string, priority int) map[string]any {
	return map[string]any{"name": name, "properties": map[string]any{
		"direction": "Outbound", "access": access, "priority": priority, "protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "443",
		"sourceAddressPrefix": "*", "destinationAddressPrefix": tag,
	}}
}

// curl runs curl in a place against a host of the platform and returns the status.
func (w *world) curl(t *testing.T, at place, url string) string {
	t.Helper()
	host := strings.TrimPrefix(url, "https://")
	host, _, _ = strings.Cut(host, "/")
	c := at.ns.Command("curl", "-sS", "-o", os.DevNull, "-w", "%{http_code}", "--noproxy", "*", "--cacert", w.p.Run.Root, "--connect-to", "::"+at.host+":", url)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("curl %s of %s: %v %s", url, host, err, out)
	}
	return string(out)
}
