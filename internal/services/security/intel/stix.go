package intel

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// stixTime is a STIX timestamp: RFC 3339 in UTC, with milliseconds or more.
const stixTime = "2006-01-02T15:04:05.000000Z"

// Object is an indicator as a STIX 2.1 object.
type Object struct {
	Type           string   `json:"type"`
	SpecVersion    string   `json:"spec_version"`
	ID             string   `json:"id"`
	Created        string   `json:"created"`
	Modified       string   `json:"modified"`
	Name           string   `json:"name,omitempty"`
	Description    string   `json:"description,omitempty"`
	IndicatorTypes []string `json:"indicator_types,omitempty"`
	Pattern        string   `json:"pattern"`
	PatternType    string   `json:"pattern_type"`
	ValidFrom      string   `json:"valid_from"`
	ValidUntil     string   `json:"valid_until,omitempty"`
	Confidence     *int     `json:"confidence,omitempty"`
	Labels         []string `json:"labels,omitempty"`
	Revoked        bool     `json:"revoked,omitempty"`
}

// Bundle is a STIX 2.1 bundle.
type Bundle struct {
	Type    string   `json:"type"`
	ID      string   `json:"id"`
	Objects []Object `json:"objects"`
}

// ObjectOf writes an indicator as STIX.
func ObjectOf(i *Indicator, now time.Time) Object {
	confidence := int(math.Round(100 * i.Now(now)))
	o := Object{
		Type: "indicator", SpecVersion: "2.1", ID: i.ID, Created: i.First.UTC().Format(stixTime), Modified: i.Added.UTC().Format(stixTime), Name: name(i), Description: i.Note,
		IndicatorTypes: []string{"malicious-activity"}, Pattern: patternOf(i.Kind, i.Value), PatternType: "stix", ValidFrom: i.First.UTC().Format(stixTime), Confidence: &confidence, Labels: []string{string(i.Kind)},
	}
	if !i.Until.IsZero() {
		o.ValidUntil = i.Until.UTC().Format(stixTime)
	}
	return o
}

func name(i *Indicator) string {
	if i.Kind == Credential {
		return string(i.Kind)
	}
	return string(i.Kind) + " " + i.Value[:min(len(i.Value), 100)]
}

// quoted writes a text as a STIX pattern has it.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// The paths of what STIX has objects for; x- are our own.
const (
	pathIPv4    = "ipv4-addr:value"
	pathIPv6    = "ipv6-addr:value"
	pathDomain  = "domain-name:value"
	pathURL     = "url:value"
	pathSHA256  = "file:hashes.'SHA-256'"
	pathHASSH   = "x-bulkhead-hassh:value"
	pathShingle = "x-bulkhead-commands:shingle"
	pathUser    = "user-account:account_login"
	pathSecret  = "user-account:credential"
)

func patternOf(k Kind, value string) string {
	one := func(path, v string) string { return "[" + path + " = " + quoted(v) + "]" }
	switch k {
	case Address:
		if strings.Contains(value, ":") {
			return one(pathIPv6, value)
		}
		return one(pathIPv4, value)
	case Domain:
		return one(pathDomain, value)
	case URL:
		return one(pathURL, value)
	case SHA256:
		return one(pathSHA256, value)
	case HASSH:
		return one(pathHASSH, value)
	case Shingle:
		return one(pathShingle, value)
	}
	user, password, _ := strings.Cut(value, ":")
	return "[" + pathUser + " = " + quoted(user) + " AND " + pathSecret + " = " + quoted(password) + "]"
}

// Imported is what became of a bundle.
type Imported struct {
	Objects  int      `json:"objects"`  // in it
	Entered  int      `json:"entered"`  // indicators
	New      int      `json:"new"`      // of these
	Removed  int      `json:"removed"`  // revoked ones
	Skipped  int      `json:"skipped"`  // objects that nothing was made of
	Problems []string `json:"problems"` // why, of the first 20
}

func (i *Imported) skip(format string, args ...any) {
	if i.Skipped++; len(i.Problems) < 20 {
		i.Problems = append(i.Problems, fmt.Sprintf(format, args...))
	}
}

