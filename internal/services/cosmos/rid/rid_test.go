package rid

import (
	"encoding/hex"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

func TestLayout(t *testing.T) {
	db := NewDatabase(0x01020304)
	coll, user := NewContainer(db, 0x05060708), NewUser(db, 0x05060708)
	for _, c := range []struct {
		name     string
		id       ID
		hex      string
		kind     Kind
		n        uint64
		parent   ID
		selfLink string
	}{
		{"offer", NewOffer(0x010203), "010203", Offer, 0x010203, ID{}, "offers/AQID/"},
		{"database", db, "01020304", Database, 0x01020304, ID{}, "dbs/AQIDBA==/"},
		{"container", coll, "0102030485060708", Container, 0x05060708, db, "dbs/AQIDBA==/colls/AQIDBIUGBwg=/"},
		{"user", user, "0102030405060708", User, 0x05060708, db, "dbs/AQIDBA==/users/AQIDBAUGBwg=/"},
		{"document", NewChild(coll, Document, 1), "01020304850607080100000000000000", Document, 1, coll, "dbs/AQIDBA==/colls/AQIDBIUGBwg=/docs/AQIDBIUGBwgBAAAAAAAAAA==/"},
		{"conflict", NewChild(coll, Conflict, 2), "01020304850607080200000000000040", Conflict, 2, coll, "dbs/AQIDBA==/colls/AQIDBIUGBwg=/conflicts/AQIDBIUGBwgCAAAAAAAAQA==/"},
		{"range", NewChild(coll, PartitionKeyRange, 2), "01020304850607080200000000000050", PartitionKeyRange, 2, coll, "dbs/AQIDBA==/colls/AQIDBIUGBwg=/pkranges/AQIDBIUGBwgCAAAAAAAAUA==/"},
		{"function", NewChild(coll, Function, 2), "01020304850607080200000000000060", Function, 2, coll, "dbs/AQIDBA==/colls/AQIDBIUGBwg=/udfs/AQIDBIUGBwgCAAAAAAAAYA==/"},
		{"trigger", NewChild(coll, Trigger, 2), "01020304850607080200000000000070", Trigger, 2, coll, "dbs/AQIDBA==/colls/AQIDBIUGBwg=/triggers/AQIDBIUGBwgCAAAAAAAAcA==/"},
		{"procedure", NewChild(coll, Procedure, MaxChild), "0102030485060708ffffffffffffff8f", Procedure, MaxChild, coll, "dbs/AQIDBA==/colls/AQIDBIUGBwg=/sprocs/AQIDBIUGBwj---------jw==/"},
		{"client encryption key", NewClientEncryptionKey(db, 3), "01020304000000000300000002000000", ClientEncryptionKey, 3, db, "dbs/AQIDBA==/clientencryptionkeys/AQIDBAAAAAADAAAAAgAAAA==/"},
		{"permission", NewPermission(user, 3), "01020304050607080300000000000000", Permission, 3, user, "dbs/AQIDBA==/users/AQIDBAUGBwg=/permissions/AQIDBAUGBwgDAAAAAAAAAA==/"},
	} {
		if got := hex.EncodeToString(c.id.Bytes()); got != c.hex {
			t.Errorf("%s: bytes got %s, want %s", c.name, got, c.hex)
		}
		if got := c.id.Kind(); got != c.kind {
			t.Errorf("%s: kind got %d, want %d", c.name, got, c.kind)
		}
		if got := c.id.Number(); got != c.n {
			t.Errorf("%s: number got %d, want %d", c.name, got, c.n)
		}
		if got := c.id.Parent(); got != c.parent {
			t.Errorf("%s: parent got %s, want %s", c.name, got, c.parent)
		}
		if got := c.id.SelfLink(); got != c.selfLink {
			t.Errorf("%s: self link got %s, want %s", c.name, got, c.selfLink)
		}
		if back, err := Parse(c.id.String()); err != nil || back != c.id {
			t.Errorf("%s: Parse(%s) got %v, %v", c.name, c.id, back, err)
		}
		if c.kind != Offer && c.id.Database() != db {
			t.Errorf("%s: database got %s, want %s", c.name, c.id.Database(), db)
		}
	}
}

// TestParse_Service reads ids the service itself has given out.
func TestParse_Service(t *testing.T) {
	for text, kind := range map[string]Kind{
		"kwtfAA==": Database, "kwtfAJ4k1wM=": Container, "kwtfAJ4k1wMBAAAAAAAAAA==": Document, "kwtfAJ4k1wMCAAAAAAAAUA==": PartitionKeyRange,
	} {
		id, err := Parse(text)
		if err != nil || id.Kind() != kind || id.String() != text {
			t.Errorf("Parse(%s) got %s of kind %d, %v; want kind %d", text, id, id.Kind(), err, kind)
		}
	}
}

func TestParse_Refused(t *testing.T) {
	for _, s := range []string{"", "db", "A", "AQ==", "AQIDBAU=", "AQIDBIUGBwgBAAAAAAAAkA==", "AQIDBIUGBwgBAAAAAAAAAAAAAAA=", "AQID\nBA==", "AQIDBB==", "AQIDBIUGBwj/////////jw==", "!!!!"} {
		if id, err := Parse(s); !fault.Is(err, fault.Invalid) {
			t.Errorf("Parse(%q) got %v, %v; want a 400 fault", s, id, err)
		}
	}
	if got := NewChild(NewContainer(NewDatabase(1), 1), User, 1); !got.IsZero() {
		t.Errorf("a user in a container got id %s, want none", got)
	}
}
