package intel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const mispSample = `{"Event":{"uuid":"5e0c7f4e-0000-4000-8000-000000000001","info":"A botnet","date":"2026-11-01","timestamp":"1795750000","threat_level_id":"2","published":true,
"Attribute":[
 {"uuid":"a","type":"ip-dst","category":"Network activity","to_ids":true,"value":"203.0.113.5","comment":"C2","timestamp":"1795760000","deleted":false},
 {"type":"ip-src|port","to_ids":"1","value":"203.0.113.6|4444","timestamp":1795760000},
 {"type":"domain|ip","to_ids":true,"value":"c2.example|203.0.113.7"},
 {"type":"hostname","to_ids":true,"value":"WWW.Evil.Example."},
 {"type":"url","to_ids":true,"value":"http://203.0.113.8/a|b.sh"},
 {"type":"filename|sha256","to_ids":true,"value":"odd|name.sh|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
 {"type":"hassh-md5","to_ids":true,"value":"ec7378c1a92f5a8dde7e8b7a1ddf33d1"},
 {"type":"ip-dst","to_ids":false,"value":"198.51.100.1"},
 {"type":"md5","to_ids":true,"value":"d41d8cd98f00b204e9800998ecf8427e"},
 {"type":"ip-dst","to_ids":true,"value":"198.51.100.2","deleted":true},
 {"type":"ip-dst","to_ids":true,"value":"not one"},
 {"type":"ip-dst","to_ids":true,"value":5}],
"Object":[{"name":"file","Attribute":[{"type":"sha256","to_ids":true,"value":"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B856"}]},
 {"name":"old","deleted":true,"Attribute":[{"type":"domain","to_ids":true,"value":"gone.example"}]}]}}`

// TestMISP_Import: what an event marks for detection counts, as old as it says; what is deleted there goes, and the rest is told.
func TestMISP_Import(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(Address, "198.51.100.2", "", 1)
	r.put(Domain, "gone.example", "", 1)
	done, err := r.Import(t.Context(), guessFormat([]byte(mispSample)), []byte(mispSample), "import:feed", 0.8)
	if err != nil || done.Objects != 14 || done.Entered != 9 || done.New != 9 || done.Removed != 2 || done.Skipped != 4 {
		t.Errorf("%+v, %v", done, err)
	}
	for _, want := range []string{"attribute 11: ", "attribute 12: ", "1 attributes are not marked", `1 attributes of type "md5"`} {
		if !slices.ContainsFunc(done.Problems, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("%q is not among the problems %q", want, done.Problems)
		}
	}
	for what, got := range map[string]bool{
		"address": r.Addr("203.0.113.5"), "address and port": r.Addr("203.0.113.6"), "domain of two": r.Domain("c2.example"), "address of two": r.Addr("203.0.113.7"),
		"host": r.Domain("www.evil.example"), "url": r.URL("http://203.0.113.8/a|b.sh"), "hassh": r.HASSH("ec7378c1a92f5a8dde7e8b7a1ddf33d1"),
		"hash": r.SHA256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "hash of an object": r.SHA256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b856"),
		"not marked": !r.Addr("198.51.100.1"), "deleted": !r.Addr("198.51.100.2"), "of a deleted object": !r.Domain("gone.example"),
	} {
		if !got {
			t.Errorf("not so: %s", what)
		}
	}
	i, of := r.Get(Address, "203.0.113.5"), r.Get(Domain, "c2.example")
	if i.Note != "C2" || !i.Last.Equal(time.Unix(1795760000, 0)) || i.Score != 0.8 || !slices.Equal(i.Sources, []string{"import:feed"}) || of.Note != "A botnet" || !of.Last.Equal(time.Unix(1795750000, 0)) {
		t.Errorf("%+v, %+v", i, of)
	}
}

// TestMISP_Shapes: an event by itself, the answers of searches, and lists are read; what is none of these isn't.
func TestMISP_Shapes(t *testing.T) {
	t.Parallel()
	const attribute = `{"type":"domain","to_ids":true,"value":"a.example"}`
	const event = `{"Event":{"Attribute":[` + attribute + `]}}`
	for text, want := range map[string]int{
		event: 1, `[` + event + `,` + event + `]`: 2, `{"response":[` + event + `]}`: 1, `{"response":{"Attribute":[` + attribute + `,` + attribute + `]}}`: 2,
		`{"Attribute":` + attribute + `}`: 1, ` {"response":[]}`: 0, `{"x":[1,{"Event":2}],"Event":{}}`: 0,
		`{"Event":5}`: -1, `{"response":5}`: -1, `[[[[[[` + event + `]]]]]]`: -1, `[5]`: -1, `{"Attribute":"x"}`: 0, `{"Event":{"timestamp":"soon"}}`: -1,
	} {
		if f := guessFormat([]byte(text)); f != MISP {
			t.Errorf("%s is taken for %s", text, f)
		}
		p, err := parseMISP([]byte(text), "s", 0.8, began)
		if (err == nil) != (want >= 0) || err == nil && len(p.sightings) != want {
			t.Errorf("%s: %+v, %v, want %d", text, p, err, want)
		}
	}
	for text, want := range map[string]Format{`{"type":"bundle","objects":[]}`: STIX, `{"objects":[{"Event":1}]}`: STIX, "a.example\n": List, "": List, `{`: STIX} {
		if f := guessFormat([]byte(text)); f != want {
			t.Errorf("%s is taken for %s, want %s", text, f, want)
		}
	}
}

