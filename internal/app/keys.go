package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
)

// Names in the data folder.
const (
	masterKeyFile = "master.key" // where the master key is kept, unless Config.MasterKey names another source
	keyringFile   = "keyring"    // the keys that data is encrypted with; the master key opens it
	storeFolder   = "store"
	convertFolder = "store.encrypting" // the encrypted copy, while `bulkhead encrypt` makes it
	plainFolder   = "store.plain"      // the store as it was, from when its encrypted copy is complete
)

// keys are the opened key ring of a data folder and what hangs on it.
type keys struct {
	ring   *seal.Ring
	file   string // the master key's file, "" if its source is another
	data   *cipherfs.Keys
	fs     vfs.FS // for the store
	state  cipherfs.State
	folder string
}

// openKeys opens the key ring of the data folder with the master key, and makes both in a new folder. A wrong or missing key is refused here,
// before anything else is read. Nothing but a file that was not there is written, as the folder may be another process's.
func (c *Config) openKeys(log *slog.Logger) (*keys, error) {
	source, err := seal.ParseSource(c.MasterKey)
	if err != nil {
		return nil, err
	}
	if err := c.finishConversion(); err != nil {
		return nil, err
	}
	k := &keys{file: source.File(c.path(masterKeyFile)), folder: c.Data}
	if k.state, err = cipherfs.Detect(vfs.Default, c.path(storeFolder)); err != nil {
		return nil, fmt.Errorf("look at the store in %s: %w", c.Data, err)
	}
	if seal.Exists(c.path(keyringFile)) {
		k.ring, err = c.openRing(source)
	} else {
		k.ring, err = c.createRing(source, k.state)
	}
	if err != nil {
		return nil, err
	}
	if k.state == cipherfs.Plain && k.ring.Encrypted() {
		return nil, fmt.Errorf("the store in %s is not encrypted, but its %s says that it is: somebody put another store there; put the right one back",
			c.Data, keyringFile)
	}
	list := k.ring.StoreKeys()
	if k.data, err = cipherfs.NewKeys(list[0], list[1:]...); err != nil {
		return nil, err
	}
	if k.fs = vfs.Default; k.encrypted() {
		k.fs = cipherfs.New(vfs.Default, k.data)
	} else {
		log.Warn("the store's files are not encrypted; stop the platform and run bulkhead encrypt", "data", c.Data)
	}
	return k, nil
}

// encrypted tells whether the store's files are, or will be in a new folder.
func (k *keys) encrypted() bool { return k.state == cipherfs.Encrypted || k.ring.Encrypted() }

func (c *Config) openRing(source seal.Source) (*seal.Ring, error) {
	m, err := source.Read(c.path(masterKeyFile))
	if file := source.File(c.path(masterKeyFile)); errors.Is(err, fs.ErrNotExist) && file != "" {
		return nil, fmt.Errorf("the master key %s is missing, and without it the data in %s stays closed: put that file back", file, c.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	r, err := seal.OpenRing(c.path(keyringFile), m)
	if errors.Is(err, seal.ErrMaster) {
		return nil, fmt.Errorf("%w; if it is a file, put that file back", err)
	}
	return r, err
}

// createRing makes the key ring of a new data folder, or of one from before there were key rings: there the master key sealed the records
// itself, so it becomes the sealing key.
func (c *Config) createRing(source seal.Source, state cipherfs.State) (*seal.Ring, error) {
	old := c.path(masterKeyFile)
	switch {
	case state == cipherfs.Encrypted:
		return nil, fmt.Errorf("%s is missing, and the store in %s is encrypted with the keys in it: put that file back", keyringFile, c.Data)
	case state == cipherfs.Plain && !seal.Exists(old):
		return nil, fmt.Errorf("the master key %s is missing, and the secrets in %s are sealed with it: put that file back", old, c.Data)
	}
	root, err := seal.NewKey()
	if err != nil {
		return nil, err
	}
	roots := [][]byte{root}
	if seal.Exists(old) {
		if roots, err = seal.ReadOrCreateKeys(old); err != nil {
			return nil, err
		}
	}
	if file := source.File(old); file != "" {
		if _, err := seal.ReadOrCreateKeys(file); err != nil {
			return nil, err
		}
	}
	m, err := source.Read(old)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	return seal.CreateRing(c.path(keyringFile), m, roots, state == cipherfs.Absent)
}

// settle finishes what a crash left. The store is open: the folder is ours alone.
func (k *keys) settle() error {
	if err := k.ring.Settle(k.file); err != nil {
		return fmt.Errorf("finish the rotation of the master key: %w", err)
	}
	if k.state == cipherfs.Encrypted && !k.ring.Encrypted() {
		if err := k.ring.SetEncrypted(); err != nil {
			return err
		}
	}
	if k.encrypted() {
		return errors.Join(os.RemoveAll(filepath.Join(k.folder, plainFolder)), os.RemoveAll(filepath.Join(k.folder, convertFolder)))
	}
	return nil
}

// Encrypt turns the plain store of a data folder into an encrypted one. No platform may run on it. What it leaves at any point opens again:
// the plain store until its copy is complete and checked, the copy from then on.
func Encrypt(cfg Config, log *slog.Logger) error {
	k, err := cfg.openKeys(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if k.state != cipherfs.Plain {
		return fmt.Errorf("there is no plain store in %s", cfg.Data)
	}
	store, copied, plain := cfg.path(storeFolder), cfg.path(convertFolder), cfg.path(plainFolder)
	lock, err := vfs.Default.Lock(filepath.Join(store, "LOCK"))
	if err != nil {
		return fmt.Errorf("lock the store in %s (does a bulkhead run on it?): %w", cfg.Data, err)
	}
	defer lock.Close()
	if err := errors.Join(os.RemoveAll(copied), os.RemoveAll(plain)); err != nil {
		return err
	}
	log.Info("copying the store", "data", cfg.Data)
	if err := cipherfs.Copy(vfs.Default, cipherfs.New(vfs.Default, k.data), store, copied); err != nil {
		return err
	}
	if err := os.Rename(store, plain); err != nil {
		return err
	}
	if err := cfg.finishConversion(); err != nil {
		return err
	}
	if err := k.ring.SetEncrypted(); err != nil {
		return err
	}
	return os.RemoveAll(plain)
}

// finishConversion puts the encrypted copy of the store in place, where Encrypt was cut off between moving the plain one away and that.
func (c *Config) finishConversion() error {
	if seal.Exists(c.path(storeFolder)) || !seal.Exists(c.path(plainFolder)) || !seal.Exists(c.path(convertFolder)) {
		return nil
	}
	if err := os.Rename(c.path(convertFolder), c.path(storeFolder)); err != nil {
		return fmt.Errorf("finish the encryption of %s: %w", c.Data, err)
	}
	d, err := vfs.Default.OpenDir(c.Data)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
