package cognitive

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// usagePath is where containers report what they did.
const usagePath = "/containers/v1.0/usage"

// maxQuantity bounds one report: more transactions than a container can do in ten minutes.
const maxQuantity = 1 << 40

// report is a container's, as sent.
type report struct {
	Body struct {
		APIType       string `json:"apiType"`
		ContainerType string `json:"containerType"`
		ContainerID   string `json:"containerId"`
		Sequence      int64  `json:"sequence"`
		Meter         struct {
			Name     string  `json:"name"`
			Quantity float64 `json:"quantity"`
		} `json:"meter"`
	} `json:"usageRequestBody"`
}

// containerMark is the last report of a container that was counted.
type containerMark struct {
	Sequence int64  `json:"sequence"`
	Type     string `json:"type"`
}

var markCodec = store.Codec[containerMark]{Kind: 'C', Version: 1}

func markKey(container string) []byte { return []byte("c|" + container) }

// authenticateContainer takes a key of any account; whether its kind is the container's is judged by the report.
func (s *Service) authenticateContainer(ctx context.Context, r *wire.Request) error {
	key := keyOf(r)
	if key == "" {
		return noCredential()
	}
	return s.byKey(ctx, r, key, func(string) bool { return true })
}

type standing struct {
	Status string `json:"status"`
}

// reportUsage counts a container's report once, however often it is sent.
func (s *Service) reportUsage(ctx context.Context, r *wire.Request) (any, error) {
	var sent report
	if err := json.Unmarshal(r.Body, &sent); err != nil {
		return nil, bad("InvalidRequestBodyFormat", "The report is not well formed JSON.")
	}
	b := &sent.Body
	quantity := int64(b.Meter.Quantity)
	switch {
	case !ids.IsGUID(b.ContainerID):
		return nil, bad("InvalidReport", "The containerId '%s' is no GUID.", clip(b.ContainerID))
	case b.Meter.Quantity < 0 || b.Meter.Quantity > maxQuantity || b.Meter.Quantity != float64(quantity):
		return nil, bad("InvalidReport", "The quantity is no number of transactions.")
	case b.Sequence < 1:
		return nil, bad("InvalidReport", "The sequence of a report counts from 1.")
	}
	a := r.State.(*visit).account
	if !s.takes(b.APIType, a.kind) {
		return nil, fault.New(fault.Forbidden, "Mismatch", "The account is of the kind %s, which is not good for a container of '%s'.", a.kind, clip(b.APIType))
	}
	used, err := s.usage.report(ctx, a, strings.ToLower(b.ContainerID), b.ContainerType, b.Sequence, quantity)
	if err != nil {
		return nil, err
	}
	if a.sku.monthly > 0 && used >= a.sku.monthly {
		return nil, fault.New(fault.Forbidden, "OutOfQuota", "The account has used up its %d transactions of this month.", a.sku.monthly)
	}
	return standing{"Valid"}, nil
}

// takes tells whether an account of a kind is good for containers of an API type.
func (s *Service) takes(apiType, kind string) bool {
	for i := range s.deps.APIs {
		if a := &s.deps.APIs[i]; strings.EqualFold(a.Type, apiType) && slices.Contains(a.Kinds, kind) {
			return true
		}
	}
	return false
}

// report adds a container's transactions to an account's month, unless that report was counted before, and gives what the account used.
func (b *books) report(ctx context.Context, a *account, container, kind string, sequence, quantity int64) (int64, error) {
	k := b.bookOf(a.guid)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := b.load(ctx, k, a.guid, b.clock.Now()); err != nil {
		return 0, err
	}
	last, err := b.lastReport(ctx, a.guid, container)
	if err != nil || sequence <= last {
		return k.total(), err
	}
	fresh := k.stored
	fresh.Containers += quantity
	row, err := usageCodec.Encode(fresh)
	if err != nil {
		return 0, err
	}
	mark, err := markCodec.Encode(containerMark{sequence, clip(kind)})
	if err != nil {
		return 0, err
	}
	_, err = b.store.Update(ctx, shardOf(a.guid), func(tx store.Tx) error {
		if err := tx.Put(markKey(container), mark); err != nil {
			return err
		}
		return tx.Put(usageKey(k.month), row)
	})
	if err != nil {
		return 0, fmt.Errorf("store a container's usage: %w", err)
	}
	k.stored = fresh
	return k.total(), nil
}

// total is what the month has, stored or not. The caller holds k.mu.
func (k *book) total() int64 {
	n := k.stored.total()
	for _, v := range k.pending {
		n += v
	}
	return n
}

func (b *books) lastReport(ctx context.Context, guid, container string) (int64, error) {
	var raw []byte
	err := b.store.View(ctx, shardOf(guid), func(s store.Snapshot) error {
		v, err := s.Get(markKey(container))
		raw = append([]byte(nil), v...)
		return err
	})
	if err != nil || len(raw) == 0 {
		return 0, err
	}
	m, err := markCodec.Decode(raw)
	return m.Sequence, err
}
