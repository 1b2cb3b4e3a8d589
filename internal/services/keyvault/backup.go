package keyvault

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// backupBlob is the plain form of a backup: all versions of one object, the newest named.
type backupBlob struct {
	Kind     string   `json:"kind"`
	Newest   string   `json:"newest"`
	Versions []record `json:"versions"`

	Members  map[string][]record `json:"members,omitempty"`  // of a certificate: its secret's and key's versions, by noun
	Rotation *rotationPolicy     `json:"rotation,omitempty"` // of a key
}

type backupBody struct {
	Value string `json:"value"` // unpadded base64url
}

const (
	backupKey    = "backup"
	maxBackup    = 8 << 20 // bytes of all versions, so that a restore fits one transaction
	restoreLimit = 16 << 20
)

// backupShard is what a backup is bound to: the subscription, as on Azure.
func backupShard(v *vault) string {
	parts := strings.Split(strings.ToLower(v.id), "/")
	if len(parts) < 3 {
		return ""
	}
	return "sub/" + parts[2]
}

// backup is the handler that answers all versions of an object of a kind, sealed.
func (s *Service) backup(k *kind) handler {
	return func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
		head, err := s.object(ctx, v, k, r.Param("name"), "")
		if err != nil {
			return nil, err
		}
		if head.Managed {
			return nil, managed(k, head.Name)
		}
		blob := backupBlob{Kind: k.noun, Newest: head.Version}
		if err := s.collect(ctx, v, k, head.Name, &blob); err != nil {
			return nil, err
		}
		plain, err := json.Marshal(blob)
		if err != nil {
			return nil, err
		}
		value, err := s.deps.Sealer.Seal(backupShard(v), []byte(backupKey), plain)
		if err != nil {
			return nil, err
		}
		return backupBody{base64.RawURLEncoding.EncodeToString(value)}, nil
	}
}

// collect reads an object's versions, those of its family, and a key's rotation policy.
func (s *Service) collect(ctx context.Context, v *vault, k *kind, name string, blob *backupBlob) error {
	mac := s.mac(v, name)
	size := 0
	for _, member := range family(k) {
		var rows []sealed
		before := size
		err := s.deps.Store.View(ctx, v.shard, func(sn store.Snapshot) error {
			rows, size = nil, before
			return sn.Scan(store.Prefix(append(key(tagVersion, member.tag, mac), '|')), func(k, value []byte) bool {
				rows = append(rows, sealed{clone(k), clone(value)})
				size += len(value)
				return size <= maxBackup
			})
		})
		if err != nil {
			return err
		}
		if size > maxBackup {
			return badParameter("The versions of the %s are more than %d bytes and cannot be backed up.", k.noun, maxBackup)
		}
		for _, row := range rows {
			rec, err := s.open(v.shard, row.key, row.value)
			if err != nil {
				return err
			}
			if member == k {
				blob.Versions = append(blob.Versions, *rec)
				continue
			}
			if blob.Members == nil {
				blob.Members = map[string][]record{}
			}
			blob.Members[member.noun] = append(blob.Members[member.noun], *rec)
		}
	}
	if k != keys {
		return nil
	}
	p, _, err := s.rotation(ctx, v, mac)
	blob.Rotation = p
	return err
}

// restore is the handler that brings a backed up object into a vault that has none of its name.
func (s *Service) restore(k *kind, render func(r *wire.Request, v *vault, rec *record) (any, error)) handler {
	return func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
		blob, err := s.openBackup(r, v, k)
		if err != nil {
			return nil, err
		}
		name := blob.Versions[0].Name
		mac := s.mac(v, name)
		head, rows, err := s.restored(v, k, mac, blob)
		if err != nil {
			return nil, err
		}
		r.Resource += "/" + name
		err = s.commit(ctx, r, v, 200, func(tx store.Tx) error {
			for _, member := range family(k) {
				if there, err := exists(tx, key(tagHead, member.tag, mac)); err != nil || there {
					return orFault(err, conflict("", "A %s with the name %s already exists in this vault.", member.noun, name))
				}
				if there, err := exists(tx, key(tagDeleted, member.tag, mac)); err != nil || there {
					return orFault(err, member.deletedConflict(name))
				}
			}
			return putAll(tx, rows)
		})
		if err != nil {
			return nil, err
		}
		return render(r, v, head)
	}
}

func (s *Service) openBackup(r *wire.Request, v *vault, k *kind) (*backupBlob, error) {
	var in backupBody
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	raw, err := decodeBase64(in.Value)
	if err != nil {
		return nil, badParameter("Property value has invalid value: it is not base64url.")
	}
	plain, err := s.deps.Sealer.Open(backupShard(v), []byte(backupKey), raw)
	if err != nil {
		return nil, badParameter("Backup blob is invalid: it was not made by this installation for a vault of this subscription, or it is damaged.")
	}
	blob := new(backupBlob)
	if err := json.NewDecoder(bytes.NewReader(plain)).Decode(blob); err != nil || blob.Kind != k.noun || len(blob.Versions) == 0 {
		return nil, badParameter("Backup blob is invalid: it holds no %s.", k.noun)
	}
	return blob, nil
}

// restored makes the rows of a backup, and finds its newest version.
func (s *Service) restored(v *vault, k *kind, mac []byte, blob *backupBlob) (head *record, rows []sealed, err error) {
	for _, member := range family(k) {
		versions := blob.Versions
		if member != k {
			versions = blob.Members[member.noun]
		}
		found := false
		for i := range versions {
			rec := &versions[i]
			newest := rec.Version == blob.Newest
			more, err := s.sealBoth(v, member, mac, rec, newest)
			if err != nil {
				return nil, nil, err
			}
			rows = append(rows, more...)
			found = found || newest
			if newest && member == k {
				head = rec
			}
		}
		if !found {
			return nil, nil, badParameter("Backup blob is invalid: its newest version is missing.")
		}
	}
	if blob.Rotation != nil {
		row, err := sealRow(s, v.shard, rotationKey(mac), rotationCodec, *blob.Rotation)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	return head, rows, nil
}
