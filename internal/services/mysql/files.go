package mysql

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	caPath   = "/ca.pem"
	linkLife = time.Hour
	maxLog   = 64 << 20 // bytes of a log that are sent: the newest
)

// fileRoutes are the files under a server's own name: the certificate authority's root, which anyone may have, and logs, for who has a signed link.
func (s *Service) fileRoutes() []wire.Route {
	return []wire.Route{
		{Host: wire.HostMySQL, Method: http.MethodGet, Pattern: caPath, Operation: "GetCertificateAuthority", Auth: wire.Anonymous, Quiet: true, Handler: s.getCA},
		{Host: wire.HostMySQL, Method: http.MethodGet, Pattern: "/logs/{file}", Operation: "GetLogFile", Auth: s.signedLink(), Handler: s.getLog},
	}
}

func (s *Service) getCA(context.Context, *wire.Request) (any, error) {
	return wire.Reply{Header: http.Header{"Content-Type": {"application/x-pem-file"}}, Body: s.deps.RootPEM}, nil
}

// logFile is a log of a server.
type logFile struct {
	name    string
	size    int64
	changed time.Time
}

func listLogs(folder string) ([]logFile, error) {
	entries, err := os.ReadDir(folder)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	var out []logFile
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			out = append(out, logFile{e.Name(), info.Size(), info.ModTime()})
		}
	}
	return out, nil
}

type shownLog struct {
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	Type       string             `json:"type"`
	Properties shownLogProperties `json:"properties"`
}

type shownLogProperties struct {
	Name     string    `json:"name"`
	SizeInKB int64     `json:"sizeInKB"`
	Created  time.Time `json:"createdTime"`
	Modified time.Time `json:"lastModifiedTime"`
	Kind     string    `json:"type"`
	URL      string    `json:"url"`
}

// logFiles lists a server's logs, each with a link that is good for an hour.
func (s *Service) logFiles(_ context.Context, c *arm.Call) (any, error) {
	found, err := listLogs(s.host.logs(c.Old.GUID))
	if err != nil {
		return nil, err
	}
	out := []shownLog{}
	until := strconv.FormatInt(s.deps.Clock.Now().Add(linkLife).Unix(), 10)
	for _, f := range found {
		u := c.URL(wire.HostMySQL, strings.ToLower(c.Old.Name)) + "/logs/" + f.name + "?se=" + until + "&sig=" + s.linkSignature(c.Old.GUID, f.name, until)
		out = append(out, shownLog{c.Old.ID + "/logFiles/" + f.name, f.name, serverTypeName + "/logFiles", shownLogProperties{
			f.name, (f.size + 1023) / 1024, c.Old.Created, f.changed.UTC(), "slowlog", u,
		}})
		if !strings.Contains(f.name, "slow") {
			out[len(out)-1].Properties.Kind = "errorlog"
		}
	}
	return map[string]any{"value": out}, nil
}

func (s *Service) linkSignature(guid, file, until string) string {
	return base64.RawURLEncoding.EncodeToString(s.deps.Sealer.MAC("mysql", "log", guid, file, until))
}

// signedLink lets in who has a link of logFiles.
func (s *Service) signedLink() wire.Authenticator {
	denied := fault.New(fault.Forbidden, "AuthenticationFailed", "The link's signature is not good or has expired: list the server's logFiles again.")
	return wire.Authenticator{Name: "signed link", Check: func(ctx context.Context, r *wire.Request) error {
		e, err := s.deps.Names.Lookup(ctx, wire.HostMySQL, r.Host.Name)
		if err != nil {
			return err
		}
		if e == nil {
			return denied
		}
		until := r.Query("se")
		end, err := strconv.ParseInt(until, 10, 64)
		if err != nil || s.deps.Clock.Now().Unix() > end || !hmac.Equal([]byte(s.linkSignature(e.GUID, r.Param("file"), until)), []byte(r.Query("sig"))) {
			return denied
		}
		r.State, r.Resource, r.AllowedBy = e.GUID, e.ResourceID, "signed link"
		return nil
	}}
}

func (s *Service) getLog(_ context.Context, r *wire.Request) (any, error) {
	folder := s.host.logs(r.State.(string))
	found, err := listLogs(folder)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(found, func(f logFile) bool { return f.name == r.Param("file") }) {
		return nil, fault.New(fault.NotFound, "LogFileNotFound", "There is no log file '%s'.", clip(r.Param("file")))
	}
	b, err := readEnd(filepath.Join(folder, r.Param("file")), maxLog)
	if err != nil {
		return nil, err
	}
	return wire.Reply{Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: b}, nil
}

// readEnd reads a file's last bytes.
func readEnd(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return io.ReadAll(io.NewSectionReader(f, max(info.Size()-most, 0), most))
}
