package app

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/infer/ocr"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/fetch"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/vision"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// Engines are the engines of Text Analytics that are built in.
func Engines() text.Engines { return text.Built() }

// Containers are the Cognitive Services containers there are, by name. THE list: what isn't in it is not a container.
func Containers() []api.API {
	texts := text.New(Engines())
	var all []api.API
	for _, name := range []string{"language", "sentiment", "keyphrase"} {
		if a, ok := texts.Container(name); ok {
			all = append(all, a)
		}
	}
	return append(all, textReader(sync.OnceValues(memory), vision.Options{Fetch: (&fetch.Fetcher{}).Get}).API())
}

// memory is a store for as long as the program runs: a container keeps nothing.
func memory() (store.Store, error) { return pebble.Open("store", pebble.Options{FS: vfs.NewMem()}) }

// textReader makes the service that reads text in pictures.
func textReader(st func() (store.Store, error), o vision.Options) *vision.Service {
	o.Store, o.Engine = st, &ocr.Tesseract{}
	return vision.New(o)
}

// cognitive makes Cognitive Services: the accounts and what they serve.
func (p *Platform) cognitive(valid authn.Verifier, subnet netrule.Lookup) *cognitive.Service {
	p.reader = textReader(func() (store.Store, error) { return p.store, nil }, vision.Options{Clock: p.clock, Log: p.log, Fetch: (&fetch.Fetcher{Private: p.cfg.PicturesPrivate}).Get})
	return cognitive.New(cognitive.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Access: p.arm, Reader: p.arm, Names: p.names, Outbox: drainer{p}, Verifier: valid, Subnet: subnet,
		APIs: []api.API{text.New(Engines()).Account(), p.face(), p.reader.API()},
	})
}
