package detect

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// onDenial: a program that is not the system's is given an address, a port and how long or how much: the grammar of scripts that flood. SSH clients, benchmarks and the like
// are the system's, and have options rather than numbers.
func onDenial(m *Machine, s *step) {
	if !s.clues.network {
		return
	}
	for i := range s.commands {
		c := &s.commands[i]
		interpreted := wrapperOf(c.Name) == wrapsPerl || wrapperOf(c.Name) == wrapsPython
		if trusted(within(s.process.Dir, c.Path)) && !interpreted && c.Name != "hping3" || !strings.Contains(c.Path, "/") && !interpreted && c.Via == "" && c.Name != "hping3" {
			continue
		}
		args := c.Args
		if interpreted {
			if len(args) == 0 || strings.HasPrefix(args[0], "-") || i == 0 && trusted(within(s.process.Dir, args[0])) {
				continue
			}
			args = args[1:]
		}
		var addr netip.Addr
		numbers, others := 0, 0
		for _, a := range args {
			if a == "" || (a[0] < '0' || a[0] > '9') && a[0] != '+' && a[0] != '-' { // most; an error takes time to be made
				others++
				continue
			}
			if at, err := netip.ParseAddr(a); err == nil && at.Is4() {
				addr = at
				continue
			}
			if n, err := strconv.Atoi(a); err == nil && n >= 0 {
				numbers++
				continue
			}
			others++
		}
		if !addr.IsValid() || numbers < 2 || others > 1 {
			continue
		}
		confidence := 0.65
		if interpreted {
			confidence = 0.75
		}
		m.attacked(s)
		f := s.find(&denialOfService, confidence, addr.String(), fmt.Sprintf("a program was given the address %s and %d numbers, as floods are", addr, numbers))
		f.Addrs = []netip.Addr{addr}
		if file := s.program(); file != "" {
			f.Files = []string{file}
		}
		m.report(f)
	}
}
