// Package host tells what machine an agent runs on, and the settings that decide how safe it is. It reads files and changes nothing.
//
// Facts, all texts (absent: the machine doesn't say):
//
//	sshd.passwordauthentication   yes or no: who knows a password gets in
//	sshd.permitrootlogin          yes, no, prohibit-password or forced-commands-only
//	sshd.permitemptypasswords     yes or no
//	sshd.port                     numbers, separated by commas
//	accounts.passwords            how many accounts can sign in with a password
//	accounts.emptypasswords       names of those that need none, separated by commas
//	accounts.servicepasswords     names of accounts that services usually have, and that can sign in with a password: cassandra, postgres and the like
//	accounts.superusers           names of accounts other than root with the user id 0
//	kernel.release                as uname says
//	network.addresses             of the machine's interfaces, separated by blanks, at most 8
//
// No password, and no hash of one, is in any of it. accounts.* of passwords need the right to read /etc/shadow.
package host

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Description is what a machine says of itself.
type Description struct {
	OSName, OSVersion string
	Host              string
	Detected          map[string]string // of hardware and system, by Azure's names
	Facts             map[string]string
}

const maxFile = 4 << 20

// Describe reads the machine below root: "/".
func Describe(root string) Description {
	d := Description{Detected: map[string]string{}, Facts: map[string]string{}}
	release := pairs(read(root, "etc/os-release"))
	d.OSName, d.OSVersion = release["NAME"], release["VERSION_ID"]
	if d.OSName == "" {
		d.OSName = runtime.GOOS
	}
	d.Host = strings.TrimSpace(string(read(root, "proc/sys/kernel/hostname")))
	if d.Host == "" {
		d.Host, _ = os.Hostname()
	}
	for name, file := range map[string]string{"manufacturer": "sys/class/dmi/id/sys_vendor", "model": "sys/class/dmi/id/product_name"} {
		if v := strings.TrimSpace(string(read(root, file))); v != "" {
			d.Detected[name] = v
		}
	}
	d.Detected["logicalCoreCount"] = strconv.Itoa(runtime.NumCPU())
	for line := range strings.Lines(string(read(root, "proc/meminfo"))) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" {
			if kib, err := strconv.ParseUint(f[1], 10, 50); err == nil {
				d.Detected["totalPhysicalMemoryInBytes"] = strconv.FormatUint(kib<<10, 10)
			}
		}
	}
	if v := strings.TrimSpace(string(read(root, "proc/sys/kernel/osrelease"))); v != "" {
		d.Facts["kernel.release"] = v
	}
	if filepath.Clean(root) == string(filepath.Separator) { // interfaces are the running system's, not a folder's
		if v := addresses(); v != "" {
			d.Facts["network.addresses"] = v
		}
	}
	sshd(root, d.Facts)
	accounts(root, d.Facts)
	return d
}

// read returns a file's content, nil if it can't be read. Files of /proc and /sys say that they are empty, and aren't.
func read(root, name string) []byte {
	f, err := os.Open(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return nil
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(&limited{f, maxFile}); err != nil {
		return nil
	}
	return b.Bytes()
}

// limited reads no more than so many bytes.
type limited struct {
	f    *os.File
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.f.Read(p[:min(len(p), l.left+1)])
	if l.left -= n; l.left < 0 {
		return 0, os.ErrInvalid
	}
	return n, err
}

// pairs reads NAME="value" lines.
func pairs(b []byte) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			out[name] = strings.Trim(value, `"'`)
		}
	}
	return out
}

// sshd reads the server's configuration. The first value of a keyword counts; what follows Match is for some connections only and isn't looked at, except that passwords allowed there
// are allowed to somebody.
func sshd(root string, facts map[string]string) {
	b := read(root, "etc/ssh/sshd_config")
	if b == nil {
		return
	}
	c := sshdConfig{root: root, first: map[string]string{}}
	c.read(b, 0)
	yes := func(keyword, usual string) string {
		if v := strings.ToLower(c.first[keyword]); v != "" {
			return v
		}
		return usual
	}
	facts["sshd.permitrootlogin"] = strings.ReplaceAll(yes("permitrootlogin", "prohibit-password"), "without-password", "prohibit-password")
	facts["sshd.permitemptypasswords"] = yes("permitemptypasswords", "no")
	// With PAM, the keyboard-interactive method asks for the password, too.
	interactive := yes("kbdinteractiveauthentication", yes("challengeresponseauthentication", "yes")) == "yes" && yes("usepam", "no") == "yes"
	facts["sshd.passwordauthentication"] = "no"
	if yes("passwordauthentication", "yes") == "yes" || interactive || c.passwordsForSome {
		facts["sshd.passwordauthentication"] = "yes"
	}
	facts["sshd.port"] = "22"
	if len(c.ports) > 0 {
		facts["sshd.port"] = strings.Join(c.ports, ",")
	}
}

