package intel

import (
	"crypto/sha1" //nolint:gosec // a UUID of version 5 is defined by it
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Kind is what an indicator is of.
type Kind string

// The kinds.
const (
	Address    Kind = "ip" // an address or a network
	Domain     Kind = "domain"
	URL        Kind = "url"
	SHA256     Kind = "sha256"
	HASSH      Kind = "hassh"
	Credential Kind = "credential" // user:password
	Shingle    Kind = "shingle"    // see package shingle
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{Address, Domain, URL, SHA256, HASSH, Credential, Shingle} }

// HalfLife is the time in which a score halves.
func (k Kind) HalfLife() time.Duration {
	const day = 24 * time.Hour
	switch k {
	case Address:
		return 14 * day
	case Domain, URL:
		return 45 * day
	case SHA256:
		return 365 * day
	}
	return 90 * day
}

// Threshold is the score from which an indicator counts.
const Threshold = 0.5

// forgotten is the score below which an indicator may go.
const forgotten = 0.05

// Bounds of one indicator.
const (
	maxValue   = 2048
	maxNote    = 512
	maxSources = 8
)

// Indicator is what is known of one value.
type Indicator struct {
	Kind    Kind      `json:"kind"`
	Value   string    `json:"value"`
	ID      string    `json:"id"` // of its STIX object
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Added   time.Time `json:"added"` // when this state of it was; no two are equal
	Until   time.Time `json:"until,omitzero"`
	Score   float64   `json:"score"` // at Last
	Count   int       `json:"count"`
	Sources []string  `json:"sources"`
	Note    string    `json:"note,omitempty"`
	Lasting bool      `json:"lasting,omitempty"` // it doesn't fade
}

// Now is the score at a time.
func (i *Indicator) Now(t time.Time) float64 {
	if !i.Until.IsZero() && !t.Before(i.Until) {
		return 0
	}
	if i.Lasting || !t.After(i.Last) {
		return i.Score
	}
	return i.Score * math.Exp2(-float64(t.Sub(i.Last))/float64(i.Kind.HalfLife()))
}

// Sighting is one observation of a value.
type Sighting struct {
	Kind    Kind
	Value   string
	Source  string // who saw it: "honeypot", "import:feed.json"
	Witness string // what makes two sightings of one source independent: the visitor's address; "": nothing
	Weight  float64
	Note    string
	Time    time.Time
	Until   time.Time
	Lasting bool
}

// Clean brings a value into the form in which it is kept and asked for. An error says what is wrong with it.
func Clean(k Kind, value string) (string, error) {
	v := strings.TrimSpace(value)
	if len(v) > maxValue || strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r == 0x7f }) || v != strings.ToValidUTF8(v, "") {
		return "", fmt.Errorf("%.60q is too long, or has control characters", v)
	}
	switch k {
	case Address:
		if a, err := netip.ParseAddr(v); err == nil {
			return a.Unmap().WithZone("").String(), nil
		}
		p, err := netip.ParsePrefix(v)
		if err != nil || p.Bits() < 8 {
			return "", fmt.Errorf("%.60q is no address, and no network of at least 8 bits", v)
		}
		return p.Masked().String(), nil
	case Domain:
		v = strings.ToLower(strings.TrimPrefix(strings.TrimSuffix(v, "."), "*."))
		if !strings.Contains(v, ".") || strings.ContainsAny(v, " /:@,;'\"\\[]") || len(v) > 253 {
			return "", fmt.Errorf("%.60q is no domain", v)
		}
		return v, nil
	case URL:
		u, err := url.Parse(v)
		if err != nil || u.Scheme == "" || u.Host == "" {
			return "", fmt.Errorf("%.60q is no URL", v)
		}
		u.Host = strings.ToLower(u.Host)
		return u.String(), nil
	case SHA256, HASSH:
		want := map[Kind]int{SHA256: 64, HASSH: 32}[k]
		v = strings.ToLower(v)
		if _, err := hex.DecodeString(v); err != nil || len(v) != want {
			return "", fmt.Errorf("%.70q is no %s: want %d hexadecimal digits", v, k, want)
		}
		return v, nil
	case Credential:
		if !strings.Contains(v, ":") {
			return "", fmt.Errorf("a credential has the form user:password")
		}
		return v, nil
	case Shingle:
		if v == "" {
			return "", fmt.Errorf("a shingle is empty")
		}
		return v, nil
	}
	return "", fmt.Errorf("%.40q is no kind of indicator", k)
}

// add enters a sighting. The value has been cleaned.
func (i *Indicator) add(s *Sighting) {
	witness := s.Source
	if s.Witness != "" {
		witness += " " + s.Witness
	}
	weight := min(max(s.Weight, 0), 1)
	now := i.Now(s.Time)
	switch {
	case i.Count == 0:
		i.First, i.Score = s.Time, weight
	case slices.Contains(i.Sources, witness): // the same witness again: it is remembered, not believed twice
		i.Score = max(now, weight)
	default:
		i.Score = 1 - (1-now)*(1-weight)
	}
	if !slices.Contains(i.Sources, witness) {
		if len(i.Sources) == maxSources {
			i.Sources = slices.Clone(i.Sources[1:])
		}
		i.Sources = append(slices.Clone(i.Sources), witness)
	}
	i.Count++
	if s.Time.Before(i.First) {
		i.First = s.Time
	}
	if s.Time.After(i.Last) {
		i.Last = s.Time
	}
	i.Lasting = i.Lasting || s.Lasting
	i.Until = s.Until
	if s.Note != "" {
		i.Note = s.Note[:min(len(s.Note), maxNote)]
	}
}

// idOf is a value's STIX id: a UUID of version 5 of the kind and the value, so that it is the same wherever it is made.
func idOf(k Kind, value string) string {
	space := [16]byte{0x4b, 0x75, 0x1c, 0x0e, 0x9d, 0x5f, 0x4d, 0x0a, 0x8f, 0x6e, 0x3a, 0x52, 0x77, 0x60, 0x21, 0xc4}
	h := sha1.New() //nolint:gosec // a UUID of version 5 is defined by it
	h.Write(space[:])
	h.Write([]byte(string(k) + "\x00" + value))
	u := h.Sum(nil)[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return fmt.Sprintf("indicator--%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
