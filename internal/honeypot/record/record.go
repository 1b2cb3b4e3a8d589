package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Version is that of an Event's form.
const Version = 1

// maxField is how much of a foreign text is kept in an event.
const maxField = 4096

// Event is one thing that happened. Only the fields that its kind needs are there.
type Event struct {
	V        int       `json:"v"`
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"` // connect, client, key, login, shell, exec, command, input, download, file, forward, note, closed
	Session  string    `json:"session"`
	Protocol string    `json:"protocol"` // ssh, telnet
	Source   string    `json:"source"`   // address
	Port     uint16    `json:"port,omitempty"`

	User     string   `json:"user,omitempty"`
	Password string   `json:"password,omitempty"`
	Accepted *bool    `json:"accepted,omitempty"`
	Key      string   `json:"key,omitempty"` // fingerprint of an offered key, with its kind before it
	Banner   string   `json:"banner,omitempty"`
	HASSH    string   `json:"hassh,omitempty"`
	Offers   string   `json:"offers,omitempty"` // what HASSH is the hash of
	Text     string   `json:"text,omitempty"`   // a line, a note
	Args     []string `json:"args,omitempty"`
	URL      string   `json:"url,omitempty"`
	Path     string   `json:"path,omitempty"`
	SHA256   string   `json:"sha256,omitempty"`
	Size     int      `json:"size,omitempty"`
	How      string   `json:"how,omitempty"`
	Target   string   `json:"target,omitempty"` // of a forward
	Cast     string   `json:"cast,omitempty"`
	Seconds  float64  `json:"seconds,omitempty"`
}

// Recorder writes. Safe for concurrent use.
type Recorder struct {
	dir   string
	quota int64
	now   func() time.Time

	mu   sync.Mutex
	used int64
	day  string
	size int64 // of the day's events: they take no more than half of the quota, and are not removed while they are written
	file *os.File
	fail error
}

// Open takes a folder, which it makes, for at most quota bytes.
func Open(dir string, quota int64, now func() time.Time) (*Recorder, error) {
	r := &Recorder{dir: dir, quota: quota, now: now}
	for _, d := range []string{dir, filepath.Join(dir, "casts"), filepath.Join(dir, "uploads")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	r.used = r.measure()
	return r, nil
}

type kept struct {
	path string
	size int64
	at   time.Time
}

// files lists what is kept, the oldest first.
func (r *Recorder) files() []kept {
	var all []kept
	for _, pattern := range []string{"events-*.jsonl", "casts/*.cast", "uploads/*"} {
		names, _ := filepath.Glob(filepath.Join(r.dir, pattern))
		for _, n := range names {
			if i, err := os.Stat(n); err == nil {
				all = append(all, kept{n, i.Size(), i.ModTime()})
			}
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return a.at.Compare(b.at) })
	return all
}

func (r *Recorder) measure() int64 {
	var n int64
	for _, k := range r.files() {
		n += k.size
	}
	return n
}

// room counts n more bytes, and removes the oldest files where they would be too many. It is called with the lock held.
func (r *Recorder) room(n int) bool {
	if r.used+int64(n) <= r.quota {
		r.used += int64(n)
		return true
	}
	r.used = 0
	all := r.files()
	for _, k := range all {
		r.used += k.size
	}
	for _, k := range all {
		if r.used+int64(n) <= r.quota*9/10 {
			break
		}
		if r.file != nil && k.path == r.file.Name() {
			continue
		}
		if os.Remove(k.path) == nil {
			r.used -= k.size
		}
	}
	if r.used+int64(n) > r.quota {
		return false
	}
	r.used += int64(n)
	return true
}

func bounded(s string) string {
	if len(s) > maxField {
		s = s[:maxField]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Event adds one. Texts are cut to 4 KiB.
func (r *Recorder) Event(e Event) {
	e.V, e.Time = Version, r.now().UTC()
	for _, s := range []*string{&e.User, &e.Password, &e.Banner, &e.Offers, &e.Text, &e.URL, &e.Path, &e.Target, &e.Key} {
		*s = bounded(*s)
	}
	total := 0
	for i := range e.Args {
		e.Args[i] = bounded(e.Args[i])
		if total += len(e.Args[i]); total > maxField {
			e.Args = e.Args[:i]
			break
		}
	}
	b, err := json.Marshal(e)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if day := e.Time.Format("2006-01-02"); day != r.day {
		if r.file != nil {
			_ = r.file.Close()
		}
		r.day = day
		if r.file, r.fail = os.OpenFile(filepath.Join(r.dir, "events-"+day+".jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); r.fail != nil {
			r.file, r.day = nil, ""
			return
		}
		r.size = 0
		if i, err := r.file.Stat(); err == nil {
			r.size = i.Size()
		}
	}
	if r.size+int64(len(b)) < r.quota/2 && r.room(len(b)+1) {
		r.size += int64(len(b)) + 1
		_, r.fail = r.file.Write(append(b, '\n'))
	}
}

// Keep stores a file by its hash, which it answers.
func (r *Recorder) Keep(content []byte) (string, error) {
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	path := filepath.Join(r.dir, "uploads", name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := os.Stat(path); err == nil {
		return name, nil
	}
	if !r.room(len(content)) {
		return name, errors.New("the quota is used up")
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return name, err
	}
	return name, os.Rename(path+".new", path)
}

// Close ends the day's file, and tells whether any event was lost.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return r.fail
	}
	return errors.Join(r.fail, r.file.Close())
}

// maxCast is how much of one shell is kept.
const maxCast = 4 << 20

// Cast is the recording of one shell.
type Cast struct {
	r     *Recorder
	began time.Time
	mu    sync.Mutex
	file  *os.File
	size  int
}

// Cast begins a recording. Its name is the session's, with a number where it has more shells than one.
func (r *Recorder) Cast(name string, columns, rows int, term string) (*Cast, error) {
	f, err := os.OpenFile(filepath.Join(r.dir, "casts", name+".cast"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	c := &Cast{r: r, began: r.now(), file: f}
	head, err := json.Marshal(map[string]any{
		"version": 2, "width": columns, "height": rows, "timestamp": c.began.Unix(), "env": map[string]string{"SHELL": "/bin/bash", "TERM": bounded(term)},
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c.line(head)
	return c, nil
}

func (c *Cast) line(b []byte) {
	if c.size += len(b) + 1; c.size > maxCast {
		return
	}
	c.r.mu.Lock()
	ok := c.r.room(len(b) + 1)
	c.r.mu.Unlock()
	if ok {
		_, _ = c.file.Write(append(b, '\n'))
	}
}

// Add records output (kind "o"), input ("i") or a new size ("r").
func (c *Cast) Add(kind string, data []byte) {
	if c == nil || len(data) == 0 {
		return
	}
	b, err := json.Marshal([]any{max(c.r.now().Sub(c.began), 0).Seconds(), kind, strings.ToValidUTF8(string(data), "\uFFFD")})
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line(b)
}

// Close ends it.
func (c *Cast) Close() error {
	if c == nil {
		return nil
	}
	return c.file.Close()
}

// Read gives the recorded events of a folder, the oldest first. Lines that can't be read are skipped: the last one may be half written.
func Read(dir string, each func(Event) bool) error {
	names, err := filepath.Glob(filepath.Join(dir, "events-*.jsonl"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			var e Event
			if json.Unmarshal([]byte(line), &e) != nil {
				continue
			}
			if !each(e) {
				return nil
			}
		}
	}
	if len(names) == 0 {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no honeypot has recorded anything in %s", dir)
		}
	}
	return nil
}
