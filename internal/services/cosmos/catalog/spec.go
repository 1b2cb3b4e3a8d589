package catalog

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
)

// Spec is a container as a client asks for it, checked, with defaults filled in.
type Spec struct {
	Name         string
	PartitionKey *pkey.Definition
	Properties   json.RawMessage // everything but id and system properties, as it will be shown
	Serverless   bool            // the account has no provisioned throughput
	TTL          int32           // see TTL
	Unique       [][]string      // paths of unique keys
	uniqueGiven  bool

	encryptionKeys []string // that the client encryption policy names
}

// SystemPartitionKey is the key of containers made without one, as old clients do.
const SystemPartitionKey = "/_partitionKey"

// keysNeeded is the first x-ms-version whose containers can't be made without a partition key.
const keysNeeded = "2018-12-31"

type indexingPolicy struct {
	IndexingMode     string            `json:"indexingMode"`
	Automatic        bool              `json:"automatic"`
	IncludedPaths    []json.RawMessage `json:"includedPaths"`
	ExcludedPaths    []json.RawMessage `json:"excludedPaths"`
	CompositeIndexes json.RawMessage   `json:"compositeIndexes,omitempty"`
	SpatialIndexes   json.RawMessage   `json:"spatialIndexes,omitempty"`
	VectorIndexes    json.RawMessage   `json:"vectorIndexes,omitempty"`
	FullTextIndexes  json.RawMessage   `json:"fullTextIndexes,omitempty"`
}

// echoed are properties that are stored and shown, and change nothing in one region without an index.
var echoed = []string{
	"conflictResolutionPolicy", "geospatialConfig", "vectorEmbeddingPolicy", "fullTextPolicy", "changeFeedPolicy", "clientEncryptionPolicy",
}

// ParseSpec reads the body of a container's creation or replacement. apiVersion is the request's x-ms-version.
func ParseSpec(body []byte, apiVersion string) (*Spec, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(body, &in); err != nil || in == nil {
		return nil, invalid("The request body is not a JSON object.")
	}
	s := &Spec{}
	if json.Unmarshal(in["id"], &s.Name) != nil {
		return nil, invalid("The input content is invalid because the required properties - 'id; ' - are missing")
	}
	if err := CheckName(s.Name); err != nil {
		return nil, err
	}
	if err := refuse(in); err != nil {
		return nil, err
	}
	out := map[string]json.RawMessage{}
	for _, name := range echoed {
		if v := in[name]; present(v) {
			out[name] = v
		}
	}
	if err := checkFeedPolicy(out["changeFeedPolicy"]); err != nil {
		return nil, err
	}
	defaults(out)
	policy, err := parseIndexing(in["indexingPolicy"])
	if err != nil {
		return nil, err
	}
	if out["indexingPolicy"], err = json.Marshal(policy); err != nil {
		return nil, err
	}
	if _, err := index.ParsePolicy(out["indexingPolicy"]); err != nil {
		return nil, err
	}
	if err := checkVectorIndexes(policy.VectorIndexes, out["vectorEmbeddingPolicy"]); err != nil {
		return nil, err
	}
	if s.PartitionKey, err = parsePartitionKey(in["partitionKey"], apiVersion); err != nil {
		return nil, err
	}
	if s.PartitionKey != nil {
		if out["partitionKey"], err = json.Marshal(s.PartitionKey); err != nil {
			return nil, err
		}
	}
	if err := s.parseRules(in, out); err != nil {
		return nil, err
	}
	if s.encryptionKeys, err = parseEncryption(in["clientEncryptionPolicy"], s.PartitionKey); err != nil {
		return nil, err
	}
	s.Properties, err = json.Marshal(out)
	return s, err
}

// parseRules reads time to live and unique keys.
func (s *Spec) parseRules(in, out map[string]json.RawMessage) (err error) {
	if s.TTL, err = parseTTL(in["defaultTtl"]); err != nil {
		return err
	}
	if s.TTL != 0 {
		out["defaultTtl"] = json.RawMessage(strconv.Itoa(int(s.TTL)))
	}
	s.Unique, out["uniqueKeyPolicy"], err = parseUnique(in["uniqueKeyPolicy"])
	if s.uniqueGiven = out["uniqueKeyPolicy"] != nil; !s.uniqueGiven {
		delete(out, "uniqueKeyPolicy")
	}
	return err
}

func defaults(out map[string]json.RawMessage) {
	if out["conflictResolutionPolicy"] == nil {
		out["conflictResolutionPolicy"] = json.RawMessage(`{"mode":"LastWriterWins","conflictResolutionPath":"/_ts","conflictResolutionProcedure":""}`)
	}
	if out["geospatialConfig"] == nil {
		out["geospatialConfig"] = json.RawMessage(`{"type":"Geography"}`)
	}
}

