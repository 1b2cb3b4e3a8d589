package app

import (
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
)

// engines are the engines of Text Analytics that are built in.
func engines() text.Engines { return text.Engines{} }

// Containers are the Cognitive Services containers there are, by name. THE list: what isn't in it is not a container.
func Containers() []api.API {
	texts := text.New(engines())
	var all []api.API
	for _, name := range []string{"language", "sentiment", "keyphrase"} {
		if a, ok := texts.Container(name); ok {
			all = append(all, a)
		}
	}
	return all
}

// Container is the one of a name.
func Container(name string) (api.API, bool) {
	all := Containers()
	i := slices.IndexFunc(all, func(a api.API) bool { return a.Name == name })
	if i < 0 {
		return api.API{}, false
	}
	return all[i], true
}

// cognitive makes Cognitive Services: the accounts and what they serve.
func (p *Platform) cognitive(valid authn.Verifier, subnet netrule.Lookup) *cognitive.Service {
	return cognitive.New(cognitive.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Access: p.arm, Reader: p.arm, Names: p.names, Verifier: valid, Subnet: subnet,
		APIs: []api.API{text.New(engines()).Account()},
	})
}
