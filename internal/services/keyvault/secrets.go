package keyvault

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// maxSecret is the longest value, in bytes.
const maxSecret = 25 * 1024

// secretBundle is a secret on the wire.
type secretBundle struct {
	Value       *string           `json:"value,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	ID          string            `json:"id"`
	KID         string            `json:"kid,omitempty"`
	Managed     bool              `json:"managed,omitempty"`
	Attributes  *attributes       `json:"attributes"`
	Tags        map[string]string `json:"tags,omitempty"`
	*recovery
}

// secretInput is the body of a set or an update.
type secretInput struct {
	Value       *string            `json:"value"`
	ContentType *string            `json:"contentType"`
	Attributes  *attributes        `json:"attributes"`
	Tags        *map[string]string `json:"tags"`
}

func (s *Service) secretRoutes() []wire.Route {
	get, set := right{secrets, "get", "secrets/getSecret/action"}, right{secrets, "set", "secrets/setSecret/action"}
	list := right{secrets, "list", listAction(secrets)}
	routes := []wire.Route{
		s.route("PUT", "/secrets/{name}", "SecretSet", set, s.setSecret),
		s.route("GET", "/secrets/{name}/{version?}", "SecretGet", get, s.getSecret),
		s.route("PATCH", "/secrets/{name}/{version?}", "SecretUpdate", right{secrets, "set", "secrets/update/action"}, s.updateSecret),
		s.route("DELETE", "/secrets/{name}", "SecretDelete", right{secrets, "delete", "secrets/delete"}, s.deleteSecret),
		s.route("GET", "/secrets", "SecretList", list, s.list(secrets, tagHead)),
		s.route("GET", "/secrets/{name}/versions", "SecretListVersions", list, s.listVersions(secrets)),
		s.route("POST", "/secrets/{name}/backup", "SecretBackup", right{secrets, "backup", "secrets/backup/action"}, s.backup(secrets)),
		s.route("POST", "/secrets/restore", "SecretRestore", right{secrets, "restore", "secrets/restore/action"}, s.restore(secrets, func(r *wire.Request, v *vault, rec *record) (any, error) {
			return secretMetadata(r, v, rec), nil
		})),
	}
	restore := &routes[len(routes)-1]
	restore.BodyLimit = restoreLimit
	return append(routes, s.deletedRoutes(secrets, func(r *wire.Request, v *vault, rec *record) (any, error) {
		return secretMetadata(r, v, rec), nil
	})...)
}

// secretMetadata is a secret without its value.
func secretMetadata(r *wire.Request, v *vault, rec *record) *secretBundle {
	base := baseURL(r, v)
	b := &secretBundle{
		ContentType: rec.ContentType, ID: secrets.id(base, rec.Name, rec.Version), Managed: rec.Managed, Attributes: rec.attributes(v), Tags: rec.Tags,
		recovery: rec.recovery(secrets, base),
	}
	if rec.Managed {
		b.KID = keys.id(base, rec.Name, rec.Version)
	}
	return b
}

func secretWithValue(r *wire.Request, v *vault, rec *record) *secretBundle {
	b := secretMetadata(r, v, rec)
	b.Value = &rec.Value
	return b
}

func (s *Service) getSecret(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	rec, err := s.object(ctx, v, secrets, r.Param("name"), r.Param("version"))
	if err != nil {
		return nil, err
	}
	if !rec.Enabled {
		return nil, secrets.disabled()
	}
	return secretWithValue(r, v, rec), nil
}

func (s *Service) setSecret(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name := r.Param("name")
	if err := checkName(name); err != nil {
		return nil, err
	}
	var in secretInput
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	rec, err := s.putSecret(ctx, r, v, name, &in)
	if err != nil {
		return nil, err
	}
	return secretWithValue(r, v, rec), nil
}

// putSecret makes a new version of a secret.
func (s *Service) putSecret(ctx context.Context, r *wire.Request, v *vault, name string, in *secretInput) (*record, error) {
	if in.Value == nil {
		return nil, badParameter("Property value has invalid value: it is required.")
	}
	if len(*in.Value) > maxSecret {
		return nil, badParameter("Secret value is too long: %d bytes, more than %d.", len(*in.Value), maxSecret)
	}
	name, err := s.storedName(ctx, v, secrets, name)
	if err != nil {
		return nil, err
	}
	rec := s.newRecord(name, newVersion())
	rec.Value = *in.Value
	if err := rec.change(in.Attributes, in.Tags, in.ContentType); err != nil {
		return nil, err
	}
	mac := s.mac(v, name)
	rows, err := s.newVersionRows(v, secrets, mac, rec)
	if err != nil {
		return nil, err
	}
	err = s.commit(ctx, r, v, 200, func(tx store.Tx) error {
		if there, err := exists(tx, key(tagDeleted, secrets.tag, mac)); err != nil || there {
			return orFault(err, secrets.deletedConflict(name))
		}
		if there, err := exists(tx, key(tagHead, certificates.tag, mac)); err != nil || there {
			return orFault(err, managed(secrets, name))
		}
		return putAll(tx, rows)
	})
	if err != nil {
		return nil, err
	}
	return rec, nil
}

// orFault prefers a store's error to the fault that would be answered without it.
func orFault(err, fault error) error {
	if err != nil {
		return err
	}
	return fault
}

func (s *Service) updateSecret(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	if err := checkName(r.Param("name")); err != nil {
		return nil, err
	}
	var in secretInput
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	rec, err := s.changeSecret(ctx, r, v, r.Param("name"), r.Param("version"), &in)
	if err != nil {
		return nil, err
	}
	return secretMetadata(r, v, rec), nil
}

// changeSecret changes what is not the value of a version, "" for the newest.
func (s *Service) changeSecret(ctx context.Context, r *wire.Request, v *vault, name, version string, in *secretInput) (*record, error) {
	return s.update(ctx, r, v, secrets, name, version, func(_ *kind, rec *record) error {
		if rec.Managed {
			return managed(secrets, rec.Name)
		}
		return rec.change(in.Attributes, in.Tags, in.ContentType)
	})
}

func (s *Service) deleteSecret(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	rec, err := s.remove(ctx, r, v, secrets, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return secretMetadata(r, v, rec), nil
}
