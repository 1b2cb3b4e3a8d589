package shell

import (
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"
)

func networkPrograms() map[string]command {
	return map[string]command{
		"wget": wget, "curl": curl, "tftp": tftp, "ftpget": ftpget, "ftp": ftp, "sftp": ssh, "ssh": ssh, "scp": scp, "nc": nc, "netcat": nc, "telnet": nc, "ping": ping, "ifconfig": ifconfig, "ip": ip,
		"netstat": netstat, "ss": netstat, "route": route, "arp": arp, "nslookup": lookup, "host": lookup, "dig": lookup, "traceroute": ping, "rsync": ssh, "ssh-keygen": sshKeygen,
	}
}

// address makes a download's argument an address.
func address(a string) (string, *url.URL) {
	if !strings.Contains(a, "://") {
		a = "http://" + a
	}
	u, err := url.Parse(a)
	if err != nil || u.Host == "" {
		return a, nil
	}
	return a, u
}

// wget records what was to be fetched. Nothing is: it fails as where the network ends at a firewall.
func wget(p *program) int {
	o := p.parse("OPoaTtUi", "output-document", "directory-prefix", "timeout", "tries", "user-agent", "header", "post-data")
	if len(o.rest) == 0 {
		fmt.Fprintln(p.io.err, "wget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.")
		return 1
	}
	for _, a := range o.rest {
		full, u := address(cut(a, 2048))
		if u == nil {
			fmt.Fprintf(p.io.err, "%s: Invalid host name.\n", printable(a))
			return 4
		}
		p.cfg.Observer.Fetched("wget", full, p.target(u, o.value("O", "output-document"), o.value("P", "directory-prefix")))
		if o.is("q", "quiet") {
			continue
		}
		fmt.Fprintf(p.io.err, "--%s--  %s\n", p.cfg.Now().Format("2006-01-02 15:04:05"), full)
		if isAddress(u.Hostname()) {
			fmt.Fprintf(p.io.err, "Connecting to %s:%s... ", u.Hostname(), port(u))
			p.wait(2 * time.Second)
			fmt.Fprintln(p.io.err, "failed: Connection timed out.")
		} else {
			fmt.Fprintf(p.io.err, "Resolving %s (%s)... ", u.Hostname(), u.Hostname())
			p.wait(time.Second)
			fmt.Fprintf(p.io.err, "failed: Temporary failure in name resolution.\nwget: unable to resolve host address ‘%s’\n", u.Hostname())
		}
	}
	return 4
}

func isAddress(host string) bool {
	return strings.Trim(host, "0123456789.") == "" || strings.Contains(host, ":")
}

func port(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	return map[string]string{"https": "443", "ftp": "21", "tftp": "69"}[u.Scheme] + map[string]string{"http": "80"}[u.Scheme]
}

func (p *program) target(u *url.URL, named, dir string) string {
	if named == "-" {
		return "-"
	}
	if named == "" {
		named = path.Base(u.Path)
		if named == "/" || named == "." {
			named = "index.html"
		}
		if dir != "" {
			named = dir + "/" + named
		}
	}
	return p.abs(named)
}

func curl(p *program) int {
	o := p.parse("oHdXAbcemTuxrFwK", "output", "header", "data", "request", "user-agent", "max-time", "connect-timeout", "user", "proxy", "url")
	if u := o.value("url"); u != "" {
		o.rest = append(o.rest, u)
	}
	if len(o.rest) == 0 {
		fmt.Fprintln(p.io.err, "curl: try 'curl --help' or 'curl --manual' for more information")
		return 2
	}
	for _, a := range o.rest {
		full, u := address(cut(a, 2048))
		if u == nil {
			fmt.Fprintln(p.io.err, "curl: (3) URL using bad/illegal format or missing URL")
			return 3
		}
		to := "-"
		if o.is("O", "o", "output", "remote-name") {
			to = p.target(u, o.value("o", "output"), "")
		}
		p.cfg.Observer.Fetched("curl", full, to)
		p.wait(time.Second)
		if !o.is("s", "silent") || o.is("S", "show-error") {
			if isAddress(u.Hostname()) {
				fmt.Fprintf(p.io.err, "curl: (28) Failed to connect to %s port %s: Connection timed out\n", u.Hostname(), port(u))
			} else {
				fmt.Fprintf(p.io.err, "curl: (6) Could not resolve host: %s\n", u.Hostname())
			}
		}
	}
	return 6
}

