package geoip

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/oschwald/maxminddb-golang"
)

const (
	maxNetworks = 4 << 20 // of a text
	maxCountry  = 64      // bytes
	maxFile     = 1 << 30
)

// Table is safe for concurrent use.
type Table struct {
	networks map[netip.Prefix]string
	four     []int // the lengths of prefixes there are, the longest first
	six      []int
	mmdb     *maxminddb.Reader
}

// Open reads a table from a file. A line that is none ends it with an error that names the line.
func Open(name string) (*Table, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// marker begins the last part of a database of MaxMind's.
var marker = []byte("\xab\xcd\xefMaxMind.com")

// Read reads a table of either kind.
func Read(in io.Reader) (*Table, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	if bytes.Contains(text[max(0, len(text)-(128<<10)):], marker) {
		r, err := maxminddb.FromBytes(text)
		if err != nil {
			return nil, fmt.Errorf("a database in MaxMind's format: %w", err)
		}
		return &Table{mmdb: r}, nil
	}
	return plain(text)
}

func plain(text []byte) (*Table, error) {
	t := &Table{networks: map[netip.Prefix]string{}}
	countries := map[string]string{} // each kept once
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		network, rest, ok := strings.Cut(line, ",")
		network = strings.Trim(network, " \t\"\ufeff")
		if network == "" && !ok {
			continue
		}
		p, err := parse(network)
		if err != nil && n == 1 && !strings.ContainsAny(network, "0123456789") {
			continue // a heading
		}
		country, _, _ := strings.Cut(rest, ",")
		country = strings.Trim(country, " \t\"\r")
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %.60q is no network", n, network)
		case country == "" || !utf8.ValidString(country) || len(strings.ToUpper(country)) > maxCountry: // some letters are longer in upper case
			return nil, fmt.Errorf("line %d: no country behind %s", n, network)
		case len(t.networks) >= maxNetworks:
			return nil, fmt.Errorf("line %d: more than %d networks", n, maxNetworks)
		}
		if _, ok := countries[country]; !ok {
			countries[country] = strings.ToUpper(country)
		}
		t.networks[p] = countries[country]
		lengths := &t.four
		if p.Addr().Is6() {
			lengths = &t.six
		}
		if !slices.Contains(*lengths, p.Bits()) {
			*lengths = append(*lengths, p.Bits())
		}
	}
	for _, l := range []*[]int{&t.four, &t.six} {
		slices.Sort(*l)
		slices.Reverse(*l)
	}
	return t, lines.Err()
}

func parse(network string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(network); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(network)
	if err != nil {
		return p, err
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("%s is larger than IPv4", network)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// Country is the country of an address, "" if the table has none.
func (t *Table) Country(a netip.Addr) string {
	if a = a.Unmap().WithZone(""); !a.IsValid() {
		return ""
	}
	if t.mmdb != nil {
		var record struct {
			Country struct {
				Code string `maxminddb:"iso_code"`
			} `maxminddb:"country"`
		}
		if t.mmdb.Lookup(a.AsSlice(), &record) != nil {
			return ""
		}
		return record.Country.Code[:min(len(record.Country.Code), maxCountry)]
	}
	lengths := t.four
	if a.Is6() {
		lengths = t.six
	}
	for _, bits := range lengths {
		if p, err := a.Prefix(bits); err == nil {
			if c, ok := t.networks[p]; ok {
				return c
			}
		}
	}
	return ""
}
