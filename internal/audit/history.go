package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// A block that has records of a vault has one index row for it, however many they are: the history of a vault costs a read no more than that.

const (
	vaultTag   = "V|"
	maxName    = 63 // of a host's label
	maxHistory = 1000
	blockStep  = 64               // blocks taken out of the store at once
	longest    = 10 * time.Minute // a request's: records lie in the order of their ends, and carry the time of their begin
)

// vaultOf is the vault a record concerns: that of the data plane's host, or the resource of the control plane. "" for none.
func vaultOf(rec *Record) string {
	name := ""
	if rec.Service == string(wire.HostVault) {
		name, _, _ = strings.Cut(rec.Host, ".")
	} else if rec.Service == string(wire.HostARM) {
		const segment = "/providers/microsoft.keyvault/vaults/"
		lower := strings.ToLower(rec.Resource)
		at := strings.Index(lower, segment)
		if at < 0 {
			return ""
		}
		name, _, _ = strings.Cut(lower[at+len(segment):], "/")
	}
	if name == "" || len(name) > maxName {
		return ""
	}
	return strings.ToLower(name)
}

// vaultPrefix is what the index rows of a day and a vault begin with.
func vaultPrefix(day uint32, vault string) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(vault))
	k := binary.BigEndian.AppendUint32(append(make([]byte, 0, 2+4+8+16), vaultTag...), day)
	return binary.BigEndian.AppendUint64(k, h.Sum64())
}

// History returns the records that concern a vault from since on, oldest first, at most 1,000: who goes on calls again with the time after the last.
// Buffered ones are flushed first. A name that was given to another vault meanwhile has the history of both.
func (l *Log) History(ctx context.Context, vault string, since time.Time) ([]Record, error) {
	vault = strings.ToLower(vault)
	if vault == "" || len(vault) > maxName {
		return nil, fault.New(fault.Invalid, "InvalidVault", "Name a vault, such as contoso-kv.")
	}
	if err := l.Flush(ctx); err != nil {
		return nil, err
	}
	today := dayOf(l.clock.Now())
	day := today - retentionDays
	if since.After(l.clock.Now().AddDate(0, 0, 2)) {
		return []Record{}, nil
	}
	if early := since.Add(-longest); early.After(l.clock.Now().AddDate(0, 0, -retentionDays)) {
		day = dayOf(early)
	}
	out := []Record{}
	for enough := false; day <= today+1; day++ { // tomorrow, too: clocks are set back
		for n := range shards {
			recs, err := l.historyOf(ctx, shardName(n), day, vault, since)
			if err != nil {
				return nil, err
			}
			out = append(out, recs...)
		}
		if enough { // the first minutes of a day may belong to the one before
			break
		}
		enough = len(out) >= maxHistory
	}
	slices.SortStableFunc(out, func(a, b Record) int { return a.Time.Compare(b.Time) })
	out = slices.Compact(out) // see Trace
	return out[:min(len(out), maxHistory)], nil
}

// historyOf reads a vault's records of one shard and day from since on, and stops when it has more than any caller takes.
func (l *Log) historyOf(ctx context.Context, shard string, day uint32, vault string, since time.Time) ([]Record, error) {
	prefix := vaultPrefix(day, vault)
	span := store.Prefix(prefix)
	if early := since.Add(-longest); dayOf(early) == day {
		span.Start = binary.BigEndian.AppendUint64(bytes.Clone(prefix), uint64(early.UnixNano()))
	}
	var out []Record
	for {
		var raw [][]byte
		var last []byte
		err := l.st.View(ctx, shard, func(s store.Snapshot) error {
			raw, last = nil, nil
			var ids [][]byte
			err := s.Scan(span, func(k, _ []byte) bool {
				ids = append(ids, bytes.Clone(k[len(prefix):]))
				return len(ids) < blockStep
			})
			for _, id := range ids {
				b, failed := s.Get(append([]byte("B|"), id...))
				if failed != nil {
					return failed
				}
				raw, last = append(raw, bytes.Clone(b)), id
			}
			return err
		})
		if err != nil || last == nil {
			return out, err
		}
		for _, b := range raw {
			if b == nil {
				continue
			}
			err := readBlock(b, func(rec Record) {
				if !rec.Time.Before(since) && vaultOf(&rec) == vault {
					out = append(out, rec)
				}
			})
			if err != nil {
				return nil, err
			}
		}
		if len(raw) < blockStep || len(out) >= 2*maxHistory {
			return out, nil
		}
		span.Start = append(append(bytes.Clone(prefix), last...), 0)
	}
}

// getHistory is the admin route behind `bulkhead audit`.
func (l *Log) getHistory(ctx context.Context, r *wire.Request) (any, error) {
	var since time.Time
	if text := r.Query("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return nil, fault.New(fault.Invalid, "InvalidSince", "since must be a time such as 2026-03-01T12:00:00Z.")
		}
	}
	return l.History(ctx, r.Query("vault"), since)
}

func (l *Log) historyRoute() wire.Route {
	return wire.Route{
		Host: wire.HostAdmin, Method: http.MethodGet, Pattern: "/audit", Operation: "GetHistory", Auth: wire.Anonymous, Quiet: true, Handler: l.getHistory,
	}
}
