package app

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/ociimage"
	"github.com/bulkheadhq/bulkhead/internal/services/registry"
)

const (
	// imageGroup is what the names of Cognitive Services' images begin with.
	imageGroup = "azure-cognitive-services/"
	// folderImages is where images are kept, and what some hold besides the program.
	folderImages = "images"
)

// ImageNames are the container images there may be.
func ImageNames() []string {
	return []string{imageGroup + "language", imageGroup + "sentiment", imageGroup + "keyphrase", imageGroup + "face", imageGroup + "recognize-text"}
}

// Image tells what the image of that name holds: this program, the certificates of roots, and what lies in parts/SERVICE, which face and recognize-text can't do without
// (scripts/image lays it there). Its error says what is missing.
func Image(name, parts, roots string) (ociimage.Spec, error) {
	service := strings.TrimPrefix(name, imageGroup)
	if runtime.GOOS != "linux" {
		return ociimage.Spec{}, fmt.Errorf("it holds this program, which is one of %s; make it on Linux", runtime.GOOS)
	}
	program, err := os.Executable()
	if err != nil {
		return ociimage.Spec{}, err
	}
	if err := static(program); err != nil {
		return ociimage.Spec{}, err
	}
	s := ociimage.Spec{
		Files: []ociimage.File{
			{Path: "/bulkhead", Mode: 0o755, Source: program},
			{Path: "/tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
			{Path: "/output", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
			{Path: "/etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0::/:/bulkhead\nbulkhead:x:65532:65532::/:/bulkhead\n")},
			{Path: "/etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Source: roots},
		},
		Entrypoint: []string{"/bulkhead", "cognitive", service, "--listen", "0.0.0.0:5000"},
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "XDG_DATA_HOME=/usr/share"},
		Ports:      []string{"5000/tcp"},
		User:       "65532:65532",
		Labels:     map[string]string{"org.opencontainers.image.title": service, "org.opencontainers.image.version": Release},
	}
	part := filepath.Join(parts, service)
	switch _, err := os.Stat(part); {
	case err == nil:
		s.Files = append([]ociimage.File{{Path: "/", Source: part}}, s.Files...)
	case !errors.Is(err, fs.ErrNotExist):
		return ociimage.Spec{}, err
	case service == "face" || service == "recognize-text":
		return ociimage.Spec{}, fmt.Errorf("the models or programs that it holds besides are not in %s; scripts/image lays them there", part)
	}
	return s, nil
}

// static refuses a program that needs libraries: an image has none for it, and would fail only when it is run.
func static(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it holds this program, which needs libraries of this machine; build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// images makes the registry.
func (p *Platform) images() *registry.Service {
	folder := p.cfg.path(folderImages)
	return registry.New(registry.Options{
		Folder: filepath.Join(folder, "layout"), Names: ImageNames(), Tag: Release,
		Spec: func(name string) (ociimage.Spec, error) { return Image(name, folder, p.bundle) },
	})
}
