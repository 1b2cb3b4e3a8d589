package mysql

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the form MySQL itself keeps passwords in
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Rows of a server in its subscription's shard, s|mysql|<server guid>|<noun>[|<name>], and s|mysqlop|<operation id> for each
// operation.
const (
	rowPrefix = "s|mysql|"
	opPrefix  = "s|mysqlop|"

	nounServer   = "server"   // serverRecord: how the host finds servers at start
	nounLogin    = "login"    // sealed: loginRecord
	nounFirewall = "firewall" // span, by rule name
	nounSetting  = "setting"  // settingRecord, by configuration name
	nounDatabase = "database" // storedDatabase, by name
	nounDrop     = "drop"     // dropRecord: a database that is to go, by name
	nounPort     = "port"     // int: the port the server had, to have it again
)

// serverRecord is there for each server.
type serverRecord struct {
	ResourceID string `json:"id"`
}

// loginRecord is the administrator's password as MySQL keeps it. It prints as redacted.
type loginRecord struct {
	Hash string `json:"hash"`
}

// String implements fmt.Stringer.
func (loginRecord) String() string { return "[redacted]" }

// span is the addresses of a firewall rule.
type span struct {
	From netip.Addr `json:"from"`
	To   netip.Addr `json:"to"`
}

// admits tells whether the rule lets an address in. The rule 0.0.0.0 alone, Azure's services, stands for this machine.
func (s span) admits(a netip.Addr) bool {
	a = a.Unmap()
	if s.From == netip.IPv4Unspecified() && s.To == s.From {
		return a.IsLoopback()
	}
	return a.Is4() && s.From.Compare(a) <= 0 && a.Compare(s.To) <= 0
}

// settingRecord is what a configuration was set to.
type settingRecord struct {
	Value     string  `json:"value"`
	Before    *string `json:"before,omitempty"`    // what it had been set to, for a server that refuses the value
	Operation string  `json:"operation,omitempty"` // that set it
}

type databaseRecord struct {
	Charset   string `json:"charset"`
	Collation string `json:"collation"`
}

// storedDatabase is a database that was asked for. From when it is made on it is the server's own, and whoever may can change or drop it there.
type storedDatabase struct {
	databaseRecord
	Operation string `json:"operation,omitempty"` // that makes it; "": made
}

// dropRecord is there until the database is gone.
type dropRecord struct {
	Operation string `json:"operation"`
}

