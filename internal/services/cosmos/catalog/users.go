package catalog

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// User is a stored user of a database: somebody whom the application knows, and who gets permissions.
type User struct {
	Name     string `json:"name"`
	Number   uint32 `json:"number"`
	Database uint32 `json:"database"`
	Time     int64  `json:"time"`
	ETag     string `json:"etag"`
}

// RID is its resource id.
func (u *User) RID() rid.ID { return rid.NewUser(rid.NewDatabase(u.Database), u.Number) }

var userCodec = store.Codec[User]{Kind: 'X', Version: 1}

func usersPrefix(db uint32) []byte          { return append(numbered('X', db), '|') }
func userKey(db uint32, name string) []byte { return append(usersPrefix(db), name...) }
func userNameKey(db, user uint32) []byte    { return numbered('Y', db, user) }

// CreateUser adds a user to a database; with upsert, one that is there is kept. A name in use: a 409 fault; an absent database: 404.
func (c *Catalog) CreateUser(ctx context.Context, acct, db, name string, upsert bool, audit Audit) (out *User, created bool, err error) {
	if err := CheckName(name); err != nil {
		return nil, false, err
	}
	now, etag := c.stamp()
	err = c.update(ctx, acct, audit, func(tx store.Tx) error {
		parent, err := needDatabase(tx, db)
		if err != nil {
			return err
		}
		u, err := get(tx, userCodec, userKey(parent.Number, name))
		if err != nil {
			return err
		}
		if created = u == nil; !created {
			if !upsert {
				return conflict(name)
			}
			u.Time, u.ETag, out = now, etag, u
			return put(tx, userCodec, userKey(parent.Number, name), *u)
		}
		out = &User{Name: name, Database: parent.Number, Time: now, ETag: etag}
		if out.Number, err = count(tx, func(n *counters) *uint32 { return &n.Users }); err != nil {
			return err
		}
		return putUser(tx, out)
	})
	return out, created, err
}

func putUser(tx store.Tx, u *User) error {
	if err := tx.Put(userNameKey(u.Database, u.Number), []byte(u.Name)); err != nil {
		return err
	}
	return put(tx, userCodec, userKey(u.Database, u.Name), *u)
}

// ReplaceUser renames a user. Its permissions stay its own.
func (c *Catalog) ReplaceUser(ctx context.Context, acct, db, ref, ifMatch, name string, audit Audit) (*User, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	var out *User
	now, etag := c.stamp()
	err := c.update(ctx, acct, audit, func(tx store.Tx) error {
		u, err := presentUser(tx, db, ref, ifMatch)
		if err != nil {
			return err
		}
		if name != u.Name {
			if b, err := tx.Get(userKey(u.Database, name)); err != nil {
				return err
			} else if b != nil {
				return conflict(name)
			}
			if err := tx.Delete(userKey(u.Database, u.Name)); err != nil {
				return err
			}
		}
		u.Name, u.Time, u.ETag = name, now, etag
		out = u
		return putUser(tx, u)
	})
	return out, err
}

// DeleteUser removes a user with its permissions: tokens made of them are refused from then on.
func (c *Catalog) DeleteUser(ctx context.Context, acct, db, ref, ifMatch string, audit Audit) error {
	return c.update(ctx, acct, audit, func(tx store.Tx) error {
		u, err := presentUser(tx, db, ref, ifMatch)
		if err != nil {
			return err
		}
		for _, prefix := range [][]byte{permissionsPrefix(u.Database, u.Number), append(numbered('Z', u.Database, u.Number), '|')} {
			if err := deletePrefix(tx, prefix); err != nil {
				return err
			}
		}
		if err := tx.Delete(userNameKey(u.Database, u.Number)); err != nil {
			return err
		}
		return tx.Delete(userKey(u.Database, u.Name))
	})
}

// removeUsers removes all users and permissions of a database.
func removeUsers(tx store.Tx, db uint32) error {
	for _, tag := range []byte{'X', 'Y', 'W', 'Z'} {
		if err := deletePrefix(tx, append(numbered(tag, db), '|')); err != nil {
			return err
		}
	}
	return nil
}

// User finds a user by name or resource id. Absent: a 404 fault.
func (c *Catalog) User(ctx context.Context, acct, db, ref string) (out *User, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = presentUser(sn, db, ref, "")
		return err
	})
	return out, err
}

// Users lists a database's users by name.
func (c *Catalog) Users(ctx context.Context, acct string, db *Database) (out []*User, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = scan(sn, userCodec, usersPrefix(db.Number))
		return err
	})
	return out, err
}

func deletePrefix(tx store.Tx, prefix []byte) error {
	r := store.Prefix(prefix)
	return tx.DeleteRange(r.Start, r.End)
}

func needDatabase(sn store.Snapshot, ref string) (*Database, error) {
	db, err := findDatabase(sn, ref)
	if err == nil && db == nil {
		err = notFound()
	}
	return db, err
}

func findUser(sn store.Snapshot, db *Database, ref string) (*User, error) {
	if u, err := get(sn, userCodec, userKey(db.Number, ref)); u != nil || err != nil {
		return u, err
	}
	id, err := rid.Parse(ref)
	if err != nil || id.Kind() != rid.User || id.Parent() != db.RID() {
		return nil, nil
	}
	return userByNumber(sn, db.Number, uint32(id.Number()))
}

func userByNumber(sn store.Snapshot, db, number uint32) (*User, error) {
	name, err := sn.Get(userNameKey(db, number))
	if name == nil || err != nil {
		return nil, err
	}
	return get(sn, userCodec, userKey(db, string(name)))
}

func presentUser(sn store.Snapshot, db, ref, ifMatch string) (*User, error) {
	parent, err := needDatabase(sn, db)
	if err != nil {
		return nil, err
	}
	u, err := findUser(sn, parent, ref)
	switch {
	case err != nil:
		return nil, err
	case u == nil:
		return nil, notFoundHere()
	case ifMatch != "" && !items.MatchETag(ifMatch, `"`+u.ETag+`"`):
		return nil, precondition()
	}
	return u, nil
}

// notFoundHere is the 404 for a resource whose owner is there.
func notFoundHere() *fault.Error {
	f := notFound()
	f.Substatus = 0
	return f
}
