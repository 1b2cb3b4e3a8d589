package goclients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func ruled(t *testing.T, w harness.Way, p *harness.Platform, change func(*azcosmos.ContainerProperties)) (*azcosmos.DatabaseClient, *azcosmos.ContainerClient) {
	t.Helper()
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	c := cosmosClient(t, w, account, p.Key(t, group, account, "primaryMasterKey"))
	must(c.CreateDatabase(t.Context(), azcosmos.DatabaseProperties{ID: "d"}, nil))(t, "create database")
	db := must(c.NewDatabase("d"))(t, "database")
	properties := azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}, Kind: azcosmos.PartitionKeyKindHash, Version: 2}}
	if change != nil {
		change(&properties)
	}
	must(db.CreateContainer(t.Context(), properties, nil))(t, "create container")
	return db, must(db.NewContainer("c"))(t, "container")
}

func TestCosmosBatch(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		_, c := ruled(t, w, p, nil)
		ctx, pk := t.Context(), azcosmos.NewPartitionKeyString("a")
		item := func(id string, n int) []byte { return fmt.Appendf(nil, `{"id":%q,"pk":"a","n":%d}`, id, n) }
		first := must(c.CreateItem(ctx, pk, item("0", 0), nil))(t, "create")

		b := c.NewTransactionalBatch(pk)
		b.CreateItem(item("1", 1), nil)
		b.UpsertItem(item("2", 2), nil)
		b.ReplaceItem("0", item("0", 10), &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &first.ETag})
		patch := azcosmos.PatchOperations{}
		patch.AppendIncrement("/n", 5)
		patch.SetCondition("from c where c.n = 10")
		b.PatchItem("0", patch, nil)
		b.ReadItem("0", nil)
		b.DeleteItem("1", nil)
		r := must(c.ExecuteTransactionalBatch(ctx, b, &azcosmos.TransactionalBatchOptions{EnableContentResponseOnWrite: true}))(t, "batch")
		if !r.Success || r.RequestCharge <= 0 {
			t.Fatalf("batch: %+v", r)
		}
		for i, want := range []int32{201, 201, 200, 200, 200, 204} {
			if got := r.OperationResults[i]; got.StatusCode != want || got.RequestCharge <= 0 {
				t.Errorf("operation %d: %d, charge %v, want %d", i, got.StatusCode, got.RequestCharge, want)
			}
		}
		var read struct{ N int }
		if err := json.Unmarshal(r.OperationResults[4].ResourceBody, &read); err != nil || read.N != 15 {
			t.Errorf("read in the batch: %s", r.OperationResults[4].ResourceBody)
		}

		b = c.NewTransactionalBatch(pk)
		b.CreateItem(item("3", 3), nil)
		b.ReplaceItem("0", item("0", 20), &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &first.ETag})
		r = must(c.ExecuteTransactionalBatch(ctx, b, nil))(t, "batch with an old etag")
		if r.Success || r.OperationResults[0].StatusCode != 424 || r.OperationResults[1].StatusCode != 412 {
			t.Errorf("batch with an old etag: %+v", r)
		}
		_, err := c.ReadItem(ctx, pk, "3", nil)
		wantRefused(t, "read of what a failed batch made", err, http.StatusNotFound)
	})
}

func TestCosmosPatch(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		_, c := ruled(t, w, p, nil)
		ctx, pk := t.Context(), azcosmos.NewPartitionKeyString("a")
		must(c.CreateItem(ctx, pk, []byte(`{"id":"1","pk":"a","n":0,"list":[1]}`), nil))(t, "create")
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 5 {
					o := azcosmos.PatchOperations{}
					o.AppendIncrement("/n", 1)
					if _, err := c.PatchItem(ctx, pk, "1", o, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		o := azcosmos.PatchOperations{}
		o.AppendAdd("/list/-", 2)
		o.AppendSet("/s", "x")
		o.AppendRemove("/list/0")
		o.SetCondition("FROM c WHERE c.n = 80")
		r := must(c.PatchItem(ctx, pk, "1", o, &azcosmos.ItemOptions{EnableContentResponseOnWrite: true}))(t, "patch")
		var got struct {
			N    int
			List []int
			S    string
		}
		if err := json.Unmarshal(r.Value, &got); err != nil || got.N != 80 || len(got.List) != 1 || got.List[0] != 2 || got.S != "x" {
			t.Errorf("patched: %s", r.Value)
		}
		o.SetCondition("FROM c WHERE c.n = 79")
		_, err := c.PatchItem(ctx, pk, "1", o, nil)
		wantRefused(t, "patch whose condition is false", err, http.StatusPreconditionFailed)
	})
}

// counting counts the answers of a status.
type counting struct {
	status int
	n      atomic.Int64
}

func (c *counting) Do(r *policy.Request) (*http.Response, error) {
	resp, err := r.Next()
	if err == nil && resp.StatusCode == c.status {
		c.n.Add(1)
	}
	return resp, err
}

