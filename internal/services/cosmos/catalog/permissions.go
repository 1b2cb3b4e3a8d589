package catalog

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Permission lets a user at a container or at one thing in it. Resource tokens are made of it.
type Permission struct {
	Name     string `json:"name"`
	Number   uint32 `json:"number"`
	User     uint32 `json:"user"`
	Database uint32 `json:"database"`
	Time     int64  `json:"time"`
	ETag     string `json:"etag"`
	PermissionSpec
	// Of the resource, as found when the permission was stored. A container made anew under the old name is another one.
	Container uint32 `json:"container"`
	GUID      string `json:"guid"`
}

// PermissionSpec is a permission as a client asks for it.
type PermissionSpec struct {
	Mode         string          `json:"mode"`     // Read or All, in the letters it was sent in: clients compare them with what they sent
	Resource     string          `json:"resource"` // dbs/../colls/..[/docs/..], by names or resource ids, as sent
	PartitionKey json.RawMessage `json:"partitionKey,omitempty"`
	Kind         string          `json:"kind,omitempty"` // of what is in the container: docs, sprocs, triggers, udfs, conflicts; "": the container
	Child        string          `json:"child,omitempty"`
}

// RID is its resource id.
func (p *Permission) RID() rid.ID {
	return rid.NewPermission(rid.NewUser(rid.NewDatabase(p.Database), p.User), uint64(p.Number))
}

// Key is the partition key it is bound to; nil: none.
func (p *Permission) Key() pkey.Key {
	if p.PartitionKey == nil {
		return nil
	}
	key, err := pkey.ParseHeader(string(p.PartitionKey))
	if err != nil {
		return nil // checked before it was stored
	}
	return key
}

// ReadMode and AllMode are the modes of permissions.
const (
	ReadMode = "Read"
	AllMode  = "All"
)

// All tells whether it permits everything, else reading only.
func (p *PermissionSpec) All() bool { return strings.EqualFold(p.Mode, AllMode) }

// Check makes sure that the permission can be, and takes its resource apart.
func (p *PermissionSpec) Check() error {
	if !p.All() && !strings.EqualFold(p.Mode, ReadMode) {
		return invalid("The permissionMode '%s' is invalid; it is Read or All.", p.Mode)
	}
	if p.PartitionKey != nil {
		if key, err := pkey.ParseHeader(string(p.PartitionKey)); err != nil || len(key) == 0 {
			return invalid("The resourcePartitionKey of the permission is invalid; it is an array of the values of the partition key.")
		}
	}
	segs := strings.Split(strings.Trim(p.Resource, "/"), "/")
	if len(segs) == 4 || len(segs) == 6 {
		if segs[0] == "dbs" && segs[2] == "colls" && segs[1] != "" && segs[3] != "" {
			if len(segs) == 4 {
				return nil
			}
			switch segs[4] {
			case "docs", "sprocs", "triggers", "udfs", "conflicts":
				if p.Kind, p.Child = segs[4], segs[5]; p.Child != "" {
					return nil
				}
			}
		}
	}
	return invalid("The resource '%.300s' of the permission is invalid: it is dbs/{db}/colls/{coll}, or that of a document, stored procedure, trigger or function in it.", p.Resource)
}

var permissionCodec = store.Codec[Permission]{Kind: 'W', Version: 1}

func permissionsPrefix(db, user uint32) []byte { return append(numbered('W', db, user), '|') }
func permissionKey(db, user uint32, name string) []byte {
	return append(permissionsPrefix(db, user), name...)
}
func permissionNameKey(db, user, number uint32) []byte { return numbered('Z', db, user, number) }

// resolve finds the container the permission is about. It has to be in the permission's database.
func (p *Permission) resolve(sn store.Snapshot, db *Database) error {
	segs := strings.Split(strings.Trim(p.Resource, "/"), "/")
	owner, err := findDatabase(sn, segs[1])
	if err != nil {
		return err
	}
	if owner == nil {
		return notFound()
	}
	if owner.Number != db.Number {
		return invalid("The resource '%.300s' of the permission is not in the user's database '%s'.", p.Resource, db.Name)
	}
	con, err := findContainer(sn, owner, segs[3])
	if err != nil {
		return err
	}
	if con == nil {
		return notFound()
	}
	if key := p.Key(); len(key) > len(con.PartitionKey.Paths) {
		return invalid("The resourcePartitionKey of the permission has %d values, the container's partition key %d paths.", len(key), len(con.PartitionKey.Paths))
	}
	p.Container, p.GUID = con.Number, con.GUID
	return nil
}

// CreatePermission adds a permission to a user; with upsert, one of that name is replaced. An absent user, database or container: a 404 fault.
func (c *Catalog) CreatePermission(ctx context.Context, acct, db, user, name string, spec PermissionSpec, upsert bool, audit Audit) (out *Permission, created bool, err error) {
	if err := CheckName(name); err != nil {
		return nil, false, err
	}
	if err := spec.Check(); err != nil {
		return nil, false, err
	}
	now, etag := c.stamp()
	err = c.update(ctx, acct, audit, func(tx store.Tx) error {
		parent, err := needDatabase(tx, db)
		if err != nil {
			return err
		}
		u, err := presentUser(tx, db, user, "")
		if err != nil {
			return err
		}
		have, err := get(tx, permissionCodec, permissionKey(u.Database, u.Number, name))
		if err != nil {
			return err
		}
		if created = have == nil; !created && !upsert {
			return conflict(name)
		}
		out = &Permission{Name: name, User: u.Number, Database: u.Database, Time: now, ETag: etag, PermissionSpec: spec}
		if have != nil {
			out.Number = have.Number
		} else if out.Number, err = count(tx, func(n *counters) *uint32 { return &n.Permissions }); err != nil {
			return err
		}
		if err := out.resolve(tx, parent); err != nil {
			return err
		}
		return putPermission(tx, out)
	})
	return out, created, err
}

