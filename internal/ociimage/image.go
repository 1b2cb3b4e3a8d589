// Package ociimage makes container images of programs and folders, and keeps them as OCI layouts, without a container engine.
//
// An image is one layer of files on nothing else (FROM scratch). The same files make the same image, byte for byte: entries are in order of their names and carry no
// time and no owner of the machine they were made on. What images and layouts are is go-containerregistry's business; what goes in is decided here.
package ociimage

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Spec is what an image holds and how it starts.
type Spec struct {
	Files      []File
	Entrypoint []string
	Env        []string
	Ports      []string // exposed: "5000/tcp"
	Labels     map[string]string
	// User is what the program runs as: "65532:65532".
	User string
}

// File is one thing in an image.
type File struct {
	// Path is where it goes, absolute and clean: "/bulkhead".
	Path string
	Mode fs.FileMode // permissions; with fs.ModeDir a directory
	// Source is the file or folder on this machine it is a copy of. A folder is taken whole, with what links and permissions it has; Mode is ignored then.
	Source string
	// Content is it, where Source is "".
	Content []byte
}

// Build makes the image for this machine's architecture. What Source names must stay as it is for as long as the image is used.
func Build(s Spec) (v1.Image, error) {
	all, err := expand(s.Files)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() { w.CloseWithError(write(w, all)) }()
		return r, nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("layer: %w", err)
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, MediaType: types.OCILayer, History: v1.History{CreatedBy: "bulkhead"}}); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	old, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	c := old.DeepCopy()
	c.OS, c.Architecture = "linux", runtime.GOARCH
	c.Config = v1.Config{Entrypoint: s.Entrypoint, Env: s.Env, User: s.User, WorkingDir: "/", Labels: s.Labels}
	if len(s.Ports) > 0 {
		c.Config.ExposedPorts = map[string]struct{}{}
		for _, p := range s.Ports {
			c.Config.ExposedPorts[p] = struct{}{}
		}
	}
	return mutate.ConfigFile(img, c)
}

// entry is one entry of a layer.
type entry struct {
	name   string // without a leading slash
	mode   fs.FileMode
	source string // "" where content is it
	link   string // of a symbolic link
	body   []byte
	size   int64
}

// expand lists the entries in order, with the directories they are in.
func expand(files []File) ([]entry, error) {
	all := map[string]entry{}
	for _, f := range files {
		if f.Path != path.Clean(f.Path) || !path.IsAbs(f.Path) {
			return nil, fmt.Errorf("image: %q is no clean absolute path", f.Path)
		}
		name := strings.TrimPrefix(f.Path, "/")
		if f.Source == "" {
			all[name] = entry{name: name, mode: f.Mode, body: f.Content, size: int64(len(f.Content))}
			continue
		}
		info, err := os.Stat(f.Source)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			all[name] = entry{name: name, mode: f.Mode, source: f.Source, size: info.Size()}
			continue
		}
		source, err := filepath.EvalSymlinks(f.Source) // of a link, a walk sees only the link
		if err != nil {
			return nil, err
		}
		if err := folder(all, name, source); err != nil {
			return nil, err
		}
	}
	delete(all, "")
	for name := range all {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := all[dir]; !ok {
				all[dir] = entry{name: dir, mode: fs.ModeDir | 0o755}
			}
		}
	}
	out := make([]entry, 0, len(all))
	for _, e := range all {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return out, nil
}

// folder adds what a folder of this machine holds.
func folder(all map[string]entry, at, source string) error {
	return filepath.WalkDir(source, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, p)
		if err != nil {
			return err
		}
		name := path.Join(at, filepath.ToSlash(rel))
		if name == "." {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := entry{name: name, mode: info.Mode()}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			if e.link, err = os.Readlink(p); err != nil {
				return err
			}
		case info.IsDir():
		case info.Mode().IsRegular():
			e.source, e.size = p, info.Size()
		default:
			return nil // devices, sockets and pipes have no place in an image
		}
		all[name] = e
		return nil
	})
}

func write(w io.Writer, all []entry) error {
	t := tar.NewWriter(w)
	for i := range all {
		if err := writeEntry(t, &all[i]); err != nil {
			return fmt.Errorf("%s: %w", all[i].name, err)
		}
	}
	return t.Close()
}

func writeEntry(t *tar.Writer, e *entry) error {
	h := &tar.Header{Name: e.name, Mode: int64(e.mode.Perm()), Typeflag: tar.TypeReg, Size: e.size}
	if e.mode&fs.ModeSticky != 0 {
		h.Mode |= 0o1000
	}
	switch {
	case e.mode.IsDir():
		h.Typeflag, h.Name, h.Size = tar.TypeDir, e.name+"/", 0
	case e.link != "":
		h.Typeflag, h.Linkname, h.Size, h.Mode = tar.TypeSymlink, e.link, 0, 0o777
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	var in io.Reader = bytes.NewReader(e.body)
	if e.source != "" {
		f, err := os.Open(e.source)
		if err != nil {
			return err
		}
		defer f.Close()
		in = io.LimitReader(f, e.size+1)
	}
	n, err := io.Copy(t, in)
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != e.size {
		return errors.New("it changed while the image was made")
	}
	return err
}
