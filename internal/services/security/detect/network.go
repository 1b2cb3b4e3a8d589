package detect

import (
	"strings"
)

func networkAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"port-scan", []string{"nmap", "masscan", "zmap", "rustscan", "unicornscan", "naabu", "pnscan", "hping3", "fping", "arp-scan", "netdiscover", "nbtscan", "nc", "ncat", "netcat", "telnet", "nping", "sh", "bash", "python3", "python", "python2", "zgrab", "xprobe2", "p0f"}, onPortScan},
		{"directory-query", []string{"ldapsearch", "rpcclient", "smbclient", "smbmap", "showmount", "smbstatus", "net", "wbinfo", "adidnsdump", "nslookup-x", "dig", "host", "windapsearch", "windapsearch.py", "samrdump.py", "lookupsid.py", "smbtree", "nmblookup", "avahi-browse"}, onDirectoryQuery},
	}
}

// onPortScan: addresses or ports are tried one after the other, by tools made for it, by netcat told to, or by a loop over /dev/tcp.
func onPortScan(s *step, c *Command) {
	if expected(s.process) || c.has("--version", "-V", "--help") {
		return
	}
	text := strings.Join(c.Args, " ")
	switch c.Name {
	case "nmap", "masscan", "zmap", "rustscan", "unicornscan", "naabu", "pnscan", "arp-scan", "netdiscover", "nbtscan", "zgrab", "nping", "fping":
		if len(c.Args) > 0 && (c.Name != "fping" || c.flag('g')) {
			s.tell(&portScanTool, 0.6, c.Name, c.Name+" was told to scan")
		}
	case "nc", "ncat", "netcat":
		if c.flag('z') || c.flag('n') && c.flag('v') && !c.flag('l') {
			s.tell(&portTried, 0.4, "", "it was tried whether a port is open")
		}
		for _, o := range c.operands() {
			if a, b, ok := strings.Cut(o, "-"); ok && digits(a) && digits(b) {
				s.tell(&portScanTool, 0.6, c.Name, "ports were tried one after the other by "+c.Name)
				return
			}
		}
	case "telnet":
		if len(c.operands()) == 2 {
			s.tell(&portTried, 0.3, "", "a port was connected to by telnet")
		}
	case "sh", "bash":
		if (strings.Contains(text, "/dev/tcp/") || strings.Contains(text, "nc -z") || strings.Contains(text, "ping -c")) && (strings.Contains(text, "for ") || strings.Contains(text, "seq ") || strings.Contains(text, "while ")) {
			if strings.Contains(text, "$port") || strings.Contains(text, "..") || strings.Contains(text, "seq ") || strings.Contains(text, "$ip") || strings.Contains(text, "$i") || strings.Contains(text, "$p") {
				s.tell(&portScanTool, 0.6, "loop", "addresses or ports were tried one after the other in a loop")
			}
		}
	case "python3", "python", "python2":
		if strings.Contains(text, "connect_ex") && strings.Contains(text, "range(") {
			s.tell(&portScanTool, 0.6, "loop", "ports were tried one after the other by a one-liner")
		}
	}
}

func digits(t string) bool { return t != "" && strings.Trim(t, "0123456789") == "" }

// onDirectoryQuery: what there is in a network is asked of its directory, shares and name service.
func onDirectoryQuery(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	text := strings.Join(c.Args, " ")
	what := ""
	for i, a := range c.Args {
		if c.Name == "ldapsearch" && a == "-w" && c.arg(i+1) != "" || c.Name != "ldapsearch" && (a == "-U" || a == "-u") && strings.Contains(c.arg(i+1), "%") {
			s.tell(&passwordInLine, 0.5, c.Name, "a password for a directory was given by the command line of "+c.Name)
		}
	}
	switch c.Name {
	case "ldapsearch", "windapsearch", "windapsearch.py", "samrdump.py", "lookupsid.py", "adidnsdump", "rpcclient", "wbinfo":
		what = "a directory of accounts"
		if strings.Contains(text, "unixUserPassword") || strings.Contains(text, "userPassword") || strings.Contains(text, "servicePrincipalName") || strings.Contains(text, "userAccountControl") || strings.Contains(text, "adminCount") || strings.Contains(text, "ms-Mcs-AdmPwd") {
			s.tell(&directorySearched, 0.6, "secrets", "a directory was searched for passwords, or accounts that are easily taken")
			return
		}
	case "net":
		if c.arg(0) != "ads" && c.arg(0) != "rpc" && c.arg(0) != "share" {
			return
		}
		what = "a directory of accounts"
	case "smbclient":
		if !c.flag('L') {
			return
		}
		what = "shared folders"
	case "smbmap", "showmount", "smbstatus", "smbtree", "nmblookup", "avahi-browse":
		what = "shared folders"
	case "dig", "host":
		if !c.has("axfr", "AXFR", "-l") {
			return
		}
		s.tell(&directorySearched, 0.5, "zone", "all names of a domain were asked for")
		return
	}
	if what != "" {
		s.tell(&directoryQueried, 0.3, c.Name, what+" was asked for by "+c.Name)
	}
}
