package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// disk writes key files, each of its steps durable before the next. step is called before each, and ends the work if it fails: tests
// crash there.
type disk struct{ step func(name string) error }

func (d disk) before(name string) error {
	if d.step == nil {
		return nil
	}
	return d.step(name)
}

// create makes the file at path whole or not at all (0600), and leaves one that is there alone.
func (d disk) create(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(path)
}

// replace puts b at path; whoever looks finds the old content or the new, also after a crash.
func (d disk) replace(path string, b []byte) error {
	if err := d.write(path+".new", b); err != nil {
		return err
	}
	return d.rename(path+".new", path)
}

// write makes the file at path (0600) anew, durably.
func (d disk) write(path string, b []byte) error {
	if err := d.before("remove " + path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.before("create " + path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{b[:len(b)/2], b[len(b)/2:]} {
		if err == nil {
			err = d.before("write " + path)
		}
		if err == nil {
			_, err = f.Write(part)
		}
	}
	if err == nil {
		err = d.before("sync " + path)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncFolder(path)
}

func (d disk) rename(from, to string) error {
	if err := d.before("rename " + from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := d.before("sync folder of " + to); err != nil {
		return err
	}
	return syncFolder(to)
}

func (d disk) remove(path string) error {
	if err := d.before("remove " + path); err != nil {
		return err
	}
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncFolder(path))
}

// syncFolder makes the name of path durable.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // has no sync of folders
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
