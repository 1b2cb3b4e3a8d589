package detect

import (
	"fmt"
	"net/netip"
	"strings"
)

func exfiltrationAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"upload", []string{"curl", "wget", "nc", "ncat", "netcat", "ftp", "lftp", "tftp", "ssh", "openssl", "rclone", "aws", "gsutil", "azcopy", "telnet", "s3cmd", "mail", "mutt", "sendmail", "socat", "bash", "sh", "mega-put", "gdrive", "cadaver"}, onUpload},
		{"copy-out", []string{"scp", "rsync", "sftp", "rcp"}, onCopyOut},
		{"odd-transfer", []string{"whois", "finger", "dig", "nslookup", "host", "ping", "drill", "kdig", "curl", "wget"}, onOddTransfer},
		{"archive", []string{"tar", "zip", "7z", "7za", "rar", "gzip", "cpio", "ar", "gpg", "openssl", "ccrypt", "ccencrypt", "split", "xz", "bzip2", "age", "mcrypt"}, onArchive},
		{"file-server", []string{"python3", "python", "python2", "php", "ruby", "busybox", "twistd", "http-server", "darkhttpd", "webfsd", "vsftpd", "smbserver.py"}, onFileServer},
		{"user-agent", []string{"curl", "wget"}, onUserAgent},
		{"geolocation", []string{"curl", "wget", "GET", "http", "lynx", "dig", "fetch"}, onGeolocation},
	}
}

// outside reports whether an address or name is not one of the own networks.
func outside(host string) bool {
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".localhost") {
		return false
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return !a.IsLoopback() && !a.IsPrivate() && !a.IsLinkLocalUnicast()
	}
	return true
}

// onUpload: a file is sent to somewhere outside. A text that is sent to an interface of the web is worth a note at most.
func onUpload(s *step, c *Command) {
	if s.process.under&(underInstall|underManage|underBuild) != 0 {
		return
	}
	host := ""
	for _, u := range c.urls() {
		host = domain(u)
	}
	file, text := "", ""
	for i, a := range c.Args {
		next := c.arg(i + 1)
		switch c.Name {
		case "curl":
			switch {
			case a == "-T" || a == "--upload-file":
				file = next
			case (a == "-F" || a == "--form") && strings.Contains(next, "=@"):
				file = next
			case (a == "--data-binary" || a == "--data-raw" || a == "-d" || a == "--data" || a == "--data-urlencode" || a == "--data-ascii") && strings.Contains(next, "@") && (strings.HasPrefix(next, "@") || strings.Contains(next, "@/")):
				if a == "--data-binary" || a == "-d" && !strings.HasSuffix(next, ".json") {
					file = next
				} else {
					text = next
				}
			case a == "-d" || a == "--data" || a == "--data-binary" || a == "--data-urlencode":
				text = next
				if strings.Contains(next, "$(cat") || strings.Contains(next, "`cat") || strings.Contains(next, "$(base64") || strings.Contains(next, "/etc/passwd") {
					file = next
				}
			}
		case "wget":
			if strings.HasPrefix(a, "--post-file") || strings.HasPrefix(a, "--body-file") {
				if _, file, _ = strings.Cut(a, "="); file == "" {
					file = next
				}
			} else if strings.HasPrefix(a, "--post-data") || strings.HasPrefix(a, "--body-data") {
				text = a
			}
		}
	}
	switch c.Name {
	case "curl", "wget":
		switch {
		case file != "" && outside(host):
			s.uploaded(c, host, file)
		case text != "" && outside(host) && (c.Name == "wget" || !strings.HasPrefix(text, "{")):
			s.tell(&dataPosted, 0.3, host, "a text was sent to "+host)
		}
	case "nc", "ncat", "netcat", "telnet", "openssl", "socat":
		sends := c.Name != "openssl" || c.arg(0) == "s_client"
		if !sends || c.flag('l') {
			return
		}
		for _, r := range c.Redirects {
			if r.op == '<' && !strings.HasPrefix(r.file, "/dev/") && !strings.Contains(r.file, "fifo") {
				s.uploaded(c, c.arg(0), r.file)
				return
			}
		}
		for _, o := range s.before(c) {
			if n := accessOf(o.Name); n == readsAll && len(o.operands()) > 0 && o.Name != "echo" {
				s.uploaded(c, c.arg(0), o.operands()[len(o.operands())-1])
				return
			}
		}
	case "ssh":
		for _, r := range c.Redirects {
			if text := strings.Join(c.Args, " "); r.op == '>' && (strings.Contains(text, "tar ") || strings.Contains(text, "cat ")) && r.file != "/dev/null" {
				s.tell(&remoteCopy, 0.4, c.Name, "files of another machine were written to "+r.file)
			}
		}
		for _, o := range s.before(c) {
			if o.Name == "tar" || o.Name == "cat" || o.Name == "dd" || o.Name == "gzip" || o.Name == "openssl" {
				s.uploaded(c, c.arg(0), strings.Join(o.Args, " "))
				return
			}
		}
	case "rclone", "aws", "gsutil", "azcopy", "s3cmd", "gdrive":
		if c.has("copy", "cp", "sync", "put", "move", "mv", "upload", "rsync") && s.process.under&underCron == 0 {
			s.tell(&remoteCopy, 0.3, c.Name, "files were copied to or from a cloud by "+c.Name)
		}
	case "ftp", "lftp", "tftp", "cadaver":
		if t := strings.Join(c.Args, " ") + c.Input; strings.Contains(t, "put ") || strings.Contains(t, "mirror -R") || strings.Contains(t, "mput") {
			s.uploaded(c, c.arg(0), "files")
		}
	case "bash", "sh":
		if t := strings.Join(c.Args, " "); (strings.Contains(t, "> /dev/tcp/") || strings.Contains(t, ">/dev/tcp/")) && strings.Contains(t, "cat ") {
			s.uploaded(c, "/dev/tcp", "a file")
		}
	case "mail", "mutt", "sendmail":
		if c.flag('a') || c.flag('A') {
			s.tell(&remoteCopy, 0.3, c.Name, "a file was sent by mail")
		}
	}
}

