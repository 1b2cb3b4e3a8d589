package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// pair is a writer that makes item n and then, once that is acknowledged, sets its secret to n: at every moment the secret is n or n-1.
type pair struct {
	name    string
	begun   atomic.Int64 // items
	done    atomic.Int64
	secrets atomic.Int64
}

func (w *pair) run(ctx context.Context, t *testing.T, f *fixture) {
	for n := 1; ctx.Err() == nil; n++ {
		w.begun.Store(int64(n))
		id := fmt.Sprintf("%s-%d", w.name, n)
		if _, err := f.items.CreateItem(t.Context(), partition, item(id, n), nil); err != nil {
			t.Errorf("item %s: %v", id, err)
			return
		}
		w.done.Store(int64(n))
		value := strconv.Itoa(n)
		if _, err := f.secrets.SetSecret(t.Context(), w.name, azsecrets.SetSecretParameters{Value: &value}, nil); err != nil {
			t.Errorf("secret %s: %v", w.name, err)
			return
		}
		w.secrets.Store(int64(n))
	}
}

// TestBackup_UnderLoad: a backup taken amid writers holds one moment: all that was acknowledged before it began, nothing that was begun after it ended, and
// what lies in two services fits together. Restored into another folder it serves the same clients.
func TestBackup_UnderLoad(t *testing.T) {
	f := newFixture(t, harness.Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	writers := make([]*pair, 4)
	var wg sync.WaitGroup
	for i := range writers {
		writers[i] = &pair{name: fmt.Sprintf("w%d", i)}
		wg.Go(func() { writers[i].run(ctx, t, f) })
	}
	for end := time.Now().Add(20 * time.Second); writers[0].secrets.Load() < 10 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	least, most := map[string]int64{}, map[string]int64{}
	for _, w := range writers {
		least[w.name] = w.done.Load()
	}
	dir := t.TempDir()
	var out struct {
		File, SHA256, KeyID string
		Bytes               int64
		HasKey              bool
	}
	if err := json.Unmarshal(f.p.Output(t, "backup", dir), &out); err != nil {
		t.Fatal(err)
	}
	for _, w := range writers {
		most[w.name] = w.begun.Load()
	}
	if out.HasKey || out.KeyID == "" || len(out.SHA256) != 64 || filepath.Dir(out.File) != dir {
		t.Errorf("backup printed %+v", out)
	}
	if info, err := os.Stat(out.File); err != nil || info.Mode().Perm() != 0o600 || info.Size() != out.Bytes {
		t.Errorf("backup file: %v, %v", info, err)
	}
	var report struct {
		Records, Sealed uint64
		Problems        []string
	}
	if err := json.Unmarshal(f.p.Output(t, "verify"), &report); err != nil || len(report.Problems) > 0 || report.Sealed < 10 {
		t.Errorf("verify of the running platform: %+v, %v", report, err)
	}
	if err := json.Unmarshal(f.p.Output(t, "verify", out.File), &report); err != nil || len(report.Problems) > 0 || report.Sealed < 10 {
		t.Errorf("verify of the backup: %+v, %v", report, err)
	}
	stop()
	wg.Wait()

	to := filepath.Join(t.TempDir(), "restored")
	restore := f.p.Command("restore", out.File, "--key", filepath.Join(f.p.Data, "master.key"), "--data", to)
	restore.Args = append(restore.Args[:1], "restore", out.File, "--key", filepath.Join(f.p.Data, "master.key"), "--data", to)
	if b, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("restore: %v\n%s", err, b)
	}
	// A second restore into the same folder is refused.
	again := f.p.Command("restore", out.File)
	again.Args = append(again.Args[:1], restore.Args[1:]...)
	if b, err := again.CombinedOutput(); err == nil {
		t.Errorf("a restore over data was done: %s", b)
	}
	g := f.on(t, harness.Start(t, harness.Options{Data: to}))
	if g.p.Run.TenantID != f.p.Run.TenantID || g.p.Run.SubscriptionID != f.p.Run.SubscriptionID {
		t.Error("the restored platform is another installation")
	}
	items := g.numbers(t)
	for _, w := range writers {
		n := 0
		for items[fmt.Sprintf("%s-%d", w.name, n+1)] == n+1 {
			n++
		}
		if int64(n) < least[w.name] || int64(n) > most[w.name] {
			t.Errorf("writer %s: %d items restored, %d were acknowledged before the backup, %d begun when it ended", w.name, n, least[w.name], most[w.name])
		}
		delete(items, w.name)
		got, err := g.secrets.GetSecret(t.Context(), w.name, "", nil)
		if err != nil {
			t.Errorf("secret %s: %v", w.name, err)
			continue
		}
		if v, _ := strconv.Atoi(*got.Value); v != n && v != n-1 {
			t.Errorf("writer %s: secret %d beside %d items: not of one moment", w.name, v, n)
		}
		for i := 1; i <= n; i++ {
			delete(items, fmt.Sprintf("%s-%d", w.name, i))
		}
	}
	if len(items) > 0 {
		t.Errorf("%d items lie behind a gap: %v", len(items), items)
	}
	// It goes on from there.
	value := "after"
	if _, err := g.secrets.SetSecret(t.Context(), "after", azsecrets.SetSecretParameters{Value: &value}, nil); err != nil {
		t.Error(err)
	}
	if _, err := g.items.CreateItem(t.Context(), partition, item("after", 1), nil); err != nil {
		t.Error(err)
	}
	t.Logf("backup of %d bytes; %v acknowledged before, %v begun when it ended", out.Bytes, least, most)
}
