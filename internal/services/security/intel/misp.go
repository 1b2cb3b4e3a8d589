package intel

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// MISP is MISP's core format: an event, what a search of events or attributes answers, or several of them in a list. Of attributes, of events and of objects, those are read that are
// marked for detection (to_ids) and name a value of a kind that is kept.
const MISP Format = "misp"

// mispEvent is what is read of an event, and written.
type mispEvent struct {
	UUID          string          `json:"uuid"`
	Info          string          `json:"info"`
	Date          string          `json:"date"`
	Timestamp     mispTime        `json:"timestamp"`
	ThreatLevel   string          `json:"threat_level_id"`
	Analysis      string          `json:"analysis"`
	Distribution  string          `json:"distribution"`
	Published     bool            `json:"published"`
	Attributes    []mispAttribute `json:"Attribute"`
	Objects       []mispObject    `json:"Object,omitempty"`
}

type mispObject struct {
	Attributes []mispAttribute `json:"Attribute"`
	Deleted    bool            `json:"deleted,omitempty"`
}

type mispAttribute struct {
	UUID         string   `json:"uuid"`
	Type         string   `json:"type"`
	Category     string   `json:"category"`
	Value        string   `json:"value"`
	ToIDs        bool     `json:"to_ids"`
	Comment      string   `json:"comment"`
	Distribution string   `json:"distribution,omitempty"`
	Timestamp    mispTime `json:"timestamp"`
	LastSeen     string   `json:"last_seen,omitempty"`
	Deleted      bool     `json:"deleted"`

	bad bool // it can't be read
}

// UnmarshalJSON reads the fields that are needed; numbers that MISP writes as texts, or the other way round, are no fault.
func (e *mispEvent) UnmarshalJSON(b []byte) error {
	var in struct {
		Info       string
		Timestamp  mispTime
		Attributes []mispAttribute `json:"Attribute"`
		Objects    []mispObject    `json:"Object"`
	}
	err := json.Unmarshal(b, &in)
	e.Info, e.Timestamp, e.Attributes, e.Objects = in.Info, in.Timestamp, in.Attributes, in.Objects
	return err
}

// UnmarshalJSON is likewise. What can't be read is told when it is looked at: it doesn't spoil the others.
func (a *mispAttribute) UnmarshalJSON(b []byte) error {
	var in struct {
		Type, Value, Comment string
		ToIDs                mispBool `json:"to_ids"`
		Timestamp            mispTime
		LastSeen             *string `json:"last_seen"`
		Deleted              mispBool
	}
	if json.Unmarshal(b, &in) != nil {
		*a = mispAttribute{bad: true}
		return nil
	}
	*a = mispAttribute{Type: in.Type, Value: in.Value, Comment: in.Comment, ToIDs: bool(in.ToIDs), Timestamp: in.Timestamp, Deleted: bool(in.Deleted)}
	if in.LastSeen != nil {
		a.LastSeen = *in.LastSeen
	}
	return nil
}

// mispTime is seconds since 1970, as a text or a number.
type mispTime int64

// MarshalJSON writes a text.
func (t mispTime) MarshalJSON() ([]byte, error) { return json.Marshal(strconv.FormatInt(int64(t), 10)) }

// UnmarshalJSON implements json.Unmarshaler.
func (t *mispTime) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "" || text == "null" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return fmt.Errorf("%.40q is no time", text)
	}
	*t = mispTime(n)
	return nil
}

// mispBool is a truth value, or 0 or 1, as a text or not.
type mispBool bool

// UnmarshalJSON implements json.Unmarshaler.
func (v *mispBool) UnmarshalJSON(b []byte) error {
	switch strings.Trim(string(b), `"`) {
	case "true", "1":
		*v = true
	case "false", "0", "null", "":
		*v = false
	default:
		return fmt.Errorf("%.40q is neither true nor false", b)
	}
	return nil
}

// mispKind is what an attribute's type names. Of types of two values, joined by |, the one that is kept comes first or second.
type mispKind struct {
	kind        Kind
	first, both bool // of two
	second      Kind // of both
}

