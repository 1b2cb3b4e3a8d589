package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	inferface "github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/face"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/fetch"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// FaceOptions are what the Face API is told by its host. They are read when it opens, so that flags may still set them before.
type FaceOptions struct {
	Models      string // folder of the weights; "": FaceModels()
	PrivateURLs bool   // pictures may be fetched from this machine and private networks
}

// FaceModels is the folder where scripts/face-models puts the weights by itself: ~/.local/share/bulkhead/face, or where XDG_DATA_HOME says.
func FaceModels() string {
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "bulkhead", "face")
}

// open loads the weights.
func (o *FaceOptions) open() (face.Engine, error) {
	dir := o.Models
	if dir == "" {
		dir = FaceModels()
	}
	return inferface.Open(dir)
}

// FaceContainer is the Face API as a container. What it is given to keep (faceIds, groups, lists) it keeps in memory: a container that starts anew knows none of it.
func FaceContainer(o *FaceOptions) api.API {
	pictures := &fetch.Fetcher{}
	s := face.New(face.Deps{Clock: clock.System{}, Fetch: pictures, Models: o.open})
	a := s.API()
	load := a.Open
	a.Open = func(ctx context.Context) error {
		pictures.Private = o.PrivateURLs
		key, err := seal.NewKey()
		if err != nil {
			return fmt.Errorf("face container: %w", err)
		}
		sealer, err := seal.New(key)
		if err != nil {
			return fmt.Errorf("face container: %w", err)
		}
		st, err := pebble.Open("face", pebble.Options{FS: vfs.NewMem(), CacheBytes: 4 << 20})
		if err != nil {
			return fmt.Errorf("face container: %w", err)
		}
		s.Keep(st, sealer)
		return load(ctx)
	}
	return a
}

// face is the Face API of the platform's accounts.
func (p *Platform) face() api.API {
	o := &FaceOptions{Models: p.cfg.FaceModels}
	return face.New(face.Deps{Store: p.store, Sealer: p.sealer, Clock: p.clock, Fetch: &fetch.Fetcher{Private: p.cfg.PicturesPrivate}, Models: o.open}).API()
}