// A strict container of 400 RU/s throttles; the SDK waits as long as the service says, tries again and gets through.
func TestCosmosThrottled(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	w := p.SuffixWay(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	p.ARM(t, "PATCH", group+"/providers/Microsoft.DocumentDB/databaseAccounts/"+account+"?api-version=2021-10-15", map[string]any{"tags": map[string]string{"bulkhead-throttling": "strict"}})
	refused := &counting{status: http.StatusTooManyRequests}
	o := w.ClientOptions()
	o.PerRetryPolicies = append(o.PerRetryPolicies, refused)
	o.Retry = policy.RetryOptions{MaxRetries: 9} // as other SDKs of Cosmos DB do
	c := harness.PutContainer(t, w.Cosmos(t, account, p.Key(t, group, account, "primaryMasterKey"), o))
	ctx, pk := t.Context(), azcosmos.NewPartitionKeyString("a")
	begin, spent := time.Now(), 0.0
	for i := range 130 { // some 7 RU each
		r := must(c.CreateItem(ctx, pk, fmt.Appendf(nil, `{"id":"%d","pk":"a"}`, i), nil))(t, "create")
		spent += float64(r.RequestCharge)
	}
	took := time.Since(begin).Seconds()
	if refused.n.Load() == 0 || spent > 400*(took+1)+10 {
		t.Errorf("%.0f RU in %.2f s, %d times refused", spent, took, refused.n.Load())
	}
	o.Retry = policy.RetryOptions{MaxRetries: -1}
	once := must(w.Cosmos(t, account, p.Key(t, group, account, "primaryMasterKey"), o).NewContainer("d", "c"))(t, "container")
	for range 1000 {
		if _, err := once.ReadItem(ctx, pk, "1", nil); err != nil {
			var re *azcore.ResponseError
			if !errors.As(err, &re) || re.StatusCode != http.StatusTooManyRequests || re.RawResponse.Header.Get("x-ms-substatus") != "3200" || re.RawResponse.Header.Get("x-ms-retry-after-ms") == "" {
				t.Errorf("refusal: %v", err)
			}
			return
		}
	}
	t.Error("1000 reads were not throttled")
}

func TestCosmosThroughput(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		_, c := ruled(t, w, p, nil)
		ctx := t.Context()
		r := must(c.ReadThroughput(ctx, nil))(t, "read")
		if got, ok := r.ThroughputProperties.ManualThroughput(); !ok || got != 400 || r.IsReplacePending || r.MinThroughput == nil || *r.MinThroughput != 400 {
			t.Errorf("throughput: %v %v, %+v", got, ok, r)
		}
		r = must(c.ReplaceThroughput(ctx, azcosmos.NewManualThroughputProperties(1000), nil))(t, "replace")
		if got, ok := r.ThroughputProperties.ManualThroughput(); !ok || got != 1000 {
			t.Errorf("replaced: %v %v", got, ok)
		}
		_, err := c.ReplaceThroughput(ctx, azcosmos.NewManualThroughputProperties(300), nil)
		wantRefused(t, "too little", err, http.StatusBadRequest)
	})
}

func TestCosmosTTLAndUniqueKeys(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		forever := int32(-1)
		db, c := ruled(t, w, p, func(p *azcosmos.ContainerProperties) {
			p.DefaultTimeToLive = &forever
			p.UniqueKeyPolicy = &azcosmos.UniqueKeyPolicy{UniqueKeys: []azcosmos.UniqueKey{{Paths: []string{"/mail"}}}}
		})
		ctx, pk := t.Context(), azcosmos.NewPartitionKeyString("a")
		must(c.CreateItem(ctx, pk, []byte(`{"id":"1","pk":"a","mail":"x","ttl":2}`), nil))(t, "create")
		_, err := c.CreateItem(ctx, pk, []byte(`{"id":"2","pk":"a","mail":"x"}`), nil)
		wantRefused(t, "create with a mail in use", err, http.StatusConflict)
		eventually(t, 20*time.Second, func(context.Context) error {
			_, err := c.ReadItem(ctx, pk, "1", nil)
			var re *azcore.ResponseError
			if errors.As(err, &re) && re.StatusCode == http.StatusNotFound {
				return nil
			}
			return fmt.Errorf("read of a document that lives for 2 s: %v", err)
		})
		must(c.CreateItem(ctx, pk, []byte(`{"id":"2","pk":"a","mail":"x"}`), nil))(t, "create with the mail of an ended one")
		props := must(c.Read(ctx, nil))(t, "read container").ContainerProperties
		if props.DefaultTimeToLive == nil || *props.DefaultTimeToLive != -1 || props.UniqueKeyPolicy == nil || props.UniqueKeyPolicy.UniqueKeys[0].Paths[0] != "/mail" {
			t.Errorf("container: %+v", props)
		}
		one := int32(1)
		props.DefaultTimeToLive = &one
		must(must(db.NewContainer("c"))(t, "container").Replace(ctx, *props, nil))(t, "replace container")
		eventually(t, 20*time.Second, func(context.Context) error {
			page := must(c.NewQueryItemsPager("SELECT * FROM c", pk, nil).NextPage(ctx))(t, "query")
			if len(page.Items) != 0 {
				return fmt.Errorf("%d items after their time", len(page.Items))
			}
			return nil
		})
	})
}
