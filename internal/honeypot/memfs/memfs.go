package memfs

import (
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"time"
)

// Error is an error in Linux's words: what a shell prints after the name, as the visitor expects it.
type Error string

// Error implements error.
func (e Error) Error() string { return string(e) }

// The errors.
const (
	ErrNotExist  = Error("No such file or directory")
	ErrExist     = Error("File exists")
	ErrPermitted = Error("Permission denied")
	ErrNotOwner  = Error("Operation not permitted")
	ErrNotDir    = Error("Not a directory")
	ErrIsDir     = Error("Is a directory")
	ErrNotEmpty  = Error("Directory not empty")
	ErrNoSpace   = Error("No space left on device")
	ErrLoop      = Error("Too many levels of symbolic links")
	ErrName      = Error("File name too long")
	ErrInvalid   = Error("Invalid argument")
	ErrTooLong   = Error("Argument list too long")
)

const (
	maxPath  = 1024
	maxParts = 48
	maxLinks = 16
	blockOf  = 256 // what a file costs besides its bytes
)

// Node is a file, a folder or a link. It is not changed once it is in a tree.
type Node struct {
	Mode     fs.FileMode // type and permissions
	UID, GID uint32
	Modified time.Time
	Data     []byte
	Target   string                 // a link's
	Make     func() []byte          // the bytes of a file that is made when it is read (/proc); nil: Data
	Sink     bool                   // /dev/null and its like: what is written is gone
	Source   func(n int) (b []byte) // /dev/zero and its like: endless; nil elsewhere
}

// Bytes are the file's content.
func (n *Node) Bytes() []byte {
	if n.Make != nil {
		return n.Make()
	}
	return n.Data
}

// Size is what stat says: files that are made when they are read have none, as in /proc.
func (n *Node) Size() int64 {
	if n.Mode.IsDir() {
		return 4096
	}
	if n.Mode&fs.ModeSymlink != 0 {
		return int64(len(n.Target))
	}
	return int64(len(n.Data))
}

// Tree is the shared base.
type Tree struct {
	nodes    map[string]*Node
	children map[string][]string
}

// NewTree takes absolute, clean names. Folders that are needed and not named are made, as of the time given.
func NewTree(nodes map[string]*Node, made time.Time) *Tree {
	t := &Tree{nodes: map[string]*Node{}, children: map[string][]string{}}
	for name, n := range nodes {
		t.nodes[name] = n
		for dir := path.Dir(name); nodes[dir] == nil && t.nodes[dir] == nil; dir = path.Dir(dir) {
			t.nodes[dir] = &Node{Mode: fs.ModeDir | 0o755, Modified: made}
			if dir == "/" {
				break
			}
		}
	}
	for name := range t.nodes {
		if name != "/" {
			t.children[path.Dir(name)] = append(t.children[path.Dir(name)], path.Base(name))
		}
	}
	for _, c := range t.children {
		sort.Strings(c)
	}
	return t
}

// Limits of one FS.
type Limits struct {
	Bytes int64 // in all
	File  int64 // in one file
	Files int
}

// FS is one visitor's view.
type FS struct {
	base   *Tree
	limits Limits
	now    func() time.Time

	mu    sync.Mutex
	over  map[string]*Node // nil value: removed
	added map[string]map[string]bool
	used  int64
}

// New makes a view of t with nothing written yet.
func New(t *Tree, l Limits, now func() time.Time) *FS {
	return &FS{base: t, limits: l, now: now, over: map[string]*Node{}, added: map[string]map[string]bool{}}
}

// User is who acts.
type User struct{ UID, GID uint32 }

// Abs makes a name absolute and clean, as of a folder.
func Abs(dir, name string) string {
	if !strings.HasPrefix(name, "/") {
		name = dir + "/" + name
	}
	return path.Clean("/" + name)
}

// raw looks a clean name up without following anything.
func (f *FS) raw(name string) *Node {
	if n, ok := f.over[name]; ok {
		return n
	}
	return f.base.nodes[name]
}

