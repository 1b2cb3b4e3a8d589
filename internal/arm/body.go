package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// Bounds of tags, as Azure documents them.
const (
	maxTags     = 50
	maxTagName  = 512
	maxTagValue = 256
)

// readBody reads the body of a call that must have one.
func readBody(c *Call) error {
	if len(bytes.TrimSpace(c.Request.Body)) == 0 {
		return fault.New(fault.Invalid, "InvalidRequestContent", "The request content was invalid: it is empty, a JSON object is expected.")
	}
	return readOptionalBody(c)
}

func readOptionalBody(c *Call) error {
	c.Body = nil
	if len(bytes.TrimSpace(c.Request.Body)) == 0 {
		return nil
	}
	var err error
	c.Body, err = ParseObject(c.Request.Body)
	return err
}

// sign fills in who made the resource, and who changes it.
func (r *Resource) sign(old *Resource, who *authn.Principal) {
	kind := "Application"
	if who.Kind == authn.User {
		kind = "User"
	}
	at := r.Changed.UTC()
	r.System = &SystemData{CreatedBy: who.ObjectID, CreatedByType: kind, CreatedAt: at, ModifiedBy: who.ObjectID, ModifiedByType: kind, ModifiedAt: at}
	if old != nil && old.System != nil {
		r.System.CreatedBy, r.System.CreatedByType, r.System.CreatedAt = old.System.CreatedBy, old.System.CreatedByType, old.System.CreatedAt
	}
}

// envelope makes c.New of what ARM itself keeps of the body: a full replacement, except for what a PUT can't change.
func (p *Pipeline) envelope(ctx context.Context, c *Call) error {
	now := p.deps.Clock.Now()
	n := &Resource{ID: c.ID.String(), Name: c.ID.Name(), Type: c.Type.name(), GUID: ids.New(), Created: now}
	if old := c.Old; old != nil {
		n.ID, n.Name, n.GUID, n.Created = old.ID, old.Name, old.GUID, old.Created
		n.Kind, n.Location, n.Private, n.Identity = old.Kind, old.Location, old.Private, old.Identity
	}
	n.Changed, n.By, n.ETag = now, c.Principal.ObjectID, ids.New()
	c.New = n
	if c.Type.Signed {
		n.sign(c.Old, c.Principal)
	}
	if k := c.Body.String("kind"); k != "" {
		n.Kind = k
	}
	n.ManagedBy = c.Body.String("managedBy")
	for name, to := range map[string]*json.RawMessage{"sku": &n.SKU, "plan": &n.Plan} {
		if c.Body.Has(name) {
			*to = c.Body.Get(name)
		}
	}
	if !c.Type.Untracked {
		if err := c.location(); err != nil {
			return err
		}
		var err error
		if n.Tags, err = tagsOf(c.Body); err != nil {
			return err
		}
	}
	return p.identity(ctx, c)
}

// location checks the body's location: required for a new resource, never to be changed.
func (c *Call) location() error {
	var sent string
	if err := c.Body.Decode("location", &sent); err != nil {
		return err
	}
	loc := normalLocation(sent)
	switch {
	case loc == "" && c.Old == nil:
		return fault.New(fault.Invalid, "LocationRequired", "The location property is required for this definition.")
	case loc == "":
	case !plainWord(loc):
		return fault.New(fault.Invalid, "LocationNotAvailableForResourceType", "The provided location '%s' is not a location's name.", clip(sent))
	case c.Old != nil && c.Old.Location != loc:
		code, text := "InvalidResourceLocation", "The resource '%s' already exists in location '%s'. A resource with the same name cannot be created in location '%s'. Please select a new resource name."
		if c.Type.Name == typeGroup {
			code, text = "InvalidResourceGroupLocation", "Invalid resource group location. The resource group '%s' already exists in location '%s', not in '%s'."
		}
		return fault.New(fault.Conflict, code, text, c.Old.Name, c.Old.Location, loc)
	default:
		c.New.Location = loc
	}
	return nil
}

// normalLocation is a location as Azure stores it: "West US 2" is westus2.
func normalLocation(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, " ", ""))
}

func tagsOf(body Object) (map[string]string, error) {
	var sent map[string]*string
	if err := body.Decode("tags", &sent); err != nil {
		return nil, err
	}
	tags := map[string]string{}
	seen := map[string]bool{}
	for k, v := range sent {
		if v == nil {
			continue
		}
		if k == "" || len(k) > maxTagName || len(*v) > maxTagValue || strings.ContainsAny(k, `<>%&\?/`) {
			return nil, fault.New(fault.Invalid, "InvalidTagNameOrValue", "The tag '%s' is not valid: names have 1 to %d characters, none of <>%%&\\?/, and values up to %d.",
				clip(k), maxTagName, maxTagValue)
		}
		if seen[strings.ToLower(k)] {
			return nil, fault.New(fault.Invalid, "DuplicateTagName", "The tag '%s' is there twice: tag names differ in more than case.", clip(k))
		}
		seen[strings.ToLower(k)] = true
		tags[k] = *v
	}
	if len(tags) > maxTags {
		return nil, fault.New(fault.Invalid, "TooManyTags", "The resource has %d tags; %d are allowed.", len(tags), maxTags)
	}
	return tags, nil
}

// patched is the whole body of a PUT that does what the PATCH in c.Body asks: RFC 7396 with property names in any case, but for tags, which are replaced as a
// whole: clients that want to add one read them first.
func patched(c *Call) (Object, error) {
	old := c.Old
	whole := map[string]any{"properties": map[string]any{}}
	if !c.Body.Has("tags") {
		whole["tags"] = old.Tags
	}
	set := func(name, v string) {
		if v != "" {
			whole[name] = v
		}
	}
	set("location", old.Location)
	set("kind", old.Kind)
	set("managedBy", old.ManagedBy)
	for name, raw := range map[string]json.RawMessage{"sku": old.SKU, "plan": old.Plan, "properties": old.Properties} {
		if len(raw) == 0 {
			continue
		}
		v, err := decodeNumber(raw)
		if err != nil {
			return nil, err
		}
		whole[name] = v
	}
	patch := maps.Clone(map[string]json.RawMessage(c.Body))
	var identity json.RawMessage
	if !c.Type.Untracked {
		identity = takeIdentity(patch)
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	v, err := decodeNumber(b)
	if err != nil {
		return nil, err
	}
	if b, err = json.Marshal(mergePatch(whole, v)); err != nil {
		return nil, err
	}
	var out Object
	err = json.Unmarshal(b, &out)
	if err == nil && identity != nil {
		out["identity"] = identity
	}
	return out, err
}

func decodeNumber(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

// mergePatch merges patch into target as RFC 7396 says, matching names in any case.
func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for k, v := range p {
		have := k
		if _, ok := t[k]; !ok {
			for name := range t {
				if strings.EqualFold(name, k) {
					have = name
				}
			}
		}
		if v == nil {
			delete(t, have)
			continue
		}
		t[have] = mergePatch(t[have], v)
	}
	return t
}