func tftp(p *program) int {
	o := p.parse("lrcm")
	host, file := "", o.value("r", "l")
	for i, r := range o.rest {
		switch {
		case r == "get" && i+1 < len(o.rest):
			file = o.rest[i+1]
		case host == "" && !isNumber(r):
			host = r
		}
	}
	if c := o.value("c"); c != "" && c != "get" {
		file = c
	}
	if host == "" {
		return 1
	}
	p.cfg.Observer.Fetched("tftp", cut("tftp://"+host+"/"+file, 2048), p.abs(path.Base("/"+file)))
	p.wait(time.Second)
	p.print("Transfer timed out.\n\n")
	return 1
}

func ftpget(p *program) int {
	o := p.parse("upP")
	if len(o.rest) < 2 {
		return 1
	}
	p.cfg.Observer.Fetched("ftpget", cut("ftp://"+o.rest[0]+"/"+o.rest[len(o.rest)-1], 2048), p.abs(path.Base("/"+o.rest[1])))
	p.wait(time.Second)
	return p.fail("can't connect to remote host (%s): Connection timed out", printable(o.rest[0]))
}

func ftp(p *program) int {
	o := p.parse("P")
	if len(o.rest) == 0 {
		return 0
	}
	p.cfg.Observer.Fetched("ftp", cut("ftp://"+o.rest[0], 2048), "")
	p.wait(time.Second)
	fmt.Fprintf(p.io.err, "ftp: connect: Connection timed out\n")
	return 1
}

// ssh pretends to try, and notes whom it was to reach.
func ssh(p *program) int {
	o := p.parse("pioFlLRDbcEJmOQSWwe")
	if o.is("V") {
		fmt.Fprintln(p.io.err, strings.TrimPrefix(p.cfg.Persona.System.SSH, "SSH-2.0-")+", OpenSSL 1.1.1n  15 Mar 2022")
		return 0
	}
	if len(o.rest) == 0 {
		fmt.Fprintln(p.io.err, "usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface] [user@]host [command]")
		return 255
	}
	host := o.rest[0]
	if _, h, ok := strings.Cut(host, "@"); ok {
		host = h
	}
	host, _, _ = strings.Cut(host, ":")
	n := o.value("p")
	if n == "" {
		n = "22"
	}
	p.cfg.Observer.Noted("connect", cut(host+":"+n, 300))
	p.wait(2 * time.Second)
	fmt.Fprintf(p.io.err, "ssh: connect to host %s port %s: Connection timed out\n", printable(host), printable(n))
	return 255
}

func nc(p *program) int {
	o := p.parse("pwsqiXxe")
	if len(o.rest) > 1 {
		p.cfg.Observer.Noted("connect", cut(o.rest[0]+":"+o.rest[1], 300))
		if o.is("e") {
			p.cfg.Observer.Noted("reverse-shell", cut(o.rest[0]+":"+o.rest[1], 300))
		}
	}
	p.wait(time.Second)
	return 1
}

func ping(p *program) int {
	o := p.parse("cWiIst")
	if len(o.rest) == 0 {
		return p.fail("usage error: Destination address required")
	}
	host := o.rest[0]
	p.cfg.Observer.Noted("ping", cut(host, 300))
	if !isAddress(host) {
		return p.fail("%s: Temporary failure in name resolution", printable(host)) + 1
	}
	n := 4
	if c := o.value("c"); c != "" {
		n = int(min(max(numberOf(c), 1), 10))
	}
	p.print("PING %s (%s) 56(84) bytes of data.\n", host, host)
	p.wait(time.Duration(n) * time.Second)
	p.print("\n--- %s ping statistics ---\n%d packets transmitted, 0 received, 100%% packet loss, time %dms\n\n", host, n, (n-1)*1017)
	return 1
}

