package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Log is a file that keeps the newest output: once it is full it is renamed to PATH.1 (over the older one) and begun anew. It also keeps the last
// lines in memory, so that reading them needs no disk. Safe for concurrent use.
type Log struct {
	path string
	max  int64

	mu   sync.Mutex
	file *os.File
	size int64
	tail []byte
}

// Bounds of a Log.
const (
	DefaultLogSize = 10 << 20 // bytes of one file; two are kept
	tailSize       = 64 << 10
)

// OpenLog opens or creates the log at path (0600), with its folder. max bytes of one file; 0 is DefaultLogSize.
func OpenLog(path string, max int64) (*Log, error) {
	if max <= 0 {
		max = DefaultLogSize
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create log folder: %w", err)
	}
	l := &Log{path: path, max: max}
	return l, l.open()
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("open log: %w", err)
	}
	l.file, l.size = f, st.Size()
	return nil
}

// Write implements io.Writer. It never fails: a child must not die of a full disk, so what can't be written is kept in memory only.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if over := len(l.tail) - tailSize; over > 0 {
		l.tail = append(l.tail[:0], l.tail[over:]...)
	}
	if l.file != nil && l.size+int64(len(p)) > l.max && l.size > 0 {
		l.rotate()
	}
	if l.file != nil {
		n, _ := l.file.Write(p)
		l.size += int64(n)
	}
	return len(p), nil
}

func (l *Log) rotate() {
	_ = l.file.Close()
	l.file = nil
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		_ = os.Truncate(l.path, 0)
	}
	_ = l.open()
}

// Tail returns a copy of the newest output, at most 64 KiB.
func (l *Log) Tail() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte(nil), l.tail...)
}

// Path is the file's name; the older one is Path + ".1".
func (l *Log) Path() string { return l.path }

// Close closes the file; later writes are kept in memory only.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
