package keyvault

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// keyBundle is a key on the wire: its public part.
type keyBundle struct {
	Key        *jwk              `json:"key"`
	Attributes *attributes       `json:"attributes"`
	Tags       map[string]string `json:"tags,omitempty"`
	Managed    bool              `json:"managed,omitempty"`
	*recovery
}

// keyInput is the body of create, import and update.
type keyInput struct {
	Type       string             `json:"kty"`
	Size       int                `json:"key_size"`
	Exponent   int                `json:"public_exponent"`
	Curve      string             `json:"crv"`
	Operations *[]string          `json:"key_ops"`
	Attributes *keyAttributes     `json:"attributes"`
	Tags       *map[string]string `json:"tags"`
	Release    *struct{}          `json:"release_policy"`
	HSM        bool               `json:"Hsm"`
	Key        *jwk               `json:"key"` // of an import
}

type keyAttributes struct {
	attributes
	Exportable bool `json:"exportable"`
}

// check refuses what needs a hardware module or an attestation, and gives the attributes that are left.
func (in *keyInput) check() (*attributes, error) {
	switch {
	case in.HSM:
		return nil, notImplemented("Importing into a hardware security module (Hsm)")
	case in.Release != nil:
		return nil, notImplemented("A key release policy (release_policy)")
	case in.Attributes == nil:
		return nil, nil
	case in.Attributes.Exportable:
		return nil, notImplemented("An exportable key (attributes.exportable), which needs a release policy,")
	}
	return &in.Attributes.attributes, nil
}

func (s *Service) keyRoutes() []wire.Route {
	of := func(policy, action string) right { return right{keys, policy, "keys/" + action} }
	list, read := right{keys, "list", listAction(keys)}, of("get", "read")
	const one = "/keys/{name}"
	routes := []wire.Route{
		s.route("GET", one+"/{version?}", "KeyGet", read, s.getKey),
		s.route("GET", "/keys", "KeyList", list, s.list(keys, tagHead)),
		s.route("GET", one+"/versions", "KeyListVersions", list, s.listVersions(keys)),
		s.route("POST", one+"/create", "KeyCreate", of("create", "create/action"), s.createKey),
		s.route("PUT", one, "KeyImport", of("import", "import/action"), s.importKey),
		s.route("PATCH", one+"/{version?}", "KeyUpdate", of("update", "update/action"), s.updateKey),
		s.route("DELETE", one, "KeyDelete", of("delete", "delete"), s.deleteKey),
		s.route("POST", one+"/backup", "KeyBackup", of("backup", "backup/action"), s.backup(keys)),
		s.route("POST", "/keys/restore", "KeyRestore", of("restore", "restore/action"), s.restore(keys, s.keyAnswer)),
		s.route("POST", one+"/rotate", "KeyRotate", of("rotate", "rotate/action"), s.rotateKey),
		s.route("GET", one+"/rotationpolicy", "KeyGetRotationPolicy", right{keys, "getrotationpolicy", "keyrotationpolicies/read"}, s.getRotationPolicy),
		s.route("PUT", one+"/rotationpolicy", "KeyUpdateRotationPolicy", right{keys, "setrotationpolicy", "keyrotationpolicies/write"}, s.setRotationPolicy),
		s.route("POST", "/rng", "GetRandomBytes", read, s.randomBytes),
		s.refused("GET", one+"/{version}/attestation", "KeyGetAttestation", read),
		s.refused("POST", one+"/release", "KeyRelease", of("release", "release/action")),
		s.refused("POST", one+"/{version}/release", "KeyRelease", of("release", "release/action")),
	}
	routes[8].BodyLimit = restoreLimit
	for _, op := range keyOperations() {
		need := of(strings.ToLower(op.name), op.action+"/action")
		// The SDKs leave the version's segment empty to use the newest.
		for _, path := range []string{one + "/", one + "/{version}/"} {
			routes = append(routes, s.route("POST", path+strings.ToLower(op.name), op.title, need, s.operate(op)))
		}
	}
	return append(routes, s.deletedRoutes(keys, s.keyAnswer)...)
}

func (s *Service) getKey(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	rec, err := s.object(ctx, v, keys, r.Param("name"), r.Param("version"))
	if err != nil {
		return nil, err
	}
	return s.keyAnswer(r, v, rec)
}

func (s *Service) keyAnswer(r *wire.Request, v *vault, rec *record) (any, error) {
	base := baseURL(r, v)
	k, err := publicJWK(rec)
	if err != nil {
		return nil, err
	}
	k.ID = keys.id(base, rec.Name, rec.Version)
	return &keyBundle{Key: k, Attributes: rec.attributes(v), Tags: rec.Tags, Managed: rec.Managed, recovery: rec.recovery(keys, base)}, nil
}

func (s *Service) createKey(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	var in keyInput
	name, attrs, err := s.keyRequest(r, &in)
	if err != nil {
		return nil, err
	}
	rec, err := s.makeKey(ctx, r, v, name, &in, attrs)
	if err != nil {
		return nil, err
	}
	return s.keyAnswer(r, v, rec)
}

