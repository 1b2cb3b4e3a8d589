package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Rows of a site in its subscription's shard, s|web|<site guid>|<noun>. Those of secret nouns are sealed, bound to their shard and key.
const (
	rowPrefix = "s|web|"

	nounSite        = "site"                // siteRecord
	nounPackage     = "package"             // deployment
	nounConfig      = "web"                 // webConfig
	nounSlots       = "slotconfignames"     // as the client sent it
	nounSettings    = "appsettings"         // sealed: map[string]string
	nounConnections = "connectionstrings"   // sealed: map[string]connection
	nounMetadata    = "metadata"            // sealed: map[string]string
	nounPublishing  = "publishingpasswords" // sealed: publishing
)

// siteRecord is there for each site: it is how the host finds them at start.
type siteRecord struct {
	ResourceID string `json:"id"`
	Stopped    bool   `json:"stopped,omitempty"`
}

// deployment is one package a site got.
type deployment struct {
	ID       string    `json:"id,omitempty"` // "" for none yet
	Hash     string    `json:"hash,omitempty"`
	Bytes    int64     `json:"bytes,omitempty"`
	Received time.Time `json:"received,omitzero"`
	Author   string    `json:"author,omitempty"`
}

// connection is one connection string.
type connection struct {
	Value string `json:"value"`
	Type  string `json:"type"`
}

// publishing is the password of a site's own deployment user.
type publishing struct {
	Password string `json:"password"`
}

var (
	siteCodec       = store.Codec[siteRecord]{Kind: 'W', Version: 1}
	packageCodec    = store.Codec[deployment]{Kind: 'd', Version: 1}
	configCodec     = store.Codec[webConfig]{Kind: 'w', Version: 1}
	slotsCodec      = store.Codec[json.RawMessage]{Kind: 'n', Version: 1}
	stringsCodec    = store.Codec[map[string]string]{Kind: 'm', Version: 1}
	connectionCodec = store.Codec[map[string]connection]{Kind: 'c', Version: 1}
	publishingCodec = store.Codec[publishing]{Kind: 'p', Version: 1}
)

func rowKey(guid, noun string) []byte { return []byte(rowPrefix + guid + "|" + noun) }

func rowsOf(guid string) store.Range { return store.Prefix([]byte(rowPrefix + guid + "|")) }

// shardOf is the shard of the subscription a resource id lies in.
func shardOf(resourceID string) (string, error) {
	parts := strings.Split(strings.Trim(resourceID, "/"), "/")
	if len(parts) < 2 || !strings.EqualFold(parts[0], "subscriptions") {
		return "", fmt.Errorf("resource id %q is below no subscription", resourceID)
	}
	return "sub/" + strings.ToLower(parts[1]), nil
}

// rows are a site's rows as stored, by noun.
type rows map[string][]byte

func (s *Service) loadRows(ctx context.Context, shard, guid string) (rows, error) {
	var out rows
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		out = rows{}
		return sn.Scan(rowsOf(guid), func(k, v []byte) bool {
			out[string(k[bytes.LastIndexByte(k, '|')+1:])] = bytes.Clone(v)
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load site %s: %w", guid, err)
	}
	return out, nil
}

// decodeRow reads a plain row; an absent one is the zero value.
func decodeRow[T any](c store.Codec[T], r rows, noun string) (v T, err error) {
	b, ok := r[noun]
	if !ok {
		return v, nil
	}
	if v, err = c.Decode(b); err != nil {
		return v, fmt.Errorf("row %s: %w", noun, err)
	}
	return v, nil
}

// openRow reads a sealed row; an absent one is the zero value.
func openRow[T any](s *Service, c store.Codec[T], shard, guid string, r rows, noun string) (v T, err error) {
	sealed, ok := r[noun]
	if !ok {
		return v, nil
	}
	b, err := s.deps.Sealer.Open(shard, rowKey(guid, noun), sealed)
	if err != nil {
		return v, fmt.Errorf("row %s: %w", noun, err)
	}
	if v, err = c.Decode(b); err != nil {
		return v, fmt.Errorf("row %s: %w", noun, err)
	}
	return v, nil
}

// change is what a call will write in its transaction, worked out before it.
type change struct {
	puts   []rowPut
	expect *rowPut // the row must still be as it was read, or the call is refused with a conflict
	plan   string  // of a site: the id of its plan
	answer any     // what Render shows for this call, when that is more than a GET would
}

type rowPut struct{ key, value []byte }

// errTooBig keeps a row within what a store takes.
func errTooBig(noun string) error {
	return fault.New(fault.Invalid, "BadRequest", "The %s are too big: 1 MiB is the limit.", noun)
}

const maxRow = 1 << 20

func putPlain[T any](ch *change, c store.Codec[T], guid, noun string, v T) error {
	b, err := c.Encode(v)
	if err != nil {
		return fmt.Errorf("row %s: %w", noun, err)
	}
	if len(b) > maxRow {
		return errTooBig(noun)
	}
	ch.puts = append(ch.puts, rowPut{rowKey(guid, noun), b})
	return nil
}

func putSealed[T any](s *Service, ch *change, c store.Codec[T], shard, guid, noun string, v T) error {
	b, err := c.Encode(v)
	if err != nil {
		return fmt.Errorf("row %s: %w", noun, err)
	}
	if len(b) > maxRow {
		return errTooBig(noun)
	}
	sealed, err := s.deps.Sealer.Seal(shard, rowKey(guid, noun), b)
	if err != nil {
		return fmt.Errorf("seal row %s: %w", noun, err)
	}
	ch.puts = append(ch.puts, rowPut{rowKey(guid, noun), sealed})
	return nil
}

// write puts the change's rows; it is what a type's Commit does.
func (ch *change) write(tx store.Tx) error {
	if e := ch.expect; e != nil {
		now, err := tx.Get(e.key)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, e.value) {
			return fault.New(fault.Conflict, "Conflict", "The configuration was changed by another request at the same time. Read it again and repeat.")
		}
	}
	for _, p := range ch.puts {
		if err := tx.Put(p.key, p.value); err != nil {
			return err
		}
	}
	return nil
}

// commitChange is the Commit of every type here.
func commitChange(tx store.Tx, c *arm.Call) error {
	if ch, ok := c.Prepared.(*change); ok {
		return ch.write(tx)
	}
	return nil
}
