package face

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Keys of an account's shard of groups, "face/<account>"; kind is that of collection.tag, group the caller's id, list members have no person ("-").
//
//	g|<kind>|group                  the group or list
//	m|<kind>|group|person           a person
//	e|<kind>|group|person|face      a persisted face
//
// and of its shard of detected faces, "faceid/<account>":
//
//	f|face                          a detected face
//	x|time|face                     when it goes (big-endian seconds); no value
//
// Values are sealed, bound to their own key.
func groupShard(account string) string { return "face/" + account }
func faceShard(account string) string  { return "faceid/" + account }

// group is a group of persons or a list of faces as stored.
type group struct {
	Name     string    `json:"n,omitempty"`
	UserData string    `json:"u,omitempty"`
	Model    string    `json:"rm"`
	Seq      uint64    `json:"seq"` // counts the faces that were ever added
	Training *training `json:"tr,omitempty"`
}

// training is the last training: faces up to Seq take part in searches.
type training struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Failure string    `json:"f,omitempty"`
	// Good is the last that succeeded, when this one did not.
	Good   *time.Time `json:"good,omitempty"`
	Usable bool       `json:"ok,omitempty"` // there was a success
}

// person is a member of a person group.
type person struct {
	Name     string `json:"n,omitempty"`
	UserData string `json:"u,omitempty"`
}

// persisted is a face that was added to a person or a list.
type persisted struct {
	UserData  string `json:"u,omitempty"`
	Seq       uint64 `json:"seq"` // of its group
	Embedding vector `json:"e"`
}

// detected is a face of detect.
type detected struct {
	Model     string    `json:"rm"`
	Expires   time.Time `json:"x"`
	Embedding vector    `json:"e"`
}

// vector is an embedding, stored as its bytes.
type vector face.Embedding

// MarshalJSON implements json.Marshaler.
func (v vector) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return json.Marshal(b)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *vector) UnmarshalJSON(text []byte) error {
	var b []byte
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	if len(b) != 4*face.EmbeddingSize {
		return fmt.Errorf("an embedding of %d bytes", len(b))
	}
	*v = make(vector, len(b)/4)
	for i := range *v {
		(*v)[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return nil
}

var (
	groupCodec     = store.Codec[group]{Kind: 'G', Version: 1}
	personCodec    = store.Codec[person]{Kind: 'M', Version: 1}
	persistedCodec = store.Codec[persisted]{Kind: 'E', Version: 1}
	detectedCodec  = store.Codec[detected]{Kind: 'F', Version: 1}
)

// row is a record with its key, and the sealed bytes it was read from (nil: it wasn't there).
type row[T any] struct {
	key []byte
	raw []byte
	v   T
}

// entry is a write that is ready: the value a key gets (nil: it goes), if it still is what was read.
type entry struct{ key, old, value []byte }

var errChanged = errors.New("face: a record changed meanwhile")

// load reads one record; found is false where there is none.
func load[T any](ctx context.Context, s *Service, shard string, key []byte, codec store.Codec[T]) (r row[T], found bool, err error) {
	r.key = key
	err = s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		var err error
		r.raw, err = sn.Get(key)
		return err
	})
	if err != nil {
		return r, false, fmt.Errorf("load %s: %w", shard, err)
	}
	if r.raw == nil {
		return r, false, nil
	}
	r.v, err = unseal(s, shard, key, r.raw, codec)
	return r, err == nil, err
}

// unseal opens and decodes a record.
func unseal[T any](s *Service, shard string, key, raw []byte, codec store.Codec[T]) (v T, err error) {
	plain, err := s.deps.Sealer.Open(shard, key, raw)
	if err != nil {
		return v, fmt.Errorf("open a record of %s: %w", shard, err)
	}
	if v, err = codec.Decode(plain); err != nil {
		return v, fmt.Errorf("decode a record of %s: %w", shard, err)
	}
	return v, nil
}

// sealed is the write that gives a row its new value.
func sealed[T any](s *Service, shard string, r row[T], codec store.Codec[T]) (entry, error) {
	plain, err := codec.Encode(r.v)
	if err != nil {
		return entry{}, err
	}
	b, err := s.deps.Sealer.Seal(shard, r.key, plain)
	if err != nil {
		return entry{}, fmt.Errorf("seal a record of %s: %w", shard, err)
	}
	return entry{r.key, r.raw, b}, nil
}

// list reads the records of a range, decoded after the view; at most limit of them (0: all).
func list[T any](ctx context.Context, s *Service, shard string, r store.Range, limit int, codec store.Codec[T]) ([]row[T], error) {
	var rows []row[T]
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		rows = rows[:0]
		return sn.Scan(r, func(key, value []byte) bool {
			rows = append(rows, row[T]{key: append([]byte(nil), key...), raw: append([]byte(nil), value...)})
			return limit == 0 || len(rows) < limit
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", shard, err)
	}
	for i := range rows {
		if rows[i].v, err = unseal(s, shard, rows[i].key, rows[i].raw, codec); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// retry runs a read-decide-write cycle anew while others were faster.
func retry(f func() error) error {
	for range 20 {
		if err := f(); !errors.Is(err, errChanged) {
			return err
		}
	}
	return fault.New(fault.Conflict, "ConcurrentOperationConflict", "There is a conflict operation on requested resource, please try later.")
}
