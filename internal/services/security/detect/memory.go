package detect

import (
	"fmt"
	"strings"
	"sync"
)

func memoryAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"memory", []string{"gcore", "gdb", "procdump", "ptrace", "avml", "lime", "fmem", "strace", "lldb"}, onMemory},
		{"packet-capture", []string{"tcpdump", "tshark", "dumpcap", "ngrep", "ettercap", "dsniff", "bettercap", "wireshark", "snoop", "netsniff-ng", "tcpflow", "termshark", "responder", "Responder.py", "arpspoof", "mitmproxy", "tcpick", "driftnet", "urlsnarf"}, onCapture},
		{"input-capture", []string{"xinput", "logkeys", "xspy", "import", "xwd", "scrot", "gnome-screenshot", "spectacle", "ffmpeg", "xclip", "xsel", "wl-paste", "arecord", "parec", "fswebcam", "streamer", "showkey", "evtest", "ttyrec", "maim", "flameshot", "xdotool"}, onInput},
		{"attack-tool", attackToolNames(), onAttackTool},
		{"attack-tool", []string{"sh", "bash", "python", "python3", "python2", "perl"}, onToolScript},
	}
}

// onMemory: the memory of a process that runs is written to a file, or a debugger attached to it, other than by whoever builds programs.
func onMemory(s *step, c *Command) {
	if s.process.under&underBuild != 0 {
		return
	}
	text := strings.Join(c.Args, " ")
	why := ""
	switch c.Name {
	case "gcore", "procdump", "avml", "lime", "fmem":
		why = "the memory of a process was written to a file by " + c.Name
	case "gdb", "lldb":
		attach := c.has("-p", "--pid", "attach") || strings.Contains(text, "--pid=") || strings.Contains(text, "attach ")
		if attach && (strings.Contains(text, "dump") || strings.Contains(text, "gcore") || strings.Contains(text, "generate-core") || strings.Contains(text, "call ") || strings.Contains(text, "print ") || strings.Contains(text, "-ex") || c.has("-batch", "--batch")) {
			why = "a debugger was attached to a process, and told what to do with it"
		}
	case "strace":
		if c.has("-p") && (strings.Contains(text, "read") || strings.Contains(text, "write")) {
			why = "what a process reads and writes was looked at"
		}
	}
	if why != "" {
		s.tell(&memoryRead, 0.6, c.Name, why)
	}
}

// onCapture: what goes over the network is listened to. Finding faults does that too; keeping it, showing what is in it, and looking for passwords are more.
func onCapture(s *step, c *Command) {
	if expected(s.process) || c.has("--version", "-h", "--help", "-D", "--list-interfaces") {
		return
	}
	text := strings.ToLower(strings.Join(c.Args, " "))
	switch c.Name {
	case "ettercap", "dsniff", "bettercap", "arpspoof", "responder", "Responder.py", "driftnet", "urlsnarf", "tcpick":
		s.tell(&attackToolRun, 0.6, c.Name, c.Name+" listens to others' connections")
		return
	}
	keeps := c.flag('w') || c.flag('A') || c.flag('X')
	secrets := strings.Contains(text, "pass") || strings.Contains(text, "port 21") || strings.Contains(text, "port 23") || strings.Contains(text, "port 110") || strings.Contains(text, "port 25") || strings.Contains(text, "port 143") || strings.Contains(text, "authorization") || strings.Contains(text, "port 80") || strings.Contains(text, "port 389")
	if c.Name == "ngrep" || secrets && keeps || strings.Contains(text, "/tmp/") && keeps || strings.Contains(text, "/dev/shm/") || strings.Contains(text, "user|pass") {
		s.tell(&captureKept, 0.6, "", "what goes over the network was listened to and kept, or searched")
		return
	}
	t := &s.session.sniffers
	if now := s.event.Millis; t.names == nil || !recent(t.from, now, s.m.params.EnumerationWindow) {
		*t = stops{from: now, names: map[string]bool{}}
	}
	if t.names[c.Name] = true; len(t.names) > 1 {
		s.tell(&captureTried, 0.5, "", "several programs that listen to the network were tried one after the other")
		return
	}
	s.tell(&capture, 0.3, "", "what goes over the network was listened to by "+c.Name)
}

