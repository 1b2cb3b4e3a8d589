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
	moves := func(ctx context.Context, p *harness.Platform, account string, round int, _ *rand.Rand) {
		for id := 0; ctx.Err() == nil && id < 400; id++ {
			_, _ = p.Command("cosmos", "split", account, "db", "c", fmt.Sprint((id*7+round*10)%60)).Output() // not each number is a range's
		}
	}
	if ranges := killMoves(t, 200_000, moves); ranges <= 20 { // so much throughput that nothing is throttled
		t.Errorf("nothing was split")
	}
}

// TestKill_Merges does so while ranges are split and merged again.
func TestKill_Merges(t *testing.T) {
	var splits, merges int
	moves := func(ctx context.Context, p *harness.Platform, account string, _ int, rng *rand.Rand) {
		for ctx.Err() == nil {
			out, err := p.Command("cosmos", "ranges", account, "db", "c").Output()
			have, bad := parseRanges(out)
			if err != nil || bad != nil {
				continue
			}
			switch i := rng.IntN(len(have)); {
			case len(have) < 3 || i == len(have)-1:
				if p.Command("cosmos", "split", account, "db", "c", have[i].ID).Run() == nil {
					splits++
				}
			case p.Command("cosmos", "merge", account, "db", "c", have[i].ID, have[i+1].ID).Run() == nil:
				merges++
			}
		}
	}
	killMoves(t, 400, moves, "--cosmos-throttling", "off")
	if splits == 0 || merges == 0 {
		t.Errorf("%d splits, %d merges: the test proves nothing", splits, merges)
	}
	t.Logf("%d splits, %d merges", splits, merges)
}

// killMoves ends the platform while documents are written and move goes on with the ranges, and gives how many there are in the end.
func killMoves(t *testing.T, throughput int32, move func(context.Context, *harness.Platform, string, int, *rand.Rand), flags ...string) int {
	t.Helper()
	p := harness.Start(t, harness.Options{Flags: flags})
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
	manual := azcosmos.NewManualThroughputProperties(throughput)
	_, err = db.CreateContainer(t.Context(), azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}}},
		&azcosmos.CreateContainerOptions{ThroughputProperties: &manual})
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
		wg.Go(func() { move(ctx, p, account, round, rand.New(rand.NewPCG(n, uint64(100*round+50)))) })
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
		ranges = len(have)
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
	return ranges
}

// keyRange is an entry of `bulkhead cosmos ranges`.
type keyRange struct{ ID, Status string }

func rangesOf(t *testing.T, p *harness.Platform, account string) []keyRange {
	t.Helper()
	out, err := parseRanges(p.Output(t, "cosmos", "ranges", account, "db", "c"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func parseRanges(text []byte) ([]keyRange, error) {
	var out struct{ Ranges []keyRange }
	err := json.Unmarshal(text, &out)
	return out.Ranges, err
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
