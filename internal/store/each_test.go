package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// names is a store that has nothing but names of shards.
type names struct {
	store.Store
	all []string // in order
}

func (n names) Shards(_ context.Context, prefix, after string, limit int) (out []string, err error) {
	for _, s := range n.all {
		if strings.HasPrefix(s, prefix) && s > after && len(out) < limit {
			out = append(out, s)
		}
	}
	return out, nil
}

// TestEachShard: every shard of the prefix once, in order, whatever number a list has; an error ends it.
func TestEachShard(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 512, 700} {
		st := names{all: []string{"a/1", "c/1"}}
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("b/%04d", i))
		}
		st.all = slices.Insert(st.all, 1, want...)
		var got []string
		if err := store.EachShard(t.Context(), st, "b/", func(s string) error { got = append(got, s); return nil }); err != nil || !slices.Equal(got, want) {
			t.Errorf("of %d: %d shards, %v", n, len(got), err)
		}
	}
	stop, seen := errors.New("stop"), 0
	err := store.EachShard(t.Context(), names{all: []string{"b/1", "b/2", "b/3"}}, "b/", func(string) error {
		if seen++; seen == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 2 {
		t.Errorf("stopped after %d: %v", seen, err)
	}
}
