package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bulkheadhq/bulkhead/internal/ociimage"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

// newMux serves a registry of two images, one of which can't be made.
func newMux(t *testing.T) (*wire.Mux, *Service) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("program"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := New(Options{
		Folder: filepath.Join(t.TempDir(), "images"), Names: []string{"g/a", "g/b"}, Tag: "1.2.3",
		Spec: func(name string) (ociimage.Spec, error) {
			if name == "g/b" {
				return ociimage.Spec{}, errors.New("its models are missing")
			}
			return ociimage.Spec{Files: []ociimage.File{{Path: "/f", Mode: 0o755, Source: file}}, Entrypoint: []string{"/f"}}, nil
		},
	})
	m, err := wire.NewMux([]wire.Service{s.Service()}, wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

func ask(m *wire.Mux, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://mcr.microsoft.com"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w
}

// TestPull walks what a client asks for an image.
func TestPull(t *testing.T) {
	t.Parallel()
	m, _ := newMux(t)
	if w := ask(m, "GET", "/v2/"); w.Code != 200 || w.Header().Get("Docker-Distribution-Api-Version") != "registry/2.0" {
		t.Errorf("version: %d %v", w.Code, w.Header())
	}
	w := ask(m, "GET", "/v2/g/a/manifests/latest")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/vnd.oci.image.manifest.v1+json" {
		t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(w.Body.Bytes(), &manifest); err != nil || len(manifest.Layers) != 1 {
		t.Fatalf("%s: %v", w.Body, err)
	}
	digest := w.Header().Get("Docker-Content-Digest")
	if h, _, err := v1.SHA256(strings.NewReader(w.Body.String())); err != nil || h.String() != digest {
		t.Errorf("the digest told is %s, of the body it is %s; %v", digest, h, err)
	}
	for _, reference := range []string{digest, "1.2.3"} {
		if x := ask(m, "HEAD", "/v2/g/a/manifests/"+reference); x.Code != 200 || x.Body.Len() != 0 || x.Header().Get("Docker-Content-Digest") != digest {
			t.Errorf("%s: %d %v", reference, x.Code, x.Header())
		}
	}
	for _, d := range []v1.Descriptor{manifest.Config, manifest.Layers[0]} {
		b := ask(m, "GET", "/v2/g/a/blobs/"+d.Digest.String())
		if h, n, err := v1.SHA256(b.Body); b.Code != 200 || err != nil || h != d.Digest || n != d.Size {
			t.Errorf("blob %s: %d, %d bytes of %s; %v", d.Digest, b.Code, n, h, err)
		}
	}
	if kept := ask(m, "GET", "/v2/g/a/manifests/latest", "If-None-Match", w.Header().Get("Etag")); kept.Code != 304 || kept.Body.Len() != 0 {
		t.Errorf("a manifest that the client has: %d %s", kept.Code, kept.Body)
	}
}

// TestBlob: a blob's size without its bytes, and parts of it, as a client asks that goes on with a pull that broke off.
func TestBlob(t *testing.T) {
	t.Parallel()
	m, _ := newMux(t)
	var manifest v1.Manifest
	if err := json.Unmarshal(ask(m, "GET", "/v2/g/a/manifests/latest").Body.Bytes(), &manifest); err != nil || len(manifest.Layers) != 1 {
		t.Fatal(manifest, err)
	}
	layer := manifest.Layers[0]
	path := "/v2/g/a/blobs/" + layer.Digest.String()
	whole, size := ask(m, "GET", path).Body.String(), fmt.Sprint(layer.Size)
	if h := ask(m, "HEAD", path); h.Code != 200 || h.Body.Len() != 0 || h.Header().Get("Content-Length") != size || h.Header().Get("Docker-Content-Digest") != layer.Digest.String() || h.Header().Get("Accept-Ranges") != "bytes" {
		t.Errorf("HEAD: %d %v", h.Code, h.Header())
	}
	for _, c := range []struct {
		span   string
		status int
		want   string // the body
		says   string // Content-Range
	}{
		{"bytes=0-0", 206, whole[:1], "bytes 0-0/" + size},
		{"bytes=2-5", 206, whole[2:6], "bytes 2-5/" + size},
		{"bytes=10-", 206, whole[10:], fmt.Sprintf("bytes 10-%d/%s", layer.Size-1, size)},
		{"bytes=-3", 206, whole[len(whole)-3:], fmt.Sprintf("bytes %d-%d/%s", layer.Size-3, layer.Size-1, size)},
		{"bytes=" + size + "-", 416, "", "bytes */" + size},
	} {
		b := ask(m, "GET", path, "Range", c.span)
		if b.Code != c.status || c.status == 206 && b.Body.String() != c.want || b.Header().Get("Content-Range") != c.says {
			t.Errorf("%s: %d, %d bytes of %s; want %d, %d bytes of %s", c.span, b.Code, b.Body.Len(), b.Header().Get("Content-Range"), c.status, len(c.want), c.says)
		}
	}
}

// TestLists: tags and names are in order, and come page by page where a client asks for that.
func TestLists(t *testing.T) {
	t.Parallel()
	m, _ := newMux(t)
	for _, c := range []struct{ path, want, next string }{
		{"/v2/g/a/tags/list", `{"name":"g/a","tags":["1.2.3","latest"]}`, ""},
		{"/v2/g/a/tags/list?n=1", `{"name":"g/a","tags":["1.2.3"]}`, `</v2/g/a/tags/list?last=1.2.3&n=1>; rel="next"`},
		{"/v2/g/a/tags/list?last=1.2.3&n=1", `{"name":"g/a","tags":["latest"]}`, ""},
		{"/v2/g/a/tags/list?last=a", `{"name":"g/a","tags":["latest"]}`, ""},
		{"/v2/g/a/tags/list?last=latest", `{"name":"g/a","tags":[]}`, ""},
		{"/v2/g/a/tags/list?n=0", `{"name":"g/a","tags":[]}`, ""},
		{"/v2/_catalog", `{"repositories":["g/a","g/b"]}`, ""},
		{"/v2/_catalog?n=1", `{"repositories":["g/a"]}`, `</v2/_catalog?last=g%2Fa&n=1>; rel="next"`},
		{"/v2/_catalog?n=9&last=g/a", `{"repositories":["g/b"]}`, ""},
	} {
		if x := ask(m, "GET", c.path); x.Code != 200 || strings.TrimSpace(x.Body.String()) != c.want || x.Header().Get("Link") != c.next {
			t.Errorf("%s: %d %s %s, want %s %s", c.path, x.Code, x.Body, x.Header().Get("Link"), c.want, c.next)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	m, _ := newMux(t)
	const none = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, c := range []struct {
		method, path string
		status       int
		code, text   string
	}{
		{"GET", "/v2/g/c/manifests/latest", 404, "NAME_UNKNOWN", "g/a, g/b"},
		{"GET", "/v2/g/c/tags/list", 404, "NAME_UNKNOWN", "g/c"},
		{"GET", "/v2/g/c/blobs/" + none, 404, "NAME_UNKNOWN", "g/c"},
		{"GET", "/v2/g/a/manifests/9", 404, "MANIFEST_UNKNOWN", "latest and 1.2.3"},
		{"GET", "/v2/g/a/manifests/" + none, 404, "MANIFEST_UNKNOWN", none},
		{"GET", "/v2/g/b/manifests/latest", 404, "MANIFEST_UNKNOWN", "its models are missing"},
		{"GET", "/v2/g/a/blobs/" + none, 404, "BLOB_UNKNOWN", none},
		{"GET", "/v2/g/a/blobs/..%2f..%2findex.json", 400, "DIGEST_INVALID", "no digest"},
		{"GET", "/v2/g/a/blobs/md5:00000000000000000000000000000000", 400, "DIGEST_INVALID", "no digest"},
		{"GET", "/v2/g/a/other", 404, "NAME_UNKNOWN", "/v2/g/a/other"},
		{"GET", "/v2/a/manifests/latest", 404, "NAME_UNKNOWN", "/v2/a/manifests/latest"},
		{"GET", "/v2/g/a/manifests/sha256:0", 404, "MANIFEST_UNKNOWN", "sha256:0"},
		{"GET", "/v2/g/b/blobs/" + none, 404, "MANIFEST_UNKNOWN", "its models are missing"},
		{"GET", "/v2/g/a/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID", `"-1"`},
		{"GET", "/v2/_catalog?n=x", 400, "PAGINATION_NUMBER_INVALID", `"x"`},
		{"PUT", "/v2/g/a/manifests/latest", 405, "UNSUPPORTED", "for reading"},
		{"DELETE", "/v2/g/a/manifests/latest", 405, "UNSUPPORTED", "for reading"},
		{"POST", "/v2/g/a/blobs/uploads/", 405, "UNSUPPORTED", "for reading"},
		{"PATCH", "/v2/g/a/blobs/uploads/1", 405, "UNSUPPORTED", "for reading"},
		{"PUT", "/v2/g/a/blobs/uploads/1", 405, "UNSUPPORTED", "for reading"},
		{"DELETE", "/v2/g/a/blobs/" + none, 405, "UNSUPPORTED", "for reading"},
	} {
		w := ask(m, c.method, c.path)
		var body struct {
			Errors []struct{ Code, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != c.status || len(body.Errors) != 1 || body.Errors[0].Code != c.code || !strings.Contains(body.Errors[0].Message, c.text) {
			t.Errorf("%s %s: %d %s, want %d %s ... %s", c.method, c.path, w.Code, w.Body, c.status, c.code, c.text)
		}
		if allowed := w.Header().Get("Allow"); c.status == 405 && allowed != "GET, HEAD" {
			t.Errorf("%s %s: allowed is %q", c.method, c.path, allowed)
		}
		if c.method == "GET" {
			if h := ask(m, "HEAD", c.path); h.Code != c.status {
				t.Errorf("HEAD %s: %d, want %d", c.path, h.Code, c.status)
			}
		}
	}
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	m, s := newMux(t)
	wiretest.CheckRoutes(t, m, s.Service().Routes, wiretest.Check{Params: map[string]string{"group": "g", "image": "a"}})
}
