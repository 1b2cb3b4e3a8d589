package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestKill_Splits ends the platform while a container of several ranges is written to and split. What was acknowledged is there afterwards, once, and
// the splits are finished by whoever starts next.
func TestKill_Splits(t *testing.T) {
	p := harness.Start(t, harness.Options{})
	way := p.SuffixWay(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	client := way.Cosmos(t, account, p.Key(t, group, account, "primaryMasterKey"), way.ClientOptions())
	if _, err := client.CreateDatabase(t.Context(), azcosmos.DatabaseProperties{ID: "db"}, nil); err != nil {
		t.Fatal(err)
	}
	db, err := client.NewDatabase("db")
	if err != nil {
		t.Fatal(err)
	}
	throughput := azcosmos.NewManualThroughputProperties(200_000) // so that nothing is throttled
	_, err = db.CreateContainer(t.Context(), azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}}},
		&azcosmos.CreateContainerOptions{ThroughputProperties: &throughput})
	if err != nil {
		t.Fatal(err)
	}
	items, err := client.NewContainer("db", "c")
	if err != nil {
		t.Fatal(err)
	}
	n := seed()
	t.Logf("BULKHEAD_KILL_SEED=%d", n)
	rng := rand.New(rand.NewPCG(n, 1))
	var mu sync.Mutex
	acked := map[string]int{} // version by id; a document whose last write was not answered is left out
	ranges := 0
	for round := range harness.Kills(t, 4) {
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 4 {
			own := rand.New(rand.NewPCG(n, uint64(100*round+i)))
			wg.Go(func() {
				for v := 1; ctx.Err() == nil; v++ {
					id := fmt.Sprintf("w%d-%d", i, own.IntN(100))
					pk := "k" + id
					mu.Lock()
					was := acked[id]
					delete(acked, id)
					mu.Unlock()
					body, _ := json.Marshal(map[string]any{"id": id, "pk": pk, "v": was + 1})
					if _, err := items.UpsertItem(context.WithoutCancel(ctx), azcosmos.NewPartitionKeyString(pk), body, nil); err == nil {
						mu.Lock()
						acked[id] = was + 1
						mu.Unlock()
					} else if ctx.Err() == nil {
						time.Sleep(5 * time.Millisecond)
					}
				}
			})
		}
		wg.Go(func() {
			for id := 0; ctx.Err() == nil && id < 400; id++ {
				_, _ = p.Command("cosmos", "split", account, "db", "c", fmt.Sprint((id*7+round*10)%60)).Output() // not each number is a range's
			}
		})
		time.Sleep(300*time.Millisecond + time.Duration(rng.Int64N(int64(1500*time.Millisecond))))
		p.Kill9(t)
		stop()
		wg.Wait()
		p.Restart(t)
		checkDocuments(t, items, acked)
		// Whoever started finishes what was cut off.
		have := rangesOf(t, p, account)
		for range 100 {
			if have = rangesOf(t, p, account); !slices.ContainsFunc(have, func(r keyRange) bool { return r.Status != "online" }) {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		for _, r := range have {
			if r.Status != "online" {
				t.Errorf("range %s is %s", r.ID, r.Status)
			}
		}
		if ranges = len(have); ranges <= 20 {
			t.Errorf("nothing was split")
		}
		checkDocuments(t, items, acked)
		var report struct{ Problems []string }
		if err := json.Unmarshal(p.Output(t, "verify"), &report); err != nil || len(report.Problems) > 0 {
			t.Errorf("round %d: verify: %v %v", round, report.Problems, err)
		}
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, n)
		}
	}
	if len(acked) < 50 {
		t.Errorf("%d documents acknowledged: the test proves nothing", len(acked))
	}
	t.Logf("%d documents, %d ranges", len(acked), ranges)
}

// keyRange is an entry of `bulkhead cosmos ranges`.
type keyRange struct{ ID, Status string }

func rangesOf(t *testing.T, p *harness.Platform, account string) []keyRange {
	t.Helper()
	var out struct{ Ranges []keyRange }
	if err := json.Unmarshal(p.Output(t, "cosmos", "ranges", account, "db", "c"), &out); err != nil {
		t.Fatal(err)
	}
	return out.Ranges
}

// checkDocuments reads the whole container by a query, and each acknowledged document by its key.
func checkDocuments(t *testing.T, items *azcosmos.ContainerClient, acked map[string]int) {
	t.Helper()
	found := map[string]int{}
	pager := items.NewQueryItemsPager("SELECT c.id, c.v FROM c", azcosmos.NewPartitionKey(), nil)
	for pager.More() {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Items {
			var d struct {
				ID string `json:"id"`
				V  int    `json:"v"`
			}
			if err := json.Unmarshal(raw, &d); err != nil {
				t.Fatal(err)
			}
			if found[d.ID] != 0 {
				t.Errorf("%s came twice", d.ID)
			}
			found[d.ID] = d.V
		}
	}
	for id, v := range acked {
		if found[id] != v {
			t.Errorf("%s has version %d, %d was acknowledged", id, found[id], v)
		}
		if _, err := items.ReadItem(t.Context(), azcosmos.NewPartitionKeyString("k"+id), id, nil); err != nil {
			t.Errorf("read %s: %v", id, err)
		}
	}
}
