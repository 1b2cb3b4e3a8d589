package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/backup"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Folders of the data folder that go into a backup: the certificate authority, sites' packages, and what sites keep themselves. The rest is the store, or made again.
const (
	folderCA    = "ca"
	folderBlobs = "blobs"
	folderSites = "sites"
	bundleFile  = "bundle.pem"
)

// Backup writes a backup of the platform as it is at this moment, while everything goes on. withKey puts the master key into it, in clear.
//
// The store comes first, then the files: a package lies in its place before a record names it and stays for at least an hour after none does. Files that
// sites write meanwhile are as a reader finds them.
func (p *Platform) Backup(ctx context.Context, w io.Writer, withKey bool) (backup.Summary, error) {
	rec, _, err := readFormat(ctx, p.store)
	if err != nil {
		return backup.Summary{}, err
	}
	h := backup.Header{Created: p.clock.Now().UTC(), Release: Release, DataFormat: rec.Format}
	if h.Keyring, err = os.ReadFile(p.cfg.path(keyringFile)); err != nil {
		return backup.Summary{}, err
	}
	switch {
	case withKey && p.keys.file == "":
		return backup.Summary{}, fault.New(fault.Conflict, "NoKeyFile", "The master key is not in a file, so it cannot be put into a backup.")
	case withKey:
		if h.MasterKey, err = os.ReadFile(p.keys.file); err != nil {
			return backup.Summary{}, err
		}
	}
	b, err := backup.NewWriter(w, h, p.sealer)
	if err != nil {
		return backup.Summary{}, err
	}
	if err = p.store.Export(ctx, b); err == nil {
		err = p.backupFiles(ctx, b)
	}
	if err != nil {
		b.Fail(err)
		return backup.Summary{}, err
	}
	return b.Close()
}

func (p *Platform) backupFiles(ctx context.Context, b *backup.Writer) error {
	roots := []string{folderCA, folderBlobs}
	sites, err := os.ReadDir(p.cfg.path(folderSites))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, s := range sites {
		if s.IsDir() {
			roots = append(roots, path.Join(folderSites, s.Name()))
		}
	}
	for _, name := range roots {
		if err := p.backupFolder(ctx, b, name); err != nil {
			return fmt.Errorf("folder %s: %w", name, err)
		}
	}
	return nil
}

// backupFolder adds the files below a folder. They are opened through a root: a site may put links into its own folder, but they lead nowhere else.
func (p *Platform) backupFolder(ctx context.Context, b *backup.Writer, name string) error {
	root, err := os.OpenRoot(p.cfg.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(at string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone meanwhile
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(name, folderSites) && (at == "packages" || at == "logs"):
			return fs.SkipDir // unpacked again; not kept
		case !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".upload-") || strings.HasSuffix(e.Name(), ".new") || name == folderCA && at == bundleFile:
			return ctx.Err() // the bundle holds this machine's own roots, and is made at each start
		}
		f, err := root.Open(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		return b.File(path.Join(name, at), info.Mode(), io.LimitReader(f, info.Size())) // one that grows all the time has an end all the same
	})
}

// keyLine is one line of ExportKeys.
type keyLine struct {
	Shard   string    `json:"shard"`
	LSN     store.LSN `json:"lsn,omitempty"` // on a shard's own line, which has no key
	Key     string    `json:"key,omitempty"`
	Form    string    `json:"form,omitempty"` // "sealed", "json", "binary" or "plain"
	Kind    string    `json:"kind,omitempty"`
	Version int       `json:"version,omitempty"`
	Bytes   int       `json:"bytes,omitempty"`
}

// keyLines writes them. Values stay out: most are their owner's, many are secret.
type keyLines struct {
	enc   *json.Encoder
	shard string
}

// Shard implements store.Content.
func (k *keyLines) Shard(name string, lsn store.LSN) error {
	k.shard = name
	return k.enc.Encode(keyLine{Shard: name, LSN: lsn})
}

// Record implements store.Content.
func (k *keyLines) Record(key, value []byte) error {
	f := formOf(k.shard, value)
	return k.enc.Encode(keyLine{Shard: k.shard, Key: readable(key), Form: f.name, Kind: f.kind, Version: f.version, Bytes: len(value)})
}

// readable is a key as text; bytes that are none are written as \xNN.
func readable(key []byte) string {
	var out strings.Builder
	for len(key) > 0 {
		r, n := utf8.DecodeRune(key)
		switch {
		case r == utf8.RuneError && n <= 1, r < 0x20, r == 0x7f:
			fmt.Fprintf(&out, `\x%02x`, key[0])
		case r == '\\':
			out.WriteString(`\\`)
		default:
			out.WriteRune(r)
		}
		key = key[n:]
	}
	return out.String()
}

// ExportKeys writes one JSON line for each shard and each record of this moment: where it is and what form it has, never its value.
func (p *Platform) ExportKeys(ctx context.Context, w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return p.store.Export(ctx, &keyLines{enc: enc})
}