// uploaded: a file is sent to somewhere outside.
func (s *step) uploaded(c *Command, host, file string) {
	f := s.find(&egress, 0.6, host, fmt.Sprintf("%.80s was sent to %s by %s", file, host, c.Name))
	if host != "" && strings.Contains(host, ".") {
		f.Domains = []string{host}
	}
	s.m.report(f)
}

// onCopyOut: files are copied to or from another machine.
func onCopyOut(s *step, c *Command) {
	if expected(s.process) || s.process.under&underCron != 0 {
		return
	}
	for _, o := range c.operands() {
		h, _, ok := strings.Cut(o, ":")
		if !ok && c.Name != "sftp" || strings.Contains(h, "/") || strings.HasPrefix(o, "rsync:") {
			continue
		}
		s.tell(&remoteCopy, 0.3, h, fmt.Sprintf("files were copied to or from %s by %s", h, c.Name))
		return
	}
}

// onOddTransfer: data goes through tools and protocols that are not made to carry it: names that are asked for, the text of whois, the padding of ping.
func onOddTransfer(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	switch c.Name {
	case "whois", "finger":
		if c.flag('p') && c.flag('h') || c.Name == "finger" && strings.Contains(strings.Join(c.Args, " "), "@") && len(c.Redirects) > 0 {
			s.tell(&oddTransfer, 0.6, c.Name, c.Name+" was told to send a text to a host and port of one's own")
		}
		return
	case "ping":
		if c.flag('p') {
			s.tell(&oddTransfer, 0.5, c.Name, "ping was told what to put into its packets")
		}
		return
	case "curl", "wget":
		for _, u := range append(c.urls(), c.operands()...) {
			if label, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(u, "http://"), "https://"), "."); ok && encodedLabel(label) {
				s.tell(&encodedName, 0.6, "", "data stands encoded in the name of a host: "+u)
			}
		}
		return
	}
	for _, o := range c.operands() {
		label, rest, ok := strings.Cut(o, ".")
		if !ok || !strings.Contains(rest, ".") && !strings.Contains(label, "$(") {
			continue
		}
		if encodedLabel(label) || strings.Contains(label, "$(") || strings.Contains(label, "`") || len(label) >= 40 {
			s.tell(&encodedName, 0.6, "", "data stands encoded in a name that is asked for")
			return
		}
	}
}

