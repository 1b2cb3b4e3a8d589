package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Release is the version of this source tree.
const Release = "0.1.0-dev"

// DataFormat is the version of the data folder that this program writes, and the newest it opens. It rises when a new release keeps something in
// another place or form than its readers of older records can bridge (package store's Codec bridges most).
const DataFormat = 1

// upgradeStep brings the store from format From to the next. It changes the store only, may run again after a crash amid it, and finds nothing wired:
// of the Platform it has the store, the sealer and the clock.
type upgradeStep struct {
	From int
	What string
	Run  func(ctx context.Context, p *Platform) error
}

// upgrades is the one list of steps, oldest first, without a gap up to DataFormat.
func upgrades() []upgradeStep { return nil }

var (
	formatKey   = []byte("f|format")
	formatCodec = store.Codec[formatRecord]{Kind: 'f', Version: 1}
)

// formatRecord says how the data folder is laid out. Folders from before it had one are of format 1.
type formatRecord struct {
	Format  int    `json:"format"`
	Release string `json:"release"` // that brought it there
}

func readFormat(ctx context.Context, st store.Store) (rec formatRecord, found bool, err error) {
	var raw []byte
	err = st.View(ctx, platformShard, func(s store.Snapshot) error {
		b, err := s.Get(formatKey)
		raw = append([]byte(nil), b...)
		return err
	})
	if err != nil || len(raw) == 0 {
		return formatRecord{Format: 1}, false, err
	}
	rec, err = formatCodec.Decode(raw)
	return rec, true, err
}

func writeFormat(ctx context.Context, st store.Store, format int) error {
	raw, err := formatCodec.Encode(formatRecord{format, Release})
	if err != nil {
		return err
	}
	_, err = st.Update(ctx, platformShard, func(tx store.Tx) error { return tx.Put(formatKey, raw) })
	return err
}

// target is the format the steps lead to.
func (p *Platform) target() int { return DataFormat + len(p.steps) - len(upgrades()) }

// checkFormat refuses data of a newer program before anything is written.
func (p *Platform) checkFormat(ctx context.Context) error {
	rec, _, err := readFormat(ctx, p.store)
	if err == nil && rec.Format > p.target() {
		err = fmt.Errorf("%w: the data in %s has format %d (of release %s), this program knows up to %d; use a newer program",
			store.ErrVersion, p.cfg.Data, rec.Format, rec.Release, p.target())
	}
	return err
}

// upgrade brings older data to the present format. What was there before is kept as a checkpoint; when a step fails it is put back.
func (p *Platform) upgrade(ctx context.Context) error {
	rec, found, err := readFormat(ctx, p.store)
	if err != nil {
		return err
	}
	target := p.target()
	if !found {
		shards, err := p.store.Shards(ctx, "tenant/", "", 1)
		if err != nil {
			return err
		}
		if len(shards) == 0 {
			return writeFormat(ctx, p.store, target) // a new folder
		}
	}
	if rec.Format == target {
		if !found {
			return writeFormat(ctx, p.store, target)
		}
		return nil
	}
	point := p.cfg.path("checkpoints", fmt.Sprintf("format-%d-%s", rec.Format, p.clock.Now().UTC().Format("20060102T150405Z")))
	if err := os.MkdirAll(filepath.Dir(point), 0o700); err != nil {
		return err
	}
	if err := p.store.Checkpoint(point); err != nil {
		return err
	}
	p.log.Info("upgrading the data folder", "from", rec.Format, "to", target, "checkpoint", point)
	if err := p.runSteps(ctx, rec.Format); err != nil {
		return errors.Join(fmt.Errorf("upgrade the data in %s: %w; it was put back as it was", p.cfg.Data, err), p.rollBack(point))
	}
	return nil
}

func (p *Platform) runSteps(ctx context.Context, from int) error {
	for _, s := range p.steps {
		if s.From < from {
			continue
		}
		began := time.Now()
		if err := s.Run(ctx, p); err != nil {
			return fmt.Errorf("from format %d to %d (%s): %w", s.From, s.From+1, s.What, err)
		}
		if err := writeFormat(ctx, p.store, s.From+1); err != nil {
			return err
		}
		p.log.Info("data folder upgraded", "to", s.From+1, "what", s.What, "duration", time.Since(began))
	}
	return nil
}

// Putting a checkpoint back takes several renames. The file rollbackMark names the checkpoint while they are under way, so that the next start ends what a
// crash left.
const (
	rollbackMark = "rollback"
	failedStore  = "store.failed"
)

func (p *Platform) rollBack(point string) error {
	err := p.store.Close()
	p.store = nil
	if err != nil {
		p.log.Error("close failed", "error", err)
	}
	if err := os.RemoveAll(p.cfg.path(failedStore)); err != nil {
		return err
	}
	if err := writeSynced(p.cfg.path(rollbackMark), []byte(filepath.Base(point)+"\n")); err != nil {
		return err
	}
	return p.cfg.endRollback()
}

// endRollback does what is left to do of a rollback; nothing, where none is under way.
func (c *Config) endRollback() error {
	b, err := os.ReadFile(c.path(rollbackMark))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	point := c.path("checkpoints", filepath.Base(strings.TrimSpace(string(b))))
	if exists(point) {
		if !exists(c.path(failedStore)) {
			if err := os.Rename(c.path(storeFolder), c.path(failedStore)); err != nil {
				return fmt.Errorf("put the checkpoint back: %w", err)
			}
		}
		if err := os.Rename(point, c.path(storeFolder)); err != nil {
			return fmt.Errorf("put the checkpoint back: %w", err)
		}
	}
	if !exists(c.path(storeFolder)) {
		return fmt.Errorf("the file %s names checkpoint %s, which is not there, and neither is the store", c.path(rollbackMark), point)
	}
	return errors.Join(SyncDir(c.Data), os.Remove(c.path(rollbackMark)), SyncDir(c.Data))
}

// checkFolder refuses a folder that is not whole, and ends a rollback that a crash cut off.
func (c *Config) checkFolder() error {
	if exists(c.path(restoreMark)) {
		return fmt.Errorf("%s holds a restore that did not come to its end: remove the folder and restore again", c.Data)
	}
	return c.endRollback()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
