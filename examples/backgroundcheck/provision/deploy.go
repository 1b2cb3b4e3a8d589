package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// deploy pushes the built service to the site and waits until it answers.
func (a *admin) deploy(ctx context.Context, host, scm, program string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "frontend", Method: zip.Deflate}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	kudu := newREST("https://"+scm, armEndpoint+"/.default", a.cred)
	if err := kudu.call(ctx, http.MethodPost, "/api/zipdeploy", bytes.NewReader(b.Bytes()), nil); err != nil {
		return err
	}
	return awaitUp(ctx, "https://"+host+"/")
}

const (
	upTimeout = 2 * time.Minute
	upPause   = 200 * time.Millisecond
)

// awaitUp asks until the service says that it is up.
func awaitUp(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	var last error
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s answers %s", url, resp.Status)
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the service is not up after %s", upTimeout), last)
		case <-time.After(upPause):
		}
	}
}
