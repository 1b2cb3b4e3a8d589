package honeypot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/persona"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/record"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/shell"
)

// Honeypot is one decoy, on any number of listeners.
type Honeypot struct {
	cfg     Config
	persona *persona.Persona
	keys    []ssh.Signer
	tree    *memfs.Tree
	record  *record.Recorder

	mu      sync.Mutex
	open    int
	sources map[netip.Addr]*source
	visits  sync.WaitGroup
}

// source is what is known of one address.
type source struct {
	fs   *memfs.FS
	open int
	last time.Time
}

// Open reads the folder, or makes persona and host keys in it at the first start.
func Open(cfg Config) (*Honeypot, error) {
	cfg.Limits = cfg.Limits.filled()
	if cfg.Policy.Credentials == nil {
		cfg.Policy.Credentials = DefaultCredentials()
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Now().UTC() }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.FailDelay == 0 {
		cfg.FailDelay = 1500 * time.Millisecond
	}
	if cfg.Forwards != "" && cfg.Forwards != "refuse" && cfg.Forwards != "canned" {
		return nil, fmt.Errorf("forwards %q: want refuse or canned", cfg.Forwards)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	h := &Honeypot{cfg: cfg, sources: map[netip.Addr]*source{}}
	var err error
	if h.persona, err = openPersona(cfg.Dir, cfg.Now()); err != nil {
		return nil, err
	}
	if h.keys, err = openKeys(cfg.Dir); err != nil {
		return nil, err
	}
	if h.record, err = record.Open(cfg.Dir, cfg.Limits.Records, cfg.Now); err != nil {
		return nil, err
	}
	_ = time.Now().Local().Hour() // reads the host's time zone now: the sftp library would do it amid a visit
	h.tree = h.persona.Tree(shell.Programs(), cfg.Now)
	return h, nil
}

// Persona is the machine that it pretends to be.
func (h *Honeypot) Persona() *persona.Persona { return h.persona }

func openPersona(dir string, now time.Time) (*persona.Persona, error) {
	path := filepath.Join(dir, "persona.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var seed [32]byte
		if _, err := rand.Read(seed[:]); err != nil {
			return nil, err
		}
		p := persona.New(seed, now)
		if b, err = json.MarshalIndent(p, "", "  "); err != nil {
			return nil, err
		}
		return p, os.WriteFile(path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return nil, err
	}
	var p persona.Persona
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if p.Version > persona.Version {
		return nil, fmt.Errorf("%s has version %d, this program knows up to %d", path, p.Version, persona.Version)
	}
	if len(p.Users) < 3 || p.Cores < 1 || p.Hostname == "" {
		return nil, fmt.Errorf("%s is no whole persona: remove it to have another one made", path)
	}
	return &p, nil
}

// Serve answers connections with a protocol, ssh or telnet, until ctx ends or the listener is closed. It returns when the last visitor is gone.
func (h *Honeypot) Serve(ctx context.Context, l net.Listener, protocol string) error {
	talk := map[string]func(context.Context, *visit){"ssh": h.ssh, "telnet": h.telnet}[protocol]
	if talk == nil {
		return fmt.Errorf("honeypot: no protocol %q", protocol)
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer h.visits.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			h.cfg.Log.Warn("honeypot accept failed", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		h.visits.Go(func() { h.receive(ctx, c, protocol, talk) })
	}
}

// Close ends the records. Call it when Serve has returned.
func (h *Honeypot) Close() error { return h.record.Close() }

func (h *Honeypot) receive(ctx context.Context, c net.Conn, protocol string, talk func(context.Context, *visit)) {
	defer c.Close()
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return
	}
	addr := peer.Addr().Unmap().WithZone("")
	src, ok := h.enter(addr)
	if !ok {
		return
	}
	defer h.leave(src)
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Limits.Session)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	var id [8]byte
	_, _ = rand.Read(id[:])
	l := h.cfg.Limits
	v := &visit{
		h: h, id: h.cfg.Now().Format("20060102T150405-") + hex.EncodeToString(id[:]), protocol: protocol, source: addr, port: peer.Port(), began: h.cfg.Now(), fs: src.fs, cancel: cancel,
		conn: &limitedConn{Conn: c, idle: l.Idle, in: l.BytesIn, out: l.BytesOut},
	}
	v.conn.until(time.Now().Add(l.Login))
	defer func() {
		if r := recover(); r != nil { // one visitor's end is not everybody's
			h.cfg.Log.Error("honeypot session failed", "session", v.id, "error", fmt.Sprint(r))
		}
		v.close()
	}()
	v.event(record.Event{Kind: "connect"})
	talk(ctx, v)
}

// enter counts a connection. An IPv6 source is its /64.
func (h *Honeypot) enter(addr netip.Addr) (*source, bool) {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sources[addr]
	if h.open >= h.cfg.Limits.Connections || s != nil && s.open >= h.cfg.Limits.PerSource {
		return nil, false
	}
	if s == nil {
		h.makeRoom()
		s = &source{fs: memfs.New(h.tree, memfs.Limits{Bytes: h.cfg.Limits.Written, File: h.cfg.Limits.Written, Files: h.cfg.Limits.Files}, h.cfg.Now)}
		h.sources[addr] = s
	}
	s.open++
	h.open++
	s.last = h.cfg.Now()
	return s, true
}

// makeRoom forgets those who are longest gone. It is called with the lock held.
func (h *Honeypot) makeRoom() {
	for {
		var oldest netip.Addr
		var used int64
		var at time.Time
		for a, s := range h.sources {
			n, _ := s.fs.Used()
			used += n
			if s.open == 0 && (!oldest.IsValid() || s.last.Before(at)) {
				oldest, at = a, s.last
			}
		}
		if len(h.sources) < h.cfg.Limits.Sources && used < h.cfg.Limits.Memory || !oldest.IsValid() {
			return
		}
		delete(h.sources, oldest)
	}
}

func (h *Honeypot) leave(s *source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.open--
	h.open--
	s.last = h.cfg.Now()
}
