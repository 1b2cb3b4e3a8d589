package detect

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// maxIndicators bounds a list of indicators.
const maxIndicators = 1 << 20

// Indicators is a list of what is known to be malicious. It is not changed once it is in use.
type Indicators struct {
	domains  map[string]bool
	prefixes []netip.Prefix
	addrs    map[netip.Addr]bool
}

// ShippedIndicators are those of the post of 24 November 2018. Others are the user's to add: none are shipped whose licence would have to be asked for.
func ShippedIndicators() *Indicators {
	return &Indicators{domains: map[string]bool{"nasapaul.com": true}, addrs: map[netip.Addr]bool{}}
}

// Add reads a plain list: a domain, an address or a network in a line; what follows # is a remark. A line that is none of these ends it with an error that names the line.
func (x *Indicators) Add(in io.Reader) error {
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		text = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(text), "."))
		if text == "" {
			continue
		}
		if len(x.domains)+len(x.addrs)+len(x.prefixes) >= maxIndicators {
			return fmt.Errorf("line %d: more than %d indicators", n, maxIndicators)
		}
		if a, err := netip.ParseAddr(text); err == nil {
			x.addrs[a.Unmap()] = true
		} else if p, err := netip.ParsePrefix(text); err == nil {
			x.prefixes = append(x.prefixes, p.Masked())
		} else if strings.Contains(text, ".") && !strings.ContainsAny(text, " \t/:@,;") {
			x.domains[strings.TrimPrefix(text, "*.")] = true
		} else {
			return fmt.Errorf("line %d: %.60q is no domain, address or network", n, text)
		}
	}
	return lines.Err()
}

// Domain reports whether a name, or one it lies below, is on the list.
func (x *Indicators) Domain(name string) bool {
	for name != "" {
		if x.domains[name] {
			return true
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return false
		}
		name = rest
	}
	return false
}

// Addr reports whether an address, as text, is on the list.
func (x *Indicators) Addr(text string) bool {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	if a = a.Unmap(); x.addrs[a] {
		return true
	}
	for _, p := range x.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
