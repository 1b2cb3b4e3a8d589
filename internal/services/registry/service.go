// Package registry serves container images at mcr.microsoft.com, read-only, by the OCI distribution API: what docker pull, podman and skopeo ask of it.
//
// Images are made when they are first asked for, from this program and what lies beside it, and kept as an OCI layout in a folder; an image of another program is made
// anew. Anybody may read them, as at Microsoft's own.
//
// Left out: pushing, deleting, other platforms than this machine's.
//
// One exchange:
//
//	GET /v2/azure-cognitive-services/language/manifests/latest
//	200, Docker-Content-Digest: sha256:…
//	{"schemaVersion":2,"config":{…},"layers":[{…}]}
package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ociimage"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Options are what the registry serves. All are required.
type Options struct {
	// Folder is where images are kept.
	Folder string
	// Names are the images there may be: "azure-cognitive-services/language".
	Names []string
	// Tag is the version of the images besides "latest".
	Tag string
	// Spec tells what an image holds. Its error says, for people, what is missing here and how to get it.
	Spec func(name string) (ociimage.Spec, error)
}

// Service is the registry. Safe for concurrent use.
type Service struct {
	o Options

	mu     sync.Mutex // one image is made at a time
	layout *ociimage.Layout
	made   map[string]v1.Hash // images of this program, by name; guarded by mu
}

// New makes the registry. It touches nothing before it is asked.
func New(o Options) *Service { return &Service{o: o, made: map[string]v1.Hash{}} }

// Service is what the platform serves.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "registry", Routes: s.routes()}
}

// routes are its operations, for GET and HEAD.
func (s *Service) routes() []wire.Route {
	var out []wire.Route
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		add := func(pattern, operation string, raw func(http.ResponseWriter, *wire.Request) error) {
			out = append(out, wire.Route{Host: wire.HostImages, Method: method, Pattern: pattern, Operation: operation, Auth: wire.Anonymous, BodyLimit: -1, Quiet: true, Raw: raw})
		}
		add("/v2", "Version", value(func(*wire.Request) (any, error) { return struct{}{}, nil }))
		add("/v2/_catalog", "Catalog", value(s.catalog))
		add("/v2/{group}/{image}/tags/list", "Tags", value(s.tags))
		add("/v2/{group}/{image}/manifests/{reference}", "Manifest", s.manifest)
		add("/v2/{group}/{image}/blobs/{digest}", "Blob", s.blob)
	}
	return out
}

func value(f func(*wire.Request) (any, error)) func(http.ResponseWriter, *wire.Request) error {
	return func(w http.ResponseWriter, r *wire.Request) error {
		v, err := f(r)
		if err != nil {
			return err
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		http.ServeContent(w, r.HTTP, "", time.Time{}, bytes.NewReader(b))
		return nil
	}
}

// name is the repository that is asked for.
func (s *Service) name(r *wire.Request) (string, error) {
	name := r.Param("group") + "/" + r.Param("image")
	if !slices.Contains(s.o.Names, name) {
		return "", fault.New(fault.NotFound, "NAME_UNKNOWN", "there is no image %s; there are %s", name, strings.Join(s.o.Names, ", "))
	}
	return name, nil
}

func (s *Service) catalog(r *wire.Request) (any, error) {
	names, err := page(r, s.o.Names)
	return map[string][]string{"repositories": names}, err
}

func (s *Service) tags(r *wire.Request) (any, error) {
	name, err := s.name(r)
	if err != nil {
		return nil, err
	}
	tags, err := page(r, []string{"latest", s.o.Tag})
	return struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{name, tags}, err
}

// page is the part of a list, in order, that is asked for by n and last. When more follows, the answer links to it.
func page(r *wire.Request, all []string) ([]string, error) {
	all = slices.Sorted(slices.Values(all))
	if last, ok := r.LookupQuery("last"); ok {
		at, found := slices.BinarySearch(all, last)
		if found {
			at++
		}
		all = all[at:]
	}
	text, ok := r.LookupQuery("n")
	if !ok {
		return all, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return nil, fault.New(fault.Invalid, "PAGINATION_NUMBER_INVALID", "n is %q, which is no number of entries", text)
	}
	if n < len(all) {
		all = all[:n]
		if n > 0 {
			next := url.URL{Path: r.HTTP.URL.Path, RawQuery: url.Values{"n": {text}, "last": {all[n-1]}}.Encode()}
			r.SetHeader("Link", fmt.Sprintf(`<%s>; rel="next"`, next.String()))
		}
	}
	return all, nil
}

func (s *Service) manifest(w http.ResponseWriter, r *wire.Request) error {
	name, err := s.name(r)
	if err != nil {
		return err
	}
	reference := r.Param("reference")
	have, layout, err := s.image(r.HTTP.Context(), name)
	if err != nil {
		return err
	}
	if reference != "latest" && reference != s.o.Tag && reference != have.String() {
		return fault.New(fault.NotFound, "MANIFEST_UNKNOWN", "there is no %s of %s; there are latest and %s", reference, name, s.o.Tag)
	}
	return serve(w, r, layout, have, "application/vnd.oci.image.manifest.v1+json", "MANIFEST_UNKNOWN")
}

func (s *Service) blob(w http.ResponseWriter, r *wire.Request) error {
	name, err := s.name(r)
	if err != nil {
		return err
	}
	digest, err := v1.NewHash(r.Param("digest"))
	if err != nil || digest.Algorithm != "sha256" {
		return fault.New(fault.Invalid, "DIGEST_INVALID", "%q is no digest", r.Param("digest"))
	}
	_, layout, err := s.image(r.HTTP.Context(), name)
	if err != nil {
		return err
	}
	return serve(w, r, layout, digest, "application/octet-stream", "BLOB_UNKNOWN")
}

// serve writes a blob, or the part of it that is asked for.
func serve(w http.ResponseWriter, r *wire.Request, l *ociimage.Layout, digest v1.Hash, contentType, unknown string) error {
	f, _, err := l.Open(digest)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, unknown, "there is no %s", digest)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", digest, err)
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Docker-Content-Digest", digest.String())
	h.Set("Etag", `"`+digest.String()+`"`)
	http.ServeContent(w, r.HTTP, "", time.Time{}, f)
	return nil
}

// image makes the image, unless that was done since this program started.
func (s *Service) image(ctx context.Context, name string) (v1.Hash, *ociimage.Layout, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.made[name]; ok {
		return h, s.layout, nil
	}
	if err := ctx.Err(); err != nil {
		return v1.Hash{}, nil, err
	}
	spec, err := s.o.Spec(name)
	if err != nil {
		return v1.Hash{}, nil, fault.New(fault.NotFound, "MANIFEST_UNKNOWN", "the image %s can't be made here: %s", name, err)
	}
	if s.layout == nil {
		if s.layout, err = ociimage.OpenLayout(s.o.Folder); err != nil {
			return v1.Hash{}, nil, err
		}
	}
	img, err := ociimage.Build(spec)
	if err != nil {
		return v1.Hash{}, nil, fmt.Errorf("make image %s: %w", name, err)
	}
	if err := s.layout.Put(name+":latest", img); err != nil {
		return v1.Hash{}, nil, err
	}
	h, err := img.Digest()
	if err != nil {
		return v1.Hash{}, nil, fmt.Errorf("make image %s: %w", name, err)
	}
	s.made[name] = h
	return h, s.layout, nil
}