// onInput: what a person sees, types, copies or says is recorded.
func onInput(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	text := strings.Join(c.Args, " ")
	what := ""
	switch c.Name {
	case "logkeys", "xspy", "showkey", "evtest", "ttyrec":
		what = "what is typed"
	case "xinput":
		if c.has("test", "test-xi2", "--test") {
			what = "what is typed"
		}
	case "import", "xwd":
		if strings.Contains(text, "root") || c.Name == "xwd" {
			what = "the screen"
		}
	case "scrot", "gnome-screenshot", "spectacle", "maim", "flameshot":
		what = "the screen"
	case "ffmpeg":
		switch {
		case strings.Contains(text, "x11grab") || strings.Contains(text, "kmsgrab"):
			what = "the screen"
		case strings.Contains(text, "v4l2") || strings.Contains(text, "/dev/video"):
			what = "the camera"
		case strings.Contains(text, "alsa") || strings.Contains(text, "pulse"):
			what = "the microphone"
		}
	case "xclip", "xsel":
		if c.has("-o", "-out", "--output") || c.Name == "xsel" && c.has("-b", "-p") && !c.has("-i") {
			what = "the clipboard"
		}
	case "wl-paste":
		what = "the clipboard"
	case "arecord", "parec":
		what = "the microphone"
	case "fswebcam", "streamer":
		what = "the camera"
	}
	if what != "" {
		s.tell(&userCapture, 0.6, what, fmt.Sprintf("%s was recorded by %s", what, c.Name))
	}
}

// onAttackTool: a tool is called by the name its authors gave it. Names are weak evidence, and cost nothing to look at.
func onAttackTool(s *step, c *Command) {
	if c.has("--version", "-h", "--help", "-V") {
		return
	}
	switch c.Name {
	case "sshpass":
		if s.process.under&underManage == 0 {
			s.tell(&passwordInLine, 0.5, "", "a password for SSH was given by the command line or a file")
		}
		return
	case "kinit":
		if c.flag('k') || c.flag('t') {
			s.tell(&kerberosTickets, 0.3, "", "a ticket was asked for with keys from a file")
		}
		return
	case "mimipenguin", "mimipenguin.sh", "mimipenguin.py", "laZagne.py", "lazagne", "lazagne.py", "unshadow", "john", "hashcat", "linikatz.sh", "3snake", "secretsdump.py", "impacket-secretsdump", "keytabextract.py", "getTGT.py", "GetUserSPNs.py", "GetNPUsers.py", "trufflehog", "truffleHog", "cred-dump.py":
		s.tell(&credentialTool, 0.7, c.Name, c.Name+" is a tool that gets at credentials")
		return
	}
	s.tell(&attackToolRun, 0.6, c.Name, c.Name+" is a tool of attack")
}

// onToolScript: the same for scripts that are given to an interpreter.
func onToolScript(s *step, c *Command) {
	for _, a := range c.Args {
		if strings.HasPrefix(a, "-") {
			if a == "-c" || a == "-e" || a == "-m" {
				return
			}
			continue
		}
		inner := Command{Name: base(a), Path: a, Args: c.Args}
		if attackTools()[inner.Name] {
			onAttackTool(s, &inner)
		}
		return
	}
}

// attackToolNames are names that authors gave to tools of attack.
func attackToolNames() []string {
	return []string{
		"mimipenguin", "mimipenguin.sh", "mimipenguin.py", "laZagne.py", "lazagne", "lazagne.py", "john", "hashcat", "hydra", "medusa", "ncrack", "patator", "crackmapexec", "cme", "netexec", "nxc", "secretsdump.py", "impacket-secretsdump", "unshadow", "linikatz.sh", "truffleHog", "trufflehog", "gitleaks", "3snake", "kerbrute", "sshpass",
		"getTGT.py", "GetUserSPNs.py", "GetNPUsers.py", "linpeas.sh", "linpeas", "LinEnum.sh", "linenum.sh", "lse.sh", "les.sh", "linux-exploit-suggester.sh", "AutoSUID.sh", "unix-privesc-check", "pspy", "pspy64", "msfconsole", "msfvenom", "pacu", "weirdAAL.py", "peirates", "deepce.sh", "cdk", "stratus", "psexec.py", "wmiexec.py", "smbexec.py", "evil-winrm",
		"sqlmap", "nikto", "gobuster", "ffuf", "dirb", "wfuzz", "feroxbuster", "nuclei", "wpscan", "dirsearch", "dirsearch.py", "amass", "subfinder", "bloodhound-python", "ldapdomaindump", "enum4linux", "enum4linux-ng", "merlin", "sliver", "chashell", "keytabextract.py", "cred-dump.py", "beRoot.py", "SUDO_KILLER.sh", "traitor", "kinit",
	}
}

var attackTools = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for _, n := range attackToolNames() {
		out[n] = true
	}
	return out
})