// refuse names what a container can't have yet, rather than ignore what changes how its documents behave.
func refuse(in map[string]json.RawMessage) error {
	for name, what := range map[string]string{
		"ttlPropertyPath": "Time to live (ttlPropertyPath)", "computedProperties": "Computed properties (computedProperties)",
		"materializedViewDefinition": "Materialized views (materializedViewDefinition)", "analyticalStorageTtl": "The analytical store (analyticalStorageTtl)",
	} {
		if v := in[name]; present(v) && string(v) != "[]" {
			return unsupported(what)
		}
	}
	return nil
}

func present(v json.RawMessage) bool { return v != nil && string(v) != "null" }

func parsePartitionKey(raw json.RawMessage, apiVersion string) (*pkey.Definition, error) {
	if !present(raw) {
		if apiVersion == "" || apiVersion >= keysNeeded {
			return nil, invalid("The partition key definition of the container is missing: 'partitionKey' with 'paths' is required.")
		}
		return &pkey.Definition{Paths: []string{SystemPartitionKey}, Kind: "Hash", Version: 2, SystemKey: true}, nil
	}
	var d pkey.Definition
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, invalid("The partition key definition is invalid.")
	}
	if d.Kind == "" {
		d.Kind = "Hash"
		if len(d.Paths) > 1 {
			d.Kind = "MultiHash"
		}
	}
	// A client that says no version gets the first one, whatever its x-ms-version; most SDKs say 2 themselves. The control plane's default is 2.
	if d.Version == 0 && (apiVersion == "" || d.Kind == "MultiHash") {
		d.Version = 2
	}
	if d.SystemKey && (len(d.Paths) != 1 || d.Paths[0] != SystemPartitionKey) {
		return nil, invalid("A partition key with systemKey has the single path '%s'.", SystemPartitionKey)
	}
	return &d, d.Validate()
}

func parseIndexing(raw json.RawMessage) (*indexingPolicy, error) {
	var in struct {
		IndexingMode     *string           `json:"indexingMode"`
		Automatic        *bool             `json:"automatic"`
		IncludedPaths    []json.RawMessage `json:"includedPaths"`
		ExcludedPaths    []json.RawMessage `json:"excludedPaths"`
		CompositeIndexes json.RawMessage   `json:"compositeIndexes"`
		SpatialIndexes   json.RawMessage   `json:"spatialIndexes"`
		VectorIndexes    json.RawMessage   `json:"vectorIndexes"`
		FullTextIndexes  json.RawMessage   `json:"fullTextIndexes"`
	}
	if present(raw) {
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, invalid("The indexing policy is invalid.")
		}
	}
	p := &indexingPolicy{
		IndexingMode: "consistent", Automatic: true, IncludedPaths: in.IncludedPaths, ExcludedPaths: in.ExcludedPaths,
		CompositeIndexes: in.CompositeIndexes, SpatialIndexes: in.SpatialIndexes, VectorIndexes: in.VectorIndexes, FullTextIndexes: in.FullTextIndexes,
	}
	if in.IndexingMode != nil {
		p.IndexingMode = strings.ToLower(*in.IndexingMode)
	}
	if in.Automatic != nil {
		p.Automatic = *in.Automatic
	}
	switch p.IndexingMode {
	case "consistent", "lazy":
		if len(p.IncludedPaths) == 0 && !excludesAll(p.ExcludedPaths) {
			p.IncludedPaths = []json.RawMessage{json.RawMessage(`{"path":"/*"}`)}
		}
		p.ExcludedPaths = withETag(p.ExcludedPaths)
	case "none":
		if in.Automatic == nil {
			p.Automatic = false
		}
	default:
		return nil, invalid("The indexing mode '%s' is invalid; it is consistent, lazy or none.", p.IndexingMode)
	}
	if p.IncludedPaths == nil {
		p.IncludedPaths = []json.RawMessage{}
	}
	if p.ExcludedPaths == nil {
		p.ExcludedPaths = []json.RawMessage{}
	}
	return p, nil
}

// excludesAll tells whether the root is among the paths.
func excludesAll(paths []json.RawMessage) bool {
	for _, raw := range paths {
		var p struct {
			Path string `json:"path"`
		}
		if json.Unmarshal(raw, &p) == nil && (p.Path == "/*" || p.Path == "/") {
			return true
		}
	}
	return false
}

// withETag excludes `_etag`, as the service does by itself.
func withETag(paths []json.RawMessage) []json.RawMessage {
	for _, raw := range paths {
		var p struct {
			Path string `json:"path"`
		}
		if json.Unmarshal(raw, &p) == nil && (p.Path == `/"_etag"/?` || p.Path == "/_etag/?" || p.Path == "/*") {
			return paths
		}
	}
	return append(paths, json.RawMessage(`{"path":"/\"_etag\"/?"}`))
}

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "BadRequest", format, args...)
}

func unsupported(what string) *fault.Error {
	return fault.New(fault.NotImplemented, "NotImplemented", "%s: not supported by this platform yet. Nothing was changed.", what)
}
