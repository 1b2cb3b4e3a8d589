// Package rid makes and reads Cosmos DB resource ids, the `_rid` of every resource.
//
// A resource id is a path in bytes, and clients take it apart: 3 bytes for an offer, 4 for a database, 8 for a container (top
// bit of the fifth byte set) or a user (clear), 16 for what lies in a container (its type in the high four bits of the last byte), for
// a permission of a user, or for a client encryption key of a database (user 0; its number and the type 2, four bytes little-endian each). In text it is base64 with `-` for `/`. The numbers are the caller's counters; a client
// takes 0 for "none", so they begin at 1.
package rid

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Kind says what a resource id names.
type Kind uint8

// The kinds of resources that have ids.
const (
	Invalid Kind = iota
	Offer
	Database
	Container
	User
	Permission
	Document
	Conflict
	PartitionKeyRange
	Function
	Trigger
	Procedure
	ClientEncryptionKey
)

// nibbles are the high four bits of the last byte of what lies in a container.
var nibbles = [...]struct {
	kind   Kind
	nibble byte
}{{Document, 0}, {Conflict, 4}, {PartitionKeyRange, 5}, {Function, 6}, {Trigger, 7}, {Procedure, 8}}

// MaxChild is the largest number a resource in a container can have.
const MaxChild = 1<<60 - 1

// ID is a resource id. It is comparable; the zero ID is invalid.
type ID struct {
	b [16]byte
	n uint8
}

// NewDatabase is the id of database n, n >= 1.
func NewDatabase(n uint32) ID {
	id := ID{n: 4}
	binary.BigEndian.PutUint32(id.b[:], n)
	return id
}

// NewOffer is the id of offer n, 1 <= n < 1<<24.
func NewOffer(n uint32) ID {
	return ID{b: [16]byte{byte(n >> 16), byte(n >> 8), byte(n)}, n: 3}
}

// NewContainer is the id of container n of database db, 1 <= n < 1<<31.
func NewContainer(db ID, n uint32) ID {
	id := ID{b: db.b, n: 8}
	binary.BigEndian.PutUint32(id.b[4:], n|1<<31)
	return id
}

// NewUser is the id of user n of database db, 1 <= n < 1<<31.
func NewUser(db ID, n uint32) ID {
	id := ID{b: db.b, n: 8}
	binary.BigEndian.PutUint32(id.b[4:], n&^(1<<31))
	return id
}

// NewChild is the id of resource n of kind k in container c, 1 <= n <= MaxChild. k is Document, Conflict, PartitionKeyRange,
// Function, Trigger or Procedure; for another kind the answer is the zero ID.
func NewChild(c ID, k Kind, n uint64) ID {
	for _, e := range nibbles {
		if e.kind == k {
			id := ID{b: c.b, n: 16}
			binary.LittleEndian.PutUint64(id.b[8:], n&MaxChild|uint64(e.nibble)<<60)
			return id
		}
	}
	return ID{}
}

// NewPermission is the id of permission n of user u.
func NewPermission(u ID, n uint64) ID {
	id := ID{b: u.b, n: 16}
	binary.LittleEndian.PutUint64(id.b[8:], n)
	return id
}

// encryptionKeyType is what the last four bytes of a client encryption key's id say.
const encryptionKeyType = 2

// NewClientEncryptionKey is the id of client encryption key n of database db, n >= 1.
func NewClientEncryptionKey(db ID, n uint32) ID {
	id := ID{b: db.b, n: 16}
	binary.LittleEndian.PutUint32(id.b[8:], n)
	binary.LittleEndian.PutUint32(id.b[12:], encryptionKeyType)
	return id
}

// Parse reads the text form. A malformed id is a 400 fault.
func Parse(s string) (ID, error) {
	bad := func() (ID, error) {
		return ID{}, fault.New(fault.Invalid, "BadRequest", "%q is not a resource id.", s)
	}
	if len(s) > 24 {
		return bad()
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.ReplaceAll(s, "-", "/"))
	if err != nil || len(raw) > 16 || strings.ContainsAny(s, "\r\n/") {
		return bad()
	}
	id := ID{n: uint8(len(raw))}
	copy(id.b[:], raw)
	if id.Kind() == Invalid {
		return bad()
	}
	return id, nil
}

