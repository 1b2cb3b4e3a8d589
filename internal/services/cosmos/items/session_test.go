package items

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	epkA = "0A"
	epkB = "0B"
)

func begin(t *testing.T, s *Store, r Range) *Session {
	t.Helper()
	x, err := s.Begin(r, epkA, now)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// write is an operation on the document id; text is the rest of its members.
func write(t *testing.T, op Op, id, text string) Write {
	t.Helper()
	d, err := Parse([]byte(`{"id":"` + id + `"` + text + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if op == Delete || op == Read {
		d = Document{}
	}
	return Write{Op: op, EPK: epkA, ID: id, Doc: d}
}

func do(t *testing.T, x *Session, op Op, id, text string) Outcome {
	t.Helper()
	out, err := x.Do(context.Background(), write(t, op, id, text))
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return out
}

func apply(t *testing.T, s *Store, r Range, w Write) {
	t.Helper()
	if _, _, err := s.Apply(context.Background(), r, now, []Write{w}); err != nil {
		t.Fatal(err)
	}
}

func sessionIDs(t *testing.T, x *Session, size int) (ids []string) {
	t.Helper()
	for after := ""; ; {
		p, err := x.List(context.Background(), after, size, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rows {
			ids, after = append(ids, textID(r.Text)), r.Key
		}
		if !p.More {
			return ids
		}
	}
}

func TestSession_SeesItsWrites(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, st, r := open(t)
	for _, id := range []string{"a", "b", "c"} {
		apply(t, s, r, create(epkA, id))
	}
	apply(t, s, r, create(epkB, "other"))
	x := begin(t, s, r)
	made := do(t, x, Create, "d", "")
	do(t, x, Delete, "a", "")
	do(t, x, Replace, "b", `,"v":2`)
	renamed := write(t, Replace, "c2", "")
	renamed.ID = "c"
	if _, err := x.Do(ctx, renamed); err != nil {
		t.Fatal(err)
	}
	up := do(t, x, Upsert, "e", `,"v":1`)
	if again := do(t, x, Upsert, "e", `,"v":2`); again.Created || again.Number != up.Number {
		t.Errorf("the second upsert made another document")
	}
	if _, err := x.Do(ctx, write(t, Create, "d", "")); !fault.Is(err, fault.Conflict) {
		t.Errorf("the id twice: got %v, want a conflict", err)
	}
	if _, err := x.Do(ctx, write(t, Delete, "a", "")); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleted twice: got %v, want 404", err)
	}
	if _, err := x.Do(ctx, Write{Op: Replace, ID: "b", Doc: write(t, Create, "b", "").Doc, IfMatch: `"no"`}); !fault.Is(err, fault.Precondition) {
		t.Errorf("another etag: got %v, want 412", err)
	}
	for _, size := range []int{1, 2, 100} {
		if got := strings.Join(sessionIDs(t, x, size), " "); got != "b c2 d e" {
			t.Errorf("list in pages of %d: got %s, want b c2 d e", size, got)
		}
	}
	if item, err := x.Get(ctx, "d", 0); err != nil || string(item.Text) != string(made.Text) {
		t.Errorf("what was created: got %v, %v", item, err)
	}
	if item, _, _ := s.Get(ctx, r, epkA, "d", 0); item != nil {
		t.Errorf("others see it before it is committed")
	}
	state, err := x.Commit(ctx)
	if err != nil || state.LSN != 6 || state.Usage.Documents != 5 {
		t.Errorf("commit: got %v, %v, want LSN 6 and 5 documents", state, err)
	}
	item, _, err := s.Get(ctx, r, epkA, "d", 0)
	if err != nil || string(item.Text) != string(made.Text) || item.Number != made.Number || item.ETag != made.ETag {
		t.Errorf("committed: got %+v, %v, want what the session was shown: %+v", item, err, made.Item)
	}
	_ = st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		n := 0
		_ = sn.Scan(store.Prefix([]byte("L|")), func(_, _ []byte) bool { n++; return true })
		if n != 5 {
			t.Errorf("got %d log rows for 5 documents", n)
		}
		return nil
	})
}

// TestSession_Stale: whatever a session has read is checked; what others do elsewhere does not disturb it.
func TestSession_Stale(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	read := func(x *Session) { _, _ = x.Get(ctx, "a", 0) }
	list := func(x *Session) { _, _ = x.List(ctx, "", 100, 1<<20) }
	first := func(x *Session) { _, _ = x.List(ctx, "", 1, 1<<20) }
	for name, c := range map[string]struct {
		reads func(x *Session)
		then  Write
		stale bool
	}{
		"read, replaced":         {read, write(t, Replace, "a", `,"v":1`), true},
		"read, deleted":          {read, write(t, Delete, "a", ""), true},
		"read, another changed":  {read, write(t, Replace, "b", `,"v":1`), false},
		"read, another key":      {read, create(epkB, "a"), false},
		"list, created":          {list, write(t, Create, "z", ""), true},
		"list, deleted":          {list, write(t, Delete, "b", ""), true},
		"list, replaced":         {list, write(t, Replace, "b", `,"v":1`), true},
		"list, another key":      {list, create(epkB, "z"), false},
		"first page, later one":  {first, write(t, Create, "z", ""), false},
		"first page, the second": {first, write(t, Replace, "c", `,"v":1`), false},
		"create, same id":        {func(*Session) {}, write(t, Create, "mine", ""), true},
	} {
		s, _, r := open(t)
		for _, id := range []string{"a", "b", "c"} {
			apply(t, s, r, create(epkA, id))
		}
		for _, writes := range []bool{true, false} {
			if !writes && name == "create, same id" {
				continue
			}
			x := begin(t, s, r)
			c.reads(x)
			if writes {
				do(t, x, Create, "mine", "")
			}
			if writes {
				apply(t, s, r, c.then)
			} else if c.then.Op == Replace {
				again := c.then
				again.Doc = write(t, Replace, c.then.ID, `,"v":2`).Doc
				apply(t, s, r, again)
			} else {
				continue
			}
			_, err := x.Commit(ctx)
			if errors.Is(err, ErrStale) != c.stale || !c.stale && err != nil {
				t.Errorf("%s (writes: %v): got %v, want stale: %v", name, writes, err, c.stale)
			}
			if item, _, _ := s.Get(ctx, r, epkA, "mine", 0); c.stale && item != nil && name != "create, same id" {
				t.Errorf("%s: a stale session has written", name)
			}
			if item, _, _ := s.Get(ctx, r, epkA, "mine", 0); item != nil {
				apply(t, s, r, write(t, Delete, "mine", ""))
			}
		}
	}
}

// TestSession_Numbers: documents of sessions at the same time have numbers of their own, as many as a session may make.
func TestSession_Numbers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _, r := open(t)
	seen := map[uint64]string{}
	for round := range 3 {
		x := begin(t, s, r)
		for i := 0; ; i++ {
			id := fmt.Sprintf("%d-%d", round, i)
			out, err := x.Do(ctx, write(t, Create, id, ""))
			if errors.Is(err, ErrFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if other, twice := seen[out.Number]; twice {
				t.Fatalf("%s and %s have the same number", id, other)
			}
			seen[out.Number] = id
		}
		apply(t, s, r, create(epkB, fmt.Sprintf("%d", round)))
		if _, err := x.Commit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < 3*2000 {
		t.Errorf("%d documents, want 2,000 of each session", len(seen))
	}
	p, err := s.List(ctx, r, Selection{}, "", 10_000, 16<<20)
	if err != nil || len(p.Rows) != len(seen)+3 {
		t.Errorf("the list has %d documents, want %d; %v", len(p.Rows), len(seen)+3, err)
	}
}

// TestSession_Full: whatever a session does until it is full, its commit fits one transaction: with an index, with images, and where one document is
// written again and again. All of it is in the feeds.
func TestSession_Full(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	big := `,"v":"` + strings.Repeat("x", 300_000) + `"`
	terms := ""
	for i := range 40 {
		terms += fmt.Sprintf(`,"t%d":%d`, i, i)
	}
	for name, tt := range map[string]struct {
		write func(i int) Write
		least int // writes
	}{
		"creations":        {func(i int) Write { return write(t, Create, fmt.Sprint(i), terms) }, 150},
		"small creations":  {func(i int) Write { return write(t, Create, fmt.Sprint(i), "") }, 600},
		"big replacements": {func(int) Write { return write(t, Upsert, "a", big) }, 10},
		"replacements":     {func(i int) Write { return write(t, Upsert, "a", fmt.Sprintf(`,"n":%d`, i)) }, 600},
		"comings and goings": {func(i int) Write {
			return write(t, []Op{Create, Delete}[i%2], "a", terms)
		}, 100},
	} {
		s, st, r := open(t)
		r.Retention = 3600
		if err := s.SetPolicy(ctx, r.GUID, policies[0]); err != nil {
			t.Fatal(err)
		}
		x := begin(t, s, r)
		n := 0
		for ; ; n++ {
			_, err := x.Do(ctx, tt.write(n))
			if errors.Is(err, ErrFull) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if n < tt.least {
			t.Errorf("%s: full after %d writes, want %d at least", name, n, tt.least)
		}
		if _, err := x.Commit(ctx); err != nil {
			t.Errorf("%s: the commit of %d writes: %v", name, n, err)
			continue
		}
		have := indexRows(t, st, r.GUID)
		if want := expectedRows(t, s, st, r.GUID, have); len(want) != len(have) {
			t.Errorf("%s: %d rows of the index, want %d", name, len(have), len(want))
		}
		p, err := s.List(ctx, r, Selection{}, "", 10_000, 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		feed, err := s.Changes(ctx, r, Selection{}, 0, 0, 10_000, 64<<20)
		if err != nil || len(feed.Rows) != len(p.Rows) {
			t.Errorf("%s: %d documents, %d in the feed; %v", name, len(p.Rows), len(feed.Rows), err)
		}
		images, err := s.Images(ctx, r, Selection{}, 0, 100_000, 64<<20)
		if err != nil || len(images.Rows) != n {
			t.Errorf("%s: %d writes, %d in the full-fidelity feed; %v", name, n, len(images.Rows), err)
		}
		// They can be written again.
		for _, row := range p.Rows {
			w := write(t, Delete, textID(row.Text), "")
			if _, _, err := s.Apply(ctx, r, now, []Write{w}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if have := indexRows(t, st, r.GUID); len(have) != 0 {
			t.Errorf("%s: %d rows of the index are left", name, len(have))
		}
		if feed, err = s.Changes(ctx, r, Selection{}, 0, 0, 10_000, 64<<20); err != nil || len(feed.Rows) != 0 {
			t.Errorf("%s: %d of none in the feed; %v", name, len(feed.Rows), err)
		}
	}
}

// TestSession_Counter: eight writers raise one number; no raise is lost.
func TestSession_Counter(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _, r := open(t)
	apply(t, s, r, write(t, Create, "n", `,"v":""`))
	const writers, rounds = 8, 20
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < rounds; {
				x, err := s.Begin(r, epkA, now)
				if err != nil {
					t.Error(err)
					return
				}
				item, err := x.Get(ctx, "n", 0)
				if err != nil {
					t.Error(err)
					return
				}
				_, rest, _ := strings.Cut(string(item.Text), `"v":"`)
				value, _, _ := strings.Cut(rest, `"`)
				d, _ := Parse([]byte(`{"id":"n","v":"` + value + `x"}`))
				_, err = x.Do(ctx, Write{Op: Replace, ID: "n", Doc: d})
				if err == nil {
					_, err = x.Commit(ctx)
				}
				switch {
				case err == nil:
					done++
				case !errors.Is(err, ErrStale):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	item, _, err := s.Get(ctx, r, epkA, "n", 0)
	if want := strings.Repeat("x", writers*rounds); err != nil || !strings.Contains(string(item.Text), `"v":"`+want+`"`) {
		t.Errorf("got %s, want %d raises; %v", item.Text, writers*rounds, err)
	}
}
