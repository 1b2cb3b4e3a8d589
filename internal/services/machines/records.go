package machines

import (
	"bytes"
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// shard holds what machines said last, a row each.
const shard = "machines"

func stateKey(guid string) []byte { return []byte("H|" + guid) }

// state is a machine's last heartbeat.
type state struct {
	Machine  string            `json:"machine"` // its ARM id then
	At       time.Time         `json:"at"`
	Since    time.Time         `json:"since"` // connected without a break since
	Agent    string            `json:"agent,omitempty"`
	OSName   string            `json:"osName,omitempty"`
	OSVer    string            `json:"osVersion,omitempty"`
	Host     string            `json:"host,omitempty"` // fully qualified if it knows
	Detected map[string]string `json:"detected,omitempty"`
	Facts    map[string]string `json:"facts,omitempty"`
	Queue    Queue             `json:"queue"`
	From     string            `json:"from,omitempty"` // the address it spoke from
}

// Queue is how an agent's queue stands.
type Queue struct {
	Batches uint64 `json:"batches"` // not acknowledged yet
	Bytes   uint64 `json:"bytes"`
	Dropped uint64 `json:"dropped"` // events given up for want of room, in all
}

var stateCodec = store.Codec[state]{Kind: 'H', Version: 1}

// load returns a machine's last word, nil if it never said one.
func (s *Service) load(ctx context.Context, guid string) (*state, error) {
	var raw []byte
	err := s.deps.Store.View(ctx, shard, func(snap store.Snapshot) error {
		b, err := snap.Get(stateKey(guid))
		raw = append([]byte(nil), b...)
		return err
	})
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	out, err := stateCodec.Decode(raw)
	return &out, err
}

// loadAll returns the last words of all machines, by GUID.
func (s *Service) loadAll(ctx context.Context) (map[string]*state, error) {
	raw := map[string][]byte{}
	err := s.deps.Store.View(ctx, shard, func(snap store.Snapshot) error {
		clear(raw)
		return snap.Scan(store.Prefix(stateKey("")), func(k, v []byte) bool {
			raw[string(k[len(stateKey("")):])] = bytes.Clone(v)
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string]*state, len(raw))
	for guid, b := range raw {
		st, err := stateCodec.Decode(b)
		if err != nil {
			return nil, err
		}
		out[guid] = &st
	}
	return out, nil
}

func (s *Service) save(ctx context.Context, guid string, st *state) error {
	b, err := stateCodec.Encode(*st)
	if err != nil {
		return err
	}
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error { return tx.Put(stateKey(guid), b) })
	return err
}

func (s *Service) forget(ctx context.Context, guid string) error {
	_, err := s.deps.Store.Update(ctx, shard, func(tx store.Tx) error { return tx.Delete(stateKey(guid)) })
	return err
}
