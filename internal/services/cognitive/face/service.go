package face

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/fetch"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Sealer keeps embeddings and user data secret at rest; *seal.Sealer is one.
type Sealer interface {
	Seal(shard string, key, plain []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// Engine is what the service needs of *face.Models.
type Engine interface {
	Detect(img *face.Image) ([]face.Face, error)
	Describe(f *face.Face) (face.Person, error)
	Emotion(f *face.Face) (face.Emotion, error)
	Embed(img *face.Image, f *face.Face) (face.Embedding, error)
}

// Deps is what the service stands on. All are required; Store and Sealer may come by Keep.
type Deps struct {
	Store  store.Store
	Sealer Sealer
	Clock  clock.Clock
	Fetch  *fetch.Fetcher
	// Models loads the weights; it is called once, when they are first needed.
	Models func() (Engine, error)
}

// Service is the Face API. Safe for concurrent use.
type Service struct {
	deps   Deps
	models func() (Engine, error)
	// busy bounds the pictures that are decoded and looked at at the same time, each of which may take some hundred megabytes.
	busy chan struct{}
	seen embeddings
}

// atOnce is how many pictures are worked on at the same time; each uses all processors.
const atOnce = 2

// New makes the service.
func New(d Deps) *Service {
	return &Service{deps: d, models: sync.OnceValues(d.Models), busy: make(chan struct{}, atOnce)}
}

// Keep tells the service where to keep what it is given, before its first request.
func (s *Service) Keep(st store.Store, sealer Sealer) { s.deps.Store, s.deps.Sealer = st, sealer }

// Kinds are the kinds of account whose keys are good for the Face API.
func Kinds() []string { return []string{"Face", "CognitiveServices"} }

// API is what both hosts serve.
func (s *Service) API() api.API {
	return api.API{
		Name: "face", Title: "Face", Kinds: Kinds(), Type: "face", Meter: "CognitiveServices.Face.Container.Transactions",
		Routes: s.routes(), Documents: []api.Document{document()}, Open: s.open, Forget: s.forget,
	}
}

// forget drops an account's groups, lists and detected faces.
func (s *Service) forget(ctx context.Context, account string) error {
	return errors.Join(s.deps.Store.Drop(ctx, groupShard(account)), s.deps.Store.Drop(ctx, faceShard(account)))
}

// open loads the weights.
func (s *Service) open(context.Context) error {
	_, err := s.engine()
	return err
}

func (s *Service) engine() (Engine, error) {
	e, err := s.models()
	if errors.Is(err, face.ErrMissing) {
		return nil, api.Missing("The Face API", err.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("face models: %w", err)
	}
	return e, nil
}

// Base is the path all routes begin with.
const Base = "/face/v1.0"

func (s *Service) routes() []api.Route {
	image := func(r api.Route) api.Route { r.BodyLimit = maxImage; return r }
	route := func(method, path, operation, feature string, h func(ctx context.Context, c *api.Call) (any, error)) api.Route {
		return api.Route{Method: method, Pattern: Base + path, Operation: operation, Action: action(method, path), Feature: feature, Handler: h}
	}
	out := []api.Route{
		image(route(http.MethodPost, "/detect", "Face_Detect", "detect", s.detect)),
		route(http.MethodPost, "/verify", "Face_Verify", "verify", s.verify),
		route(http.MethodPost, "/identify", "Face_Identify", "identify", s.identify),
		route(http.MethodPost, "/findsimilars", "Face_FindSimilar", "findsimilars", s.findSimilar),
		route(http.MethodPost, "/group", "Face_Group", "group", s.group),
	}
	for _, k := range collections() {
		path, id := "/"+k.plural, "/"+k.plural+"/{group}"
		bind := func(h func(s *Service, ctx context.Context, c *api.Call, k *collection) (any, error)) func(ctx context.Context, c *api.Call) (any, error) {
			return func(ctx context.Context, c *api.Call) (any, error) { return h(s, ctx, c, k) }
		}
		name := capital(k.noun)
		add := func(method, path, operation string, h func(s *Service, ctx context.Context, c *api.Call, k *collection) (any, error)) {
			out = append(out, route(method, path, name+"_"+operation, k.plural, bind(h)))
		}
		add(http.MethodGet, path, "List", (*Service).listGroups)
		add(http.MethodPut, id, "Create", (*Service).createGroup)
		add(http.MethodGet, id, "Get", (*Service).getGroup)
		add(http.MethodPatch, id, "Update", (*Service).updateGroup)
		add(http.MethodDelete, id, "Delete", (*Service).deleteGroup)
		if k.trained {
			add(http.MethodPost, id+"/train", "Train", (*Service).train)
			add(http.MethodGet, id+"/training", "GetTrainingStatus", (*Service).trainingStatus)
		}
		faces, prefix := id+"/persistedfaces", ""
		if k.persons {
			prefix = "Person"
			one := id + "/persons/{person}"
			add(http.MethodPost, id+"/persons", "PersonCreate", (*Service).createPerson)
			add(http.MethodGet, id+"/persons", "PersonList", (*Service).listPersons)
			add(http.MethodGet, one, "PersonGet", (*Service).getPerson)
			add(http.MethodPatch, one, "PersonUpdate", (*Service).updatePerson)
			add(http.MethodDelete, one, "PersonDelete", (*Service).deletePerson)
			faces = one + "/persistedfaces"
		}
		add(http.MethodPost, faces, prefix+"AddFace", (*Service).addFace)
		out[len(out)-1].BodyLimit = maxImage
		add(http.MethodDelete, faces+"/{face}", prefix+"DeleteFace", (*Service).deleteFace)
		if k.trained {
			add(http.MethodGet, faces+"/{face}", prefix+"GetFace", (*Service).getFace)
			add(http.MethodPatch, faces+"/{face}", prefix+"UpdateFace", (*Service).updateFace)
		}
		if k.trained && !k.persons {
			add(http.MethodGet, faces, "ListFaces", (*Service).listFaces)
		}
	}
	for _, r := range [][3]string{
		{http.MethodPost, "/snapshots", "Take"},
		{http.MethodGet, "/snapshots", "List"},
		{http.MethodGet, "/snapshots/{id}", "Get"},
		{http.MethodPatch, "/snapshots/{id}", "Update"},
		{http.MethodDelete, "/snapshots/{id}", "Delete"},
		{http.MethodPost, "/snapshots/{id}/apply", "Apply"},
		{http.MethodGet, "/operations/{id}", "GetOperationStatus"},
	} {
		out = append(out, route(r[0], r[1], "Snapshot_"+r[2], "snapshots", func(_ context.Context, c *api.Call) (any, error) {
			var body json.RawMessage
			if f := decode(c, &body); f != nil {
				return nil, f
			}
			return nil, api.Missing("A snapshot", "snapshots move groups between Azure's regions; here a backup of the store holds them")
		}))
	}
	return out
}

// action is the data action of a route: "Face/persongroups/read".
func action(method, path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch method {
	case http.MethodGet:
		return "Face/" + first + "/read"
	case http.MethodDelete:
		return "Face/" + first + "/delete"
	case http.MethodPut, http.MethodPatch:
		return "Face/" + first + "/write"
	}
	return "Face/" + first + "/action"
}

// done is a success without a body.
func done() (any, error) { return wire.Reply{Status: http.StatusOK}, nil }

// decode reads a JSON body of the API; an absent one is like {}.
func decode(c *api.Call, into any) *fault.Error {
	if t := mediaType(c); t != "" && t != "application/json" && t != "text/json" {
		return fault.New(fault.UnsupportedMedia, "UnsupportedMediaType", "Invalid Media Type: %s. Send application/json.", clip(t))
	}
	if len(bytes.TrimSpace(c.Body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.Body, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return bad("Invalid argument %s: it can't be a %s.", clip(wrong.Field), wrong.Value)
		}
		return bad("JSON parsing error.")
	}
	return nil
}

func mediaType(c *api.Call) string {
	t, _, _ := strings.Cut(c.HTTP.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// guid tells whether an id is a GUID as this service makes them, in any case; lower is how it is stored.
func guid(id string) (lower string, ok bool) {
	if len(id) != 36 {
		return "", false
	}
	lower = strings.ToLower(id)
	for i, r := range lower {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdef", r) {
			return "", false
		}
	}
	return lower, true
}