// makeKey generates a key pair and stores it as a new version.
func (s *Service) makeKey(ctx context.Context, r *wire.Request, v *vault, name string, in *keyInput, attrs *attributes) (*record, error) {
	if in.Type == "" {
		return nil, badParameter("The property kty is required.")
	}
	p := &keyProps{Type: in.Type, Size: in.Size, Curve: in.Curve}
	if err := p.settle("", in.Exponent); err != nil {
		return nil, err
	}
	// Before the costly part; storeKey's transaction asks again.
	if err := s.keyNameFree(ctx, v, name); err != nil {
		return nil, err
	}
	signer, err := s.generate(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.storeKey(ctx, r, v, name, signer, in, attrs)
}

func (s *Service) importKey(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	var in keyInput
	name, attrs, err := s.keyRequest(r, &in)
	if err != nil {
		return nil, err
	}
	if in.Key == nil {
		return nil, badParameter("The property key is required.")
	}
	var signer crypto.Signer
	err = s.heavy(ctx, func() (err error) {
		signer, err = in.Key.private()
		return err
	})
	if err != nil {
		return nil, err
	}
	if in.Operations == nil && in.Key.Operations != nil {
		in.Operations = &in.Key.Operations
	}
	rec, err := s.storeKey(ctx, r, v, name, signer, &in, attrs)
	if err != nil {
		return nil, err
	}
	return s.keyAnswer(r, v, rec)
}

// keyRequest reads what create and import have in common.
func (s *Service) keyRequest(r *wire.Request, in *keyInput) (name string, attrs *attributes, err error) {
	name = r.Param("name")
	if err := checkName(name); err != nil {
		return "", nil, err
	}
	if err := wire.Bind(r, in); err != nil {
		return "", nil, err
	}
	attrs, err = in.check()
	return name, attrs, err
}

func (s *Service) keyNameFree(ctx context.Context, v *vault, name string) error {
	mac := s.mac(v, name)
	return s.deps.Store.View(ctx, v.shard, func(sn store.Snapshot) error { return keyFree(sn, mac, name) })
}

// keyFree refuses a key whose name a deleted key or a certificate has.
func keyFree(sn store.Snapshot, mac []byte, name string) error {
	if there, err := exists(sn, key(tagDeleted, keys.tag, mac)); err != nil || there {
		return orFault(err, keys.deletedConflict(name))
	}
	if there, err := exists(sn, key(tagHead, certificates.tag, mac)); err != nil || there {
		return orFault(err, managed(keys, name))
	}
	return nil
}

// storeKey writes a new version of a key.
func (s *Service) storeKey(ctx context.Context, r *wire.Request, v *vault, name string, signer crypto.Signer, in *keyInput, attrs *attributes) (*record, error) {
	name, err := s.storedName(ctx, v, keys, name)
	if err != nil {
		return nil, err
	}
	rec := s.newRecord(name, newVersion())
	if err := rec.change(attrs, in.Tags, nil); err != nil {
		return nil, err
	}
	if rec.PrivateKey, err = x509.MarshalPKCS8PrivateKey(signer); err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	rec.Operations = operationsOf(signer)
	if in.Operations != nil {
		if rec.Operations, err = settleOperations(*in.Operations, rec.Operations); err != nil {
			return nil, err
		}
	}
	mac := s.mac(v, name)
	rows, err := s.newVersionRows(v, keys, mac, rec)
	if err != nil {
		return nil, err
	}
	err = s.commit(ctx, r, v, 200, func(tx store.Tx) error {
		if err := keyFree(tx, mac, name); err != nil {
			return err
		}
		return putAll(tx, rows)
	})
	return rec, err
}

// settleOperations checks key_ops and puts them into Key Vault's spelling.
func settleOperations(asked, possible []string) ([]string, error) {
	out := []string{}
	for _, op := range asked {
		at := slices.IndexFunc(possible, func(p string) bool { return strings.EqualFold(p, op) })
		if at < 0 {
			return nil, badParameter("Property key_ops has invalid value: '%s' is no operation of this type of key; it may have %s.", clip(op), strings.Join(possible, ", "))
		}
		if !slices.Contains(out, possible[at]) {
			out = append(out, possible[at])
		}
	}
	return out, nil
}

func (s *Service) updateKey(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	var in keyInput
	name, attrs, err := s.keyRequest(r, &in)
	if err != nil {
		return nil, err
	}
	rec, err := s.update(ctx, r, v, keys, name, r.Param("version"), func(_ *kind, rec *record) error {
		if rec.Managed {
			return managed(keys, rec.Name)
		}
		if in.Operations != nil {
			signer, err := parseKey(rec.PrivateKey)
			if err != nil {
				return err
			}
			if rec.Operations, err = settleOperations(*in.Operations, operationsOf(signer)); err != nil {
				return err
			}
		}
		return rec.change(attrs, in.Tags, nil)
	})
	if err != nil {
		return nil, err
	}
	return s.keyAnswer(r, v, rec)
}

func (s *Service) deleteKey(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	rec, err := s.remove(ctx, r, v, keys, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return s.keyAnswer(r, v, rec)
}
