package keyvault

import (
	"context"
	"fmt"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Secrets and keys as resources, for templates: a view of the vault's own data. Values and private parts never come out this way.

// armObject is a secret or key on the control plane.
type armObject struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties any               `json:"properties"`
}

type armSecret struct {
	Attributes  *attributes `json:"attributes"`
	ContentType string      `json:"contentType,omitempty"`
	URI         string      `json:"secretUri"`
	Version     string      `json:"secretUriWithVersion"`
}

type armKey struct {
	Attributes *attributes `json:"attributes"`
	Type       string      `json:"kty,omitempty"`
	Operations []string    `json:"keyOps,omitzero"`
	Size       int         `json:"keySize,omitempty"`
	Curve      string      `json:"curveName,omitempty"`
	URI        string      `json:"keyUri"`
	Version    string      `json:"keyUriWithVersion"`
}

// armInput is the body of a PUT or PATCH.
type armInput struct {
	Value       *string        `json:"value"`
	ContentType *string        `json:"contentType"`
	Attributes  *keyAttributes `json:"attributes"`

	Type       string          `json:"kty"`
	Operations *[]string       `json:"keyOps"`
	Size       int             `json:"keySize"`
	Curve      string          `json:"curveName"`
	Rotation   *rotationPolicy `json:"rotationPolicy"`
	Release    *struct{}       `json:"release_policy"`

	tags *map[string]string
}

func (s *Service) objectActions() []arm.Action {
	action := func(method, verb, operation string, h func(ctx context.Context, c *arm.Call, v *vault) (any, error)) arm.Action {
		return arm.Action{
			Verb: verb, Method: method, Operation: "Microsoft.KeyVault/vaults/" + operation, Writes: method != http.MethodGet,
			Handler: func(ctx context.Context, c *arm.Call) (any, error) {
				v, err := parseVault(c.Old)
				if err != nil {
					return nil, err
				}
				return h(ctx, c, v)
			},
		}
	}
	return []arm.Action{
		action("GET", "secrets", "secrets/read", s.armList(secrets)),
		action("GET", "secrets/{object}", "secrets/read", s.armGet(secrets)),
		action("PUT", "secrets/{object}", "secrets/write", s.armPutSecret),
		action("PATCH", "secrets/{object}", "secrets/write", s.armPatchSecret),
		action("GET", "keys", "keys/read", s.armList(keys)),
		action("GET", "keys/{object}", "keys/read", s.armGet(keys)),
		action("PUT", "keys/{object}", "keys/write", s.armPutKey),
		action("GET", "keys/{object}/versions", "keys/versions/read", s.armVersions),
		action("GET", "keys/{object}/versions/{version}", "keys/versions/read", s.armGet(keys)),
	}
}

// armAnswer renders an object; versioned names the version in its id, too.
func (s *Service) armAnswer(c *arm.Call, v *vault, k *kind, rec *record, versioned bool) (*armObject, error) {
	base := baseURL(c.Request, v)
	out := &armObject{
		ID: v.id + "/" + k.plural + "/" + rec.Name, Name: rec.Name, Type: "Microsoft.KeyVault/vaults/" + k.plural, Location: v.location, Tags: rec.Tags,
	}
	if versioned {
		out.ID, out.Name, out.Type = out.ID+"/versions/"+rec.Version, rec.Version, out.Type+"/versions"
	}
	attrs := rec.attributes(v)
	attrs.RecoverableDays = 0
	if k == secrets {
		attrs.RecoveryLevel = ""
		out.Properties = &armSecret{attrs, rec.ContentType, k.id(base, rec.Name, ""), k.id(base, rec.Name, rec.Version)}
		return out, nil
	}
	public, err := publicJWK(rec)
	if err != nil {
		return nil, err
	}
	signer, err := parseKey(rec.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("stored key of version %s: %w", rec.Version, err)
	}
	props := propsOf(signer)
	answer := &armKey{attrs, public.Type, public.Operations, props.Size, props.Curve, k.id(base, rec.Name, ""), k.id(base, rec.Name, rec.Version)}
	if props.Curve != "" {
		answer.Size = 0
	}
	out.Properties = answer
	return out, nil
}

func (s *Service) armGet(k *kind) func(ctx context.Context, c *arm.Call, v *vault) (any, error) {
	return func(ctx context.Context, c *arm.Call, v *vault) (any, error) {
		version := c.Param("version")
		rec, err := s.object(ctx, v, k, c.Param("object"), version)
		if err != nil {
			return nil, err
		}
		return s.armAnswer(c, v, k, rec, version != "")
	}
}

