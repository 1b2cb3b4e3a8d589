package cipherfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/store/storetest"
)

func engine(t testing.TB, dir string, below vfs.FS, k *cipherfs.Keys) *pebble.Engine {
	t.Helper()
	e, err := pebble.Open(dir, pebble.Options{FS: cipherfs.New(below, k)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestContract(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	storetest.Run(t, func(t *testing.T, dir string) store.Store { return engine(t, dir, disk, keys(t, 1)) })
}

func TestKill(t *testing.T) {
	storetest.RunKill(t, "TestKill", func(t *testing.T, dir string) store.Store { return engine(t, dir, vfs.Default, keys(t, 1)) })
}

// A machine that loses power keeps what was synced and any part of what was not; every acknowledged commit must be there again.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	for round := range 12 {
		rng := rand.New(rand.NewPCG(uint64(round), 7))
		e := engine(t, "store", disk, keys(t, 1))
		if round > 0 {
			checkRounds(t, e, round-1)
		}
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 30 {
					put(t, e, fmt.Sprintf("r/%d", w), fmt.Sprintf("%d/%d", round, i), bytes.Repeat([]byte{byte(w + 1)}, 1000+w*300))
				}
			})
		}
		wg.Wait()
		// The cut: nothing, some or all of what was not synced survives.
		cut := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[round%3], RNG: rng})
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		disk = cut
	}
	e := engine(t, "store", disk, keys(t, 1))
	checkRounds(t, e, 11)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, st store.Store, shard, key string, value []byte) {
	t.Helper()
	if _, err := st.Update(context.Background(), shard, func(tx store.Tx) error { return tx.Put([]byte(key), value) }); err != nil {
		t.Error(err)
	}
}

func checkRounds(t *testing.T, st store.Store, last int) {
	t.Helper()
	for w := range 4 {
		n := 0
		err := st.View(t.Context(), fmt.Sprintf("r/%d", w), func(s store.Snapshot) error {
			n = 0
			return s.Scan(store.Range{}, func(_, v []byte) bool {
				if len(v) == 1000+w*300 && v[len(v)-1] == byte(w+1) {
					n++
				}
				return true
			})
		})
		if err != nil || n != (last+1)*30 {
			t.Fatalf("after power cut %d: shard %d has %d whole values (%v), want %d", last, w, n, err, (last+1)*30)
		}
	}
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	if err := engine(t, "store", disk, keys(t, 1)).Close(); err != nil {
		t.Fatal(err)
	}
	e, err := pebble.Open("store", pebble.Options{FS: cipherfs.New(disk, keys(t, 2))})
	if !errors.Is(err, cipherfs.ErrKey) {
		if e != nil {
			e.Close()
		}
		t.Errorf("another data key: got %v, want ErrKey", err)
	}
}

// Nothing that was written can be read in any file: not in logs, nor in tables, compressed or not. The same search finds it all in a plain store.
func TestNothingReadable(t *testing.T) {
	t.Parallel()
	secrets := []string{"resource-name-7f3a", "secret value of kv1", "term|city|Zürich", "user@example.com"}
	for _, c := range []struct {
		name      string
		encrypted bool
		profile   func() *pebbledb.Options
	}{
		{"plain", false, uncompressed},
		{"encrypted, uncompressed", true, uncompressed},
		{"encrypted", true, func() *pebbledb.Options { return &pebbledb.Options{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := c.profile()
			o.FS, o.FormatMajorVersion, o.Logger = vfs.Default, pebbledb.FormatTableFormatV6, quiet{}
			if c.encrypted {
				o.FS = cipherfs.New(vfs.Default, keys(t, 1))
			}
			db, err := pebbledb.Open(filepath.Join(dir, "store"), o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2000 {
				s := secrets[i%len(secrets)]
				if err := db.Set(fmt.Appendf(nil, "%s/%d", s, i), []byte(s+" "+s), pebbledb.NoSync); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(db.Flush(), db.Compact(t.Context(), []byte{0}, []byte{0xff}, false)); err != nil {
				t.Fatal(err)
			}
			for _, s := range secrets {
				if err := db.Set([]byte("log "+s), []byte(s), pebbledb.Sync); err != nil { // stays in the log
					t.Fatal(err)
				}
			}
			if err := db.Checkpoint(filepath.Join(dir, "checkpoint")); err != nil {
				t.Fatal(err)
			}
			found := search(t, dir, secrets)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if c.encrypted && len(found) > 0 {
				t.Errorf("readable: %v", found)
			}
			if !c.encrypted && len(found) < 2*len(secrets) {
				t.Errorf("the search finds only %v in a plain store: it proves nothing", found)
			}
			if c.encrypted { // links of a checkpoint carry their headers along
				o.ErrorIfNotExists = true
				again, err := pebbledb.Open(filepath.Join(dir, "checkpoint"), o)
				if err != nil {
					t.Fatal(err)
				}
				v, closer, err := again.Get([]byte("log " + secrets[0]))
				if err != nil || string(v) != secrets[0] {
					t.Errorf("checkpoint: got %q, %v", v, err)
				} else {
					closer.Close()
				}
				if err := again.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func uncompressed() *pebbledb.Options {
	o := &pebbledb.Options{}
	o.ApplyCompressionSettings(func() pebbledb.DBCompressionSettings { return pebbledb.DBCompressionNone })
	return o
}

// search returns "file: secret" for each secret that stands in a file below dir.
func search(t *testing.T, dir string, secrets []string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		for _, s := range secrets {
			if bytes.Contains(b, []byte(s)) {
				found = append(found, filepath.Base(p)+": "+s)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}