func mispKinds() map[string]mispKind {
	return map[string]mispKind{
		"ip-src": {kind: Address}, "ip-dst": {kind: Address}, "ip-src|port": {kind: Address, first: true}, "ip-dst|port": {kind: Address, first: true},
		"domain": {kind: Domain}, "hostname": {kind: Domain}, "hostname|port": {kind: Domain, first: true}, "domain|ip": {kind: Domain, both: true, second: Address},
		"url": {kind: URL}, "sha256": {kind: SHA256}, "filename|sha256": {kind: SHA256}, "hassh-md5": {kind: HASSH},
	}
}

// values are those that an attribute names; none if nothing is kept of its type.
func (a *mispAttribute) values(kinds map[string]mispKind) []Value {
	k, ok := kinds[a.Type]
	if !ok {
		return nil
	}
	if !strings.Contains(a.Type, "|") {
		return []Value{{k.kind, a.Value}}
	}
	// A file's name may hold what separates, its hash doesn't; of the others, the last part doesn't.
	i := strings.LastIndexByte(a.Value, '|')
	if i < 0 {
		return []Value{{k.kind, a.Value}}
	}
	switch {
	case k.both:
		return []Value{{k.kind, a.Value[:i]}, {k.second, a.Value[i+1:]}}
	case k.first:
		return []Value{{k.kind, a.Value[:i]}}
	}
	return []Value{{k.kind, a.Value[i+1:]}}
}

// mispReader takes attributes in.
type mispReader struct {
	*parsed
	kinds          map[string]mispKind
	source         string
	weight         float64
	now            time.Time
	unmarked int
	others   map[string]int
}

// parseMISP reads a file.
func parseMISP(raw []byte, source string, weight float64, now time.Time) (*parsed, error) {
	m := &mispReader{parsed: &parsed{Imported: Imported{Problems: []string{}}}, kinds: mispKinds(), source: source, weight: weight, now: now, others: map[string]int{}}
	if err := m.document(raw, 0); err != nil {
		return nil, err
	}
	if m.unmarked > 0 {
		m.Problems = append(m.Problems, fmt.Sprintf("%d attributes are not marked for detection (to_ids)", m.unmarked))
	}
	for _, t := range slices.Sorted(maps.Keys(m.others)) {
		if len(m.Problems) >= maxMISPProblems {
			break
		}
		m.Problems = append(m.Problems, fmt.Sprintf("nothing is kept of %d attributes of type %.40q", m.others[t], t))
	}
	return m.parsed, nil
}

// maxMISPProblems is how many are told; of each type of attributes that nothing is kept of there is one.
const maxMISPProblems = 40

// maxNested is how many lists and answers may be around an event.
const maxNested = 4

var errNotMISP = errors.New("it is no MISP event: there is no Event, Attribute or response in it")

