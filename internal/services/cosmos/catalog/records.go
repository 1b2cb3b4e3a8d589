package catalog

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Database is a stored database.
type Database struct {
	Name   string `json:"name"`
	Number uint32 `json:"number"`
	Time   int64  `json:"time"` // seconds
	ETag   string `json:"etag"` // without quotes
}

// RID is its resource id.
func (d *Database) RID() rid.ID { return rid.NewDatabase(d.Number) }

// Container is a stored container.
type Container struct {
	Name         string           `json:"name"`
	Number       uint32           `json:"number"`
	Database     uint32           `json:"database"`
	GUID         string           `json:"guid"`
	Time         int64            `json:"time"`
	ETag         string           `json:"etag"`
	PartitionKey *pkey.Definition `json:"partitionKey"`
	Properties   json.RawMessage  `json:"properties"` // as shown, without system properties and id
	Ranges       []Range          `json:"ranges"`     // in order of their EPKs, without gaps
	Routing      uint64           `json:"routing"`    // changes when Ranges do
	NextRange    uint16           `json:"nextRange,omitempty"`
	Moves        []Move           `json:"splits,omitempty"` // splits and merges under way
	Want         int              `json:"want,omitempty"`   // how many ranges the throughput needs
	TTL          TTL              `json:"ttl"`
	Unique       [][]string       `json:"unique,omitempty"` // paths of unique keys

	Derived Derived `json:"-"`
}

// Derived is what requests need of a container over and over, worked out when Catalog.Container loads it. Shared: do not change the slices.
type Derived struct {
	RID            string
	Path           string   // dbs/{name}/colls/{name}
	ContentPath    []string // header values
	AltContentPath []string
	// Indexing is the indexing policy as the container has it; that of a range may still be on its way there.
	Indexing  *index.Policy
	Retention time.Duration // of the full-fidelity change feed; 0: there is none
	Quota     []string      // header value: how much one range holds
	unique    []items.UniqueKey

	Throughput       Throughput // zero: there is none, as in a serverless account
	SharedThroughput bool       // it is the database's
}

// Lazy tells whether the indexing mode is lazy. Such a container is indexed at once too; only its clients look for the progress.
func (c *Container) Lazy() bool {
	var policy struct {
		Mode string `json:"indexingMode"`
	}
	return json.Unmarshal(c.indexing(), &policy) == nil && policy.Mode == "lazy"
}

func (c *Container) derive(db *Database) {
	id := c.RID().String()
	path := "dbs/" + db.Name + "/colls/" + c.Name
	c.Derived = Derived{RID: id, Path: path, ContentPath: []string{id}, AltContentPath: []string{path}, unique: uniqueKeys(c.Unique), Retention: retention(c.Properties)}
	c.Derived.Indexing, _ = index.ParsePolicy(c.indexing()) // one that an older version stored unchecked counts as none
}

// RID is its resource id.
func (c *Container) RID() rid.ID { return rid.NewContainer(rid.NewDatabase(c.Database), c.Number) }

// Offer is the throughput of a database or container.
type Offer struct {
	Number    uint32 `json:"number"`
	Database  uint32 `json:"database"`
	Container uint32 `json:"container,omitempty"` // 0: the database's
	Throughput
	Highest int    `json:"highest,omitempty"` // ever provisioned; 0: what it is now
	Time    int64  `json:"time"`
	ETag    string `json:"etag"`
}

// RID is its resource id.
func (o *Offer) RID() rid.ID { return rid.NewOffer(o.Number) }

// Resource is the resource id of what it is the throughput of.
func (o *Offer) Resource() rid.ID {
	db := rid.NewDatabase(o.Database)
	if o.Container == 0 {
		return db
	}
	return rid.NewContainer(db, o.Container)
}

// Throughput is a number of request units per second: fixed, or, with Max, scaled by load up to it.
type Throughput struct {
	Manual int `json:"manual,omitempty"`
	Max    int `json:"max,omitempty"`
}

type account struct {
	GUID string `json:"guid"`
}

type counters struct {
	Databases  uint32 `json:"databases"`
	Containers uint32 `json:"containers"`
	Offers     uint32 `json:"offers"`
	Scripts    uint32 `json:"scripts,omitempty"`

	Users       uint32 `json:"users,omitempty"`
	Permissions uint32 `json:"permissions,omitempty"`

	EncryptionKeys uint32 `json:"encryptionKeys,omitempty"`
}

var (
	accountCodec   = store.Codec[account]{Kind: 'A', Version: 1}
	countersCodec  = store.Codec[counters]{Kind: 'N', Version: 1}
	databaseCodec  = store.Codec[Database]{Kind: 'b', Version: 1}
	containerCodec = store.Codec[Container]{Kind: 'c', Version: 3, Upgrade: asItWas} // 2: time to live, unique keys; 3: merges
	offerCodec     = store.Codec[Offer]{Kind: 'o', Version: 2, Upgrade: asItWas}     // 2: the highest throughput
)

const accountPrefix = "account/"

// asItWas upgrades a record to which a version only added fields whose zero value is right.
func asItWas(_ byte, body []byte) ([]byte, error) { return body, nil }

// Shard is the name of an account's shard.
func Shard(guid string) string { return accountPrefix + guid }

var (
	accountKey  = []byte("A|")
	countersKey = []byte("N|")
)

func numbered(tag byte, numbers ...uint32) []byte {
	k := append(make([]byte, 0, 16), tag, '|')
	for i, n := range numbers {
		if i > 0 {
			k = append(k, '|')
		}
		k = binary.BigEndian.AppendUint32(k, n)
	}
	return k
}

func databaseKey(name string) []byte             { return append([]byte("b|"), name...) }
func databaseNameKey(db uint32) []byte           { return numbered('i', db) }
func containersPrefix(db uint32) []byte          { return append(numbered('c', db), '|') }
func containerKey(db uint32, name string) []byte { return append(containersPrefix(db), name...) }
func containerNameKey(db, number uint32) []byte  { return numbered('j', db, number) }
func offerKey(number uint32) []byte              { return numbered('o', number) }
func offerOfKey(db, container uint32) []byte     { return numbered('q', db, container) }
func get[T any](sn store.Snapshot, c store.Codec[T], key []byte) (*T, error) {
	b, err := sn.Get(key)
	if b == nil || err != nil {
		return nil, err
	}
	v, err := c.Decode(b)
	return &v, err
}

func put[T any](tx store.Tx, c store.Codec[T], key []byte, v T) error {
	b, err := c.Encode(v)
	if err != nil {
		return err
	}
	return tx.Put(key, b)
}

// scan decodes all records with the prefix.
func scan[T any](sn store.Snapshot, c store.Codec[T], prefix []byte) ([]*T, error) {
	var out []*T
	var bad error
	err := sn.Scan(store.Prefix(prefix), func(_, b []byte) bool {
		v, err := c.Decode(b)
		if err != nil {
			bad = err
			return false
		}
		out = append(out, &v)
		return true
	})
	if err == nil {
		err = bad
	}
	return out, err
}
