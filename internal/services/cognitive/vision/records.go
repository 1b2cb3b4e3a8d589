package vision

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/infer/ocr"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// status is an operation's.
type status string

const (
	running   status = "running"
	succeeded status = "succeeded"
	failed    status = "failed"
)

// record is an operation as it is stored.
type record struct {
	Form    string    `json:"form"`
	Status  status    `json:"status"`
	Boot    string    `json:"boot"` // the run that reads it
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Pages   []page    `json:"pages,omitempty"`
	Failure string    `json:"failure,omitempty"`
}

// page is what was read on one page.
type page struct {
	Number int     `json:"number"` // from 1
	DPI    float64 `json:"dpi,omitempty"`
	ocr.Page
}

var records = store.Codec[record]{Kind: 1, Version: 1}

// shard is the account's; a container's own is that of no account.
func shard(account string) string { return "vision/" + account }

// Keys: O|id holds an operation, T|milliseconds|id its id by age.
func operationKey(id string) []byte { return []byte("O|" + id) }

func ageKey(at time.Time, id string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("T|"), uint64(at.UnixMilli())), "|"+id...)
}

// sweepMost is how many old operations go with each new one.
const sweepMost = 20

// start stores an operation and reads its document.
func (s *Service) start(ctx context.Context, account string, j *job) (string, error) {
	release, err := s.reserve(j.size)
	if err != nil {
		return "", err
	}
	st, err := s.o.Store()
	if err != nil {
		release()
		return "", err
	}
	id, now := ids.New(), s.o.Clock.Now().UTC()
	r := record{Form: j.form.name, Status: running, Boot: s.boot, Created: now, Updated: now}
	value, err := records.Encode(r)
	if err == nil {
		_, err = st.Update(ctx, shard(account), func(tx store.Tx) error { return add(tx, id, now, value) })
	}
	if err != nil {
		release()
		return "", fmt.Errorf("store operation: %w", err)
	}
	go func() {
		defer release()
		defer j.document.Close()
		s.finish(st, account, id, r, j)
	}()
	return id, nil
}

// add stores an operation and removes some that are too old.
func add(tx store.Tx, id string, now time.Time, value []byte) error {
	var old [][]byte
	err := tx.Scan(store.Range{Start: []byte("T|"), End: ageKey(now.Add(-kept), "")}, func(k, _ []byte) bool {
		old = append(old, append([]byte(nil), k...))
		return len(old) < sweepMost
	})
	if err != nil {
		return err
	}
	for _, k := range old {
		if err := tx.Delete(k); err != nil {
			return err
		}
		if err := tx.Delete(operationKey(string(k[len("T|")+9:]))); err != nil {
			return err
		}
	}
	if err := tx.Put(ageKey(now, id), nil); err != nil {
		return err
	}
	return tx.Put(operationKey(id), value)
}

// finish reads and stores what came of it.
func (s *Service) finish(st store.Store, account, id string, r record, j *job) {
	var err error
	r.Status = succeeded
	if r.Pages, err = s.read(s.ctx, j); err != nil {
		if s.ctx.Err() != nil {
			return // a later look at the record finds that its run has ended
		}
		r.Status, r.Pages, r.Failure = failed, nil, j.form.fault(err).Message
	}
	r.Updated = s.o.Clock.Now().UTC()
	value, err := records.Encode(r)
	if err == nil {
		_, err = st.Update(context.WithoutCancel(s.ctx), shard(account), func(tx store.Tx) error { return tx.Put(operationKey(id), value) })
	}
	if err != nil {
		s.o.Log.Error("operation not stored", "operation", id, "error", err)
	}
}

// load finds an operation of the account.
func (s *Service) load(ctx context.Context, account, id string) (record, error) {
	var value []byte
	st, err := s.o.Store()
	if err != nil {
		return record{}, err
	}
	err = st.View(ctx, shard(account), func(v store.Snapshot) error {
		var err error
		value, err = v.Get(operationKey(id))
		return err
	})
	var r record
	if err == nil && value != nil {
		r, err = records.Decode(value)
	}
	switch {
	case err != nil:
		return r, fmt.Errorf("load operation %s: %w", id, err)
	case value == nil || s.o.Clock.Now().Sub(r.Created) > kept:
		return r, fault.New(fault.NotFound, "NotFound", "No operation %s is known: operations are found for 48 hours.", id)
	}
	if r.Status == running && r.Boot != s.boot {
		r.Status, r.Failure = failed, errCutOff.Error()
	}
	return r, nil
}
