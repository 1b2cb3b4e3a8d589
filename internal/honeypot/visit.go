package honeypot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/shingle"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/record"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/shell"
)

// Bounds of what is kept of one visit.
const (
	maxEvents = 5000
	maxLines  = 200
	maxKept   = 64
)

// visit is one connection.
type visit struct {
	h        *Honeypot
	id       string
	protocol string
	source   netip.Addr
	port     uint16
	began    time.Time
	conn     *limitedConn
	fs       *memfs.FS
	cancel   context.CancelFunc

	mu     sync.Mutex
	hello  hello
	tries  int
	user   string
	lines  []string
	urls   []string
	events int
	shells int
	window shingle.Window
	told   bool
	client string // HASSH, once somebody is signed in
	kept   map[string]bool
}

// event records something of this visit.
func (v *visit) event(e record.Event) {
	v.mu.Lock()
	v.events++
	over := v.events > maxEvents && e.Kind != "closed"
	v.mu.Unlock()
	if over {
		return
	}
	e.Session, e.Protocol, e.Source, e.Port = v.id, v.protocol, v.source.String(), v.port
	v.h.record.Event(e)
}

// observe passes an indicator on.
func (v *visit) observe(kind Kind, value, note string) {
	if v.h.cfg.Observe != nil && value != "" {
		v.h.cfg.Observe(Observation{Kind: kind, Value: value, Note: note, Session: v.id, Source: v.source.String(), Time: v.h.cfg.Now()})
	}
}

// login judges a user and a password, and records both.
func (v *visit) login(user, password string) bool {
	ok := len(user) <= 64 && len(password) <= 256 && !strings.ContainsAny(user, ":/\n\x00 ") && user != "" &&
		v.h.cfg.Policy.accepts(v.h.persona.SeedBytes(), v.source, user, password)
	v.mu.Lock()
	v.tries++
	if ok {
		v.user = user
	}
	v.mu.Unlock()
	v.event(record.Event{Kind: "login", User: user, Password: password, Accepted: &ok})
	if len(user) <= 64 && len(password) <= 256 {
		v.observe(Credential, user+":"+password, "tried on the honeypot")
	}
	v.observe(Address, v.source.String(), "tried to sign in to the honeypot")
	v.attack(false)
	return ok
}

// attack tells of the visit, at the first attempt to sign in and at its end.
func (v *visit) attack(ended bool) {
	v.mu.Lock()
	a := Attack{
		Session: v.id, Protocol: v.protocol, Source: v.source, First: v.began, Last: v.h.cfg.Now(), Tries: v.tries, User: v.user, Ended: ended,
		Lines: append([]string(nil), v.lines...), URLs: append([]string(nil), v.urls...), HASSH: v.client,
	}
	tell := v.tries > 0 && (ended || !v.told)
	v.told = v.told || tell
	v.mu.Unlock()
	if tell && v.h.cfg.Attack != nil {
		v.h.cfg.Attack(a)
	}
}

// typed records a command line.
func (v *visit) typed(line string) {
	v.mu.Lock()
	if len(v.lines) < maxLines {
		v.lines = append(v.lines, line[:min(len(line), 1024)])
	}
	v.mu.Unlock()
	v.event(record.Event{Kind: "input", Text: line})
}

// account finds who is signed in. One that the persona doesn't have is added to the passwd file as this source sees it.
func (v *visit) account(user string) shell.Account {
	if u := v.h.persona.User(user); u != nil {
		home := u.Home
		return shell.Account{Name: u.Name, User: memfs.User{UID: u.UID, GID: u.GID}, Home: home, Shell: u.Shell}
	}
	root := memfs.User{}
	b, _ := v.fs.Read(root, "/etc/passwd", 1<<20)
	uid, known := uint32(1002), false
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 7 {
			continue
		}
		if known = f[0] == user; known {
			_, _ = fmt.Sscan(f[2], &uid)
			break
		}
		if f[2] == fmt.Sprint(uid) {
			uid++
		}
	}
	a := shell.Account{Name: user, User: memfs.User{UID: uid, GID: uid}, Home: "/home/" + user, Shell: "/bin/bash"}
	if !known {
		_ = v.fs.Write(root, "/etc/passwd", fmt.Appendf(nil, "%s:x:%d:%d::%s:/bin/bash\n", user, uid, uid, a.Home), true, 0o644)
		_ = v.fs.Write(root, "/etc/group", fmt.Appendf(nil, "%s:x:%d:\n", user, uid), true, 0o644)
		if v.fs.Mkdir(root, a.Home, 0o755) == nil {
			_ = v.fs.Change(root, a.Home, func(n *memfs.Node) { n.UID, n.GID = uid, uid })
		}
	}
	return a
}