// resolve follows links in all but, unless last is set, the last part. A name whose last part does not exist answers a nil node and the place it would have.
func (f *FS) resolve(u User, name string, last bool) (string, *Node, error) {
	if len(name) > maxPath || strings.Count(name, "/") > maxParts {
		return "", nil, ErrName
	}
	name = path.Clean("/" + name)
	links := 0
	for {
		at, rest, err := "/", strings.TrimPrefix(name, "/"), error(nil)
		again := false
		for rest != "" {
			var part string
			part, rest, _ = strings.Cut(rest, "/")
			dir := f.raw(at)
			switch {
			case dir == nil:
				return "", nil, ErrNotExist
			case !dir.Mode.IsDir():
				return "", nil, ErrNotDir
			case !allowed(u, dir, 1):
				return "", nil, ErrPermitted
			}
			next := path.Join(at, part)
			n := f.raw(next)
			if n == nil {
				if rest == "" {
					return next, nil, nil
				}
				return "", nil, ErrNotExist
			}
			if n.Mode&fs.ModeSymlink != 0 && (rest != "" || last) {
				if links++; links > maxLinks {
					return "", nil, ErrLoop
				}
				name = Abs(at, n.Target)
				if rest != "" {
					name = path.Join(name, rest)
				}
				if len(name) > maxPath {
					return "", nil, ErrName
				}
				again = true
				break
			}
			at = next
		}
		if err != nil || !again {
			return at, f.raw(at), err
		}
	}
}

// allowed checks one permission bit (4 read, 2 write, 1 search or execute).
func allowed(u User, n *Node, bit fs.FileMode) bool {
	if u.UID == 0 {
		return bit != 1 || n.Mode.IsDir() || n.Mode&0o111 != 0
	}
	if n.UID == u.UID {
		return n.Mode&(bit<<6) != 0
	}
	if n.GID == u.GID {
		return n.Mode&(bit<<3) != 0
	}
	return n.Mode&bit != 0
}

// Info is a node with its place.
type Info struct {
	Path string // resolved
	*Node
}

// Stat follows links.
func (f *FS) Stat(u User, name string) (Info, error) { return f.stat(u, name, true) }

// Lstat doesn't follow the last one.
func (f *FS) Lstat(u User, name string) (Info, error) { return f.stat(u, name, false) }

func (f *FS) stat(u User, name string, follow bool) (Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, n, err := f.resolve(u, name, follow)
	if err == nil && n == nil {
		err = ErrNotExist
	}
	return Info{at, n}, err
}

// Can tells whether the user may read (4), write (2) or run (1) a file.
func (f *FS) Can(u User, name string, bit fs.FileMode) bool {
	i, err := f.Stat(u, name)
	return err == nil && allowed(u, i.Node, bit)
}

// Read gives a file's content; of an endless one, n bytes. The bytes are not to be changed.
func (f *FS) Read(u User, name string, n int) ([]byte, error) {
	i, err := f.Stat(u, name)
	switch {
	case err != nil:
		return nil, err
	case i.Mode.IsDir():
		return nil, ErrIsDir
	case !allowed(u, i.Node, 4):
		return nil, ErrPermitted
	case i.Source != nil:
		return i.Source(n), nil
	}
	return i.Bytes(), nil
}

// ReadDir lists a folder by name.
func (f *FS) ReadDir(u User, name string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, n, err := f.resolve(u, name, true)
	switch {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, ErrNotExist
	case !n.Mode.IsDir():
		return nil, ErrNotDir
	case !allowed(u, n, 4):
		return nil, ErrPermitted
	}
	return f.list(at), nil
}

func (f *FS) list(dir string) []string {
	var out []string
	for _, c := range f.base.children[dir] {
		if f.raw(path.Join(dir, c)) != nil && !f.added[dir][c] {
			out = append(out, c)
		}
	}
	for c := range f.added[dir] {
		out = append(out, c)
	}
	sort.Strings(out)
	return out
}

// Used is how many bytes are written over the tree, and in how many entries.
func (f *FS) Used() (bytes int64, entries int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used, len(f.over)
}

// Written gives the content of a file that the visitor wrote; nil if it is the tree's own, or none.
func (f *FS) Written(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.over[path.Clean("/"+name)]
	if n == nil || !n.Mode.IsRegular() {
		return nil
	}
	if was := f.base.nodes[path.Clean("/"+name)]; was != nil && was.Modified.Equal(n.Modified) {
		return nil
	}
	return n.Data
}

// Changed lists the files that the visitor wrote since a time, by name.
func (f *FS) Changed(since time.Time) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, n := range f.over {
		if n != nil && n.Mode.IsRegular() && len(n.Data) > 0 && !n.Modified.Before(since) {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}
