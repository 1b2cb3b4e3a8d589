package packed

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

const (
	maxSeen   = 4096      // files that are remembered
	maxSize   = 512 << 20 // larger files are not looked at
	maxHashed = 64 << 20  // larger files have no hash
)

// Checker looks at files that are started. Not for concurrent use.
type Checker struct {
	root string
	seen *simplelru.LRU[file, facts]
}

// file is a file as it was when it was looked at.
type file struct {
	name  string
	size  int64
	mtime int64
	own   identity
}

// facts are what was seen of a file.
type facts struct {
	kind Kind
	hash []byte // SHA-256, or nil
}

// NewChecker makes a Checker of a machine whose files are below root; "" is "/".
func NewChecker(root string) *Checker {
	c := &Checker{root: root}
	c.seen, _ = simplelru.NewLRU[file, facts](maxSeen, nil)
	return c
}

// Event writes into an event of a started program how its file is packed, and the file's hash. Programs of the system are not looked at; of its interpreters, the script is hashed that they
// were given. Nor is what can't be read: the file may be gone by now, or be on another machine.
func (c *Checker) Event(e *activity.Event) {
	if e.Kind != activity.Exec || !e.Success || len(e.Command.File) == 0 || e.Command.File[0] != '/' {
		return
	}
	if systemFile(e.Command.File) {
		if name := script(&e.Command); name != "" {
			e.Command.SHA256 = c.look(name).hash
		}
		return
	}
	f := c.look(string(e.Command.File))
	e.Command.Packed, e.Command.SHA256 = []byte(f.kind), f.hash
}

// script is the file that an interpreter was given to run, absolute, if it isn't one of the system's.
func script(m *activity.Command) string {
	switch base := filepath.Base(string(m.File)); {
	case base == "sh", base == "bash", base == "dash", base == "ash", base == "zsh", base == "ksh", base == "perl", base == "ruby", base == "php", base == "node":
	case len(base) >= 6 && base[:6] == "python":
	default:
		return ""
	}
	for _, a := range m.Args[min(1, len(m.Args)):] {
		switch {
		case len(a) == 0:
			return ""
		case a[0] == '-':
			if text := string(a); text == "-" || text == "-c" || text == "-e" || text == "-m" || text == "-s" || len(a) > 1 && a[1] != '-' && bytes.ContainsAny(a, "ce") {
				return "" // a text, a module, or what it reads
			}
			continue
		case a[0] == '/':
		case len(m.Dir) == 0 || m.Dir[0] != '/':
			return ""
		}
		name := string(a)
		if name[0] != '/' {
			name = filepath.Join(string(m.Dir), name)
		}
		if systemFile([]byte(name)) {
			return ""
		}
		return name
	}
	return ""
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

func (c *Checker) look(name string) facts {
	path := name
	if c.root != "" {
		path = filepath.Join(c.root, name)
	}
	// A pipe or a device is never opened: who waits for it would wait for an attacker.
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
		return facts{}
	}
	key := file{name, info.Size(), info.ModTime().UnixNano(), identityOf(info)}
	if k, ok := c.seen.Get(key); ok {
		return k
	}
	f, err := openFile(path)
	if err != nil {
		return facts{}
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		return facts{}
	}
	k, err := Inspect(f, info.Size())
	if err != nil {
		return facts{}
	}
	out := facts{kind: k}
	if info.Size() <= maxHashed {
		h := sha256.New()
		if n, err := io.Copy(h, io.NewSectionReader(f, 0, maxHashed+1)); err == nil && n <= maxHashed {
			out.hash = h.Sum(nil)
		}
	}
	c.seen.Add(key, out)
	return out
}
