package detect

import (
	"fmt"
	"strings"
)

func tunnelAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"tunnel", []string{"ssh", "autossh", "sshuttle", "socat", "cloudflared", "ngrok", "devtunnel", "code", "code-tunnel", "code-insiders", "chisel", "frpc", "frps", "gost", "bore", "localtunnel", "lt", "pagekite", "iodine", "iodined", "dnscat", "dnscat2", "dns2tcpc", "ptunnel", "ptunnel-ng", "stunnel", "zrok", "ligolo", "ligolo-agent", "revsocks", "rathole", "tailscale", "tailscaled", "zerotier-one", "playit", "tmate", "gsocket", "gs-netcat", "plink", "rinetd", "redir", "hans", "websocat", "icmptunnel", "nps", "npc", "gotty", "ttyd", "anydesk", "teamviewer", "teamviewerd", "rustdesk", "meshagent", "screenconnect"}, onTunnel},
		{"anonymizer", []string{"tor", "torsocks", "torify", "proxychains", "proxychains4", "torbrowser-launcher", "nyx", "obfs4proxy", "snowflake-client", "anonsurf", "kalitorify"}, onAnonymizer},
		{"remote", []string{"ssh", "pssh", "parallel-ssh", "pdsh", "clush", "ansible", "mosh"}, onRemote},
	}
}

// onTunnel: a way through firewalls is made: SSH told to forward from elsewhere or to be a proxy, and tools that exist to offer what runs here to the world. A person who forwards
// a port of the other side to their own is nothing.
func onTunnel(s *step, c *Command) {
	if expected(s.process) || c.has("--version", "--help", "-V") {
		return
	}
	switch c.Name {
	case "ssh", "autossh", "plink":
		for i, a := range c.Args {
			if !strings.HasPrefix(a, "-") || strings.HasPrefix(a, "--") || len(a) < 2 || i > 0 && optionWithArgument(c.Args[i-1]) {
				continue
			}
			switch letters := a[1:]; {
			case letters[0] == 'R' || strings.HasSuffix(letters, "R"):
				s.tell(&portForward, 0.6, "remote", "a port of another machine leads to this one, through SSH")
			case letters[0] == 'D' || strings.HasSuffix(letters, "D"):
				s.tell(&portForward, 0.5, "dynamic", "another machine was made a proxy, through SSH")
			case letters[0] == 'w' && len(letters) > 1:
				s.tell(&portForward, 0.5, "device", "a network was joined to another, through SSH")
			case letters[0] == 'L' || strings.HasSuffix(letters, "L"):
				s.tell(&localForward, 0.2, "local", "a port leads to another machine, through SSH")
			}
		}
	case "socat":
		text := strings.ToLower(strings.Join(c.Args, " "))
		if strings.Contains(text, "listen") && strings.Contains(text, "fork") && (strings.Contains(text, " tcp") || strings.Contains(text, " ssl") || strings.Contains(text, " openssl") || strings.Contains(text, " udp")) {
			s.tell(&portForward, 0.5, "socat", "connections to this machine are sent on elsewhere by socat")
		}
	case "code", "code-insiders":
		if c.arg(0) == "tunnel" {
			s.tell(&tunnelTool, 0.6, c.Name, "this machine can be entered from outside through a tunnel of an editor")
		}
	case "tailscale":
		if c.arg(0) == "up" || c.arg(0) == "funnel" || c.arg(0) == "serve" {
			s.tell(&remoteAccess, 0.3, c.Name, c.Name+" joins this machine to a network of others")
		}
	case "tailscaled", "zerotier-one", "anydesk", "teamviewer", "teamviewerd", "rustdesk", "meshagent", "screenconnect":
		s.tell(&remoteAccess, 0.3, c.Name, c.Name+" lets others enter this machine")
	case "stunnel", "rinetd", "redir":
		s.tell(&localForward, 0.3, c.Name, "connections are sent on by "+c.Name)
	case "lt", "bore", "hans", "nps", "npc":
		if s.tunnelArguments(c) {
			s.tell(&tunnelTool, 0.6, c.Name, fmt.Sprintf("%s makes a way into this machine from outside", c.Name))
		}
	default:
		if len(c.Args) > 0 && !c.has("login", "version", "help", "update", "--help") {
			s.tell(&tunnelTool, 0.6, c.Name, fmt.Sprintf("%s makes a way into this machine, or out of its network, from outside", c.Name))
		}
	}
}

func (s *step) tunnelArguments(c *Command) bool {
	for _, a := range c.Args {
		if a == "--port" || a == "local" || a == "-p" || a == "--to" || strings.HasPrefix(a, "-server=") || strings.HasPrefix(a, "-vkey=") {
			return true
		}
	}
	return false
}

// optionWithArgument reports whether an option of ssh takes the next argument.
func optionWithArgument(a string) bool {
	return len(a) == 2 && a[0] == '-' && strings.IndexByte("bcDEeFIiJLlmOoPpQRSWw", a[1]) >= 0
}

// onAnonymizer: connections are made so that nobody sees where they come from.
func onAnonymizer(s *step, c *Command) {
	if managed(s.process) || c.has("--version", "-h", "--help", "--verify-config") {
		return
	}
	s.tell(&anonymized, 0.5, c.Name, c.Name+" hides where connections come from")
}

// onRemote: one session enters many machines, one after the other, in a short time.
func onRemote(s *step, c *Command) {
	if c.Name != "ssh" || expected(s.process) || s.process.under&underCron != 0 {
		return
	}
	host := ""
	for i := 0; i < len(c.Args); i++ {
		a := c.Args[i]
		if strings.HasPrefix(a, "-") {
			if optionWithArgument(a) {
				i++
			}
			continue
		}
		host = a
		break
	}
	if _, h, ok := strings.Cut(host, "@"); ok {
		host = h
	}
	if host == "" || strings.HasPrefix(host, "$") {
		return
	}
	now := s.event.Millis
	t := &s.session.entered
	if t.names == nil || !recent(t.from, now, s.m.params.EnterWindow) {
		*t = stops{from: now, names: map[string]bool{}}
	}
	if len(t.names) < 256 {
		t.names[host] = true
	}
	if len(t.names) == s.m.params.EnterMachines {
		s.tell(&manyEntered, 0.6, "", fmt.Sprintf("%d machines were entered from one session within %s", len(t.names), s.m.params.EnterWindow))
	}
}
