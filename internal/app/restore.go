package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/backup"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// restoreMark lies in a data folder while it is being restored; a platform does not start on it.
const restoreMark = "restore.incomplete"

// Restore makes a data folder of a backup. The folder must be absent or empty; key is where the master key comes from: a file, or another source as
// seal.ParseSource reads it; "" for the backup itself, where it holds one. When it fails, what it made is removed; when it is cut off, the folder says so and no platform starts on it.
func Restore(ctx context.Context, r io.Reader, cfg Config, key string) (sum backup.Summary, err error) {
	b, err := backup.NewReader(r)
	if err != nil {
		return sum, err
	}
	if h := b.Header; h.DataFormat > DataFormat {
		return sum, fmt.Errorf("%w: its data has format %d (of release %s), this program knows up to %d; use a newer program",
			backup.ErrNewer, h.DataFormat, h.Release, DataFormat)
	}
	master, err := masterOf(b.Header, key)
	if err != nil {
		return sum, err
	}
	// Before anything is made: does the key open it?
	if _, err := ringSealer(b.Header, master); err != nil {
		return sum, err
	}
	made, err := emptyFolder(cfg.Data)
	if err != nil {
		return sum, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, clearFolder(cfg.Data, made))
		}
	}()
	if err := writeSynced(cfg.path(restoreMark), []byte("A backup is being restored here.\n")); err != nil {
		return sum, err
	}
	if err := writeSynced(cfg.path(keyringFile), b.Header.Keyring); err != nil {
		return sum, err
	}
	if master.file != nil { // a passphrase stays with who knows it
		if err := writeSynced(cfg.path(masterKeyFile), master.file); err != nil {
			return sum, err
		}
	}
	if sum, err = restoreInto(ctx, b, cfg, master.Master); err != nil {
		return sum, err
	}
	return sum, errors.Join(os.Remove(cfg.path(restoreMark)), SyncDir(cfg.Data))
}

func restoreInto(ctx context.Context, b *backup.Reader, cfg Config, m seal.Master) (sum backup.Summary, err error) {
	ring, err := seal.OpenRing(cfg.path(keyringFile), m)
	if err != nil {
		return sum, err
	}
	sealer, err := ring.Sealer()
	if err != nil {
		return sum, err
	}
	if err := ring.SetEncrypted(); err != nil { // the new store's files are, whatever those of the old were
		return sum, err
	}
	if _, err := ring.AddStoreKey(); err != nil { // and a key of its own opens them
		return sum, err
	}
	list := ring.StoreKeys()
	data, err := cipherfs.NewKeys(list[0], list[1:]...)
	if err != nil {
		return sum, err
	}
	root, err := os.OpenRoot(cfg.Data)
	if err != nil {
		return sum, err
	}
	defer root.Close()
	im, err := pebble.Import(cfg.path(storeFolder), pebble.Options{FS: cipherfs.New(vfs.Default, data)})
	if err != nil {
		return sum, err
	}
	to := &restorer{Importer: im, ctx: ctx, root: root, folders: map[string]bool{}}
	sum, err = b.Read(sealer, to)
	if err = errors.Join(err, im.Close()); err != nil {
		return sum, err
	}
	for dir := range to.folders {
		if err := SyncDir(cfg.path(dir)); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// restorer is the sink of a restore.
type restorer struct {
	*pebble.Importer
	ctx     context.Context // of the one call
	root    *os.Root
	folders map[string]bool
}

// Record implements store.Content.
func (r *restorer) Record(key, value []byte) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	return r.Importer.Record(key, value)
}

// File implements backup.Sink.
func (r *restorer) File(at string, mode fs.FileMode, in io.Reader) error {
	top, _, _ := strings.Cut(at, "/")
	if top != folderCA && top != folderBlobs && top != folderSites {
		return fmt.Errorf("%w: a file named %q", backup.ErrDamaged, at)
	}
	dir := path.Dir(at)
	if err := r.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for d := dir; d != "."; d = path.Dir(d) {
		r.folders[d] = true
	}
	f, err := r.root.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode&0o700|mode&0o044)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Sync(), f.Close(), r.ctx.Err())
}

// emptyFolder makes the folder, or finds it empty.
func emptyFolder(dir string) (made bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, os.MkdirAll(dir, 0o700)
	case err != nil:
		return false, err
	case len(entries) > 0:
		return false, fmt.Errorf("%s is not empty: a backup is restored into a new folder", dir)
	}
	return false, os.Chmod(dir, 0o700)
}

// clearFolder removes what a failed restore made, the mark last.
func clearFolder(dir string, made bool) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != restoreMark {
			err = errors.Join(err, os.RemoveAll((&Config{Data: dir}).path(e.Name())))
		}
	}
	if err == nil {
		err = os.Remove((&Config{Data: dir}).path(restoreMark))
	}
	if err == nil && made {
		err = os.Remove(dir)
	}
	return err
}

// master is what opens a backup's key ring.
type master struct {
	seal.Master
	file []byte // as a key file holds it; nil for a passphrase
}

// masterOf reads the master key for a backup.
func masterOf(h backup.Header, key string) (m master, err error) {
	if key == "" {
		if len(h.MasterKey) == 0 {
			return m, errors.New("the backup holds no master key: say by --key where it is (master.key of the data folder the backup was made of, or passphrase-file:PATH)")
		}
		m.file = h.MasterKey[:min(len(h.MasterKey), seal.KeySize)]
		m.Master, err = seal.MasterKey(m.file)
		return m, err
	}
	source, err := seal.ParseSource(key)
	if err != nil { // a path
		if source, err = seal.ParseSource("file:" + key); err != nil {
			return m, err
		}
	}
	if m.Master, err = source.Read(""); err != nil {
		return m, fmt.Errorf("the backup needs its master key: %w", err)
	}
	if file := source.File(""); file != "" {
		m.file, err = os.ReadFile(file)
	}
	return m, err
}

// ringSealer opens the key ring in a backup.
func ringSealer(h backup.Header, m master) (*seal.Sealer, error) {
	ring, err := seal.OpenRingCopy(h.Keyring, "the backup's key ring", m.Master)
	if err != nil {
		return nil, err
	}
	return ring.Sealer()
}