// shell starts a shell for the visit's user.
func (v *visit) shell(terminal bool, columns int) *shell.Shell {
	return shell.New(shell.Config{
		Persona: v.h.persona, FS: v.fs, Now: v.h.cfg.Now, Account: v.account(v.user), From: v.source.String(), Terminal: terminal, Columns: columns, Observer: v,
	})
}

// cast begins the recording of a shell.
func (v *visit) cast(columns, rows int, term string) *record.Cast {
	v.mu.Lock()
	v.shells++
	n := v.shells
	v.mu.Unlock()
	if n > 10 {
		return nil
	}
	name := v.id
	if n > 1 {
		name = fmt.Sprintf("%s-%d", v.id, n)
	}
	c, err := v.h.record.Cast(name, columns, rows, term)
	if err != nil {
		v.h.cfg.Log.Warn("honeypot recording failed", "session", v.id, "error", err)
		return nil
	}
	v.event(record.Event{Kind: "shell", Cast: name + ".cast"})
	return c
}

// Ran implements shell.Observer.
func (v *visit) Ran(args []string, builtin bool) {
	if builtin {
		return
	}
	v.event(record.Event{Kind: "command", Args: append([]string(nil), args...)})
	v.mu.Lock()
	found := v.window.Add(args)
	v.mu.Unlock()
	for _, s := range found {
		v.observe(Shingle, s, "commands typed into the honeypot")
	}
}

// Fetched implements shell.Observer.
func (v *visit) Fetched(tool, address, file string) {
	v.mu.Lock()
	if len(v.urls) < maxLines {
		v.urls = append(v.urls, address)
	}
	v.mu.Unlock()
	v.event(record.Event{Kind: "download", How: tool, URL: address, Path: file})
	v.observe(URL, address, "to be downloaded on the honeypot")
	if u, err := url.Parse(address); err == nil {
		host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if a, err := netip.ParseAddr(host); err == nil {
			if !a.IsPrivate() && !a.IsLoopback() && !a.IsUnspecified() {
				v.observe(Address, a.String(), "source of a download on the honeypot")
			}
		} else if strings.Contains(host, ".") {
			v.observe(Domain, host, "source of a download on the honeypot")
		}
	}
}

// Kept implements shell.Observer.
func (v *visit) Kept(how, path string, content []byte) {
	if len(content) == 0 {
		return
	}
	sum := sha256.Sum256(content)
	key := how + " " + path + " " + hex.EncodeToString(sum[:])
	v.mu.Lock()
	if v.kept == nil {
		v.kept = map[string]bool{}
	}
	known := v.kept[key] || len(v.kept) >= maxKept
	v.kept[key] = true
	v.mu.Unlock()
	if known {
		return
	}
	hash, err := v.h.record.Keep(content)
	if err != nil {
		v.h.cfg.Log.Warn("honeypot upload not kept", "session", v.id, "error", err)
	}
	v.event(record.Event{Kind: "file", How: how, Path: path, SHA256: hash, Size: len(content)})
	if how == "scp" || how == "sftp" || how == "run" || how == "executable" {
		v.observe(SHA256, hash, how+" on the honeypot: "+path[:min(len(path), 200)])
	}
}

// Noted implements shell.Observer.
func (v *visit) Noted(kind, text string) {
	v.event(record.Event{Kind: "note", How: kind, Text: text})
	if kind == "connect" || kind == "reverse-shell" {
		host, _, _ := strings.Cut(text, ":")
		if a, err := netip.ParseAddr(host); err == nil && kind == "reverse-shell" && !a.IsPrivate() && !a.IsLoopback() {
			v.observe(Address, a.String(), "reverse shell on the honeypot")
		}
	}
}

// close ends the visit: what was written and not seen yet is kept, and all of it told.
func (v *visit) close() {
	for i, name := range v.fs.Changed(v.began) {
		if i >= maxKept {
			break
		}
		if strings.HasPrefix(name, "/etc/") {
			continue
		}
		if b := v.fs.Written(name); len(b) > 0 {
			v.Kept("left", name, b)
		}
	}
	v.attack(true)
	v.event(record.Event{Kind: "closed", Seconds: v.h.cfg.Now().Sub(v.began).Seconds()})
}