type sshdConfig struct {
	root             string
	first            map[string]string
	ports            []string
	passwordsForSome bool
}

const maxDepth = 4 // of Include

func (c *sshdConfig) read(b []byte, depth int) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	match := false
	for lines.Scan() {
		words := strings.FieldsFunc(lines.Text(), func(r rune) bool { return r == ' ' || r == '\t' || r == '=' || r == '"' })
		if len(words) < 2 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch keyword := strings.ToLower(words[0]); {
		case keyword == "match":
			match = !strings.EqualFold(words[1], "all")
		case match:
			c.passwordsForSome = c.passwordsForSome || keyword == "passwordauthentication" && strings.EqualFold(words[1], "yes")
		case keyword == "include":
			c.include(words[1:], depth)
		case keyword == "port":
			c.ports = append(c.ports, words[1])
		case c.first[keyword] == "":
			c.first[keyword] = words[1]
		}
	}
}

func (c *sshdConfig) include(patterns []string, depth int) {
	if depth >= maxDepth {
		return
	}
	for _, p := range patterns {
		if !strings.HasPrefix(p, "/") {
			p = "/etc/ssh/" + p
		}
		names, err := filepath.Glob(filepath.Join(c.root, filepath.FromSlash(p)))
		if err != nil {
			continue
		}
		slices.Sort(names)
		for _, name := range names {
			if rel, err := filepath.Rel(c.root, name); err == nil {
				c.read(read(c.root, filepath.ToSlash(rel)), depth+1)
			}
		}
	}
}

// services are accounts that programs run as and nobody should sign in to, or that come with a password everybody knows.
func services() []string {
	return []string{
		"cassandra", "postgres", "mysql", "mongodb", "redis", "elasticsearch", "oracle", "tomcat", "jenkins", "hadoop", "hdfs", "kafka", "zookeeper", "spark", "solr", "nagios", "zabbix", "git",
		"www-data", "apache", "nginx", "ftp", "ftpuser", "pi", "vagrant", "test", "guest", "user", "admin", "support", "ubnt", "minecraft", "teamspeak", "steam",
	}
}

// accounts reads who can sign in. Hashes are looked at for being there only.
func accounts(root string, facts map[string]string) {
	var superusers []string
	shells := map[string]bool{} // by account: it has one
	passwd := read(root, "etc/passwd")
	for line := range strings.Lines(string(passwd)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 7 {
			continue
		}
		if f[2] == "0" && f[0] != "root" {
			superusers = append(superusers, f[0])
		}
		shells[f[0]] = !strings.HasSuffix(f[6], "/nologin") && !strings.HasSuffix(f[6], "/false")
	}
	if passwd != nil {
		facts["accounts.superusers"] = strings.Join(superusers, ",")
	}
	shadow := read(root, "etc/shadow")
	if shadow == nil {
		return
	}
	var empty, service []string
	count := 0
	for line := range strings.Lines(string(shadow)) {
		name, rest, ok := strings.Cut(line, ":")
		if !ok || !shells[name] {
			continue
		}
		hash, _, _ := strings.Cut(rest, ":")
		switch {
		case strings.TrimSpace(hash) == "":
			empty = append(empty, name)
		case hash[0] == '$' || hash[0] == '_':
			if count++; slices.Contains(services(), name) {
				service = append(service, name)
			}
		}
	}
	facts["accounts.passwords"] = strconv.Itoa(count)
	facts["accounts.emptypasswords"] = clip(strings.Join(empty, ","))
	facts["accounts.servicepasswords"] = clip(strings.Join(service, ","))
	facts["accounts.superusers"] = clip(facts["accounts.superusers"])
}

// clip keeps a fact within what a heartbeat takes.
func clip(s string) string { return s[:min(len(s), 1000)] }
