package packed

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

const (
	maxSeen = 4096      // files that are remembered
	maxSize = 512 << 20 // larger files are not looked at
)

// Checker looks at files that are started. Not for concurrent use.
type Checker struct {
	root string
	seen *simplelru.LRU[file, Kind]
}

// file is a file as it was when it was looked at.
type file struct {
	name  string
	size  int64
	mtime int64
}

// NewChecker makes a Checker of a machine whose files are below root; "" is "/".
func NewChecker(root string) *Checker {
	c := &Checker{root: root}
	c.seen, _ = simplelru.NewLRU[file, Kind](maxSeen, nil)
	return c
}

// Event writes into an event of a started program how its file is packed. Programs of the system are not looked at, nor is what can't be read: the file may be gone by now, or be on another
// machine.
func (c *Checker) Event(e *activity.Event) {
	if e.Kind != activity.Exec || !e.Success || len(e.Command.File) == 0 || e.Command.File[0] != '/' || systemFile(e.Command.File) {
		return
	}
	e.Command.Packed = []byte(c.kind(string(e.Command.File)))
}

// systemFile reports whether a file lies where the system keeps its programs.
func systemFile(name []byte) bool {
	for _, dir := range [...]string{"/usr/bin/", "/usr/sbin/", "/usr/lib", "/usr/libexec/", "/bin/", "/sbin/", "/lib", "/proc/", "/sys/", "/dev/fd/", "/snap/", "/nix/store/"} {
		if bytes.HasPrefix(name, []byte(dir)) {
			return true
		}
	}
	return false
}

func (c *Checker) kind(name string) Kind {
	path := name
	if c.root != "" {
		path = filepath.Join(c.root, name)
	}
	// A pipe or a device is never opened: who waits for it would wait for an attacker.
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
		return None
	}
	key := file{name, info.Size(), info.ModTime().UnixNano()}
	if k, ok := c.seen.Get(key); ok {
		return k
	}
	f, err := openFile(path)
	if err != nil {
		return None
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		return None
	}
	k, err := Inspect(f, info.Size())
	if err != nil {
		return None
	}
	c.seen.Add(key, k)
	return k
}
