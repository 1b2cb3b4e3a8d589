package web

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// logName is the file with what a site's process printed; logName + ".1" is the one before it.
const logName = "default_docker.log"

func (s *Service) logDir(guid string) string {
	return filepath.Join(s.packages.folder(guid), "logs")
}

// logFile is one log as Kudu lists it, in both of its listings.
type logFile struct {
	Name        string    `json:"name,omitempty"`
	MachineName string    `json:"machineName,omitempty"`
	Size        int64     `json:"size"`
	Modified    time.Time `json:"mtime,omitzero"`
	LastUpdated time.Time `json:"lastUpdated,omitzero"`
	MIME        string    `json:"mime,omitempty"`
	Href        string    `json:"href"`
	Path        string    `json:"path"`
}

// logFiles lists the site's logs, the newest first.
func (s *Service) logFiles(r *wire.Request) []logFile {
	dir := s.logDir(r.State.(*publishTarget).d.site.GUID)
	files := []logFile{}
	for _, name := range []string{logName, logName + ".1"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err == nil {
			files = append(files, logFile{
				Name: name, Size: st.Size(), Modified: st.ModTime().UTC(), MIME: "text/plain",
				Href: "https://" + r.Host.Text + "/api/vfs/LogFiles/" + name, Path: "/home/LogFiles/" + name,
			})
		}
	}
	return files
}

func (s *Service) listLogFiles(_ context.Context, r *wire.Request) (any, error) {
	return s.logFiles(r), nil
}

func (s *Service) listLogs(_ context.Context, r *wire.Request) (any, error) {
	files := s.logFiles(r)
	for i := range files {
		f := &files[i]
		f.MachineName, f.LastUpdated = "bulkhead", f.Modified
		f.Name, f.MIME, f.Modified = "", "", time.Time{}
	}
	return files, nil
}

func (s *Service) getLogFile(_ context.Context, r *wire.Request) (any, error) {
	name := r.Param("name")
	if name != logName && name != logName+".1" {
		return nil, fault.New(fault.NotFound, "NotFound", "There is no log file %q; GET /api/vfs/LogFiles lists them.", name)
	}
	b, err := os.ReadFile(filepath.Join(s.logDir(r.State.(*publishTarget).d.site.GUID), name))
	if os.IsNotExist(err) {
		return nil, fault.New(fault.NotFound, "NotFound", "There is no log file %q yet.", name)
	}
	if err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: b}, nil
}

// How often a stream looks for more, and how long it lasts.
const (
	streamLook = 200 * time.Millisecond
	streamLast = 30 * time.Minute
)

// streamLog sends the newest output, then what is added, until the client goes.
func (s *Service) streamLog(w http.ResponseWriter, r *wire.Request) error {
	path := filepath.Join(s.logDir(r.State.(*publishTarget).d.site.GUID), logName)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithTimeout(r.HTTP.Context(), streamLast)
	defer cancel()
	flush := http.NewResponseController(w).Flush
	t := time.NewTicker(streamLook)
	defer t.Stop()
	offset := int64(-1)
	for {
		part, next := readMore(path, offset)
		offset = next
		if _, err := w.Write(part); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
		if err := flush(); err != nil {
			return nil //nolint:nilerr // likewise
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// readMore returns what the file has behind offset, at most 64 KiB. An offset below zero begins near the end, one behind it at the beginning: the file was rotated.
func readMore(path string, offset int64) (part []byte, next int64) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil, max(offset, 0)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, offset
	case offset < 0:
		offset = max(st.Size()-most, 0)
	case offset > st.Size():
		offset = 0
	}
	b := make([]byte, most)
	n, _ := f.ReadAt(b, offset)
	return b[:n], offset + int64(n)
}
