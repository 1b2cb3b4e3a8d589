// Package operate does with a running platform what its operator does: backs it up and restores it, stops it, fills its disk, watches its health.
package operate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// fixture is a platform with a vault, an account's container, and real clients of both.
type fixture struct {
	p       *harness.Platform
	group   string
	app     harness.App
	vault   string
	account string
	key     string
	secrets *azsecrets.Client
	items   *azcosmos.ContainerClient
}

func newFixture(t *testing.T, o harness.Options) *fixture {
	t.Helper()
	f := &fixture{p: harness.Start(t, o)}
	f.group = f.p.PutGroup(t)
	f.app = f.p.CreateApp(t, "", harness.Name("operate-"))
	f.vault = f.p.PutVault(t, f.group, "", harness.Policy{ObjectID: f.app.Principal, Secrets: harness.All})
	f.account = f.p.PutAccount(t, f.group)
	f.key = f.p.Key(t, f.group, f.account, "primaryMasterKey")
	harness.PutContainer(t, f.cosmos(t))
	f.connect(t)
	return f
}

// on is the same installation on another platform, which was restored from a backup of the first.
func (f *fixture) on(t *testing.T, p *harness.Platform) *fixture {
	t.Helper()
	g := *f
	g.p = p
	g.connect(t)
	return &g
}

func (f *fixture) options(t *testing.T) azcore.ClientOptions {
	o := f.p.SuffixWay(t).ClientOptions()
	o.Retry = policy.RetryOptions{MaxRetries: -1}
	return o
}

// connect makes the clients.
func (f *fixture) connect(t *testing.T) {
	t.Helper()
	way, o := f.p.SuffixWay(t), f.options(t)
	cred, err := azidentity.NewClientSecretCredential(f.app.TenantID, f.app.AppID, f.app.Secret.SecretText, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: o, DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.secrets, err = azsecrets.NewClient(way.Vault(f.vault), cred, &azsecrets.ClientOptions{ClientOptions: o}); err != nil {
		t.Fatal(err)
	}
	if f.items, err = f.cosmos(t).NewContainer("d", "c"); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) cosmos(t *testing.T) *azcosmos.Client {
	return f.p.SuffixWay(t).Cosmos(t, f.account, f.key, f.options(t))
}

func item(id string, n int) []byte {
	b, _ := json.Marshal(map[string]any{"id": id, "pk": "p", "n": n})
	return b
}

var partition = azcosmos.NewPartitionKeyString("p")

// numbers reads all items: id -> n.
func (f *fixture) numbers(t *testing.T) map[string]int {
	t.Helper()
	all := map[string]int{}
	pages := f.items.NewQueryItemsPager("SELECT c.id, c.n FROM c", partition, &azcosmos.QueryOptions{PageSizeHint: 1000})
	for pages.More() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Items {
			var it struct {
				ID string
				N  int
			}
			if err := json.Unmarshal(raw, &it); err != nil {
				t.Fatal(err)
			}
			all[it.ID] = it.N
		}
	}
	return all
}

// probe asks one of the health endpoints.
func probe(t *testing.T, p *harness.Platform, path string) (int, []byte) {
	t.Helper()
	w := harness.Way{Client: &http.Client{Timeout: 5 * time.Second}}
	a := w.Do(t, "GET", fmt.Sprintf("http://%s%s", p.Run.Identity, path), nil, nil)
	return a.Status, a.Body
}
