package names_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	g, _ := open(t)
	ctx := t.Context()
	const crashed = 700 // more than one transaction frees
	err := errors.Join(
		g.Reserve(ctx, wire.HostVault, "served", "/r/a", guidA), g.Confirm(ctx, wire.HostVault, "served", guidA),
		g.Reserve(ctx, wire.HostVault, "deleted", "/r/a", guidA), g.MarkDeleted(ctx, wire.HostVault, "deleted", guidA),
	)
	for n := range crashed {
		err = errors.Join(err, g.Reserve(ctx, wire.HostVault, fmt.Sprintf("crashed%d", n), "/r/a", guidA))
	}
	if err != nil {
		t.Fatal(err)
	}
	if n, err := g.Sweep(ctx); n != crashed || err != nil {
		t.Errorf("freed %d, %v, want %d", n, err, crashed)
	}
	// The client that repeats its request has another guid, and gets the name at once.
	if err := g.Reserve(ctx, wire.HostVault, "crashed0", "/r/b", guidB); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"served", "deleted"} {
		if err := g.Reserve(ctx, wire.HostVault, name, "/r/b", guidB); !errors.Is(err, names.ErrTaken) {
			t.Errorf("name %s: got %v, want ErrTaken", name, err)
		}
	}
}