// TestMISP_Export: what is written is read again, credentials and shingles apart.
func TestMISP_Export(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hash := strings.Repeat("ab", 32)
	for _, v := range []Value{
		{Address, "203.0.113.0/24"}, {Address, "2001:db8::1"}, {Domain, "evil.example"}, {URL, "http://evil.example/x?a=1&b=<2>"}, {SHA256, hash}, {HASSH, strings.Repeat("cd", 16)},
		{Credential, "root:secret"}, {Shingle, "chmod +x a"},
	} {
		r.put(v.Kind, v.Value, "", 0.9)
	}
	r.put(Domain, "unsure.example", "", 0.3)
	var b bytes.Buffer
	if err := r.Export(&b, MISP, Filter{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "secret") || strings.Contains(b.String(), "chmod") || guessFormat(b.Bytes()) != MISP {
		t.Errorf("written is %s", b.String())
	}
	var shape struct {
		Event struct {
			UUID, Info, Date string
			Timestamp        string
			Attribute        []struct {
				UUID, Type, Category, Value, Timestamp string
				ToIDs                                  *bool `json:"to_ids"`
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &shape); err != nil || len(shape.Event.UUID) != 36 || shape.Event.Date != "2026-11-27" || len(shape.Event.Attribute) != 8 {
		t.Errorf("%+v, %v", shape, err)
	}
	other := newRig(t)
	if done, err := other.Import(t.Context(), MISP, b.Bytes(), "import:x", 0.8); err != nil || done.Entered != 7 || done.Skipped != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	got := func(s *rig) (out []string) {
		found, _ := s.List(Filter{Kinds: []Kind{Address, Domain, URL, SHA256, HASSH}, Least: Threshold})
		for _, i := range found {
			out = append(out, string(i.Kind)+" "+i.Value)
		}
		slices.Sort(out)
		return out
	}
	if d := cmp.Diff(got(r), got(other)); d != "" {
		t.Errorf("-written +read\n%s", d)
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	const a, b, c = "5e0c7f4e-0000-4000-8000-00000000000a", "5e0c7f4e-0000-4000-8000-00000000000b", "5e0c7f4e-0000-4000-8000-00000000000c"
	text := fmt.Sprintf(`{%q:{"info":"x","timestamp":"10"},%q:{"timestamp":"30"},%q:{"timestamp":20}}`, a, b, c)
	if got, ok := Manifest([]byte(text)); !ok || !slices.Equal(got, []string{b, c, a}) {
		t.Errorf("%v, %t", got, ok)
	}
	for _, bad := range []string{`{}`, `[]`, `x`, `{"../../etc/passwd":{"timestamp":"1"}}`, mispSample, `{"` + a + `":5}`} {
		if got, ok := Manifest([]byte(bad)); ok {
			t.Errorf("%.60s is read as %v", bad, got)
		}
	}
}

// FuzzMISP: whatever an event says, what is taken from it is in the form in which it is kept, and no more than was there.
func FuzzMISP(f *testing.F) {
	f.Add([]byte(mispSample))
	f.Add([]byte(`{"response":[{"Event":{"Attribute":[{"type":"domain|ip","to_ids":"0","value":"|"}]}}]}`))
	f.Add([]byte(`{"5e0c7f4e-0000-4000-8000-00000000000a":{"timestamp":"10"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		guessFormat(b)
		if events, ok := Manifest(b); ok && (len(events) == 0 || strings.ContainsAny(events[0], "/.\\")) {
			t.Errorf("events %q", events)
		}
		p, err := parseMISP(b, "fuzz", 0.8, began)
		if err != nil {
			return
		}
		if len(p.sightings)+len(p.revoked) > 2*p.Objects {
			t.Errorf("%d values of %d attributes", len(p.sightings)+len(p.revoked), p.Objects)
		}
		for _, s := range slices.Concat(p.sightings, p.revoked) {
			if clean, err := Clean(s.Kind, s.Value); err != nil || clean != s.Value || s.Time.After(began) {
				t.Errorf("%+v: %q, %v", s, clean, err)
			}
		}
	})
}