// encodedLabel reports whether a part of a name is encoded data rather than a name.
func encodedLabel(l string) bool {
	if strings.HasSuffix(l, "=") {
		return true
	}
	if len(l) < 24 {
		return false
	}
	upper, low, digit := 0, 0, 0
	for i := 0; i < len(l); i++ {
		switch c := l[i]; {
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= 'a' && c <= 'z':
			low++
		case c >= '0' && c <= '9':
			digit++
		case c != '+' && c != '_':
			return false
		}
	}
	return upper > 3 && low > 3 || digit > 6 && (upper == 0 || low == 0) && len(l) >= 32
}

// onArchive: files are packed, perhaps encrypted, perhaps split: what is done before they are taken away.
func onArchive(s *step, c *Command) {
	if expected(s.process) || s.process.under&underCron != 0 {
		return
	}
	text := strings.Join(c.Args, " ")
	secret, makes := false, true
	switch c.Name {
	case "tar":
		mode := c.arg(0)
		makes = strings.HasPrefix(mode, "-") && strings.Contains(mode, "c") && !strings.HasPrefix(mode, "--") || strings.Trim(mode, "cvzfjJpahP") == "" && strings.Contains(mode, "c") || c.has("--create", "-c")
	case "zip":
		secret = c.has("-e", "-P", "--password", "--encrypt") || strings.Contains(text, "--password=")
	case "7z", "7za", "rar":
		makes = c.arg(0) == "a"
		for _, a := range c.Args {
			secret = secret || strings.HasPrefix(a, "-p") || strings.HasPrefix(a, "-hp")
		}
	case "gpg":
		makes = c.flag('c') || c.flag('e') || c.has("--symmetric", "--encrypt")
		secret = makes && c.has("--batch", "--passphrase", "--passphrase-fd", "--passphrase-file", "--yes")
		if !secret {
			return
		}
	case "openssl":
		if c.arg(0) != "enc" && c.arg(0) != "rsautl" && c.arg(0) != "pkeyutl" && c.arg(0) != "smime" && c.arg(0) != "cms" && !strings.HasPrefix(c.arg(0), "aes") && !strings.HasPrefix(c.arg(0), "des") {
			return
		}
		if c.has("-d", "-decrypt", "-verify", "-sign") || c.has("-a", "-base64") && !c.has("-e", "-k", "-pass") || c.arg(0) == "enc" && c.arg(1) == "-base64" {
			return
		}
		secret = c.has("-in") || c.Stage > 0 || c.has("-encrypt", "-e")
		makes = secret
	case "ccrypt", "ccencrypt", "age", "mcrypt":
		secret = !c.flag('d') && len(c.operands()) > 0
		makes = secret
	case "split":
		if (c.flag('b') || c.flag('C') || c.flag('n')) && len(c.operands()) > 0 {
			for _, o := range c.operands() {
				if full := within(s.process.Dir, o); tempDir(full) && s.process.under&underCron == 0 {
					s.tell(&partsStaged, 0.4, "", full+" was split into parts of a size, where everybody may write")
					return
				}
			}
			s.tell(&dataSplit, 0.3, "", "a file was split into parts of a size")
		}
		return
	case "gzip", "xz", "bzip2":
		makes = !c.flag('d') && len(c.operands()) > 0 && !c.flag('c') && !c.flag('t') && !c.flag('l')
	}
	if !makes {
		return
	}
	if secret {
		s.encrypted(c)
		return
	}
	for _, o := range c.operands() {
		full := within(s.process.Dir, o)
		if k := classify(full); k == loginLog || k == passwdFile || k == shadowFile || k == sudoersFile || strings.HasPrefix(full, "/var/log/") && strings.Contains(full, "tmp") {
			s.tell(&archivedSystem, 0.5, "", fmt.Sprintf("%s was packed by %s", full, c.Name))
			return
		}
		if strings.HasPrefix(full, "/etc") || strings.HasPrefix(full, "/var/log") || wide(full) && full != "/tmp" || strings.HasPrefix(full, homes+"/") && c.Name != "gzip" && c.Name != "xz" && c.Name != "bzip2" || tempDir(full) {
			s.tell(&archived, 0.3, "", fmt.Sprintf("files were packed by %s", c.Name))
			return
		}
	}
	if c.Name == "gzip" || c.Name == "zip" {
		s.tell(&archived, 0.2, "", fmt.Sprintf("files were packed by %s", c.Name))
	}
}

