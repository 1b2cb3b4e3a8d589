package intel

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Format is how indicators are written in a file.
type Format string

// The formats.
const (
	STIX Format = "stix" // a STIX 2.1 bundle
	List Format = "list" // one a line; what follows # is a remark
)

// GuessKind tells what a line of a plain list is: an address or network, a URL, a hash by its length, a domain.
func GuessKind(text string) (Kind, bool) {
	if _, err := netip.ParseAddr(text); err == nil {
		return Address, true
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return Address, true
	}
	hexadecimal := strings.Trim(strings.ToLower(text), "0123456789abcdef") == ""
	switch {
	case strings.Contains(text, "://"):
		return URL, true
	case hexadecimal && len(text) == 64:
		return SHA256, true
	case hexadecimal && len(text) == 32:
		return HASSH, true
	case strings.Contains(text, ".") && !strings.ContainsAny(text, " \t/:@,;"):
		return Domain, true
	}
	return "", false
}

// parseList reads a plain list. A line is a value, whose kind is guessed, or "kind value". One that is neither is counted and named.
func parseList(in io.Reader, source string, weight float64, now time.Time) (*parsed, error) {
	p := &parsed{Imported: Imported{Problems: []string{}}}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 4096), 64<<10)
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		first, rest, spaced := strings.Cut(strings.TrimSpace(text), " ")
		kind, value := Kind(first), strings.TrimSpace(rest)
		named := false
		for _, k := range Kinds() {
			named = named || spaced && k == kind
		}
		if !named {
			text, _, _ = strings.Cut(text, "#")
			value = strings.TrimSpace(text)
			if value == "" {
				continue
			}
			var ok bool
			if kind, ok = GuessKind(value); !ok {
				p.Objects++
				p.skip("line %d: %.60q is no address, network, domain, URL or hash", n, value)
				continue
			}
		}
		if p.Objects++; p.Objects > maxObjects {
			return nil, fmt.Errorf("the list has more than %d lines", maxObjects)
		}
		clean, err := Clean(kind, value)
		if err != nil {
			p.skip("line %d: %s", n, err)
			continue
		}
		p.sightings = append(p.sightings, Sighting{Kind: kind, Value: clean, Source: source, Weight: weight, Time: now})
	}
	return p, lines.Err()
}

// Import enters a file. source names it in the indicators; weight, for plain lists and MISP, is how much it is believed.
func (s *Store) Import(ctx context.Context, f Format, raw []byte, source string, weight float64) (Imported, error) {
	now := s.deps.Clock.Now()
	var p *parsed
	var err error
	switch f {
	case STIX:
		p, err = parseBundle(raw, source, now)
	case List:
		p, err = parseList(strings.NewReader(string(raw)), source, weight, now)
	case MISP:
		p, err = parseMISP(raw, source, weight, now)
	default:
		err = fmt.Errorf("%.20q is no format: want stix, misp or list", f)
	}
	if err != nil {
		return Imported{}, fault.New(fault.Invalid, "InvalidIndicators", "%s.", err)
	}
	if p.New, err = s.Put(ctx, p.sightings); err != nil {
		return Imported{}, err
	}
	p.Entered = len(p.sightings)
	for _, r := range p.revoked {
		n, err := s.Remove(ctx, r.Kind, r.Value)
		if err != nil {
			return Imported{}, err
		}
		p.Removed += n
	}
	return p.Imported, nil
}

// Export writes what the filter chooses. Credentials are in it only where the filter names their kind.
func (s *Store) Export(w io.Writer, f Format, which Filter) error {
	if len(which.Kinds) == 0 {
		which.Kinds = open()
	}
	found, _ := s.List(which)
	now := s.deps.Clock.Now()
	if f == List {
		out := bufio.NewWriter(w)
		for _, i := range found {
			line := i.Value
			if k, ok := GuessKind(i.Value); !ok || k != i.Kind {
				line = string(i.Kind) + " " + i.Value
			}
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
		return out.Flush()
	}
	if f == MISP {
		return writeMISP(w, found, now)
	}
	b := Bundle{Type: "bundle", ID: "bundle--" + uuid(), Objects: make([]Object, 0, len(found))}
	for _, i := range found {
		b.Objects = append(b.Objects, ObjectOf(i, now))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(b)
}

// open are the kinds that leave unasked.
func open() []Kind { return []Kind{Address, Domain, URL, SHA256, HASSH, Shingle} }

func uuid() string {
	var u [16]byte
	_, _ = rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
