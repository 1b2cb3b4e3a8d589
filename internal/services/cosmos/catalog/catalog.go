package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Kinds of this package's outbox rows. The payload of a drop is the range's guid; that of an init is a record.
const (
	kindDrop = "cosmos.range.drop"
	kindInit = "cosmos.range.init"
)

// ErrNoAccount: the account's shard is not in use.
var ErrNoAccount = errors.New("catalog: the account does not exist")

// Drainer runs the outbox rows of a shard.
type Drainer interface {
	Drain(ctx context.Context, shard string) error
}

// Audit puts the audit record of a change into its transaction.
type Audit func(tx store.Tx) error

// Catalog reads and changes the metadata of accounts. Safe for concurrent use.
type Catalog struct {
	st      store.Store
	items   *items.Store
	clock   clock.Clock
	drain   Drainer
	byPath  *store.Cached[*found]
	grants  *store.Cached[*Grant]
	wake    chan struct{}
	changed chan struct{} // an indexing policy was

	// Step, unless nil, is called before each step of a split; an error ends it there, as a crash would. For tests.
	Step func(name string) error
}

// found is what a path stands for.
type found struct {
	database  *Database  // nil: there is none
	container *Container // nil: there is none, or the path is a database's
}

// New makes a Catalog. Its Handlers belong into the Drainer.
func New(st store.Store, it *items.Store, c clock.Clock, d Drainer) *Catalog {
	out := &Catalog{
		st: st, items: it, clock: c, drain: d, wake: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		grants: store.NewCached(st, 4096, loadGrant),
	}
	out.byPath = store.NewCached(st, 4096, out.resolve)
	return out
}

// Handlers are what the outbox rows of this package need.
func (c *Catalog) Handlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{
		kindDrop:    func(ctx context.Context, _ string, payload []byte) error { return c.items.Drop(ctx, string(payload)) },
		kindPlanned: c.handOver,
		kindSplit:   c.move,
		kindTTL:     c.applyTTL,
		kindInit: func(ctx context.Context, _ string, payload []byte) error {
			con, err := containerCodec.Decode(payload)
			if err != nil {
				return err
			}
			for _, r := range con.Ranges {
				in := itemRange(&con, r)
				in.Policy = con.indexing()
				if err := c.items.Init(ctx, in); err != nil {
					return err
				}
			}
			return nil
		},
		kindIndex: c.applyIndexing,
	}
}

// Init takes an account into use. It may run again.
func (c *Catalog) Init(ctx context.Context, guid string) error {
	_, err := c.st.Update(ctx, Shard(guid), func(tx store.Tx) error {
		if b, err := tx.Get(accountKey); b != nil || err != nil {
			return err
		}
		return put(tx, accountCodec, accountKey, account{guid})
	})
	return err
}

// Drop removes an account with all it holds. It may run again.
func (c *Catalog) Drop(ctx context.Context, guid string) error {
	var ranges []string
	// First it goes out of use, so that nothing is added while its ranges go.
	_, err := c.st.Update(ctx, Shard(guid), func(tx store.Tx) error {
		ranges = ranges[:0]
		all, err := scan(tx, containerCodec, []byte("c|"))
		if err != nil {
			return err
		}
		for _, con := range all {
			ranges = append(ranges, con.shards()...)
		}
		if b, err := tx.Get(accountKey); b == nil || err != nil {
			return err
		}
		return tx.Delete(accountKey)
	})
	if err != nil {
		return fmt.Errorf("take account %s out of use: %w", guid, err)
	}
	if err := c.drain.Drain(ctx, Shard(guid)); err != nil {
		return err
	}
	for _, r := range ranges {
		if err := c.items.Drop(ctx, r); err != nil {
			return fmt.Errorf("drop range %s: %w", r, err)
		}
	}
	if err := c.st.Drop(ctx, SplitShard(guid)); err != nil {
		return err
	}
	return c.st.Drop(ctx, Shard(guid))
}

// Database finds a database by name or resource id. Absent: a 404 fault.
func (c *Catalog) Database(ctx context.Context, acct, db string) (*Database, error) {
	if strings.Contains(db, "/") {
		return nil, notFound() // would read as the path of a container
	}
	f, err := c.byPath.Get(ctx, Shard(acct), db)
	if err != nil {
		return nil, err
	}
	if f.database == nil {
		return nil, notFound()
	}
	return f.database, nil
}