// String is the text form, as in `_rid`.
func (id ID) String() string {
	var room [24]byte
	return string(id.Append(room[:0]))
}

// Append appends String.
func (id ID) Append(b []byte) []byte {
	at := len(b)
	b = base64.StdEncoding.AppendEncode(b, id.b[:id.n])
	for i := at; i < len(b); i++ {
		if b[i] == '/' {
			b[i] = '-'
		}
	}
	return b
}

// Bytes is the binary form, 0, 3, 4, 8 or 16 bytes.
func (id ID) Bytes() []byte { return append([]byte(nil), id.b[:id.n]...) }

// Kind says what the id names.
func (id ID) Kind() Kind {
	inContainer := id.b[4]&0x80 != 0
	switch {
	case id.n == 3:
		return Offer
	case id.n == 4:
		return Database
	case id.n == 8 && inContainer:
		return Container
	case id.n == 8:
		return User
	case id.n == 16 && binary.BigEndian.Uint32(id.b[4:]) == 0:
		if binary.LittleEndian.Uint32(id.b[12:]) == encryptionKeyType {
			return ClientEncryptionKey
		}
	case id.n == 16 && !inContainer:
		return Permission
	case id.n == 16:
		for _, e := range nibbles {
			if e.nibble == id.b[15]>>4 {
				return e.kind
			}
		}
	}
	return Invalid
}

// Number is the counter the id was made of, within its parent.
func (id ID) Number() uint64 {
	switch id.n {
	case 3:
		return uint64(id.b[0])<<16 | uint64(id.b[1])<<8 | uint64(id.b[2])
	case 4:
		return uint64(binary.BigEndian.Uint32(id.b[:]))
	case 8:
		return uint64(binary.BigEndian.Uint32(id.b[4:]) &^ (1 << 31))
	case 16:
		n := binary.LittleEndian.Uint64(id.b[8:])
		switch id.Kind() {
		case Permission:
			return n
		case ClientEncryptionKey:
			return n & math.MaxUint32
		}
		return n & MaxChild
	}
	return 0
}

// Parent is the id one step up; that of a database, an offer or the zero ID is the zero ID.
func (id ID) Parent() ID {
	switch id.n {
	case 8:
		return id.cut(4)
	case 16:
		if id.Kind() == ClientEncryptionKey {
			return id.cut(4)
		}
		return id.cut(8)
	}
	return ID{}
}

// Database is the id of the database the resource lies in; the zero ID for an offer.
func (id ID) Database() ID {
	if id.n < 4 {
		return ID{}
	}
	return id.cut(4)
}

// IsZero tells whether id is the zero ID.
func (id ID) IsZero() bool { return id.n == 0 }

func (id ID) cut(n uint8) ID {
	out := ID{n: n}
	copy(out.b[:n], id.b[:n])
	return out
}

// SelfLink is the resource's `_self`, such as `dbs/AAAAAQ==/colls/AAAAAYAAAAE=/docs/AAAAAYAAAAEBAAAAAAAAAA==/`.
func (id ID) SelfLink() string { return string(id.AppendSelfLink(nil)) }

// AppendSelfLink appends SelfLink.
func (id ID) AppendSelfLink(b []byte) []byte {
	k := id.Kind()
	if k == Invalid {
		return b
	}
	b = append(id.Parent().AppendSelfLink(b), k.segment()...)
	return append(id.Append(append(b, '/')), '/')
}

// segment is what a kind is called in links.
func (k Kind) segment() string {
	return [...]string{
		Offer: "offers", Database: "dbs", Container: "colls", User: "users", Permission: "permissions", Document: "docs",
		Conflict: "conflicts", PartitionKeyRange: "pkranges", Function: "udfs", Trigger: "triggers", Procedure: "sprocs",
		ClientEncryptionKey: "clientencryptionkeys",
	}[k]
}
