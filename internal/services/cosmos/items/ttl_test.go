package items

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

func doc(t testing.TB, text string) Document {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// timed is a range with a time to live and a clock.
type timed struct {
	t     testing.TB
	s     *Store
	st    store.Store
	r     Range
	clock *clock.Fake
}

func openTimed(t testing.TB, ttl int32) *timed {
	t.Helper()
	s, st, r := open(t)
	c := clock.NewFake(now)
	r.Rules.Timed = true
	v := &timed{t, s.WithClock(c), st, r, c}
	v.set(ttl, 1)
	return v
}

func (v *timed) set(ttl int32, revision uint64) {
	v.t.Helper()
	if err := v.s.SetTTL(context.Background(), v.r.GUID, ttl, revision); err != nil {
		v.t.Fatal(err)
	}
}

func (v *timed) do(op Op, text string) error {
	v.t.Helper()
	d := doc(v.t, text)
	_, _, err := v.s.Apply(context.Background(), v.r, v.clock.Now(), []Write{{Op: op, EPK: "01", ID: d.ID, Doc: d}})
	return err
}

func (v *timed) must(op Op, text string) {
	v.t.Helper()
	if err := v.do(op, text); err != nil {
		v.t.Fatalf("%s: %v", text, err)
	}
}

// visible lists the ids that reads show, by all three ways of reading.
func (v *timed) visible() string {
	v.t.Helper()
	ctx := context.Background()
	var all, byID []string
	for _, sel := range []Selection{{}, {Low: "01", High: "01", Bounded: true}} {
		var ids []string
		for after, more := "", true; more; {
			page, err := v.s.List(ctx, v.r, sel, after, 2, 1<<20)
			if err != nil {
				v.t.Fatal(err)
			}
			for _, row := range page.Rows {
				ids = append(ids, textID(row.Text))
				after = row.Key
			}
			if more = page.More; more && len(page.Rows) == 0 {
				v.t.Fatal("an empty page says that there is more")
			}
		}
		slices.Sort(ids)
		all = append(all, strings.Join(ids, ""))
	}
	for _, id := range strings.Split("abcdefgh", "") {
		item, _, err := v.s.Get(ctx, v.r, "01", id, 0)
		if err != nil {
			v.t.Fatal(err)
		}
		if item != nil {
			byID = append(byID, id)
		}
	}
	if got := strings.Join(byID, ""); all[0] != all[1] || got != all[0] {
		v.t.Errorf("lists show %v, reads %s", all, got)
	}
	return all[0]
}

// expire lets the worker finish, and tells how many documents it removed.
func (v *timed) expire() int {
	v.t.Helper()
	total := 0
	for range 10_000 {
		n, more, err := v.s.Expire(context.Background(), v.r, v.clock.Now())
		if err != nil {
			v.t.Fatal(err)
		}
		total += n
		if !more {
			return total
		}
	}
	v.t.Fatal("the worker does not end")
	return 0
}

// keys counts the keys of the range by their first letter.
func (v *timed) keys() map[string]int {
	v.t.Helper()
	out := map[string]int{}
	err := v.st.View(context.Background(), Shard(v.r.GUID), func(sn store.Snapshot) error {
		return sn.Scan(store.Range{}, func(key, _ []byte) bool {
			out[string(key[:1])]++
			return true
		})
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return out
}

func TestTTL_InvisibleAtOnce(t *testing.T) {
	t.Parallel()
	v := openTimed(t, 10)
	v.must(Create, `{"id":"a"}`)
	v.must(Create, `{"id":"b","ttl":5}`)
	v.must(Create, `{"id":"c","ttl":-1}`)
	v.must(Create, `{"id":"d","ttl":100}`)
	for _, step := range []struct {
		seconds int
		want    string
	}{{4, "abcd"}, {1, "acd"}, {4, "acd"}, {1, "cd"}, {89, "cd"}, {1, "c"}, {1e9, "c"}} {
		v.clock.Advance(time.Duration(step.seconds) * time.Second)
		if got := v.visible(); got != step.want {
			t.Errorf("%d s later: %s, want %s", step.seconds, got, step.want)
		}
	}
	for op, text := range map[Op]string{Replace: `{"id":"a"}`, Delete: `{"id":"b"}`, Read: `{"id":"d"}`} {
		if err := v.do(op, text); !fault.Is(err, fault.NotFound) {
			t.Errorf("operation %d on an ended document: %v", op, err)
		}
	}
	// Its id is free, for a creation, an upsert and a new name, before the worker was there.
	v.must(Create, `{"id":"a","n":2}`)
	v.must(Upsert, `{"id":"b","n":2}`)
	_, _, err := v.s.Apply(context.Background(), v.r, v.clock.Now(), []Write{{Op: Replace, EPK: "01", ID: "a", Doc: doc(t, `{"id":"d"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.visible(); got != "bcd" {
		t.Errorf("after writing over ended ones: %s", got)
	}
	if n := v.expire(); n != 0 {
		t.Errorf("the worker removed %d documents", n)
	}
	if got := v.keys(); got["D"] != 3 || got["I"] != 3 || got["R"] != 3 || got["L"] != 3 || got["X"] != 2 {
		t.Errorf("keys: %v", got)
	}
}

func TestTTL_WorkerRemoves(t *testing.T) {
	t.Parallel()
	v := openTimed(t, 10)
	const n = 3*expireStep + 1
	for i := range n {
		v.must(Create, fmt.Sprintf(`{"id":"n%d","ttl":%d}`, i, 10+i%3))
	}
	v.must(Create, `{"id":"a","ttl":-1}`)
	v.must(Create, `{"id":"b"}`)
	if got := v.expire(); got != 0 {
		t.Errorf("%d removed too early", got)
	}
	v.clock.Advance(10 * time.Second)
	if got, want := v.expire(), (n+2)/3+1; got != want {
		t.Errorf("%d removed, want %d", got, want)
	}
	v.clock.Advance(2 * time.Second)
	v.expire()
	if d := cmp.Diff(map[string]int{"M": 1, "E": 1, "D": 1, "I": 1, "R": 1, "L": 1}, v.keys()); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	state, err := v.s.Stat(context.Background(), v.r)
	if err != nil || state.Usage.Documents != 1 {
		t.Errorf("%+v %v", state, err)
	}
}

func TestTTL_ChangeOfTheDefault(t *testing.T) {
	t.Parallel()
	v := openTimed(t, -1)
	v.must(Create, `{"id":"a"}`)
	v.must(Create, `{"id":"b","ttl":60}`)
	v.clock.Advance(30 * time.Second)
	v.must(Create, `{"id":"c"}`)
	if got := v.visible(); got != "abc" {
		t.Fatal(got)
	}
	v.set(20, 2)
	if got := v.visible(); got != "bc" {
		t.Errorf("with a default of 20 s: %s", got)
	}
	v.set(3600, 3)
	if got := v.visible(); got != "abc" {
		t.Errorf("with a default of an hour, before the worker: %s", got)
	}
	v.set(20, 4)
	if got := v.expire(); got != 1 {
		t.Errorf("%d removed", got)
	}
	v.set(-1, 3) // late: a newer one is in force
	v.clock.Advance(25 * time.Second)
	if got := v.visible(); got != "b" {
		t.Errorf("after a late setting: %s", got)
	}
	v.set(0, 5)
	v.clock.Advance(time.Hour)
	if got := v.visible(); got != "bc" {
		t.Errorf("turned off: %s", got)
	}
	if got := v.expire(); got != 0 {
		t.Errorf("%d removed while it is off", got)
	}
}

// What was written while it was off is found, in steps, once it is on; a document rewritten meanwhile leaves no dead place in the queue.
func TestTTL_TurnedOnLater(t *testing.T) {
	t.Parallel()
	v := openTimed(t, 0)
	if got := v.keys(); got["E"] != 1 {
		t.Fatalf("keys %v", got)
	}
	const n = fillStep + 20
	for i := range n {
		v.must(Create, fmt.Sprintf(`{"id":"n%d","ttl":1}`, i))
	}
	v.must(Create, `{"id":"a"}`)
	v.clock.Advance(time.Minute)
	v.set(30, 2)
	if got := v.visible(); got != "" {
		t.Errorf("visible: %s", got)
	}
	if _, more, err := v.s.Expire(context.Background(), v.r, v.clock.Now()); err != nil || !more {
		t.Fatal(more, err)
	}
	v.must(Upsert, `{"id":"n1","ttl":-1}`)
	if got := v.expire(); got != n {
		t.Errorf("%d removed, want %d", got, n)
	}
	if d := cmp.Diff(map[string]int{"M": 1, "E": 1, "D": 1, "I": 1, "R": 1, "L": 1}, v.keys()); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	if err := v.do(Upsert, `{"id":"a","ttl":"never"}`); !fault.Is(err, fault.Invalid) {
		t.Errorf("an invalid ttl: %v", err)
	}
}

func TestParse_TTL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int32{"-1": -1, "1": 1, "2147483647": 2147483647, "5.0": 5, "1e2": 100} {
		if d := doc(t, `{"id":"1","ttl":`+text+`}`); d.TTL != want || d.badTTL {
			t.Errorf("%s: %d %v", text, d.TTL, d.badTTL)
		}
	}
	for _, bad := range []string{"0", "-2", "2147483648", "1.5", `"5"`, "[]", "{}", "true", "1e400", "null"} {
		if d := doc(t, `{"id":"1","ttl":`+bad+`}`); !d.badTTL || d.TTL != 0 {
			t.Errorf("%s: %d accepted", bad, d.TTL)
		}
	}
}

func TestTTLRecord(t *testing.T) {
	t.Parallel()
	for _, r := range []ttlRecord{{}, {ttl: -1, revision: 7}, {ttl: 1 << 30, revision: 1 << 40, filling: true, cursor: []byte("D|xy")}} {
		got, err := decodeTTL(r.encode())
		if err != nil || got.ttl != r.ttl || got.revision != r.revision || got.filling != r.filling || !bytes.Equal(got.cursor, r.cursor) {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
		for n := range 15 {
			if _, err := decodeTTL(r.encode()[:n]); err == nil {
				t.Errorf("%d bytes accepted", n)
			}
		}
	}
}

func TestUnique(t *testing.T) {
	t.Parallel()
	v := openTimed(t, -1)
	v.r.Rules.Unique = []UniqueKey{{{"mail"}}, {{"first"}, {"name", "last"}}}
	v.must(Create, `{"id":"a","mail":"a@x","first":"A","name":{"last":"B"}}`)
	v.must(Create, `{"id":"b","mail":"b@x"}`)
	for text, free := range map[string]bool{
		`{"id":"c","mail":"a@x","first":1}`:                         false,
		`{"id":"c","mail":"A@x","first":1}`:                         true,
		`{"id":"c","mail":"c@x"}`:                                   false, // b has neither first nor name.last, too
		`{"id":"c","mail":"c@x","first":null,"name":{"last":null}}`: false,
		`{"id":"c","mail":"c@x","first":"A","name":{"last":"B"}}`:   false,
		`{"id":"c","mail":"c@x","first":"A","name":{"last":"C"}}`:   true,
		`{"id":"c","mail":"c@x","first":"AB","name":{"last":""}}`:   true,
		`{"id":"c","mail":7,"first":1}`:                             true,
	} {
		err := v.do(Create, text)
		if free && err != nil || !free && !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", text, err)
		}
		if err == nil {
			v.must(Delete, `{"id":"c"}`)
		}
	}
	if err := v.do(Replace, `{"id":"b","mail":"a@x"}`); !fault.Is(err, fault.Conflict) {
		t.Errorf("replacement: %v", err)
	}
	if err := v.do(Upsert, `{"id":"b","mail":"a@x"}`); !fault.Is(err, fault.Conflict) {
		t.Errorf("upsert: %v", err)
	}
	v.must(Replace, `{"id":"b","mail":"b@x","more":1}`) // its own
	v.must(Replace, `{"id":"a","mail":"z@x","first":"A","name":{"last":"B"}}`)
	v.must(Replace, `{"id":"b","mail":"a@x"}`) // given up by a
	// Another logical partition has values of its own.
	d := doc(t, `{"id":"a","mail":"a@x"}`)
	if _, _, err := v.s.Apply(context.Background(), v.r, now, []Write{{Op: Create, EPK: "02", ID: "a", Doc: d}}); err != nil {
		t.Errorf("other partition: %v", err)
	}
	if got := v.keys()["U"]; got != 6 {
		t.Errorf("%d rows of unique values", got)
	}
}

func TestUnique_InOneTransaction(t *testing.T) {
	t.Parallel()
	v := openTimed(t, -1)
	v.r.Rules.Unique = []UniqueKey{{{"mail"}}}
	apply := func(ws ...Write) error {
		_, _, err := v.s.Apply(context.Background(), v.r, v.clock.Now(), ws)
		return err
	}
	w := func(op Op, text string) Write { d := doc(t, text); return Write{Op: op, EPK: "01", ID: d.ID, Doc: d} }
	err := apply(w(Create, `{"id":"a","mail":1}`), w(Create, `{"id":"b","mail":1.0}`))
	var failed *FailedWrite
	if !errors.As(err, &failed) || failed.Index != 1 || !fault.Is(err, fault.Conflict) {
		t.Fatalf("two of the same: %v", err)
	}
	if err := apply(w(Create, `{"id":"a","mail":1}`), w(Delete, `{"id":"a"}`), w(Create, `{"id":"b","mail":1}`)); err != nil {
		t.Errorf("given up in between: %v", err)
	}
	if err := apply(w(Create, `{"id":"c","mail":2}`), w(Replace, `{"id":"b","mail":2}`)); !errors.As(err, &failed) || failed.Index != 1 {
		t.Errorf("taken just before: %v", err)
	}
}

// The values of a document that has ended are free at once, and stay the new owner's when the worker comes.
func TestUnique_OfAnEndedDocument(t *testing.T) {
	t.Parallel()
	v := openTimed(t, 10)
	v.r.Rules.Unique = []UniqueKey{{{"mail"}}}
	v.must(Create, `{"id":"a","mail":1}`)
	if err := v.do(Create, `{"id":"b","mail":1}`); !fault.Is(err, fault.Conflict) {
		t.Fatalf("while it lives: %v", err)
	}
	v.clock.Advance(10 * time.Second)
	v.must(Create, `{"id":"b","mail":1}`)
	if got := v.expire(); got != 1 {
		t.Errorf("%d removed", got)
	}
	if err := v.do(Create, `{"id":"c","mail":1}`); !fault.Is(err, fault.Conflict) {
		t.Errorf("after the worker: %v", err)
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add(`{"id":"1","a":{"b":[1,2,{"x":null}]}}`)
	f.Add(`{"id":"1","a":1e400}`)
	f.Add(`{"id":"1","a":"\ud800","a":true}`)
	rules := Rules{Unique: []UniqueKey{{{"a"}}, {{"a", "b"}, {"id"}}}}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		one, err := rules.hash(d.Text)
		if err != nil || len(one) != 2*uniqueSize {
			t.Fatalf("%q: %x %v", text, one, err)
		}
		if two, _ := rules.hash(append([]byte(" "), d.Text...)); !bytes.Equal(one, two) {
			t.Errorf("%q: %x, then %x", text, one, two)
		}
	})
}