// Bounds of one import.
const (
	maxObjects     = 100_000
	maxPattern     = 16 << 10
	maxComparisons = 256
)

// parsed is a bundle's content.
type parsed struct {
	sightings []Sighting
	revoked   []Sighting
	Imported
}

// parseBundle reads a bundle, or TAXII's envelope of objects. Objects other than indicators are skipped in silence; indicators that can't be read are counted and named.
func parseBundle(raw []byte, source string, now time.Time) (*parsed, error) {
	var b struct {
		Type    string            `json:"type"`
		Objects []json.RawMessage `json:"objects"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("no STIX bundle: %w", err)
	}
	if b.Type != "" && b.Type != "bundle" || b.Type == "" && b.Objects == nil {
		return nil, fmt.Errorf("no STIX bundle: its type is %.40q", b.Type)
	}
	if len(b.Objects) > maxObjects {
		return nil, fmt.Errorf("the bundle has %d objects; at most %d are taken at once", len(b.Objects), maxObjects)
	}
	p := &parsed{Imported: Imported{Objects: len(b.Objects), Problems: []string{}}}
	for n, rawObject := range b.Objects {
		var o Object
		if err := json.Unmarshal(rawObject, &o); err != nil {
			p.skip("object %d: %.200s", n, err)
			continue
		}
		if o.Type != "indicator" {
			p.Skipped++
			continue
		}
		p.object(n, &o, source, now)
	}
	return p, nil
}

func (p *parsed) object(n int, o *Object, source string, now time.Time) {
	if o.PatternType != "stix" && o.PatternType != "" {
		p.skip("object %d: patterns of type %.20q are not read", n, o.PatternType)
		return
	}
	values, err := ParsePattern(o.Pattern)
	if err != nil {
		p.skip("object %d: %s", n, err)
		return
	}
	weight := 0.8
	if o.Confidence != nil && *o.Confidence >= 0 && *o.Confidence <= 100 {
		weight = float64(*o.Confidence) / 100
	}
	at := now
	if t, err := time.Parse(time.RFC3339Nano, o.Modified); err == nil && t.Before(now) {
		at = t
	}
	var until time.Time
	if o.ValidUntil != "" {
		if until, err = time.Parse(time.RFC3339Nano, o.ValidUntil); err != nil {
			p.skip("object %d: valid_until %.40q is no time", n, o.ValidUntil)
			return
		}
	}
	note := o.Description
	if note == "" {
		note = o.Name
	}
	for _, v := range values {
		clean, err := Clean(v.Kind, v.Value)
		if err != nil {
			p.skip("object %d: %s", n, err)
			continue
		}
		s := Sighting{Kind: v.Kind, Value: clean, Source: source, Weight: weight, Note: strings.ToValidUTF8(note[:min(len(note), maxNote)], ""), Time: at.UTC(), Until: until.UTC()}
		if until.IsZero() {
			s.Until = time.Time{}
		}
		if o.Revoked {
			p.revoked = append(p.revoked, s)
		} else {
			p.sightings = append(p.sightings, s)
		}
	}
}

// Value is one value that a pattern names.
type Value struct {
	Kind  Kind
	Value string
}

// ParsePattern reads the patterns that one value, or several of which each is enough, can be made of: comparisons for equality (=, IN, and ISSUBSET of networks) joined by OR, within
// one observation or several. AND is read only of a user and a credential. What says more is an error: to take half of a pattern would be to accuse the innocent.
func ParsePattern(pattern string) ([]Value, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the pattern has %d bytes; at most %d are read", len(pattern), maxPattern)
	}
	p := patternReader{rest: pattern}
	var out []Value
	for {
		if !p.take("[") {
			return nil, p.wrong("[")
		}
		values, err := p.observation()
		if err != nil {
			return nil, err
		}
		if out = append(out, values...); len(out) > maxComparisons {
			return nil, fmt.Errorf("the pattern has more than %d comparisons", maxComparisons)
		}
		switch {
		case p.end():
			return out, nil
		case !p.word("OR"):
			return nil, p.wrong("OR or the end")
		}
	}
}

type patternReader struct{ rest string }

func (p *patternReader) wrong(want string) error {
	return fmt.Errorf("the pattern is not read: want %s before %.40q", want, p.rest)
}

func (p *patternReader) end() bool {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest == ""
}

func (p *patternReader) take(s string) bool {
	p.end()
	if strings.HasPrefix(p.rest, s) {
		p.rest = p.rest[len(s):]
		return true
	}
	return false
}

func (p *patternReader) word(w string) bool {
	p.end()
	if len(p.rest) < len(w) || !strings.EqualFold(p.rest[:len(w)], w) {
		return false
	}
	if len(p.rest) > len(w) && strings.IndexByte(" \t\r\n'(", p.rest[len(w)]) < 0 {
		return false
	}
	p.rest = p.rest[len(w):]
	return true
}

// text reads a quoted string.
func (p *patternReader) text() (string, bool) {
	if !p.take("'") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '\\':
			if i++; i < len(p.rest) {
				b.WriteByte(p.rest[i])
			}
		case '\'':
			p.rest = p.rest[i+1:]
			return b.String(), true
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// path reads up to the operator, hashes' quoted names included.
func (p *patternReader) path() string {
	p.end()
	inQuotes := false
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\'':
			inQuotes = !inQuotes
		case !inQuotes && strings.IndexByte(" \t\r\n=!<>", c) >= 0:
			path := p.rest[:i]
			p.rest = p.rest[i:]
			return path
		}
	}
	return ""
}

// observation reads comparisons up to the closing bracket.
func (p *patternReader) observation() ([]Value, error) {
	var out []Value
	for {
		path := p.path()
		values, err := p.operand(path)
		if err != nil {
			return nil, err
		}
		if path == pathUser || path == "user-account:user_id" {
			if len(values) != 1 || !p.word("AND") || p.path() != pathSecret {
				return nil, fmt.Errorf("the pattern is not read: a user is nothing without a credential")
			}
			secret, err := p.operand(pathSecret)
			if err != nil || len(secret) != 1 {
				return nil, fmt.Errorf("the pattern is not read: want one credential")
			}
			out = append(out, Value{Credential, values[0] + ":" + secret[0]})
		} else {
			kind := kindOf(path)
			if kind == "" {
				return nil, fmt.Errorf("the pattern is not read: nothing is kept of %.60q", path)
			}
			for _, v := range values {
				out = append(out, Value{kind, v})
			}
		}
		if len(out) > maxComparisons {
			return nil, fmt.Errorf("the pattern has more than %d comparisons", maxComparisons)
		}
		if p.take("]") {
			return out, nil
		}
		if !p.word("OR") {
			return nil, p.wrong("OR or ]")
		}
	}
}

func kindOf(path string) Kind {
	switch strings.ReplaceAll(path, `"`, `'`) {
	case pathIPv4, pathIPv6:
		return Address
	case pathDomain:
		return Domain
	case pathURL:
		return URL
	case pathSHA256, "file:hashes.SHA256", "file:hashes.'SHA256'":
		return SHA256
	case pathHASSH:
		return HASSH
	case pathShingle:
		return Shingle
	}
	return ""
}

// operand reads an operator of equality and what stands behind it.
func (p *patternReader) operand(path string) ([]string, error) {
	network := path == pathIPv4 || path == pathIPv6
	switch {
	case p.take("=="), p.take("="), network && p.word("ISSUBSET"):
		v, ok := p.text()
		if !ok {
			return nil, p.wrong("a text in quotes")
		}
		return []string{v}, nil
	case p.word("IN") && p.take("("):
		var out []string
		for len(out) <= maxComparisons {
			v, ok := p.text()
			if !ok {
				return nil, p.wrong("a text in quotes")
			}
			out = append(out, v)
			if p.take(")") {
				return out, nil
			}
			if !p.take(",") {
				break
			}
		}
	}
	return nil, p.wrong("= or IN")
}
