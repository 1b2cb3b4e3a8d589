package pkey

import (
	"math"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// The answers are those of the SDKs' own tests (Java PartitionKeyHashingTests, Rust hash.rs).
func TestEPK(t *testing.T) {
	v1, v2 := Definition{Kind: "Hash", Version: 1}, Definition{Kind: "Hash", Version: 2}
	multi := Definition{Kind: "MultiHash", Version: 2}
	long := strings.Repeat("a", 1024)
	for _, c := range []struct {
		name string
		key  Key
		def  Definition
		want string
	}{
		{"v1 empty string", Key{StringValue("")}, v1, "05C1CF33970FF80800"},
		{"v1 string", Key{StringValue("partitionKey")}, v1, "05C1E1B3D9CD2608716273756A756A706F4C667A00"},
		{"v1 redmond", Key{StringValue("redmond")}, v1, "05C1EFE313830C087366656E706F6500"},
		{"v1 aa", Key{StringValue("aa")}, v1, "05C1C7B7270FE008626200"},
		{"v1 long", Key{StringValue(long)}, v1, "05C1EB5921F70608" + strings.Repeat("62", 100) + "00"},
		{"v1 null", Key{{Type: Null}}, v1, "05C1ED45D7475601"},
		{"v1 undefined", Key{{}}, v1, "05C1D529E345DC00"},
		{"v1 true", Key{BoolValue(true)}, v1, "05C1D7C5A903D803"},
		{"v1 false", Key{BoolValue(false)}, v1, "05C1DB857D857C02"},
		{"v1 -128", Key{NumberValue(-128)}, v1, "05C1D73349F54C053FA0"},
		{"v1 127", Key{NumberValue(127)}, v1, "05C1DD539DDFCC05C05FE0"},
		{"v1 max int", Key{NumberValue(math.MaxInt32)}, v1, "05C1E1F503DFB205C1DFFFFFFFFC"},
		{"v1 min double", Key{NumberValue(math.SmallestNonzeroFloat64)}, v1, "05C1E5C91F4D3005800101010101010102"},
		{"v1 max double", Key{NumberValue(math.MaxFloat64)}, v1, "05C1CBE367C53005FFEFFFFFFFFFFFFFFE"},
		{"no version means 1", Key{StringValue("")}, Definition{Kind: "Hash"}, "05C1CF33970FF80800"},
		{"v2 empty string", Key{StringValue("")}, v2, "32E9366E637A71B4E710384B2F4970A0"},
		{"v2 string", Key{StringValue("partitionKey")}, v2, "013AEFCF77FA271571CF665A58C933F1"},
		{"v2 customer", Key{StringValue("customer42")}, v2, "19819C94CE42A1654CCC8110539D9589"},
		{"v2 unicode", Key{StringValue("ünïcode")}, v2, "2F659D3306868DADA79E432F48A53236"},
		{"v2 long", Key{StringValue(long)}, v2, "332BDF5512AE49615F32C7D98C2DB86C"},
		{"v2 null", Key{{Type: Null}}, v2, "378867E4430E67857ACE5C908374FE16"},
		{"v2 undefined", Key{{}}, v2, "11622DAA78F835834610ABE56EFF5CB5"},
		{"v2 true", Key{BoolValue(true)}, v2, "0E711127C5B5A8E4726AC6DD306A3E59"},
		{"v2 false", Key{BoolValue(false)}, v2, "2FE1BE91E90A3439635E0E9E37361EF2"},
		{"v2 -128", Key{NumberValue(-128)}, v2, "01DAEDABF913540367FE219B2AD06148"},
		{"v2 127", Key{NumberValue(127)}, v2, "0C507ACAC853ECA7977BF4CEFB562A25"},
		{"v2 max int", Key{NumberValue(math.MaxInt32)}, v2, "2D9349D64712AEB5EB1406E2F0BE2725"},
		{"v2 1.5", Key{NumberValue(1.5)}, v2, "35C5DDEB6C795D16A9963C73C54E97BC"},
		{"v2 four values", Key{NumberValue(5), StringValue("redmond"), BoolValue(true), {Type: Null}}, v2, "3032DECBE2AB1768D8E0AEDEA35881DF"},
		{"multi", Key{StringValue("t1"), NumberValue(1)}, multi, "3D48BB14DA9D090D22112C96695028B620CD98B339BA78A5D0CF6953B87070B0"},
		{"multi prefix", Key{StringValue("t1")}, multi, "3D48BB14DA9D090D22112C96695028B6"},
		{"empty", Key{}, v2, ""},
	} {
		if got := c.key.EPK(c.def); got != c.want {
			t.Errorf("%s: EPK(%s) got %s, want %s", c.name, c.key, got, c.want)
		}
	}
}

func TestPrefixRange(t *testing.T) {
	def := Definition{Kind: "MultiHash", Version: 2}
	low, high := Key{StringValue("t1")}.PrefixRange(def)
	for _, k := range []Key{{StringValue("t1"), StringValue("u1")}, {StringValue("t1"), {}, NumberValue(3)}} {
		if e := k.EPK(def); e < low || e >= high {
			t.Errorf("EPK of %s is %s, want within [%s, %s)", k, e, low, high)
		}
	}
	if e := (Key{StringValue("t2"), StringValue("u1")}).EPK(def); e >= low && e < high {
		t.Errorf("EPK of another tenant %s lies within [%s, %s)", e, low, high)
	}
	if low, high := (Key{}).PrefixRange(def); low != "" || high != "FF" {
		t.Errorf("range of the empty key got [%q, %q), want the whole space", low, high)
	}
}

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{`["a"]`, `["a"]`, true},
		{` [ "a" , 1.50 , { } ] `, `["a",1.5,{}]`, true},
		{`[{}]`, `[{}]`, true},
		{`[null]`, `[null]`, true},
		{`[true,false]`, `[true,false]`, true},
		{`[]`, `[]`, true},
		{`["\u00e9\n"]`, `["é\n"]`, true},
		{`[-0]`, `[-0]`, true},
		{`[1e400]`, "", false},
		{`[{"a":1}]`, "", false},
		{`[[1]]`, "", false},
		{`["a","b","c","d"]`, "", false},
		{`"a"`, "", false},
		{`null`, "", false},
		{``, "", false},
		{`["a"`, "", false},
		{"[\"\xff\"]", "", false},
	} {
		k, err := ParseHeader(c.in)
		if (err == nil) != c.ok {
			t.Errorf("ParseHeader(%q) error %v, want ok %v", c.in, err, c.ok)
			continue
		}
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("ParseHeader(%q) got %v, want a 400 fault", c.in, err)
			}
			continue
		}
		if got := k.String(); got != c.want {
			t.Errorf("ParseHeader(%q) got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestExtract(t *testing.T) {
	doc := []byte(`{"id":"1","tenant":"contoso","a":{"b":7,"x y":null,"c/d":true},"list":[1],"n":1e2,"twice":1,"twice":2,"huge":1e999,"esc\u0061pe":"e"}`)
	for _, c := range []struct {
		paths []string
		want  string
		ok    bool
	}{
		{[]string{"/tenant"}, `["contoso"]`, true},
		{[]string{"/a/b"}, `[7]`, true},
		{[]string{`/a/"x y"`}, `[null]`, true},
		{[]string{`/a/"c/d"`}, `[true]`, true},
		{[]string{"/tenant", "/a/b", "/missing"}, `["contoso",7,{}]`, true},
		{[]string{"/tenant/deeper"}, `[{}]`, true},
		{[]string{"/list/0"}, `[{}]`, true},
		{[]string{"/n"}, `[100]`, true},
		{[]string{"/twice"}, `[2]`, true},
		{[]string{"/escape"}, `["e"]`, true},
		{[]string{"/list"}, `[{}]`, true},
		{[]string{"/huge"}, "", false},
		{[]string{"/a"}, `[{}]`, true},
		{[]string{"a"}, "", false},
		{[]string{"/a//b"}, "", false},
		{[]string{"/a/*"}, "", false},
		{[]string{`/"a`}, "", false},
	} {
		k, err := Extract(doc, c.paths)
		if (err == nil) != c.ok {
			t.Errorf("Extract(%v) error %v, want ok %v", c.paths, err, c.ok)
			continue
		}
		if err == nil && k.String() != c.want {
			t.Errorf("Extract(%v) got %s, want %s", c.paths, k, c.want)
		}
	}
	for _, bad := range []string{``, `[]`, `{"a":`, `7`} {
		if _, err := Extract([]byte(bad), []string{"/a"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("Extract from %q got %v, want a 400 fault", bad, err)
		}
	}
}

func TestDefinition_Validate(t *testing.T) {
	for _, c := range []struct {
		def Definition
		ok  bool
	}{
		{Definition{Paths: []string{"/a"}, Kind: "Hash"}, true},
		{Definition{Paths: []string{"/a", "/b"}, Kind: "MultiHash", Version: 2}, true},
		{Definition{Paths: []string{"/a", "/b"}, Kind: "Hash", Version: 2}, false},
		{Definition{Paths: []string{"/a", "/b"}, Kind: "MultiHash", Version: 1}, false},
		{Definition{Paths: []string{"/a", "/b", "/c", "/d"}, Kind: "MultiHash", Version: 2}, false},
		{Definition{Paths: []string{"/a", "/a"}, Kind: "MultiHash", Version: 2}, false},
		{Definition{Paths: []string{"/a"}, Kind: "Range"}, false},
		{Definition{Paths: []string{"/a"}, Kind: "Hash", Version: 3}, false},
		{Definition{Kind: "Hash"}, false},
		{Definition{Paths: []string{"/a/*"}, Kind: "Hash"}, false},
	} {
		if err := c.def.Validate(); (err == nil) != c.ok {
			t.Errorf("Validate(%+v) got %v, want ok %v", c.def, err, c.ok)
		}
	}
}

// TestTruncate_SurrogatePair: version 1 counts UTF-16 units.
func TestTruncate_SurrogatePair(t *testing.T) {
	for in, want := range map[string]string{
		strings.Repeat("é", 101):             strings.Repeat("é", 100),
		strings.Repeat("😀", 60):              strings.Repeat("😀", 50),
		"a" + strings.Repeat("😀", 60):        "a" + strings.Repeat("😀", 49) + "\ufffd",
		strings.Repeat("a", 100):             strings.Repeat("a", 100),
		strings.Repeat("a", 99) + "é" + "zz": strings.Repeat("a", 99) + "é",
	} {
		if got := StringValue(in).truncate().Str; got != want {
			t.Errorf("truncate(%q) got %q, want %q", in, got, want)
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, s := range []string{`["a"]`, `[{}]`, `[null,1,true]`, `[]`, `[[`, `["\ud800"]`, `[1e999]`} {
		f.Add(s)
	}
	defs := []Definition{{Kind: "Hash"}, {Kind: "Hash", Version: 2}, {Kind: "MultiHash", Version: 2}}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseHeader(s)
		if err != nil {
			return
		}
		again, err := ParseHeader(k.String())
		if err != nil || !again.Equal(k) {
			t.Fatalf("ParseHeader(%q) = %s, which reads back as %v, %v", s, k, again, err)
		}
		for _, d := range defs {
			if e := k.EPK(d); e >= MaxEPK {
				t.Fatalf("EPK of %s is %s, beyond the maximum", k, e)
			}
		}
	})
}
