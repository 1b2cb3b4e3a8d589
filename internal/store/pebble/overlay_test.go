package pebble

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOverlay_Rollback runs random functions over one overlay, undoing some, and compares it with a model that says for
// each key what the overlay decides.
func TestOverlay_Rollback(t *testing.T) {
	t.Parallel()
	const keys = 40
	name := func(i int) string { return fmt.Sprintf("%02d", i) }
	rng := rand.New(rand.NewPCG(3, 4))
	o := newOverlay()
	var model [keys]string // "": undecided, "-": deleted
	for step := range 2000 {
		before := model
		o.mark()
		for range rng.IntN(6) {
			a, b := rng.IntN(keys), rng.IntN(keys)
			switch rng.IntN(4) {
			case 0:
				if a < b {
					o.hide([]byte(name(a)), []byte(name(b)))
				}
				for i := a; i < b; i++ {
					model[i] = "-"
				}
			case 1:
				o.set([]byte(name(a)), nil)
				model[a] = "-"
			default:
				v := fmt.Sprint(step)
				o.set([]byte(name(a)), []byte(v))
				model[a] = v
			}
		}
		if step%2 == 0 {
			o.rollback()
			model = before
		}
		var got [keys]string
		for i := range keys {
			if v, decided := o.get([]byte(name(i))); decided {
				if got[i] = "-"; v != nil {
					got[i] = string(v)
				}
			}
		}
		if d := cmp.Diff(model, got); d != "" {
			t.Fatalf("step %d (-want +got):\n%s", step, d)
		}
		if step%50 == 49 {
			o, model = newOverlay(), [keys]string{}
		}
	}
}

// TestCancel_Promoted: a waiting caller that was told to lead, and gives up at that very moment, passes the lead on.
func TestCancel_Promoted(t *testing.T) {
	t.Parallel()
	sh := &shard{leading: true}
	first, second := &item{wake: make(chan bool, 1)}, &item{wake: make(chan bool, 1)}
	if sh.enqueue(first) || sh.enqueue(second) {
		t.Fatal("told to lead while a group is under way")
	}
	sh.leading = false
	sh.promote()
	if !sh.cancel(first) {
		t.Error("cancel of a waiting item: got false")
	}
	if len(second.wake) != 1 || !sh.leading {
		t.Error("the second in the queue was not told to lead")
	}
	if !sh.cancel(second) || sh.leading || len(sh.queue) != 0 {
		t.Errorf("after all gave up: leading %v, %d waiting", sh.leading, len(sh.queue))
	}
	third := &item{wake: make(chan bool, 1)}
	if !sh.enqueue(third) {
		t.Error("the next caller does not lead")
	}
}