func (s *Service) armList(k *kind) func(ctx context.Context, c *arm.Call, v *vault) (any, error) {
	return func(ctx context.Context, c *arm.Call, v *vault) (any, error) {
		return s.armPage(ctx, c, v, k, nil, []byte{tagHead, '|', k.tag, '|'}, macSize, false)
	}
}

func (s *Service) armVersions(ctx context.Context, c *arm.Call, v *vault) (any, error) {
	name := c.Param("object")
	if err := checkName(name); err != nil {
		return nil, err
	}
	mac := s.mac(v, name)
	return s.armPage(ctx, c, v, keys, key(tagHead, keys.tag, mac), append(key(tagVersion, keys.tag, mac), '|'), 16, true)
}

func (s *Service) armPage(ctx context.Context, c *arm.Call, v *vault, k *kind, guard, prefix []byte, size int, versioned bool) (any, error) {
	rows, next, err := s.rows(ctx, c.Request, v, guard, prefix, size)
	if err != nil {
		return nil, err
	}
	out := make([]*armObject, 0, len(rows))
	for _, row := range rows {
		rec, err := s.open(v.shard, row.key, row.value)
		if err != nil {
			return nil, err
		}
		one, err := s.armAnswer(c, v, k, rec, versioned)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	link := ""
	if next != nil {
		link = *next
	}
	return wire.NewPage(out, link), nil
}

func readObject(c *arm.Call) (string, *armInput, error) {
	name := c.Param("object")
	if err := checkName(name); err != nil {
		return "", nil, err
	}
	var in *armInput
	if err := c.Body.Decode("properties", &in); err != nil {
		return "", nil, err
	}
	if in == nil {
		return "", nil, badRequest("BadRequest", "The parameter properties is required.")
	}
	if err := c.Body.Decode("tags", &in.tags); err != nil {
		return "", nil, err
	}
	return name, in, nil
}

func (in *armInput) secret() *secretInput {
	out := &secretInput{Value: in.Value, ContentType: in.ContentType, Tags: in.tags}
	if in.Attributes != nil {
		out.Attributes = &in.Attributes.attributes
	}
	return out
}

// armPutSecret makes a new version.
func (s *Service) armPutSecret(ctx context.Context, c *arm.Call, v *vault) (any, error) {
	name, in, err := readObject(c)
	if err != nil {
		return nil, err
	}
	rec, err := s.putSecret(ctx, c.Request, v, name, in.secret())
	if err != nil {
		return nil, err
	}
	return s.armAnswer(c, v, secrets, rec, false)
}

// armPatchSecret makes a new version if there is a new value, else it changes the newest.
func (s *Service) armPatchSecret(ctx context.Context, c *arm.Call, v *vault) (any, error) {
	name, in, err := readObject(c)
	if err != nil {
		return nil, err
	}
	change := in.secret()
	head, err := s.object(ctx, v, secrets, name, "")
	if err != nil {
		return nil, err
	}
	var rec *record
	if in.Value != nil {
		if change.ContentType == nil {
			change.ContentType = &head.ContentType
		}
		if change.Tags == nil {
			change.Tags = &head.Tags
		}
		rec, err = s.putSecret(ctx, c.Request, v, name, change)
	} else {
		rec, err = s.changeSecret(ctx, c.Request, v, name, "", change)
	}
	if err != nil {
		return nil, err
	}
	return s.armAnswer(c, v, secrets, rec, false)
}

// armPutKey makes a key if there is none; one that is there stays as it is.
func (s *Service) armPutKey(ctx context.Context, c *arm.Call, v *vault) (any, error) {
	name, in, err := readObject(c)
	if err != nil {
		return nil, err
	}
	rec, err := s.object(ctx, v, keys, name, "")
	if err == nil {
		return s.armAnswer(c, v, keys, rec, false)
	}
	if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if in.Rotation != nil {
		return nil, notImplemented("The property rotationPolicy of a key in a template (set it at the vault)")
	}
	made := &keyInput{Type: in.Type, Size: in.Size, Curve: in.Curve, Operations: in.Operations, Attributes: in.Attributes, Tags: in.tags, Release: in.Release}
	attrs, err := made.check()
	if err != nil {
		return nil, err
	}
	if rec, err = s.makeKey(ctx, c.Request, v, name, made, attrs); err != nil {
		return nil, err
	}
	return s.armAnswer(c, v, keys, rec, false)
}
