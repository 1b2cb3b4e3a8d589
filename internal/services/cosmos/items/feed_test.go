package items

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// feed reads a change feed to its end, and tells what came and in how many pages. Each page either gives something or comes further in the log, and only
// the last one is at its end.
func feed(t *testing.T, s *Store, r Range, sel Selection, after uint64, since int64, rows int) (ids []string, pages int) {
	t.Helper()
	seen := map[string]bool{}
	last := 0
	for {
		page, err := s.Changes(t.Context(), r, sel, after, since, rows, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, row := range page.Rows {
			var d struct {
				ID  string `json:"id"`
				LSN int    `json:"_lsn"`
			}
			if err := json.Unmarshal(row, &d); err != nil {
				t.Fatal(err)
			}
			if seen[d.ID] || d.LSN < last || uint64(d.LSN) > page.Next {
				t.Errorf("%s at %d, after %d, on a page up to %d", d.ID, d.LSN, last, page.Next)
			}
			seen[d.ID], last = true, d.LSN
			ids = append(ids, d.ID)
		}
		if page.Next == uint64(page.LSN) {
			return ids, pages
		}
		if page.Next <= after || pages > 10_000 {
			t.Fatalf("page %d stays at %d of %d", pages, after, page.LSN)
		}
		after = page.Next
	}
}

// TestChanges_Sparse: a feed that finds little in a long log comes to its end, with nothing missed, and never tells that it is there before it is. One of a
// logical partition does not read the log.
func TestChanges_Sparse(t *testing.T) {
	t.Parallel()
	s, _, r := open(t)
	s.feedScans = 300
	var few []string
	for i := range 3000 {
		at := now
		if i >= 2990 {
			at = now.Add(3600 * 1e9)
		}
		writes := []Write{create(fmt.Sprintf("%04X", i%7), fmt.Sprint("d", i))}
		if i%500 == 250 { // a transaction that several pages' bounds fall into
			for j := range 5 {
				writes = append(writes, create("FF00", fmt.Sprint("f", i, "-", j)))
				few = append(few, fmt.Sprint("f", i, "-", j))
			}
		}
		if _, _, err := s.Apply(t.Context(), r, at, writes); err != nil {
			t.Fatal(err)
		}
	}
	key := Selection{Low: "FF00", High: "FF00", Bounded: true}
	for _, rows := range []int{1, 4, 12, 1000} {
		ids, pages := feed(t, s, r, Selection{Low: "FE", High: "FF", Bounded: true}, 0, 0, rows)
		if len(ids) != 0 || pages < 3 {
			t.Errorf("of nothing: %v in %d pages", ids, pages)
		}
		ids, _ = feed(t, s, r, Selection{Low: "FF", High: "FFFF", Bounded: true}, 0, 0, rows)
		if d := cmp.Diff(few, ids); d != "" {
			t.Errorf("of some EPKs, %d rows: %s", rows, d)
		}
		ids, pages = feed(t, s, r, key, 0, 0, rows)
		if d := cmp.Diff(few, ids); d != "" || pages > 6 {
			t.Errorf("of one partition, %d rows, %d pages: %s", rows, pages, d)
		}
		ids, _ = feed(t, s, r, key, 1000, 0, rows)
		if d := cmp.Diff(few[10:], ids); d != "" {
			t.Errorf("of one partition from LSN 1000, %d rows: %s", rows, d)
		}
		if ids, _ = feed(t, s, r, Selection{}, 0, now.Unix()+1, rows); len(ids) != 10 || ids[0] != "d2990" {
			t.Errorf("since then, %d rows: %v", rows, ids)
		}
		if ids, _ = feed(t, s, r, Selection{}, 0, 0, rows*50); len(ids) != 3030 {
			t.Errorf("all, %d rows: %d", rows*50, len(ids))
		}
	}
}

// TestChanges_BigPartition: a logical partition with more documents than are looked at at once is read by the log.
func TestChanges_BigPartition(t *testing.T) {
	t.Parallel()
	s, _, r := open(t)
	var want []string
	for i := range partitionRows/50 + 2 {
		writes := make([]Write, 50)
		for j := range writes {
			id := fmt.Sprintf("%d-%02d", i, j)
			writes[j] = create("0A", id)
			want = append(want, id)
		}
		if _, _, err := s.Apply(t.Context(), r, now, writes); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Apply(t.Context(), r, now, []Write{create("0B", fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	ids, _ := feed(t, s, r, Selection{Low: "0A", High: "0A", Bounded: true}, 0, 0, 70)
	if d := cmp.Diff(want, ids); d != "" {
		t.Error(d)
	}
}