// document reads an event, a list of documents, or an answer that holds one.
func (m *mispReader) document(raw []byte, depth int) error {
	if depth > maxNested {
		return errNotMISP
	}
	if raw = bytes.TrimSpace(raw); bytes.HasPrefix(raw, []byte("[")) {
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for _, one := range list {
			if err := m.document(one, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	var doc struct {
		Event    *mispEvent
		Response json.RawMessage `json:"response"`
		// Of a search of attributes: a list, or one.
		Attribute json.RawMessage
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return err
	}
	switch {
	case doc.Event != nil:
		return m.event(doc.Event)
	case doc.Response != nil:
		return m.document(doc.Response, depth+1)
	case doc.Attribute != nil:
		e := &mispEvent{}
		if bytes.HasPrefix(bytes.TrimSpace(doc.Attribute), []byte("[")) {
			if err := json.Unmarshal(doc.Attribute, &e.Attributes); err != nil {
				return err
			}
		} else {
			e.Attributes = make([]mispAttribute, 1)
			if err := json.Unmarshal(doc.Attribute, &e.Attributes[0]); err != nil {
				return err
			}
		}
		return m.event(e)
	}
	return errNotMISP
}

func (m *mispReader) event(e *mispEvent) error {
	for i := range e.Attributes {
		if err := m.attribute(e, &e.Attributes[i], false); err != nil {
			return err
		}
	}
	for i := range e.Objects {
		for k := range e.Objects[i].Attributes {
			if err := m.attribute(e, &e.Objects[i].Attributes[k], e.Objects[i].Deleted); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *mispReader) attribute(e *mispEvent, a *mispAttribute, deleted bool) error {
	if m.Objects++; m.Objects > maxObjects {
		return fmt.Errorf("there are more than %d attributes", maxObjects)
	}
	if a.bad {
		m.skip("attribute %d: a field of it is not of its type", m.Objects)
		return nil
	}
	values := a.values(m.kinds)
	switch {
	case values == nil:
		m.Skipped++
		m.others[a.Type[:min(len(a.Type), 40)]]++
		return nil
	case !a.ToIDs:
		m.Skipped++
		m.unmarked++
		return nil
	}
	at := m.now
	if when := cmp.Or(int64(a.Timestamp), int64(e.Timestamp)); when > 0 && when < m.now.Unix() {
		at = time.Unix(when, 0)
	}
	if last, err := time.Parse(time.RFC3339Nano, a.LastSeen); err == nil && last.Before(m.now) {
		at = last
	}
	note := cmp.Or(a.Comment, e.Info)
	for _, v := range values {
		clean, err := Clean(v.Kind, v.Value)
		if err != nil {
			m.skip("attribute %d: %s", m.Objects, err)
			continue
		}
		s := Sighting{Kind: v.Kind, Value: clean, Source: m.source, Weight: m.weight, Note: strings.ToValidUTF8(note[:min(len(note), maxNote)], ""), Time: at.UTC()}
		if a.Deleted || deleted {
			m.revoked = append(m.revoked, s)
		} else {
			m.sightings = append(m.sightings, s)
		}
	}
	return nil
}

// Manifest reads a MISP feed's manifest: the UUIDs of its events, which lie beside it as UUID.json, the newest first. ok is false if it is none.
func Manifest(raw []byte) (events []string, ok bool) {
	var all map[string]struct {
		Timestamp mispTime `json:"timestamp"`
	}
	if json.Unmarshal(raw, &all) != nil || len(all) == 0 {
		return nil, false
	}
	for id := range all {
		if !ids.IsGUID(id) {
			return nil, false
		}
		events = append(events, id)
	}
	slices.SortFunc(events, func(a, b string) int {
		return cmp.Or(cmp.Compare(all[b].Timestamp, all[a].Timestamp), strings.Compare(a, b))
	})
	return events, true
}

// guessFormat tells what a file is: of JSON, a STIX bundle says so.
func guessFormat(raw []byte) Format {
	raw = bytes.TrimSpace(raw)
	switch {
	case bytes.HasPrefix(raw, []byte("[")):
		return MISP
	case !bytes.HasPrefix(raw, []byte("{")):
		return List
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	_, _ = d.Token() // the brace
	for d.More() {
		t, err := d.Token()
		if err != nil {
			break
		}
		if name, _ := t.(string); name == "Event" || name == "response" || name == "Attribute" {
			return MISP
		}
		var skipped json.RawMessage
		if d.Decode(&skipped) != nil {
			break
		}
	}
	return STIX
}

// writeMISP writes indicators as one event. Credentials and shingles have no type there and are left out.
func writeMISP(w io.Writer, found []*Indicator, now time.Time) error {
	types := map[Kind][2]string{
		Address: {"ip-src", "Network activity"}, Domain: {"domain", "Network activity"}, URL: {"url", "Network activity"}, SHA256: {"sha256", "Payload delivery"},
		HASSH: {"hassh-md5", "Network activity"},
	}
	e := mispEvent{
		UUID: ids.New(), Info: "Indicators of a Bulkhead platform", Date: now.UTC().Format("2006-01-02"), Timestamp: mispTime(now.Unix()), ThreatLevel: "2", Analysis: "2",
		Distribution: "0", Attributes: []mispAttribute{},
	}
	for _, i := range found {
		t, ok := types[i.Kind]
		if !ok {
			continue
		}
		e.Attributes = append(e.Attributes, mispAttribute{
			UUID: strings.TrimPrefix(i.ID, "indicator--"), Type: t[0], Category: t[1], Value: i.Value, ToIDs: i.Now(now) >= Threshold, Comment: i.Note, Distribution: "5",
			Timestamp: mispTime(i.Last.Unix()), LastSeen: i.Last.UTC().Format("2006-01-02T15:04:05.000000+00:00"),
		})
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(map[string]any{"Event": e})
}
