package container

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// both sends records to several handlers.
type both []slog.Handler

// Enabled implements slog.Handler.
func (b both) Enabled(ctx context.Context, l slog.Level) bool {
	for _, h := range b {
		if h.Enabled(ctx, l) {
			return true
		}
	}
	return false
}

// Handle implements slog.Handler.
func (b both) Handle(ctx context.Context, r slog.Record) error {
	var first error
	for _, h := range b {
		if h.Enabled(ctx, r.Level) {
			if err := h.Handle(ctx, r.Clone()); err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}

// WithAttrs implements slog.Handler.
func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make(both, len(b))
	for i, h := range b {
		out[i] = h.WithAttrs(attrs)
	}
	return out
}

// WithGroup implements slog.Handler.
func (b both) WithGroup(name string) slog.Handler {
	out := make(both, len(b))
	for i, h := range b {
		out[i] = h.WithGroup(name)
	}
	return out
}

// calm makes of every informational record one for debugging: what is logged of each request.
type calm struct{ slog.Handler }

// Enabled implements slog.Handler.
func (c calm) Enabled(ctx context.Context, l slog.Level) bool {
	return c.Handler.Enabled(ctx, lower(l))
}

// Handle implements slog.Handler.
func (c calm) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lower(r.Level)
	return c.Handler.Handle(ctx, r)
}

func lower(l slog.Level) slog.Level {
	if l == slog.LevelInfo {
		return slog.LevelDebug
	}
	return l
}

// logger makes the container's log by its configuration.
func (c *Config) logger(console io.Writer) (*slog.Logger, func(), error) {
	handlers := both{slog.NewTextHandler(console, &slog.HandlerOptions{Level: c.Console})}
	stop := func() {}
	if c.Disk != nil {
		f, err := openRotating(filepath.Join(c.Output, "log.json"), c.Disk.MaxSize)
		if err != nil {
			return nil, nil, fmt.Errorf("log on disk: %w", err)
		}
		handlers, stop = append(handlers, slog.NewJSONHandler(f, &slog.HandlerOptions{Level: c.Disk.Level})), f.Close
	}
	if c.Fluentd != nil {
		f := newForwarder(c.Fluentd)
		before := stop
		handlers, stop = append(handlers, f.handler(c.Console)), func() { f.Close(); before() }
	}
	return slog.New(handlers), stop, nil
}

// rotating is a file that is put aside, as the one before it, when it has its size. Safe for concurrent use.
type rotating struct {
	path string
	most int64

	mu   sync.Mutex
	file *os.File
	size int64
}

func openRotating(path string, most int64) (*rotating, error) {
	r := &rotating{path: path, most: most}
	return r, r.open()
}

func (r *rotating) open() error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	r.file, r.size = f, st.Size()
	return nil
}

// Write implements io.Writer.
func (r *rotating) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.most > 0 && r.size > 0 && r.size+int64(len(b)) > r.most {
		_ = r.file.Close()
		if err := os.Rename(r.path, r.path+".1"); err != nil {
			return 0, err
		}
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	n, err := r.file.Write(b)
	r.size += int64(n)
	return n, err
}

// Close closes the file.
func (r *rotating) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.file.Close()
}
