// Package storm kills the platform amid concurrent writes of real clients and checks that whatever was acknowledged is there afterwards.
package storm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const (
	secretWriters, itemWriters = 3, 5
	storm                      = 700 * time.Millisecond
	oneCall                    = 3 * time.Second
)

// ledger is what clients were told is stored.
type ledger struct {
	mu      sync.Mutex
	secrets map[string]string
	items   map[string]int
}

func TestKill_AcknowledgedWritesSurvive(t *testing.T) {
	p := harness.Start(t, harness.Options{})
	way := p.SuffixWay(t)
	app := p.CreateApp(t, "", harness.Name("storm-"))
	group := p.PutGroup(t)
	vault := p.PutVault(t, group, "", harness.Policy{ObjectID: app.Principal, Secrets: harness.All})
	account := p.PutAccount(t, group)

	options := way.ClientOptions()
	options.Retry = policy.RetryOptions{MaxRetries: -1} // an answer counts, not what a retry makes of none
	cred, err := azidentity.NewClientSecretCredential(app.TenantID, app.AppID, app.Secret.SecretText, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: options, DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := azsecrets.NewClient(way.Vault(vault), cred, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	items := harness.PutContainer(t, way.Cosmos(t, account, p.Key(t, group, account, "primaryMasterKey"), options))

	l := &ledger{secrets: map[string]string{}, items: map[string]int{}}
	for round := range harness.Kills(t, 3) {
		before := len(l.items)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for w := range secretWriters {
			wg.Go(func() { l.setSecrets(ctx, secrets, round, w) })
		}
		for w := range itemWriters {
			wg.Go(func() { l.createItems(ctx, items, round, w) })
		}
		time.Sleep(storm)
		p.Kill9(t)
		stop()
		wg.Wait()
		p.Restart(t)
		if len(l.items) == before {
			t.Fatalf("round %d: no item was acknowledged before the kill; the test proves nothing", round)
		}
		l.check(t, secrets, items)
	}
	t.Logf("%d secrets and %d items acknowledged, all found", len(l.secrets), len(l.items))
}

// setSecrets overwrites a secret of its own again and again until ctx ends, and remembers the last value that was acknowledged.
func (l *ledger) setSecrets(ctx context.Context, c *azsecrets.Client, round, worker int) {
	name := fmt.Sprintf("s-%d-%d", round, worker)
	for n := 0; ctx.Err() == nil; n++ {
		value := fmt.Sprintf("%s-%d", name, n)
		call, cancel := context.WithTimeout(ctx, oneCall)
		_, err := c.SetSecret(call, name, azsecrets.SetSecretParameters{Value: &value}, nil)
		cancel()
		if err == nil {
			l.mu.Lock()
			l.secrets[name] = value
			l.mu.Unlock()
		}
	}
}

func (l *ledger) createItems(ctx context.Context, c *azcosmos.ContainerClient, round, worker int) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("i-%d-%d-%d", round, worker, n)
		body, _ := json.Marshal(map[string]any{"id": id, "pk": "p", "n": n})
		call, cancel := context.WithTimeout(ctx, oneCall)
		_, err := c.CreateItem(call, azcosmos.NewPartitionKeyString("p"), body, nil)
		cancel()
		if err == nil {
			l.mu.Lock()
			l.items[id] = n
			l.mu.Unlock()
		}
	}
}

// check reads back everything acknowledged. A secret may hold a later value than the acknowledged one: the kill can fall between commit and answer.
func (l *ledger) check(t *testing.T, secrets *azsecrets.Client, items *azcosmos.ContainerClient) {
	t.Helper()
	for name, want := range l.secrets {
		got, err := secrets.GetSecret(t.Context(), name, "", nil)
		if err != nil {
			t.Errorf("secret %s: %v", name, err)
			continue
		}
		if *got.Value != want && !later(*got.Value, want) {
			t.Errorf("secret %s = %s, want %s or later", name, *got.Value, want)
		}
	}
	left := maps.Clone(l.items)
	pages := items.NewQueryItemsPager("SELECT c.id, c.n FROM c", azcosmos.NewPartitionKeyString("p"), &azcosmos.QueryOptions{PageSizeHint: 1000})
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
			if n, ok := left[it.ID]; ok && n == it.N {
				delete(left, it.ID)
			}
		}
	}
	for id := range left {
		t.Errorf("item %s was acknowledged and is gone", id)
	}
}

// later tells whether value is of the same secret as other and was set after it.
func later(value, other string) bool {
	var r1, w1, n1, r2, w2, n2 int
	_, err1 := fmt.Sscanf(value, "s-%d-%d-%d", &r1, &w1, &n1)
	_, err2 := fmt.Sscanf(other, "s-%d-%d-%d", &r2, &w2, &n2)
	return err1 == nil && err2 == nil && r1 == r2 && w1 == w2 && n1 > n2
}
