package sigma

import "net/netip"

// parseAddr is netip.ParseAddr, without zones, of bytes and without an allocation. IPv4 addresses in IPv6 form are given as IPv4.
func parseAddr(b []byte) (netip.Addr, bool) {
	for _, c := range b {
		switch c {
		case '.':
			a, ok := parseIPv4(b)
			return netip.AddrFrom4(a), ok
		case ':':
			a, ok := parseIPv6(b)
			return netip.AddrFrom16(a).Unmap(), ok
		}
	}
	return netip.Addr{}, false
}

func parseIPv4(b []byte) (out [4]byte, ok bool) {
	n, digits, value := 0, 0, 0
	for i := 0; i <= len(b); i++ {
		if i == len(b) || b[i] == '.' {
			if digits == 0 || n == 4 {
				return out, false
			}
			out[n] = byte(value)
			n, digits, value = n+1, 0, 0
			continue
		}
		c := b[i]
		if c < '0' || c > '9' || digits > 0 && value == 0 {
			return out, false
		}
		if value = value*10 + int(c-'0'); value > 255 {
			return out, false
		}
		digits++
	}
	return out, n == 4
}

func parseIPv6(b []byte) (out [16]byte, ok bool) {
	n, gap := 0, -1
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = 0, b[2:]
		if len(b) == 0 {
			return out, true
		}
	}
	for n < 16 {
		value, digits := 0, 0
		for digits < len(b) {
			h := hexDigit(b[digits])
			if h < 0 {
				break
			}
			if value = value<<4 | h; value > 0xffff || digits > 3 {
				return out, false
			}
			digits++
		}
		if digits == 0 {
			return out, false
		}
		if digits < len(b) && b[digits] == '.' {
			v4, ok := parseIPv4(b)
			if !ok || n > 12 || gap < 0 && n != 12 {
				return out, false
			}
			copy(out[n:], v4[:])
			n, b = n+4, nil
			break
		}
		out[n], out[n+1] = byte(value>>8), byte(value)
		n, b = n+2, b[digits:]
		if len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return out, false
		}
		if b = b[1:]; b[0] == ':' {
			if gap >= 0 {
				return out, false
			}
			if gap, b = n, b[1:]; len(b) == 0 {
				break
			}
		}
	}
	if len(b) > 0 || n == 16 && gap >= 0 || n < 16 && gap < 0 {
		return out, false
	}
	if n < 16 {
		tail := n - gap
		copy(out[16-tail:], out[gap:n])
		clear(out[gap : 16-tail])
	}
	return out, true
}

func hexDigit(c byte) int {
	switch c = lowerASCII(c); {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
