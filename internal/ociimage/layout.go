package ociimage

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
)

// refName is the annotation that names an image of a layout.
const refName = "org.opencontainers.image.ref.name"

// Layout is a folder of images. Its methods are not for concurrent use by writers.
type Layout struct{ path layout.Path }

// OpenLayout opens the folder, or makes it.
func OpenLayout(dir string) (*Layout, error) {
	p, err := layout.FromPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			p, err = layout.Write(dir, empty.Index)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("images in %s: %w", dir, err)
	}
	return &Layout{p}, nil
}

// Put adds the image under the name ("azure-cognitive-services/language:latest"), in place of what has that name. What no image needs any more is removed.
func (l *Layout) Put(name string, img v1.Image) error {
	err := l.path.ReplaceImage(img, match.Annotation(refName, name), layout.WithAnnotations(map[string]string{refName: name, "io.containerd.image.name": "mcr.microsoft.com/" + name}))
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	unused, err := l.path.GarbageCollect()
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	for _, h := range unused {
		if err := l.path.RemoveBlob(h); err != nil {
			return fmt.Errorf("images: %w", err)
		}
	}
	return nil
}

// Find is the description of the image of that name. ok is false where there is none.
func (l *Layout) Find(name string) (d v1.Descriptor, ok bool, err error) {
	index, err := l.path.ImageIndex()
	if err != nil {
		return d, false, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return d, false, err
	}
	for _, d := range m.Manifests {
		if d.Annotations[refName] == name {
			return d, true, nil
		}
	}
	return d, false, nil
}

// Open opens a blob: a manifest, a configuration, a layer. It answers fs.ErrNotExist.
func (l *Layout) Open(h v1.Hash) (io.ReadSeekCloser, int64, error) {
	f, err := os.Open(filepath.Join(string(l.path), "blobs", h.Algorithm, h.Hex))
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Archive writes the image of that name as one file that container engines load: an OCI layout, with the list beside it that older ones look for.
func (l *Layout) Archive(w io.Writer, name string) error {
	d, ok, err := l.Find(name)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("image %s: %w", name, fs.ErrNotExist)
	}
	img, err := l.path.Image(d.Digest)
	if err != nil {
		return err
	}
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	blob := func(h v1.Hash) string { return path.Join("blobs", h.Algorithm, h.Hex) }
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []v1.Descriptor{d}})
	if err != nil {
		return err
	}
	list := []map[string]any{{"Config": blob(m.Config.Digest), "RepoTags": []string{"mcr.microsoft.com/" + name}, "Layers": []string{}}}
	blobs := []v1.Hash{d.Digest, m.Config.Digest}
	for _, layer := range m.Layers {
		list[0]["Layers"] = append(list[0]["Layers"].([]string), blob(layer.Digest))
		blobs = append(blobs, layer.Digest)
	}
	manifest, err := json.Marshal(list)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		body []byte
	}{{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", index}, {"manifest.json", manifest}} {
		if err := t.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.body)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := t.Write(f.body); err != nil {
			return err
		}
	}
	for _, h := range blobs {
		if err := l.archiveBlob(t, blob(h), h); err != nil {
			return err
		}
	}
	return t.Close()
}

func (l *Layout) archiveBlob(t *tar.Writer, name string, h v1.Hash) error {
	f, size, err := l.Open(h)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}