func broadcast(addr string) string { return addr[:strings.LastIndexByte(addr, '.')] + ".255" }

func ifconfig(p *program) int {
	s := p.cfg.Persona
	p.print("eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n        inet %s  netmask 255.255.255.0  broadcast %s\n        ether %s  txqueuelen 1000  (Ethernet)\n        RX packets 48120331  bytes %d (%.1f GB)\n        TX packets 39122004  bytes %d (%.1f GB)\n\n"+
		"lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask 255.0.0.0\n        loop  txqueuelen 1000  (Local Loopback)\n        RX packets 612034  bytes 91823344 (91.8 MB)\n\n",
		s.Address, broadcast(s.Address), s.MAC, s.MemoryKB*1733, float64(s.MemoryKB)*1733/1e9, s.MemoryKB*911, float64(s.MemoryKB)*911/1e9)
	return 0
}

func ip(p *program) int {
	s := p.cfg.Persona
	o := p.parse("f")
	if len(o.rest) == 0 {
		fmt.Fprintln(p.io.err, "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }")
		return 255
	}
	switch what := o.rest[0]; {
	case strings.HasPrefix("address", what):
		p.print("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n"+
			"2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000\n    link/ether %s brd ff:ff:ff:ff:ff:ff\n    inet %s/24 brd %s scope global eth0\n       valid_lft forever preferred_lft forever\n", s.MAC, s.Address, broadcast(s.Address))
	case strings.HasPrefix("link", what):
		p.print("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT\n2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP mode DEFAULT\n    link/ether %s brd ff:ff:ff:ff:ff:ff\n", s.MAC)
	case strings.HasPrefix("route", what):
		net := s.Address[:strings.LastIndexByte(s.Address, '.')]
		p.print("default via %s dev eth0 proto dhcp src %s metric 100 \n%s.0/24 dev eth0 proto kernel scope link src %s \n", s.Gateway, s.Address, net, s.Address)
	case strings.HasPrefix("neighbour", what):
		p.print("%s dev eth0 lladdr 12:34:56:78:9a:bc REACHABLE\n", s.Gateway)
	}
	return 0
}

func netstat(p *program) int {
	s := p.cfg.Persona
	p.print("Active Internet connections (servers and established)\nProto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n")
	row := func(local, foreign, state, prog string) {
		p.print("tcp        0      0 %-23s %-23s %-11s %s\n", local, foreign, state, prog)
	}
	name := "-"
	if p.user().UID == 0 {
		name = "718/sshd"
	}
	row("0.0.0.0:22", "0.0.0.0:*", "LISTEN", name)
	row(fmt.Sprintf("0.0.0.0:%d", s.Service.Port), "0.0.0.0:*", "LISTEN", "-")
	row(s.Address+":22", p.cfg.From+":51514", "ESTABLISHED", name)
	return 0
}

func route(p *program) int {
	s := p.cfg.Persona
	net := s.Address[:strings.LastIndexByte(s.Address, '.')] + ".0"
	p.print("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n0.0.0.0         %-15s 0.0.0.0         UG    100    0        0 eth0\n%-15s 0.0.0.0         255.255.255.0   U     0      0        0 eth0\n", s.Gateway, net)
	return 0
}

func arp(p *program) int {
	p.print("Address                  HWtype  HWaddress           Flags Mask            Iface\n%-24s ether   12:34:56:78:9a:bc   C                     eth0\n", p.cfg.Persona.Gateway)
	return 0
}

func lookup(p *program) int {
	o := p.parse("t")
	if len(o.rest) > 0 {
		p.cfg.Observer.Noted("lookup", cut(o.rest[0], 300))
	}
	p.wait(time.Second)
	p.print(";; connection timed out; no servers could be reached\n\n")
	return 1
}

func sshKeygen(p *program) int {
	p.print("Generating public/private rsa key pair.\n")
	_, _ = io.WriteString(p.io.err, "Enter file in which to save the key ("+p.account.Home+"/.ssh/id_rsa): ")
	return 1
}
