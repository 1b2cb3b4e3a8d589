package host

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

const maxAddresses = 8

// addresses are the machine's own, separated by blanks. Those of bridges between containers are left out: every machine has the same.
func addresses() string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	var out []string
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || bridge(i.Name) {
			continue
		}
		own, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range own {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().IsGlobalUnicast() && len(out) < maxAddresses {
				out = append(out, p.Addr().Unmap().String())
			}
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

// bridge reports whether an interface is one that container and virtual machine managers make.
func bridge(name string) bool {
	for _, prefix := range [...]string{"docker", "br-", "virbr", "veth", "cni", "lxcbr", "lxdbr", "podman", "flannel", "cali", "kube"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
