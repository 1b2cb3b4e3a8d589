package pebble

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// importBatch is how many bytes go into one batch.
const importBatch = 2 << 20

// Importer fills a new store with what Export gave out. It is a store.Content, for one goroutine. Nothing is there for sure until Close returned nil.
type Importer struct {
	e  *Engine
	b  *pebble.Batch
	id uint64 // of the present shard
}

// Import makes a store in dir, in which there must be none.
func Import(dir string, o Options) (*Importer, error) {
	e, err := Open(dir, o)
	if err != nil {
		return nil, err
	}
	if e.count.Load() != 0 || e.ids.next != 1 {
		return nil, errors.Join(fmt.Errorf("import into %s: there is a store already", dir), e.Close())
	}
	return &Importer{e: e, b: e.db.NewBatch()}, nil
}

// Shard implements store.Content.
func (im *Importer) Shard(name string, lsn store.LSN) error {
	if err := checkShard(name); err != nil {
		return err
	}
	if lsn == 0 {
		return fmt.Errorf("import shard %s: its LSN is 0", name)
	}
	if v, err := im.e.getUint(im.e.db, metaKey(metaName, name)); err != nil || v != 0 {
		return fmt.Errorf("import shard %s: there is one already: %w", name, err)
	}
	im.id++
	return errors.Join(im.b.Set(metaKey(metaName, name), encodeUint(im.id), nil), im.b.Set(lsnKey(im.id), encodeUint(uint64(lsn)), nil))
}

// Record implements store.Content.
func (im *Importer) Record(key, value []byte) error {
	switch {
	case im.id == 0:
		return errors.New("import: a record before any shard")
	case len(key) > store.MaxKey || len(value) > store.MaxValue:
		return fmt.Errorf("import: %w: key of %d bytes, value of %d", store.ErrLimit, len(key), len(value))
	}
	if err := im.b.Set(appendKey(nil, im.id, key), value, nil); err != nil {
		return err
	}
	if im.b.Len() < importBatch {
		return nil
	}
	return im.flush()
}

// flush hands the batch to Pebble, which makes it durable at the latest when Close flushes.
func (im *Importer) flush() error {
	err := im.e.db.Apply(im.b, pebble.NoSync)
	err = errors.Join(err, im.b.Close(), im.e.err())
	im.b = im.e.db.NewBatch()
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return nil
}

// Close makes everything durable. After an earlier error it only closes; what lies in the folder then is of no use.
func (im *Importer) Close() error {
	end := (im.id/idBlock + 1) * idBlock
	err := im.b.Set(metaKey(metaAlloc, ""), encodeUint(end), nil)
	if err == nil {
		err = im.flush()
	}
	if err == nil {
		err = im.e.db.Flush()
	}
	return errors.Join(err, im.b.Close(), im.e.err(), im.e.Close())
}
