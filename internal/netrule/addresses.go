package netrule

import (
	"fmt"
	"net/netip"
	"strings"
)

// Prefixes is a list of address ranges.
type Prefixes []netip.Prefix

// Contains tells whether one of the ranges holds the address. An IPv4 address mapped into IPv6 is the IPv4 address.
func (p Prefixes) Contains(a netip.Addr) bool {
	a = a.Unmap()
	for _, r := range p {
		if r.Contains(a) {
			return true
		}
	}
	return false
}

// Overlaps tells whether an address is in the range and in one of the list's.
func (p Prefixes) Overlaps(r netip.Prefix) bool {
	for _, have := range p {
		if have.Overlaps(r) {
			return true
		}
	}
	return false
}

// Covers tells whether one range of the list holds the whole of r.
func (p Prefixes) Covers(r netip.Prefix) bool {
	for _, have := range p {
		if have.Bits() <= r.Bits() && have.Contains(r.Addr()) {
			return true
		}
	}
	return false
}

// ParsePrefix reads an address or a range in CIDR form. Bits below the prefix length are dropped; IPv4 mapped into IPv6 is IPv4. Zones are refused: they mean
// something on one machine only.
func ParsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return netip.Prefix{}, noRange(text)
		}
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return netip.Prefix{}, noRange(text)
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, noRange(text)
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// ParsePrefix4 is ParsePrefix where IPv6 is not known.
func ParsePrefix4(text string) (netip.Prefix, error) {
	p, err := ParsePrefix(text)
	if err == nil && !p.Addr().Is4() {
		err = noRange(text)
	}
	return p, err
}

func noRange(text string) error {
	const most = 64
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return fmt.Errorf("%q is no IP address and no range in CIDR form", text)
}