// operationRecord is something that was begun. It is done once the server has been made what it was to be at LSN.
type operationRecord struct {
	Server  string    `json:"server"` // resource id
	GUID    string    `json:"guid,omitempty"`
	Kind    opKind    `json:"kind,omitempty"`
	LSN     store.LSN `json:"lsn,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	Code    string    `json:"code,omitempty"` // of what made it fail
	Message string    `json:"message,omitempty"`
}

// opKind says what has to follow before an operation is done.
type opKind string

const (
	opCreation opKind = ""     // the server is there
	opChange   opKind = "set"  // it was told
	opGate     opKind = "gate" // the gate before it knows
)

var (
	serverCodec    = store.Codec[serverRecord]{Kind: 'S', Version: 1}
	loginCodec     = store.Codec[loginRecord]{Kind: 'l', Version: 1}
	spanCodec      = store.Codec[span]{Kind: 'f', Version: 1}
	settingCodec   = store.Codec[settingRecord]{Kind: 's', Version: 2, Upgrade: named("value")}
	databaseCodec  = store.Codec[storedDatabase]{Kind: 'd', Version: 1}
	dropCodec      = store.Codec[dropRecord]{Kind: 'D', Version: 1}
	portCodec      = store.Codec[int]{Kind: 'p', Version: 1}
	operationCodec = store.Codec[operationRecord]{Kind: 'o', Version: 2, Upgrade: named("server")}
)

// named upgrades a body that was a string to an object that has it under a name.
func named(name string) func(byte, []byte) ([]byte, error) {
	return func(_ byte, body []byte) ([]byte, error) { return json.Marshal(map[string]json.RawMessage{name: body}) }
}

func rowKey(guid, noun, name string) []byte {
	k := rowPrefix + guid + "|" + noun
	if name != "" {
		k += "|" + strings.ToLower(name)
	}
	return []byte(k)
}

func rowsOf(guid string) store.Range { return store.Prefix([]byte(rowPrefix + guid + "|")) }

func operationKey(id string) []byte { return []byte(opPrefix + strings.ToLower(id)) }

// shardOf is the shard of the subscription a resource id lies in.
func shardOf(resourceID string) (string, error) {
	parts := strings.Split(strings.Trim(resourceID, "/"), "/")
	if len(parts) < 2 || !strings.EqualFold(parts[0], "subscriptions") {
		return "", fmt.Errorf("resource id %q is below no subscription", resourceID)
	}
	return "sub/" + strings.ToLower(parts[1]), nil
}

// passwordHash is what mysql_native_password keeps of a password.
func passwordHash(password string) string {
	one := sha1.Sum([]byte(password)) //nolint:gosec // see above
	two := sha1.Sum(one[:])           //nolint:gosec // see above
	return "*" + strings.ToUpper(hex.EncodeToString(two[:]))
}

// change is what a call will write in its transaction, worked out before it.
type change struct {
	puts  []row
	drops [][]byte
	op    *operation
}

type row struct{ key, value []byte }

func put[T any](ch *change, c store.Codec[T], key []byte, v T) error {
	b, err := c.Encode(v)
	if err != nil {
		return err
	}
	ch.puts = append(ch.puts, row{key, b})
	return nil
}

// commitChange is the Commit of every type here.
func commitChange(tx store.Tx, c *arm.Call) error {
	ch, ok := c.Prepared.(*change)
	if !ok {
		return nil
	}
	for _, r := range ch.puts {
		if err := tx.Put(r.key, r.value); err != nil {
			return err
		}
	}
	for _, key := range ch.drops {
		if err := tx.Delete(key); err != nil {
			return err
		}
	}
	if ch.op == nil {
		return nil
	}
	ch.op.LSN = tx.LSN()
	b, err := operationCodec.Encode(ch.op.operationRecord)
	if err != nil {
		return err
	}
	return tx.Put(operationKey(ch.op.id), b)
}

// desired is what a server is to be: everything its instance has to know.
type desired struct {
	server    *arm.Resource
	tenant    string
	props     *properties
	sku       sku
	limits    Limits
	hash      string // of the administrator's password; "" of an attached server
	firewall  []span
	settings  map[string]string
	databases map[string]databaseRecord
	asked     map[string]asked // by noun|name: what was asked for and the server may refuse
	port      int              // the one it had; 0: none yet
	lsn       store.LSN        // nothing of this is older
}

// asked is a row that stands for a wish.
type asked struct {
	row
	operation string
	before    []byte // the row to have again if it is refused; nil: none
}

// load reads what the server with that resource id is to be; nil if there is none.
func (s *Service) load(ctx context.Context, id string) (*desired, error) {
	shard, err := shardOf(id)
	if err != nil {
		return nil, err
	}
	var lsn store.LSN
	if err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error { lsn = sn.LSN(); return nil }); err != nil {
		return nil, err
	}
	r, tenant, err := s.deps.Resources.Resource(ctx, id)
	if err != nil || r == nil {
		return nil, err
	}
	d := &desired{server: r, tenant: tenant, settings: map[string]string{}, databases: map[string]databaseRecord{}, asked: map[string]asked{}, lsn: lsn}
	if d.props, err = propertiesOf(r); err != nil {
		return nil, err
	}
	if d.sku, err = skuOf(r); err != nil {
		return nil, err
	}
	d.limits = d.sku.limits(d.props.StorageProfile.StorageMB)
	rows := map[string][]byte{}
	err = s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		clear(rows)
		return sn.Scan(rowsOf(r.GUID), func(k, v []byte) bool { rows[string(k)] = bytes.Clone(v); return true })
	})
	if err != nil {
		return nil, fmt.Errorf("load server %s: %w", r.GUID, err)
	}
	for k, v := range rows {
		if err := d.take(s.deps.Sealer, shard, k, v); err != nil {
			return nil, fmt.Errorf("row %s: %w", k, err)
		}
	}
	return d, nil
}

// take reads one row of the server's.
func (d *desired) take(sealer Sealer, shard, key string, value []byte) error {
	_, rest, _ := strings.Cut(strings.TrimPrefix(key, rowPrefix), "|")
	noun, name, _ := strings.Cut(rest, "|")
	switch noun {
	case nounLogin:
		b, err := sealer.Open(shard, []byte(key), value)
		if err != nil {
			return err
		}
		l, err := loginCodec.Decode(b)
		d.hash = l.Hash
		return err
	case nounFirewall:
		v, err := spanCodec.Decode(value)
		d.firewall = append(d.firewall, v)
		return err
	case nounSetting:
		v, err := settingCodec.Decode(value)
		if err != nil {
			return err
		}
		a := asked{row: row{[]byte(key), value}, operation: v.Operation}
		if v.Before != nil {
			if a.before, err = settingCodec.Encode(settingRecord{Value: *v.Before}); err != nil {
				return err
			}
		}
		d.settings[name], d.asked[rest] = v.Value, a
	case nounDatabase:
		v, err := databaseCodec.Decode(value)
		d.databases[name] = v.databaseRecord
		if v.Operation != "" {
			d.asked[rest] = asked{row: row{[]byte(key), value}, operation: v.Operation}
		}
		return err
	case nounDrop:
		v, err := dropCodec.Decode(value)
		d.asked[rest] = asked{row: row{[]byte(key), value}, operation: v.Operation}
		return err
	case nounPort:
		v, err := portCodec.Decode(value)
		d.port = v
		return err
	}
	return nil
}

// allServers gives the resource ids of all servers, by GUID.
func (s *Service) allServers(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := store.EachShard(ctx, s.deps.Store, "sub/", func(shard string) error {
		found := map[string][]byte{}
		err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
			clear(found)
			return sn.Scan(store.Prefix([]byte(rowPrefix)), func(k, v []byte) bool {
				if guid, ok := strings.CutSuffix(strings.TrimPrefix(string(k), rowPrefix), "|"+nounServer); ok {
					found[guid] = bytes.Clone(v)
				}
				return true
			})
		})
		if err != nil {
			return err
		}
		for guid, b := range found {
			r, err := serverCodec.Decode(b)
			if err != nil {
				return fmt.Errorf("server %s: %w", guid, err)
			}
			out[guid] = r.ResourceID
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
