package arm

import (
	"context"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// hopping is a registry and a reader of one resource, which moves right after each of the first lookups.
type hopping struct {
	left  int // moves
	at    string
	guid  string
	calls int
}

func (h *hopping) Lookup(context.Context, wire.HostKind, string) (*names.Entry, error) {
	h.calls++
	e := &names.Entry{ResourceID: h.at, GUID: "g", Confirmed: true}
	if h.left > 0 {
		h.left--
		h.at += "x"
	}
	return e, nil
}

func (h *hopping) Resource(_ context.Context, id string) (*Resource, string, error) {
	if id != h.at {
		return nil, "", nil
	}
	return &Resource{ID: id, GUID: h.guid}, "tenant", nil
}

func TestNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		moves, calls int
		guid, want   string
	}{
		{0, 1, "g", "/a"},
		{1, 2, "g", "/ax"},
		{3, 4, "g", "/axxx"},
		{0, 2, "another", ""}, // the name stands for what is no more
	} {
		h := &hopping{left: tt.moves, at: "/a", guid: tt.guid}
		e, r, tenant, err := Named(t.Context(), h, h, wire.HostVault, "v")
		if err != nil || e == nil || h.calls != tt.calls || (r != nil) != (tt.want != "") || r != nil && (r.ID != tt.want || tenant != "tenant" || e.ResourceID != tt.want) {
			t.Errorf("%d moves: got %+v, %+v, %v after %d lookups, want %q after %d", tt.moves, e, r, err, h.calls, tt.want, tt.calls)
		}
	}
}
