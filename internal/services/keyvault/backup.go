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

func (s *Service) backupSecret(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	head, err := s.object(ctx, v, secrets, r.Param("name"), "")
	if err != nil {
		return nil, err
	}
	if head.Managed {
		return nil, managed(secrets, head.Name)
	}
	mac := s.mac(v, head.Name)
	var rows []sealed
	size := 0
	err = s.deps.Store.View(ctx, v.shard, func(sn store.Snapshot) error {
		rows, size = nil, 0
		return sn.Scan(store.Prefix(append(key(tagVersion, secrets.tag, mac), '|')), func(k, value []byte) bool {
			rows = append(rows, sealed{clone(k), clone(value)})
			size += len(value)
			return size <= maxBackup
		})
	})
	if err != nil {
		return nil, err
	}
	if size > maxBackup {
		return nil, badParameter("The versions of the secret are more than %d bytes and cannot be backed up.", maxBackup)
	}
	blob := backupBlob{Kind: secrets.noun, Newest: head.Version}
	for _, row := range rows {
		rec, err := s.open(v.shard, row.key, row.value)
		if err != nil {
			return nil, err
		}
		blob.Versions = append(blob.Versions, *rec)
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

func (s *Service) restoreSecret(ctx context.Context, r *wire.Request, v *vault) (any, error) {
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
	var blob backupBlob
	if err := json.NewDecoder(bytes.NewReader(plain)).Decode(&blob); err != nil || blob.Kind != secrets.noun || len(blob.Versions) == 0 {
		return nil, badParameter("Backup blob is invalid: it holds no secret.")
	}
	var head *record
	var rows []sealed
	name := blob.Versions[0].Name
	mac := s.mac(v, name)
	for i := range blob.Versions {
		rec := &blob.Versions[i]
		more, err := s.sealBoth(v, secrets, mac, rec, rec.Version == blob.Newest)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
		if rec.Version == blob.Newest {
			head = rec
		}
	}
	if head == nil {
		return nil, badParameter("Backup blob is invalid: its newest version is missing.")
	}
	r.Resource += "/" + name
	err = s.commit(ctx, r, v, 200, func(tx store.Tx) error {
		if there, err := exists(tx, key(tagHead, secrets.tag, mac)); err != nil || there {
			return orFault(err, conflict("", "A secret with the name %s already exists in this vault.", name))
		}
		if there, err := exists(tx, key(tagDeleted, secrets.tag, mac)); err != nil || there {
			return orFault(err, secrets.deletedConflict(name))
		}
		return putAll(tx, rows)
	})
	if err != nil {
		return nil, err
	}
	return secretMetadata(r, v, head), nil
}
