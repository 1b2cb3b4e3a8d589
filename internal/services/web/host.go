package web

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// startersAtOnce bounds how many sites are brought up in parallel.
const startersAtOnce = 4

// refreshLook is how often the host looks whether references are due, and blobLinger how old a package without a site must be to be removed.
const (
	refreshLook = time.Minute
	blobLinger  = time.Hour
)

// host keeps one instance for each site. Nothing runs before run does, and everything has stopped when run returns.
type host struct {
	service *Service
	slots   chan struct{}

	mu      sync.Mutex
	ctx     context.Context // of run; nil while the host does not run
	sites   map[string]*instance
	loops   sync.WaitGroup
	stopped bool
}

func newHost(s *Service) *host {
	return &host{service: s, slots: make(chan struct{}, startersAtOnce), sites: map[string]*instance{}}
}

// run brings up all sites and keeps them until ctx ends.
func (h *host) run(ctx context.Context) error {
	h.mu.Lock()
	h.ctx = ctx
	h.mu.Unlock()
	defer h.stop()
	sites, packages, err := h.service.allSites(ctx)
	if err != nil {
		return err
	}
	h.sweep(sites, packages)
	for guid, id := range sites {
		if err := h.changed(ctx, guid, id); err != nil {
			h.service.deps.Log.Error("site not started", "site", id, "error", err)
		}
	}
	t := time.NewTicker(refreshLook)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			h.refreshDue()
		}
	}
}

// stop ends all instances and waits for them.
func (h *host) stop() {
	h.mu.Lock()
	h.stopped = true
	for _, i := range h.sites {
		i.cancel()
	}
	h.mu.Unlock()
	h.loops.Wait()
}

// instance returns the one of a site, made if it is not there; nil while the host does not run.
func (h *host) instance(guid string) *instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := h.sites[guid]; i != nil || h.ctx == nil || h.stopped {
		return i
	}
	i := newInstance(h, guid)
	h.sites[guid] = i
	ctx, cancel := context.WithCancel(h.ctx)
	i.cancel = cancel
	h.loops.Go(func() { i.loop(ctx) })
	return i
}

// changed makes the site's instance follow its configuration: what the front end asks (is it stopped, who may reach it) at once, the process soon after.
func (h *host) changed(ctx context.Context, guid, resourceID string) error {
	i := h.instance(guid)
	if i == nil {
		return nil // run will find the site
	}
	// What is to be followed may have been moved since.
	at, err := h.service.standing(ctx, guid, resourceID)
	if err != nil {
		return err
	}
	d, err := h.service.load(ctx, at)
	if err != nil {
		return err
	}
	if d == nil || d.site.GUID != guid {
		now, err := h.service.standing(ctx, guid, at)
		if err != nil {
			return err
		}
		if now != at {
			return h.changed(ctx, guid, now)
		}
		// Deleted meanwhile.
		h.remove(guid)
		return nil
	}
	i.want(d)
	return nil
}

// hold lets new requests of a site wait for its next process, which changed will bring up.
func (h *host) hold(guid string) {
	h.mu.Lock()
	i := h.sites[guid]
	h.mu.Unlock()
	if i != nil {
		i.set(phaseStarting, "")
	}
}

// remove stops a site's process, waits for its end and removes its folder.
func (h *host) remove(guid string) {
	h.mu.Lock()
	i := h.sites[guid]
	delete(h.sites, guid)
	h.mu.Unlock()
	if i != nil {
		i.cancel()
		<-i.done
	}
	if guid != "" {
		_ = os.RemoveAll(h.service.packages.folder(guid)) // what stays is swept at the next start
	}
}

// find returns the running instance of a site; it loads one that is not there yet.
func (h *host) find(ctx context.Context, guid, resourceID string) (*instance, error) {
	h.mu.Lock()
	i := h.sites[guid]
	h.mu.Unlock()
	if i != nil && i.desired.Load() != nil {
		return i, nil
	}
	if err := h.changed(ctx, guid, resourceID); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sites[guid], nil
}

// resolutions are what became of a site's references.
func (h *host) resolutions(guid, noun string) map[string]resolution {
	h.mu.Lock()
	i := h.sites[guid]
	h.mu.Unlock()
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if noun == nounConnections {
		return i.connections
	}
	return i.settings
}

// refreshDue has references read again that were read a day ago.
func (h *host) refreshDue() {
	now := h.service.deps.Clock.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.sites {
		i.mu.Lock()
		due := !i.resolved.IsZero() && now.Sub(i.resolved) >= refreshAfter
		i.mu.Unlock()
		if due {
			i.poke(i.refresh)
		}
	}
}

// sweep removes folders of sites and packages that nothing names any more: a crash may have left them.
func (h *host) sweep(sites, hashes map[string]string) {
	p := h.service.packages
	entries, _ := os.ReadDir(p.sites)
	for _, e := range entries {
		if _, ok := sites[e.Name()]; !ok {
			_ = os.RemoveAll(filepath.Join(p.sites, e.Name()))
		}
	}
	used := map[string]bool{}
	for _, hash := range hashes {
		used[hash] = true
	}
	_ = filepath.WalkDir(p.blobs, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // what can't be read stays
		}
		name := e.Name()
		ours := strings.HasPrefix(name, ".upload-") || len(name) == 64
		if st, err := e.Info(); err == nil && ours && !used[name] && time.Since(st.ModTime()) > blobLinger {
			_ = os.Remove(path)
		}
		return nil
	})
}

// log is the platform's log with the site's name.
func (h *host) log(d *desired) *slog.Logger { return h.service.deps.Log.With("site", d.site.Name) }