// onFileServer: files are offered to others by a one-liner.
func onFileServer(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	text := strings.Join(c.Args, " ")
	if strings.Contains(text, "http.server") || strings.Contains(text, "SimpleHTTPServer") || c.Name == "php" && c.has("-S") || strings.Contains(text, "-run -e httpd") || c.Name == "busybox" && c.arg(0) == "httpd" || c.Name == "smbserver.py" || strings.Contains(text, "pyftpdlib") || c.Name == "twistd" && strings.Contains(text, "web") {
		s.tell(&fileServer, 0.3, "", "files are offered to others by a one-liner")
	}
}

// onUserAgent: a fetcher says it is something else.
func onUserAgent(s *step, c *Command) {
	for i, a := range c.Args {
		agent := ""
		switch {
		case a == "-A" || a == "--user-agent" || a == "-U" && c.Name == "wget":
			agent = c.arg(i + 1)
		case strings.HasPrefix(a, "--user-agent="):
			agent = a[len("--user-agent="):]
		case (a == "-H" || a == "--header") && strings.HasPrefix(lower(c.arg(i+1)), "user-agent:"):
			agent = c.arg(i + 1)
		}
		if agent != "" && !expected(s.process) && !strings.Contains(lower(agent), "curl/") {
			if t := &s.session.agents; t.names == nil {
				t.names = map[string]bool{agent: true}
			} else if len(t.names) < 16 {
				t.names[agent] = true
			}
			if len(s.session.agents.names) > 1 {
				s.tell(&userAgents, 0.5, "", c.Name+" was told to say it is "+agent+", after it had said it is something else")
			} else {
				s.tell(&userAgent, 0.3, "", c.Name+" was told to say it is "+agent)
			}
			return
		}
	}
}

// onGeolocation: somebody wants to know from outside where they are.
func onGeolocation(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	for _, u := range c.urls() {
		h := domain(u)
		for _, w := range [...]string{"ipinfo", "ip-api", "ifconfig", "icanhazip", "checkip", "ipify", "whatismyip", "myip", "ident.me", "ipecho", "geoip", "freegeoip", "ipapi", "ip.sb", "geolocation", "ipwho", "wtfismyip", "iplocation", "api.ip"} {
			if strings.Contains(h, w) {
				if _, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(u, "https://"), "http://"), "/"); placeTold(h) && path != "ip" && !s.byHand(c) {
					s.tell(&placeAsked, 0.4, "", "in which country and place the machine is was asked of "+h+", by a script")
					return
				}
				s.tell(&geolocated, 0.3, "", "where the machine is, and its address, was asked of "+h)
				return
			}
		}
	}
}

// placeTold reports whether a service tells in which country and town one is, not just one's address.
func placeTold(host string) bool {
	for _, w := range [...]string{"ipinfo", "ip-api", "geoip", "freegeoip", "ipapi", "ip.sb", "geolocation", "ipwho", "iplocation"} {
		if strings.Contains(host, w) {
			return true
		}
	}
	return false
}
