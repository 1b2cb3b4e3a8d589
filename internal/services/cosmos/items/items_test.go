package items

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB) (*Store, store.Store, Range) {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	r := Range{GUID: "r1", Container: "c1", RID: rid.NewContainer(rid.NewDatabase(1), 1)}
	s := New(st)
	if err := s.Init(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return s, st, r
}

func create(epk, id string) Write {
	d, err := Parse([]byte(fmt.Sprintf(`{"id":%q}`, id)))
	if err != nil {
		panic(err)
	}
	return Write{Op: Create, EPK: epk, ID: id, Doc: d}
}

func TestParse_Text(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"id":"1"}`:                  `{"id":"1"}`,
		" {\n\"id\" : \"1\" } \r\n":   "{\n\"id\" : \"1\" }",
		`{"id":"1","_rid":"x","a":1}`: `{"id":"1","a":1}`,
		`{"_ts":1,"id":"1","_etag":"\"x\"","_self":[{}],"_attachments":null}`: `{"id":"1"}`,
		`{"id":"1","o":{"_rid":1}}`: `{"id":"1","o":{"_rid":1}}`,
		`{"id":"1","_x":1}`:         `{"id":"1","_x":1}`,
	} {
		d, err := Parse([]byte(in))
		if err != nil || string(d.Text) != want || d.ID != "1" {
			t.Errorf("%s: %s, %q, %v; want %s", in, d.Text, d.ID, err, want)
		}
	}
	if d, err := Parse([]byte(`{"\u0069d":"a\u0041\n"}`)); err != nil || d.ID != "aA\n" {
		t.Errorf("escapes: %q %v", d.ID, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"id":"1"}`, `{"id":"\ud800","a":[1,-0.5e+3,true,false,null,{}]}`, `{"id":"x","_rid":1,"b":{"c":[]}}`, `{`, `{"id":01}`, "{\"id\":\"\x80\"}", ` {"id":"a"} x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := Parse(bytes.Clone(in))
		var v map[string]json.RawMessage
		valid := utf8.Valid(in) && json.Unmarshal(in, &v) == nil && v != nil
		if err == nil {
			if !valid {
				t.Fatalf("%q accepted", in)
			}
			var kept map[string]json.RawMessage
			if json.Unmarshal(d.Text, &kept) != nil {
				t.Fatalf("%q became %q", in, d.Text)
			}
			for _, p := range systemProperties {
				delete(v, p)
			}
			for k := range v {
				if string(kept[k]) != string(v[k]) {
					t.Fatalf("%q: %s is %s, was %s", in, k, kept[k], v[k])
				}
			}
			return
		}
		if f := fault.As(err); f.Kind != fault.Invalid && f.Kind != fault.TooLarge {
			t.Fatalf("%q: %v", in, err)
		}
		var id string
		if valid && len(in) < 200 && json.Unmarshal(v["id"], &id) == nil && id != "" && len(id) <= MaxID && string(v["id"]) != "null" && strings.Count(string(in), "[")+strings.Count(string(in), "{") < maxDepth {
			t.Fatalf("%q refused: %v", in, err)
		}
	})
}

func TestApply_AllOrNothing(t *testing.T) {
	t.Parallel()
	s, _, r := open(t)
	ctx := context.Background()
	_, before, err := s.Apply(ctx, r, now, []Write{create("01", "a")})
	if err != nil || before.LSN != 2 || before.Usage.Documents != 1 {
		t.Fatalf("%+v %v", before, err)
	}
	_, _, err = s.Apply(ctx, r, now, []Write{create("01", "b"), {Op: Delete, EPK: "01", ID: "a"}, create("01", "b")})
	var failed *FailedWrite
	if !errors.As(err, &failed) || failed.Index != 2 || !fault.Is(err, fault.Conflict) {
		t.Fatalf("got %v", err)
	}
	if item, _, _ := s.Get(ctx, r, "01", "b", 0); item != nil {
		t.Error("b is there")
	}
	if item, state, _ := s.Get(ctx, r, "01", "a", 0); item == nil || state.LSN != before.LSN {
		t.Errorf("a: %v at %d", item, state.LSN)
	}
	// The same id in another logical partition is another document.
	if _, _, err := s.Apply(ctx, r, now, []Write{create("02", "a")}); err != nil {
		t.Error(err)
	}
}

// keysOf lists a shard's keys by their first letter.
func keysOf(t *testing.T, st store.Store, r Range) map[byte]int {
	t.Helper()
	out := map[byte]int{}
	err := st.View(context.Background(), Shard(r.GUID), func(sn store.Snapshot) error {
		return sn.Scan(store.Range{}, func(k, _ []byte) bool {
			out[k[0]]++
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRows: whatever happens, each document has one row of each kind.
func TestRows(t *testing.T) {
	t.Parallel()
	s, st, r := open(t)
	ctx := context.Background()
	step := func(documents int, ws ...Write) {
		t.Helper()
		_, state, err := s.Apply(ctx, r, now, ws)
		if err != nil {
			t.Fatal(err)
		}
		want := map[byte]int{'M': 1}
		if documents > 0 {
			want = map[byte]int{'M': 1, 'D': documents, 'I': documents, 'L': documents, 'R': documents}
		}
		if d := cmp.Diff(want, keysOf(t, st, r)); d != "" || state.Usage.Documents != uint64(documents) {
			t.Errorf("%d documents, %d counted: %s", documents, state.Usage.Documents, d)
		}
	}
	replace := func(id, to string) Write {
		w := create("01", to)
		w.Op, w.ID = Replace, id
		return w
	}
	step(1, create("01", "a"))
	step(1, replace("a", "a"))
	step(3, create("01", "b"), create("02", strings.Repeat("x", 1000)))
	step(3, replace("a", "c"), replace("c", "c"), replace("c", "a"))
	step(2, Write{Op: Delete, EPK: "01", ID: "b"})
	step(2, create("01", "d"), Write{Op: Delete, EPK: "01", ID: "d"})
	step(0, Write{Op: Delete, EPK: "01", ID: "a"}, Write{Op: Delete, EPK: "02", ID: strings.Repeat("x", 1000)})
}

func TestNotInUse(t *testing.T) {
	t.Parallel()
	s, st, r := open(t)
	ctx := context.Background()
	if err := s.Drop(ctx, r.GUID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Apply(ctx, r, now, []Write{create("01", "a")}); !errors.Is(err, ErrNoRange) {
		t.Errorf("got %v", err)
	}
	if left := keysOf(t, st, r); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestConcurrentCreates(t *testing.T) {
	t.Parallel()
	s, _, r := open(t)
	ctx := context.Background()
	const writers, each = 8, 50
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for range writers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprint(i)
				if _, _, err := s.Apply(ctx, r, now, []Write{create("01", id)}); err == nil {
					mu.Lock()
					won[id]++
					mu.Unlock()
				} else if !fault.Is(err, fault.Conflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for id, n := range won {
		if n != 1 {
			t.Errorf("%s was created %d times", id, n)
		}
	}
	state, err := s.Stat(ctx, r)
	if err != nil || len(won) != each || state.Usage.Documents != each || state.LSN != each+1 {
		t.Errorf("%d ids, %+v, %v", len(won), state, err)
	}
	seen := map[uint64]bool{}
	page, err := s.List(ctx, r, Selection{}, "", 1000, 1<<20)
	if err != nil || len(page.Rows) != each {
		t.Fatalf("%d rows, %v", len(page.Rows), err)
	}
	for _, row := range page.Rows {
		var v struct {
			RID string `json:"_rid"`
		}
		id, err := rid.Parse(v.RID)
		if json.Unmarshal(row.Text, &v) == nil {
			id, err = rid.Parse(v.RID)
		}
		if err != nil || id.Parent() != r.RID || seen[id.Number()] {
			t.Errorf("resource id %q: %v", v.RID, err)
		}
		seen[id.Number()] = true
	}
}

func TestList_Bounds(t *testing.T) {
	t.Parallel()
	s, _, r := open(t)
	ctx := context.Background()
	for _, epk := range []string{"01", "02", "03", "01"} {
		for i := range 3 {
			w := create(epk, fmt.Sprint(epk, i))
			if _, _, err := s.Apply(ctx, r, now, []Write{w}); err != nil && !fault.Is(err, fault.Conflict) {
				t.Fatal(err)
			}
		}
	}
	ids := func(sel Selection, after string, rows, size int) (out []string, more bool) {
		t.Helper()
		p, err := s.List(ctx, r, sel, after, rows, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range p.Rows {
			out = append(out, textID(row.Text))
		}
		return out, p.More
	}
	for _, tt := range []struct {
		sel  Selection
		want []string
	}{
		{Selection{}, []string{"010", "011", "012", "020", "021", "022", "030", "031", "032"}},
		{Selection{Low: "02", High: "02", Bounded: true}, []string{"020", "021", "022"}},
		{Selection{Low: "02", High: "FF", Bounded: true}, []string{"020", "021", "022", "030", "031", "032"}},
		{Selection{Low: "", High: "02", Bounded: true}, []string{"010", "011", "012"}},
		{Selection{Low: "04", High: "04", Bounded: true}, nil},
	} {
		if got, more := ids(tt.sel, "", 100, 1<<20); !cmp.Equal(got, tt.want) || more {
			t.Errorf("%+v: %v, more %v", tt.sel, got, more)
		}
		if got, more := ids(tt.sel, "", 1, 1<<20); len(tt.want) > 0 && (len(got) != 1 || !more) {
			t.Errorf("%+v, one row: %v, more %v", tt.sel, got, more)
		}
		if got, more := ids(tt.sel, "", 100, 1); len(tt.want) > 0 && (len(got) != 1 || !more) {
			t.Errorf("%+v, one byte: %v, more %v", tt.sel, got, more)
		}
		// A key from elsewhere does not lead out of the selection.
		for _, after := range []string{"00", "01", "0200", "FF", strings.Repeat("00", 30)} {
			got, _ := ids(tt.sel, after, 100, 1<<20)
			for _, id := range got {
				if !strings.Contains(strings.Join(tt.want, ","), id) {
					t.Errorf("%+v after %s: %v", tt.sel, after, got)
				}
			}
		}
	}
	for _, bad := range []string{"x", "0", strings.Repeat("00", 2000)} {
		if _, err := s.List(ctx, r, Selection{}, bad, 1, 1); !fault.Is(err, fault.Invalid) {
			t.Errorf("key %.10q: %v", bad, err)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	h := header{lsn: 7, seq: 3, time: 1234, etag: [16]byte{1, 2, 3}, ttl: -1, unique: bytes.Repeat([]byte{9}, 2*uniqueSize)}
	got, text, err := decodeDocument(append(h.append(nil), "text"...))
	if err != nil || !reflect.DeepEqual(got, h) || string(text) != "text" {
		t.Errorf("%+v %s %v", got, text, err)
	}
	// A record of version 1 has neither ttl nor unique values.
	first := append([]byte{kindDocument, 1}, h.append(nil)[2:headerSize1]...)
	got, text, err = decodeDocument(append(first, "text"...))
	if err != nil || got.lsn != 7 || got.time != 1234 || got.ttl != 0 || got.unique != nil || string(text) != "text" {
		t.Errorf("version 1: %+v %s %v", got, text, err)
	}
	// A place that needs two bytes, and how places stand in keys: in order.
	wide := h
	wide.seq = 0x1234
	if got, text, err = decodeDocument(append(wide.append(nil), "text"...)); err != nil || !reflect.DeepEqual(got, wide) || string(text) != "text" || wide.size() != len(wide.append(nil)) {
		t.Errorf("%+v %s %v", got, text, err)
	}
	joined := h
	joined.seq = joinedSeq
	if got, _, err = decodeDocument(joined.append(nil)); err != nil || !reflect.DeepEqual(got, joined) {
		t.Errorf("%+v %v", got, err)
	}
	var last []byte
	for _, seq := range []uint16{0, 1, 99, 0x80, 0xfe, 0xff, 0x100, 0x7fff, expirySeq, expirySeq | 0x7ffe, joinedSeq} {
		key := logKey(7, seq, 5)
		if bytes.Compare(key, last) <= 0 {
			t.Errorf("the place %d is not after the one before", seq)
		}
		last = key
		if c, err := parseChange(key, logValue(3, nil)); err != nil || c.seq != seq || c.lsn != 7 {
			t.Errorf("%d: %+v %v", seq, c, err)
		}
		if seq != joinedSeq {
			in := Parent{Joined: true, Range: Range{Number: 9}}
			for _, key := range [][]byte{imageKey(7, seq, 1), in.imageIn(imageKey(7, seq, 1)), in.imageIn(in.imageIn(imageKey(7, seq, 1)))} {
				if part, ok := imagePart(key); !ok || part != 1 {
					t.Errorf("%d: part %d of %x", seq, part, key)
				}
			}
		}
		for n := range len(key) - 1 {
			if _, err := parseChange(key[:n+1], logValue(3, nil)); err == nil && n+1 > logHead {
				t.Errorf("%d bytes of the key %x accepted", n+1, key)
			}
		}
	}
	r := rangeRecord{number: 5, documents: 6, bytes: 7, container: "c"}
	if back, err := decodeRange(r.encode()); err != nil || back != r {
		t.Errorf("%+v %v", back, err)
	}
	newer := r.encode()
	newer[1]++
	if _, err := decodeRange(newer); !errors.Is(err, store.ErrVersion) {
		t.Errorf("newer: %v", err)
	}
	for n := range wide.size() {
		if _, _, err := decodeDocument(wide.append(nil)[:n]); err == nil {
			t.Errorf("%d bytes of a wide one accepted", n)
		}
	}
	for n := range h.size() {
		if _, _, err := decodeDocument(h.append(nil)[:n]); err == nil {
			t.Errorf("%d bytes accepted", n)
		}
	}
	if len(idKey(make([]byte, 150), strings.Repeat("x", MaxID))) > store.MaxKey {
		t.Error("the longest key is too long for a store")
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(`{"id":"1","pk":"a","name":"Contoso","tags":["a","b","c"],"address":{"street":"1 Main Street","city":"Redmond","zip":98052},"text":"` + strings.Repeat("x", 800) + `"}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
