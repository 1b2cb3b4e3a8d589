package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/app"
)

const (
	dialTimeout = 2 * time.Second
	clockSlack  = 2 * time.Minute // a file may be this much younger than now

	diskWrong = 256 << 20 // bytes free
	diskNote  = 2 << 30
	filesLow  = 10_000
)

// lookAround finds out what there is to examine.
func (e *examination) lookAround() {
	info, err := os.Stat(e.Config.Data)
	e.exists = err == nil && info.IsDir()
	if run, err := app.ReadRun(e.Config.Data); err == nil {
		e.run = run
	}
	if c, err := net.DialTimeout("unix", app.SocketPath(e.Config.Data), dialTimeout); err == nil {
		c.Close()
		e.running = true
	}
}

// clock compares the time with what was written before, since tokens and certificates are judged by it.
func (e *examination) clock() {
	now := e.Now()
	var newest time.Time
	var name string
	for _, pattern := range []string{"*", "store/*", "ca/*"} {
		files, _ := filepath.Glob(filepath.Join(e.Config.Data, pattern))
		for _, f := range files {
			if info, err := os.Lstat(f); err == nil && info.ModTime().After(newest) {
				newest, name = info.ModTime(), f
			}
		}
	}
	if newest.After(now.Add(clockSlack)) {
		e.add("clock", Wrong, fmt.Sprintf("it shows %s, but %s was written at %s: the clock went back", now.UTC().Format(time.RFC3339), name, newest.UTC().Format(time.RFC3339)),
			"set the clock (timedatectl set-ntp true); until then tokens and certificates may count as not yet valid")
	}
	if synced, known := e.Synced(); known && !synced {
		e.add("clock", Note, "no time server steers it", "timedatectl set-ntp true, if other machines' tokens or certificates are used here")
	}
	e.fine("clock", "%s", now.UTC().Format(time.RFC3339))
}

func (e *examination) folder() {
	const check = "folder"
	info, err := os.Stat(e.Config.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.add(check, OK, e.Config.Data+" does not exist yet: bulkhead up makes it", "")
		return
	case err != nil:
		e.add(check, Wrong, err.Error(), "make it accessible to this user, or name another with --data")
		return
	case !info.IsDir():
		e.add(check, Wrong, e.Config.Data+" is not a folder", "name another with --data")
		return
	}
	f, err := os.CreateTemp(e.Config.Data, ".doctor-")
	if err != nil {
		e.add(check, Wrong, "this user can't write into it: "+err.Error(), "run as the user it belongs to, or chown -R it")
		return
	}
	f.Close()
	os.Remove(f.Name())
	e.fine(check, "%s", e.Config.Data)
}

// permissions looks at what must be its owner's alone. The folder itself keeps others from all the rest in it.
func (e *examination) permissions() {
	const check = "permissions"
	if !e.exists || runtime.GOOS == "windows" {
		return
	}
	private := []string{e.Config.Data, filepath.Join(e.Config.Data, "run.json"), app.SocketPath(e.Config.Data)}
	for _, pattern := range []string{"*.key", "ca/*.key"} {
		found, _ := filepath.Glob(filepath.Join(e.Config.Data, pattern))
		private = append(private, found...)
	}
	for _, f := range private {
		info, err := os.Lstat(f)
		if err != nil {
			continue
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			want := "600"
			if info.IsDir() {
				want = "700"
			}
			e.add(check, Wrong, fmt.Sprintf("others may use %s (mode %03o)", f, mode), "chmod "+want+" "+f)
		}
	}
	e.fine(check, "the folder, its keys and its socket are their owner's alone")
}

func (e *examination) disk() {
	const check = "disk"
	dir := e.Config.Data
	for !e.exists && dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	bytes, files, err := e.Free(dir)
	if err != nil {
		e.add(check, Note, "the free space is not known: "+err.Error(), "look at it with the system's own tools")
		return
	}
	const mend = "make room on that disk, or move the folder to another (stop the platform first)"
	switch {
	case bytes < diskWrong:
		e.add(check, Wrong, fmt.Sprintf("%d MiB are free: writes may fail", bytes>>20), mend)
	case bytes < diskNote:
		e.add(check, Note, fmt.Sprintf("%d MiB are free", bytes>>20), mend)
	}
	if files < filesLow {
		e.add(check, Wrong, fmt.Sprintf("only %d more files may be made", files), mend)
	}
	e.fine(check, "%d MiB are free", bytes>>20)
}

// leftovers finds what an end without order left behind.
func (e *examination) leftovers() {
	const check = "run"
	file, socket := filepath.Join(e.Config.Data, "run.json"), app.SocketPath(e.Config.Data)
	_, fileErr := os.Lstat(file)
	_, socketErr := os.Lstat(socket)
	_, parseErr := app.ReadRun(e.Config.Data)
	switch {
	case e.running && fileErr != nil:
		e.add(check, Wrong, "a platform runs, but its run.json is gone: clients can't find it", "restart the platform")
	case e.running && parseErr != nil:
		e.add(check, Wrong, "a platform runs, but "+parseErr.Error(), "restart the platform")
	case e.running:
		e.fine(check, "the platform runs as process %d", e.run.PID)
	case fileErr == nil && e.run.PID > 0 && alive(e.run.PID):
		e.add(check, Wrong, fmt.Sprintf("run.json names process %d, which lives but does not answer on %s", e.run.PID, socket),
			fmt.Sprintf("if it is a bulkhead (ps -p %d), stop it; if not, the number was used again: rm %s", e.run.PID, file))
	case fileErr == nil || socketErr == nil:
		var left []string
		for f, err := range map[string]error{file: fileErr, socket: socketErr} {
			if err == nil {
				left = append(left, f)
			}
		}
		e.add(check, Wrong, "the last platform ended without order (killed, or the machine went down) and left "+strings.Join(left, " and "),
			"start it again (nothing acknowledged is lost), or rm "+strings.Join(left, " "))
	default:
		e.fine(check, "the platform does not run")
	}
}