func putPermission(tx store.Tx, p *Permission) error {
	if err := tx.Put(permissionNameKey(p.Database, p.User, p.Number), []byte(p.Name)); err != nil {
		return err
	}
	return put(tx, permissionCodec, permissionKey(p.Database, p.User, p.Name), *p)
}

// ReplacePermission changes a permission: tokens made of it before are refused from then on.
func (c *Catalog) ReplacePermission(ctx context.Context, acct, db, user, ref, ifMatch, name string, spec PermissionSpec, audit Audit) (*Permission, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := spec.Check(); err != nil {
		return nil, err
	}
	var out *Permission
	now, etag := c.stamp()
	err := c.update(ctx, acct, audit, func(tx store.Tx) error {
		parent, err := needDatabase(tx, db)
		if err != nil {
			return err
		}
		was, err := presentPermission(tx, db, user, ref, ifMatch)
		if err != nil {
			return err
		}
		if name != was.Name {
			if b, err := tx.Get(permissionKey(was.Database, was.User, name)); err != nil {
				return err
			} else if b != nil {
				return conflict(name)
			}
			if err := tx.Delete(permissionKey(was.Database, was.User, was.Name)); err != nil {
				return err
			}
		}
		out = &Permission{Name: name, Number: was.Number, User: was.User, Database: was.Database, Time: now, ETag: etag, PermissionSpec: spec}
		if err := out.resolve(tx, parent); err != nil {
			return err
		}
		return putPermission(tx, out)
	})
	return out, err
}

// DeletePermission removes a permission: tokens made of it are refused from then on.
func (c *Catalog) DeletePermission(ctx context.Context, acct, db, user, ref, ifMatch string, audit Audit) error {
	return c.update(ctx, acct, audit, func(tx store.Tx) error {
		p, err := presentPermission(tx, db, user, ref, ifMatch)
		if err != nil {
			return err
		}
		if err := tx.Delete(permissionNameKey(p.Database, p.User, p.Number)); err != nil {
			return err
		}
		return tx.Delete(permissionKey(p.Database, p.User, p.Name))
	})
}

// Permission finds a permission by name or resource id. Absent: a 404 fault.
func (c *Catalog) Permission(ctx context.Context, acct, db, user, ref string) (out *Permission, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = presentPermission(sn, db, user, ref, "")
		return err
	})
	return out, err
}

// Permissions lists a user's permissions by name.
func (c *Catalog) Permissions(ctx context.Context, acct string, u *User) (out []*Permission, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = scan(sn, permissionCodec, permissionsPrefix(u.Database, u.Number))
		return err
	})
	return out, err
}

func presentPermission(sn store.Snapshot, db, user, ref, ifMatch string) (*Permission, error) {
	u, err := presentUser(sn, db, user, "")
	if err != nil {
		return nil, err
	}
	p, err := get(sn, permissionCodec, permissionKey(u.Database, u.Number, ref))
	if err != nil {
		return nil, err
	}
	if p == nil {
		if id, bad := rid.Parse(ref); bad == nil && id.Kind() == rid.Permission && id.Parent() == u.RID() {
			if p, err = permissionByNumber(sn, u.Database, u.Number, uint32(id.Number())); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case p == nil:
		return nil, notFoundHere()
	case ifMatch != "" && !items.MatchETag(ifMatch, `"`+p.ETag+`"`):
		return nil, precondition()
	}
	return p, nil
}

func permissionByNumber(sn store.Snapshot, db, user, number uint32) (*Permission, error) {
	name, err := sn.Get(permissionNameKey(db, user, number))
	if name == nil || err != nil {
		return nil, err
	}
	return get(sn, permissionCodec, permissionKey(db, user, string(name)))
}

// Grant is a permission with the container it is about as it is now. Shared: read only.
type Grant struct {
	*Permission
	Path string   // dbs/{db}/colls/{coll}, by name
	Key  pkey.Key // nil: bound to none
}

// Grant finds the permission that a resource token was made of; nil if it, its user or its container is gone.
func (c *Catalog) Grant(ctx context.Context, acct string, id rid.ID) (*Grant, error) {
	return c.grants.Get(ctx, Shard(acct), id.String())
}

// loadGrant reads what the resource id of a permission stands for.
func loadGrant(sn store.Snapshot, ref string) (*Grant, error) {
	id, err := rid.Parse(ref)
	if err != nil || id.Kind() != rid.Permission || id.Number() > 1<<32-1 {
		return nil, nil
	}
	b := id.Bytes()
	dbn, user := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	p, err := permissionByNumber(sn, dbn, user, uint32(id.Number()))
	if p == nil || err != nil {
		return nil, err
	}
	name, err := sn.Get(databaseNameKey(dbn))
	if name == nil || err != nil {
		return nil, err
	}
	db := string(name)
	if name, err = sn.Get(containerNameKey(dbn, p.Container)); name == nil || err != nil {
		return nil, err
	}
	con, err := get(sn, containerCodec, containerKey(dbn, string(name)))
	if con == nil || err != nil || con.GUID != p.GUID {
		return nil, err
	}
	return &Grant{p, "dbs/" + db + "/colls/" + con.Name, p.Key()}, nil
}
