package web

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds of a package.
const (
	maxPackage  = 1 << 30 // bytes of the zip
	maxUnpacked = 4 << 30 // bytes of its files
	maxFiles    = 100_000
	maxRatio    = 1000 // unpacked to packed, beyond the first megabyte
)

// packages keeps what was deployed: each zip once, by its SHA-256, and unpacked once per site.
type packages struct {
	blobs string // folder of the zips
	sites string // folder of the sites' own folders
	// room is nil while the disk has room besides what the store needs, else says so; nil: nobody knows.
	room func() error
}

// roomy stops giving out bytes when the disk they are written to is full.
type roomy struct {
	r    io.Reader
	room func() error
}

// Read implements io.Reader.
func (r roomy) Read(b []byte) (int, error) {
	if r.room != nil {
		if err := r.room(); err != nil {
			return 0, err
		}
	}
	return r.r.Read(b)
}

// errPackage is what is wrong with a package, for the one who sent it.
func errPackage(format string, args ...any) error {
	return fault.New(fault.Invalid, "InvalidPackage", format, args...)
}

// keep stores a zip and returns its hash. The file is complete, synced and 0600 before it has its name.
func (p packages) keep(body io.Reader) (hash string, size int64, err error) {
	if err := os.MkdirAll(p.blobs, 0o700); err != nil {
		return "", 0, err
	}
	tmp, err := os.CreateTemp(p.blobs, ".upload-*")
	if err != nil {
		return "", 0, err
	}
	defer os.Remove(tmp.Name()) // fails once renamed, as it should
	defer tmp.Close()
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(roomy{body, p.room}, maxPackage+1))
	if err != nil {
		return "", 0, fmt.Errorf("receive package: %w", err)
	}
	if size > maxPackage {
		return "", 0, fault.New(fault.TooLarge, "PackageTooLarge", "The package has more than %d bytes.", int64(maxPackage))
	}
	if err := tmp.Sync(); err != nil {
		return "", 0, err
	}
	hash = hex.EncodeToString(sum.Sum(nil))
	if err := os.MkdirAll(filepath.Dir(p.blob(hash)), 0o700); err != nil {
		return "", 0, err
	}
	if err := os.Rename(tmp.Name(), p.blob(hash)); err != nil {
		return "", 0, err
	}
	return hash, size, syncDir(filepath.Dir(p.blob(hash)))
}

func (p packages) blob(hash string) string { return filepath.Join(p.blobs, hash[:2], hash) }

// folder is a site's own.
func (p packages) folder(guid string) string { return filepath.Join(p.sites, guid) }

// unpack makes the folder of one package of one site, unless it is there already, and returns it.
func (p packages) unpack(guid, hash, zipFile string) (string, error) {
	dir := filepath.Join(p.folder(guid), "packages", hash)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".unpack-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := unzip(zipFile, tmp, p.room); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, statErr := os.Stat(dir); statErr != nil { // another was quicker: fine
			return "", err
		}
	}
	return dir, nil
}

// prune removes a site's unpacked packages but the one in use.
func (p packages) prune(guid, keep string) {
	entries, _ := os.ReadDir(filepath.Join(p.folder(guid), "packages"))
	for _, e := range entries {
		if e.Name() != keep && !strings.HasPrefix(e.Name(), ".") {
			_ = os.RemoveAll(filepath.Join(p.folder(guid), "packages", e.Name()))
		}
	}
}

// unzip writes the zip's files below dir, which must be empty. It trusts nothing the zip says: not its names, its sizes or its file types.
func unzip(zipFile, dir string, room func() error) error {
	r, err := zip.OpenReader(zipFile)
	if err != nil {
		return errPackage("The package is not a zip file: %v.", err)
	}
	defer r.Close()
	if len(r.File) > maxFiles {
		return errPackage("The package has %d entries; %d are allowed.", len(r.File), maxFiles)
	}
	st, err := os.Stat(zipFile)
	if err != nil {
		return err
	}
	left := min(int64(maxUnpacked), max(st.Size(), 1024)*maxRatio)
	root, err := os.OpenRoot(dir) // a second wall: nothing opened through it can leave dir
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range r.File {
		name, err := entryName(f.Name)
		if err != nil {
			return err
		}
		if name == "." {
			continue
		}
		mode := f.Mode()
		if mode.IsDir() || strings.HasSuffix(f.Name, "/") || strings.HasSuffix(f.Name, `\`) {
			if err := root.MkdirAll(name, 0o700); err != nil {
				return errPackage("The package's entry %q can't be created.", f.Name)
			}
			continue
		}
		if !mode.IsRegular() {
			return errPackage("The package's entry %q is a link or a device.", f.Name)
		}
		n, err := unzipFile(root, f, name, left, room)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func unzipFile(root *os.Root, f *zip.File, name string, left int64, room func() error) (int64, error) {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return 0, errPackage("The package's entry %q lies below a file.", f.Name)
	}
	perm := fs.FileMode(0o600)
	if f.Mode().Perm()&0o111 != 0 {
		perm = 0o700
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return 0, errPackage("The package's entry %q is there twice, or is a folder too.", f.Name)
	}
	defer out.Close()
	in, err := f.Open()
	if err != nil {
		return 0, errPackage("The package's entry %q can't be read: %v.", f.Name, err)
	}
	defer in.Close()
	n, err := io.Copy(out, io.LimitReader(roomy{in, room}, left+1))
	if store.IsFull(err) {
		return n, err
	}
	if err != nil {
		return n, errPackage("The package's entry %q can't be unpacked: %v.", f.Name, err)
	}
	if n > left {
		return n, errPackage("The package unpacks to too much: over %d bytes, or over %d times its size.", int64(maxUnpacked), maxRatio)
	}
	return n, out.Close()
}

// entryName makes a zip entry's name a clean relative one, with forward slashes; some tools on Windows write backslashes.
func entryName(name string) (string, error) {
	n := strings.ReplaceAll(name, `\`, "/")
	bad := n == "" || len(n) > 4096 || strings.HasPrefix(n, "/") || strings.ContainsAny(n, "\x00") ||
		(len(n) > 1 && n[1] == ':') || (runtime.GOOS == "windows" && strings.Contains(n, ":"))
	for part := range strings.SplitSeq(n, "/") {
		bad = bad || part == ".."
	}
	if clean := path.Clean(n); !bad && filepath.IsLocal(filepath.FromSlash(clean)) {
		return clean, nil
	}
	return "", errPackage("The package's entry %q would lie outside of the site.", name)
}

// hashFile is the SHA-256 of a file.
func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // folders can't be synced there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