// Container finds a container by the names or resource ids of its path. Absent: a 404 fault.
func (c *Catalog) Container(ctx context.Context, acct, db, coll string) (*Database, *Container, error) {
	if strings.Contains(db, "/") {
		return nil, nil, notFound()
	}
	f, err := c.byPath.Get(ctx, Shard(acct), db+"/"+coll)
	if err != nil {
		return nil, nil, err
	}
	if f.container == nil {
		return nil, nil, notFound()
	}
	return f.database, f.container, nil
}

// resolve reads what the path "db" or "db/coll" stands for; names hold no slash.
func (c *Catalog) resolve(sn store.Snapshot, path string) (*found, error) {
	dbName, collName, inside := strings.Cut(path, "/")
	db, err := findDatabase(sn, dbName)
	if db == nil || err != nil || !inside {
		return &found{database: db}, err
	}
	con, err := findContainer(sn, db, collName)
	if con != nil && err == nil {
		con.derive(db)
		con.Derived.Quota = []string{c.Quota(con, 1)}
		err = con.provision(sn)
	}
	return &found{db, con}, err
}

func findDatabase(sn store.Snapshot, ref string) (*Database, error) {
	if db, err := get(sn, databaseCodec, databaseKey(ref)); db != nil || err != nil {
		return db, err
	}
	id, err := rid.Parse(ref)
	if err != nil || id.Kind() != rid.Database {
		return nil, nil
	}
	name, err := sn.Get(databaseNameKey(uint32(id.Number())))
	if name == nil || err != nil {
		return nil, err
	}
	return get(sn, databaseCodec, databaseKey(string(name)))
}

func findContainer(sn store.Snapshot, db *Database, ref string) (*Container, error) {
	if con, err := get(sn, containerCodec, containerKey(db.Number, ref)); con != nil || err != nil {
		return con, err
	}
	id, err := rid.Parse(ref)
	if err != nil || id.Kind() != rid.Container || id.Parent() != db.RID() {
		return nil, nil
	}
	name, err := sn.Get(containerNameKey(db.Number, uint32(id.Number())))
	if name == nil || err != nil {
		return nil, err
	}
	return get(sn, containerCodec, containerKey(db.Number, string(name)))
}

// Databases lists all databases by name.
func (c *Catalog) Databases(ctx context.Context, acct string) (out []*Database, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = scan(sn, databaseCodec, []byte("b|"))
		return err
	})
	return out, err
}

// Containers lists a database's containers by name.
func (c *Catalog) Containers(ctx context.Context, acct string, db *Database) (out []*Container, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = scan(sn, containerCodec, containersPrefix(db.Number))
		return err
	})
	return out, err
}

// update runs fn in the account's shard if the account is in use, adds the audit record, and drains what fn put into the outbox.
func (c *Catalog) update(ctx context.Context, acct string, audit Audit, fn func(tx store.Tx) error) error {
	_, err := c.st.Update(ctx, Shard(acct), func(tx store.Tx) error {
		if b, err := tx.Get(accountKey); err != nil {
			return err
		} else if b == nil {
			return ErrNoAccount
		}
		if err := fn(tx); err != nil {
			return err
		}
		if audit == nil {
			return nil
		}
		return audit(tx)
	})
	if err != nil {
		return err
	}
	return c.drain.Drain(ctx, Shard(acct))
}

// count takes the next number of a counter.
func count(tx store.Tx, pick func(*counters) *uint32) (uint32, error) {
	n, err := get(tx, countersCodec, countersKey)
	if err != nil {
		return 0, err
	}
	if n == nil {
		n = &counters{}
	}
	p := pick(n)
	*p++
	return *p, put(tx, countersCodec, countersKey, *n)
}

func (c *Catalog) stamp() (seconds int64, etag string) { return c.clock.Now().Unix(), ids.New() }

func notFound() *fault.Error {
	f := fault.New(fault.NotFound, "NotFound", "Resource Not Found. Learn more: https://aka.ms/cosmosdb-tsg-not-found")
	f.Substatus = 1003
	return f
}

func conflict(name string) *fault.Error {
	return fault.New(fault.Conflict, "Conflict", "Resource with specified id, name, or unique index already exists: %q.", name)
}

func precondition() *fault.Error {
	return fault.New(fault.Precondition, "PreconditionFailed", "Operation cannot be performed because one of the specified precondition is not met.")
}
