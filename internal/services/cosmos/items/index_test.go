package items

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

var policies = []json.RawMessage{
	json.RawMessage(`{"indexingMode":"consistent","automatic":true,"includedPaths":[{"path":"/*"}],"excludedPaths":[]}`),
	json.RawMessage(`{"indexingMode":"consistent","automatic":true,"includedPaths":[{"path":"/a/?"},{"path":"/o/*"}],"excludedPaths":[{"path":"/*"},{"path":"/o/x/?"}],
		"compositeIndexes":[[{"path":"/a"},{"path":"/b","order":"descending"}]]}`),
	json.RawMessage(`{"indexingMode":"none","automatic":false,"includedPaths":[],"excludedPaths":[]}`),
	json.RawMessage(`{"indexingMode":"consistent","automatic":false,"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/tags/*"}],
		"compositeIndexes":[[{"path":"/b"},{"path":"/a"}],[{"path":"/a"},{"path":"/b"}]]}`),
}

// indexRows lists the rows of a range's index.
func indexRows(t testing.TB, st store.Store, guid string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := st.View(context.Background(), Shard(guid), func(sn store.Snapshot) error {
		clear(out)
		return sn.Scan(store.Range{}, func(k, _ []byte) bool {
			if bytes.IndexByte([]byte("tcs"), k[0]) >= 0 {
				out[hex.EncodeToString(k)] = true
			}
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// expectedRows works out what the rows should be, from the documents and the state of the index. Which documents are not indexed is told by their marks.
func expectedRows(t testing.TB, s *Store, st store.Store, guid string, have map[string]bool) map[string]bool {
	t.Helper()
	x, err := s.loadIndex(context.Background(), guid)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	tx := recorder{put: func(k []byte) { out[hex.EncodeToString(k)] = true }}
	err = st.View(context.Background(), Shard(guid), func(sn store.Snapshot) error {
		return sn.Scan(store.Prefix([]byte("D|")), func(k, v []byte) bool {
			_, text, err := decodeDocument(v)
			if err != nil {
				t.Error(err)
			}
			suffix := k[2:]
			marked := have[hex.EncodeToString(append(append([]byte("s|"), make([]byte, 8)...), suffix...))]
			rows, err := x.Policy(x.State, suffix).Rows(text, -1, marked)
			if err != nil {
				t.Error(err)
			}
			_, err = index.Replace(&tx, suffix, nil, rows)
			return err == nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// recorder is a transaction that only notes what is put.
type recorder struct {
	store.Tx
	put func(k []byte)
}

func (r *recorder) Get([]byte) ([]byte, error) { return []byte{}, nil }
func (r *recorder) Put(k, _ []byte) error {
	r.put(k)
	return nil
}

func randomText(r *rand.Rand, id string) string {
	values := []string{"1", "-0", "0", "2.5", "1e300", "-7", "null", "true", "false", `"x"`, `"é\u0000z"`, `"` + strings.Repeat("y", 120) + `"`, `[]`, `{}`, `[1,[2,{"q":3}]]`, `{"x":1,"y":"z"}`}
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%q`, id)
	for _, name := range []string{"a", "b", "o", "tags", "w\\u0065ird"} {
		if r.IntN(3) > 0 {
			fmt.Fprintf(&b, `, "%s" : %s`, name, values[r.IntN(len(values))])
		}
	}
	if r.IntN(40) == 0 {
		b.WriteString(`,"a":5`) // a name given twice
	}
	if r.IntN(60) == 0 {
		b.WriteString(`,"many":[0`)
		for i := range 1200 {
			fmt.Fprintf(&b, ",%d", i)
		}
		b.WriteString("]")
	}
	return b.String() + "}"
}

// TestIndexRows: whatever is written, and wherever a change of the policy stands, the rows of the index are those of the documents.
func TestIndexRows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		s, st, rg := open(t)
		ctx := context.Background()
		if err := s.SetPolicy(ctx, rg.GUID, policies[0]); err != nil {
			t.Fatal(err)
		}
		check := func(what string) {
			t.Helper()
			have := indexRows(t, st, rg.GUID)
			if d := cmp.Diff(expectedRows(t, s, st, rg.GUID, have), have); d != "" {
				t.Fatalf("seed %d, after %s: %s", seed, what, d)
			}
		}
		changes := 0
		for i := range 400 {
			n := 1
			if r.IntN(4) == 0 {
				n = 2 + r.IntN(6)
			}
			epk := fmt.Sprintf("%02d", r.IntN(3))
			var ws []Write
			for range n {
				id := fmt.Sprint(r.IntN(30))
				d, err := Parse([]byte(randomText(r, id)))
				if err != nil {
					t.Fatal(err)
				}
				w := Write{Op: Upsert, EPK: epk, ID: id, Doc: d, Directive: Directive(r.IntN(12) % 3 * (r.IntN(4) / 3))}
				switch r.IntN(5) {
				case 0:
					w.Op, w.Doc = Delete, Document{}
				case 1:
					w.Op = Replace
				case 2:
					w.Op = Create
				}
				ws = append(ws, w)
			}
			_, _, err := s.Apply(ctx, rg, now, ws)
			if err != nil && fault.As(err).Kind.Status() >= 500 {
				t.Fatal(err)
			}
			if r.IntN(40) == 0 {
				changes++
				if err := s.SetPolicy(ctx, rg.GUID, policies[r.IntN(len(policies))]); err != nil {
					t.Fatal(err)
				}
			}
			if r.IntN(3) == 0 {
				if _, err := s.reindexStep(ctx, rg.GUID, 1+r.IntN(20)); err != nil {
					t.Fatal(err)
				}
			}
			if i%10 == 0 {
				check(fmt.Sprintf("%d writes, %d changes of policy", i, changes))
			}
		}
		if err := s.Reindex(ctx, rg.GUID); err != nil {
			t.Fatal(err)
		}
		check("the end")
		if p, err := s.IndexProgress(ctx, rg.GUID); p != 100 || err != nil {
			t.Errorf("progress %d, %v", p, err)
		}
		if changes == 0 || len(indexRows(t, st, rg.GUID)) == 0 && seed == 0 {
			t.Errorf("seed %d: %d changes of policy, no rows", seed, changes)
		}
	}
}

// TestReindex_Crash: a change of the policy that a crash cut off goes on where it was, with writers at work before and after; no row is lost or left.
func TestReindex_Crash(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	r := rand.New(rand.NewPCG(1, 2))
	ctx := context.Background()
	rg := Range{GUID: "r1", Container: "c1", RID: rid.NewContainer(rid.NewDatabase(1), 1), Policy: policies[0]}
	st, err := pebble.Open("db", pebble.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	s := New(st)
	if err := s.Init(ctx, rg); err != nil {
		t.Fatal(err)
	}
	write := func(s *Store, n int) {
		for range n {
			id := fmt.Sprint(r.IntN(1500))
			d, err := Parse([]byte(randomText(r, id)))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Apply(ctx, rg, now, []Write{{Op: Upsert, EPK: fmt.Sprintf("%02d", len(id)), ID: id, Doc: d}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(s, 1500)
	if err := s.SetPolicy(ctx, rg.GUID, policies[1]); err != nil {
		t.Fatal(err)
	}
	last := 0
	for crash := range 4 {
		for range 2 {
			if _, err := s.reindexStep(ctx, rg.GUID, 100); err != nil {
				t.Fatal(err)
			}
			write(s, 20)
		}
		crashed := disk.CrashClone(vfs.CrashCloneCfg{})
		_ = st.Close()
		disk = crashed
		if st, err = pebble.Open("db", pebble.Options{FS: disk}); err != nil {
			t.Fatal(err)
		}
		s = New(st)
		have := indexRows(t, st, rg.GUID)
		if d := cmp.Diff(expectedRows(t, s, st, rg.GUID, have), have); d != "" {
			t.Fatalf("after crash %d: %s", crash, d)
		}
		p, err := s.IndexProgress(ctx, rg.GUID)
		if err != nil || p <= last || p >= 100 {
			t.Fatalf("after crash %d: progress %d after %d, %v", crash, p, last, err)
		}
		last = p
	}
	defer st.Close()
	if err := s.Reindex(ctx, rg.GUID); err != nil {
		t.Fatal(err)
	}
	have := indexRows(t, st, rg.GUID)
	if d := cmp.Diff(expectedRows(t, s, st, rg.GUID, have), have); d != "" {
		t.Fatal(d)
	}
	if x, err := s.loadIndex(ctx, rg.GUID); err != nil || x.Changing || string(x.Current.Text) != string(policies[1]) {
		t.Errorf("%+v %v", x, err)
	}
}
