package rules

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/sigma"
)

// Folders are folders of rules that users may change while they are used. Safe for concurrent use.
type Folders struct {
	folders []fs.FS
	set     atomic.Pointer[Set]
	print   uint64 // of what was read last; for the one who calls Refresh
}

// Open reads folders of rules.
func Open(folders ...fs.FS) (*Folders, []sigma.Problem) {
	f := &Folders{folders: folders}
	problems, _ := f.Refresh()
	return f, problems
}

// Set is the rules of now.
func (f *Folders) Set() *Set { return f.set.Load() }

// Refresh reads the folders anew if a file in them came, went or changed; it reports whether so, and what can't be used. It is not for concurrent use.
func (f *Folders) Refresh() (problems []sigma.Problem, changed bool) {
	print := f.fingerprint()
	if f.set.Load() != nil && print == f.print {
		return nil, false
	}
	set, problems := Compile(f.folders...)
	f.print = print
	f.set.Store(set)
	return problems, true
}

// fingerprint changes when a name, a size or a time in the folders does.
func (f *Folders) fingerprint() uint64 {
	h := fnv.New64a()
	for i, folder := range f.folders {
		fmt.Fprintln(h, i)
		err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if ext := strings.ToLower(path.Ext(name)); ext != ".yml" && ext != ".yaml" {
				return nil
			}
			if info, err := d.Info(); err == nil {
				fmt.Fprintln(h, name, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
		fmt.Fprintln(h, err)
	}
	return h.Sum64()
}

// Watch looks every so often whether the folders changed, until ctx ends, and tells what was read.
func (f *Folders) Watch(ctx context.Context, every time.Duration, changed func(set *Set, problems []sigma.Problem)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if problems, ok := f.Refresh(); ok {
			changed(f.Set(), problems)
		}
	}
}
