package ociimage

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// sample is a folder and a file of this machine, and some content.
func sample(t *testing.T) Spec {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"part/usr/bin/tool": "#!/bin/sh\n", "part/usr/share/data": strings.Repeat("x", 100_000), "program": "binary"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("usr/bin", filepath.Join(dir, "part/bin")); err != nil {
		t.Fatal(err)
	}
	return Spec{
		Files: []File{
			{Path: "/", Source: filepath.Join(dir, "part")},
			{Path: "/app/program", Mode: 0o755, Source: filepath.Join(dir, "program")},
			{Path: "/etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0::/:\n")},
			{Path: "/tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		},
		Entrypoint: []string{"/app/program"}, Ports: []string{"5000/tcp"}, User: "65532:65532", Env: []string{"A=b"},
	}
}

func build(t *testing.T, s Spec) v1.Image {
	t.Helper()
	img, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestBuild(t *testing.T) {
	t.Parallel()
	s := sample(t)
	img := build(t, s)
	c, err := img.ConfigFile()
	if err != nil || c.OS != "linux" || c.Config.User != "65532:65532" || c.Config.Entrypoint[0] != "/app/program" || len(c.Config.ExposedPorts) != 1 {
		t.Errorf("configuration %+v, %v", c, err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatal(layers, err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(fs.FileMode(h.Mode).String()[1:]+" "+h.Name+" "+h.Linkname))
		if h.Uid != 0 || h.ModTime.Unix() > 0 {
			t.Errorf("%s is of %d at %v", h.Name, h.Uid, h.ModTime)
		}
	}
	want := []string{
		"rwxr-xr-x app/", "rwxr-xr-x app/program", "rwxrwxrwx bin usr/bin", "rwxr-xr-x etc/", "rw-r--r-- etc/passwd", "rwxrwxrwx tmp/", "rwxr-xr-x usr/", "rwxr-xr-x usr/bin/", "rwxr-xr-x usr/bin/tool", "rwxr-xr-x usr/share/", "rwxr-xr-x usr/share/data",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	a, err := img.Digest()
	if b, err2 := build(t, s).Digest(); err != nil || err2 != nil || a != b {
		t.Errorf("the same files made %s and %s; %v %v", a, b, err, err2)
	}
}

// TestBuild_Linked: a folder that is given by a link to it is taken whole.
func TestBuild_Linked(t *testing.T) {
	t.Parallel()
	s := sample(t)
	want, err := build(t, s).Digest()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(s.Files[0].Source, link); err != nil {
		t.Fatal(err)
	}
	s.Files[0].Source = link
	if got, err := build(t, s).Digest(); err != nil || got != want {
		t.Errorf("%s, want %s, %v", got, want, err)
	}
}

func TestBuild_Refused(t *testing.T) {
	t.Parallel()
	for _, f := range []File{{Path: "relative"}, {Path: "/a/../b"}, {Path: "/x", Source: filepath.Join(t.TempDir(), "none")}} {
		if _, err := Build(Spec{Files: []File{f}}); err == nil {
			t.Errorf("%+v: no error", f)
		}
	}
}

// TestLayout: an image is found by its name after another opening, is replaced with nothing left behind, and its archive loads.
func TestLayout(t *testing.T) {
	t.Parallel()
	dir, s := filepath.Join(t.TempDir(), "images"), sample(t)
	l, err := OpenLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := l.Find("g/a:latest"); ok || err != nil {
		t.Errorf("nothing is there: %v, %v", ok, err)
	}
	for _, text := range []string{"one", "two"} {
		s.Files[2].Content = []byte(text)
		if err := l.Put("g/a:latest", build(t, s)); err != nil {
			t.Fatal(err)
		}
	}
	if l, err = OpenLayout(dir); err != nil {
		t.Fatal(err)
	}
	img := build(t, s)
	want, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if d, ok, err := l.Find("g/a:latest"); !ok || err != nil || d.Digest != want {
		t.Errorf("found %v %s, want %s, %v", ok, d.Digest, want, err)
	}
	if kept, err := l.path.Image(want); err != nil || validate.Image(kept) != nil {
		t.Errorf("%v, %v", err, validate.Image(kept))
	}
	if blobs, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256")); err != nil || len(blobs) != 3 {
		t.Errorf("%d blobs, want a manifest, a configuration and a layer; %v", len(blobs), err)
	}
	var b bytes.Buffer
	if err := l.Archive(&b, "g/a:latest"); err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := loaded.ConfigName()
	if y, err2 := img.ConfigName(); err != nil || err2 != nil || x != y {
		t.Errorf("the archive holds %s, want %s; %v %v", x, y, err, err2)
	}
	if err := l.Archive(io.Discard, "g/b:latest"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another image: %v", err)
	}
}
