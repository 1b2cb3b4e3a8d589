package geoip

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	table, err := Read(strings.NewReader("network,country\n# ours\n10.0.0.0/8,de\n10.20.0.0/16, RO ,more\n\"198.51.100.7\",\"FR\"\n2001:db8::/32,SE # documentation\n::ffff:192.0.2.0/120,IT\r\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"10.1.2.3": "DE", "10.20.255.1": "RO", "::ffff:10.20.0.1": "RO", "198.51.100.7": "FR", "198.51.100.8": "", "2001:db8::1": "SE", "2001:db9::1": "", "192.0.2.5": "IT", "fe80::1%eth0": "",
	} {
		if got := table.Country(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	if got := table.Country(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
}

func TestRead_Wrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.0/8,DE\nx,RO":                       `line 2: "x" is no network`,
		"10.0.0.0/8":                                "line 1: no country",
		"10.0.0.0/8,":                               "line 1: no country",
		"10.0.0.0/33,DE":                            "line 1",
		"::ffff:10.0.0.0/8,DE":                      "line 1",
		"10.0.0.0/8," + strings.Repeat("x", 70):     "line 1: no country",
		"\xab\xcd\xefMaxMind.com and then nonsense": "MaxMind's format",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that isn't there was read")
	}
}

// database makes one in MaxMind's format: an IPv6 tree in which one IPv4 network has a country.
func database(network netip.Prefix, country string) []byte {
	word := func(s string) []byte { return append([]byte{0x40 | byte(len(s))}, s...) }
	number := func(n uint32) []byte { return append([]byte{0xc4}, binary.BigEndian.AppendUint32(nil, n)...) }
	depth := 96 + network.Bits()
	path := append(make([]byte, 12), network.Addr().AsSlice()...)
	var tree []byte
	record := func(n uint32) { tree = append(tree, byte(n>>16), byte(n>>8), byte(n)) }
	nodes := uint32(depth)
	for i := range depth {
		next := uint32(i + 1)
		if i == depth-1 {
			next = nodes + 16 // the first record of the data
		}
		if path[i/8]>>(7-i%8)&1 == 0 {
			record(next)
			record(nodes)
		} else {
			record(nodes)
			record(next)
		}
	}
	out := append(tree, make([]byte, 16)...)
	out = append(append(out, 0xe1), word("country")...)
	out = append(append(append(out, 0xe1), word("iso_code")...), word(country)...)
	out = append(append(out, marker...), 0xe7)
	for _, part := range [][]byte{
		word("binary_format_major_version"), number(2), word("binary_format_minor_version"), number(0), word("node_count"), number(nodes), word("record_size"), number(24), word("ip_version"), number(6),
		word("database_type"), word("Test"), word("build_epoch"), number(1),
	} {
		out = append(out, part...)
	}
	return out
}

func TestMaxMind(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.mmdb")
	if err := os.WriteFile(file, database(netip.MustParsePrefix("203.0.113.0/24"), "RO"), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{"203.0.113.9": "RO", "203.0.114.9": "", "::ffff:203.0.113.9": "RO", "2001:db8::1": ""} {
		if got := table.Country(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("10.0.0.0/8,DE\n2001:db8::/32,SE"))
	f.Add(database(netip.MustParsePrefix("203.0.113.0/24"), "RO"))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, a := range []string{"203.0.113.9", "10.0.0.1", "2001:db8::1"} {
			if c := table.Country(netip.MustParseAddr(a)); len(c) > maxCountry {
				t.Errorf("a country of %d bytes", len(c))
			}
		}
	})
}
