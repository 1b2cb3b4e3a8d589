package names

import (
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// All names share one shard. Keys: "n|" + host kind + "|" + name in lower case.
const shard = "names"

var codec = store.Codec[record]{Kind: 'n', Version: 1}

type record struct {
	Kind       wire.HostKind `json:"kind"`
	Name       string        `json:"name"`
	ResourceID string        `json:"resourceId"`
	GUID       string        `json:"guid"`
	Reserved   time.Time     `json:"reserved"`
	Confirmed  bool          `json:"confirmed,omitempty"`
	Deleted    bool          `json:"deleted,omitempty"`
}

func (r *record) reclaimable(now time.Time) bool {
	return !r.Confirmed && now.Sub(r.Reserved) > ReclaimAfter
}

func key(kind wire.HostKind, name string) []byte {
	return []byte("n|" + string(kind) + "|" + strings.ToLower(name))
}

// read returns the record, nil if there is none.
func read(s store.Snapshot, k []byte) (*record, error) {
	b, err := s.Get(k)
	if err != nil || b == nil {
		return nil, err
	}
	r, err := codec.Decode(b)
	return &r, err
}

func load(s store.Snapshot, k string) (*Entry, error) {
	r, err := read(s, []byte(k))
	if err != nil || r == nil {
		return nil, err
	}
	return &Entry{Kind: r.Kind, Name: r.Name, ResourceID: r.ResourceID, GUID: r.GUID, Confirmed: r.Confirmed, Deleted: r.Deleted}, nil
}
