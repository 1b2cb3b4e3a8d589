package memfs

import (
	"io/fs"
	"path"
	"strings"
)

// put sets a node and keeps the account of what is used.
func (f *FS) put(name string, n *Node) error {
	var was int64
	if o := f.over[name]; o != nil {
		was = int64(len(o.Data)) + blockOf
	}
	cost := f.used - was
	if n != nil {
		if f.limits.File > 0 && int64(len(n.Data)) > f.limits.File {
			return ErrNoSpace
		}
		cost += int64(len(n.Data)) + blockOf
		if _, known := f.over[name]; !known && len(f.over) >= f.limits.Files || cost > f.limits.Bytes {
			return ErrNoSpace
		}
	} else if _, known := f.over[name]; !known && len(f.over) >= f.limits.Files {
		return ErrNoSpace
	}
	f.used = cost
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if n == nil {
		delete(f.added[dir], base)
		if f.base.nodes[name] == nil {
			delete(f.over, name)
			return nil
		}
		f.over[name] = nil
		return nil
	}
	f.over[name] = n
	if f.added[dir] == nil {
		f.added[dir] = map[string]bool{}
	}
	f.added[dir][base] = true
	return nil
}

// place finds where a new or changed entry goes, and that its folder may be written.
func (f *FS) place(u User, name string, follow bool) (string, *Node, error) {
	at, n, err := f.resolve(u, name, follow)
	if err != nil {
		return "", nil, err
	}
	if len(path.Base(at)) > 255 {
		return "", nil, ErrName
	}
	if at == "/" {
		return at, n, nil
	}
	dir := f.raw(path.Dir(at))
	if dir == nil || !dir.Mode.IsDir() {
		return "", nil, ErrNotExist
	}
	if n == nil && !allowed(u, dir, 2) {
		return "", nil, ErrPermitted
	}
	return at, n, nil
}

// Write replaces a file's content, or with more adds to it. A file that isn't there is made with the mode.
func (f *FS) Write(u User, name string, b []byte, more bool, mode fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, n, err := f.place(u, name, true)
	if err != nil {
		return err
	}
	made := &Node{Mode: mode.Perm(), UID: u.UID, GID: u.GID, Modified: f.now()}
	if n != nil {
		switch {
		case n.Mode.IsDir():
			return ErrIsDir
		case !allowed(u, n, 2):
			return ErrPermitted
		case n.Sink:
			return nil
		case n.Make != nil || n.Mode&fs.ModeDevice != 0:
			return ErrInvalid
		}
		made.Mode, made.UID, made.GID = n.Mode, n.UID, n.GID
		if more {
			if f.limits.File > 0 && int64(len(n.Data)+len(b)) > f.limits.File {
				return ErrNoSpace
			}
			made.Data = append(n.Data[:len(n.Data):len(n.Data)], b...)
			return f.put(at, made)
		}
	}
	made.Data = append([]byte(nil), b...)
	return f.put(at, made)
}

// Mkdir makes a folder.
func (f *FS) Mkdir(u User, name string, mode fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, n, err := f.place(u, name, true)
	if err == nil && n != nil {
		err = ErrExist
	}
	if err != nil {
		return err
	}
	return f.put(at, &Node{Mode: fs.ModeDir | mode.Perm(), UID: u.UID, GID: u.GID, Modified: f.now()})
}

// Symlink makes a link.
func (f *FS) Symlink(u User, target, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, n, err := f.place(u, name, false)
	if err == nil && n != nil {
		err = ErrExist
	}
	if err == nil && len(target) > maxPath {
		err = ErrName
	}
	if err != nil {
		return err
	}
	return f.put(at, &Node{Mode: fs.ModeSymlink | 0o777, UID: u.UID, GID: u.GID, Modified: f.now(), Target: target})
}

// Remove takes a file, a link or an empty folder away.
func (f *FS) Remove(u User, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, n, err := f.removable(u, name)
	if err != nil {
		return err
	}
	if n.Mode.IsDir() && len(f.list(at)) > 0 {
		return ErrNotEmpty
	}
	return f.put(at, nil)
}

func (f *FS) removable(u User, name string) (string, *Node, error) {
	at, n, err := f.resolve(u, name, false)
	if err == nil && n == nil {
		err = ErrNotExist
	}
	if err == nil && at == "/" {
		err = ErrPermitted
	}
	if err != nil {
		return "", nil, err
	}
	dir := f.raw(path.Dir(at))
	if dir == nil || !allowed(u, dir, 2) || dir.Mode&fs.ModeSticky != 0 && u.UID != 0 && n.UID != u.UID {
		return "", nil, ErrPermitted
	}
	return at, n, nil
}

// Rename moves a file, a link or a folder of no more than a thousand entries.
func (f *FS) Rename(u User, from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, n, err := f.removable(u, from)
	if err != nil {
		return err
	}
	at, was, err := f.place(u, to, true)
	switch {
	case err != nil:
		return err
	case at == old:
		return nil
	case strings.HasPrefix(at+"/", old+"/"):
		return ErrInvalid
	case was != nil && was.Mode.IsDir() != n.Mode.IsDir():
		if was.Mode.IsDir() {
			return ErrIsDir
		}
		return ErrNotDir
	case was != nil && was.Mode.IsDir() && len(f.list(at)) > 0:
		return ErrNotEmpty
	case at == "/":
		return ErrPermitted
	}
	left := 1000
	return f.move(old, at, &left)
}

func (f *FS) move(from, to string, left *int) error {
	if *left--; *left < 0 {
		return ErrNoSpace
	}
	n := f.raw(from)
	names := f.list(from)
	if n == nil {
		return ErrNotExist
	}
	if err := f.put(to, n); err != nil {
		return err
	}
	if n.Mode.IsDir() {
		for _, c := range names {
			if err := f.move(path.Join(from, c), path.Join(to, c), left); err != nil {
				return err
			}
		}
	}
	return f.put(from, nil)
}

// Change alters what is known of a file: change is given a copy. Only its owner and root may.
func (f *FS) Change(u User, name string, change func(n *Node)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, n, err := f.resolve(u, name, true)
	if err == nil && n == nil {
		err = ErrNotExist
	}
	if err == nil && u.UID != 0 && n.UID != u.UID {
		err = ErrNotOwner
	}
	if err != nil {
		return err
	}
	c := *n
	change(&c)
	c.Mode = n.Mode.Type() | c.Mode&^fs.ModeType
	return f.put(at, &c)
}
