package detect

import (
	"fmt"
	"strings"
)

func secretAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"secret-search", []string{"find", "locate", "mlocate", "plocate", "fd", "fdfind", "grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack"}, onSecretSearch},
		{"metadata", []string{"curl", "wget", "http", "python3", "python", "perl", "nc", "ruby", "php"}, onMetadata},
		{"key-tools", []string{"ssh-add", "secret-tool", "security", "klist", "gpg", "pass", "vault", "kubectl", "aws", "az", "gcloud", "docker", "nmcli"}, onKeyTools},
		{"cloud", []string{"aws", "az", "gcloud", "gsutil", "aliyun", "oci"}, onCloudTools},
	}
}

// secretPattern reports whether a command searches for passwords and the like.
func secretPattern(c *Command) bool {
	switch c.Name {
	case "grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack", "awk", "sed":
	default:
		return false
	}
	for _, a := range c.Args {
		if len(a) > 256 || len(a) < 4 || strings.HasPrefix(a, "/") {
			continue
		}
		low := lower(a)
		for _, w := range [...]string{"passw", "pwd=", "pass", "secret", "api_key", "apikey", "api-key", "private key", "aws_access", "access_key", "credential", "token", "authorization", "akia"} {
			if strings.Contains(low, w) {
				return true
			}
		}
	}
	return false
}

// wide reports whether a search begins where others' files are too.
func wide(dir string) bool {
	dir = strings.TrimRight(dir, "/*")
	switch dir {
	case "", "/home", "/root", "/etc", "/var", "/opt", "/srv", "/usr", "/mnt", "/var/www", "/var/log", "/tmp", "~", "$HOME", "/Users", "/proc", "/var/backups", "/data":
		return true
	}
	return strings.HasPrefix(dir, homes+"/") && strings.Count(dir, "/") == 2
}

// onSecretSearch: files are looked for by the names of those that hold keys and passwords, or for what is in them, over all of the machine; programs that run as their owner are
// looked for.
func onSecretSearch(s *step, c *Command) {
	if expected(s.process) || s.process.under&underCron != 0 {
		return
	}
	switch c.Name {
	case "grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack":
		deep := c.flag('r') || c.flag('R') || c.has("--recursive") || c.Name == "rg" || c.Name == "ag" || c.Name == "ack"
		if !deep || !secretPattern(c) {
			return
		}
		names := c.operands()
		for _, n := range names[min(1, len(names)):] {
			if strings.HasPrefix(n, "/") && wide(n) || n == "~" || wide(n) && n != "" {
				s.tell(&secretSearch, 0.6, "grep", fmt.Sprintf("passwords were looked for in all files below %s", n))
				return
			}
		}
		return
	}
	what := ""
	for i, a := range c.Args {
		next := c.arg(i + 1)
		switch {
		case a == "-perm":
			if m := strings.TrimLeft(next, "-/+"); setuid(m) || m == "u=s" || m == "g=s" || m == "4000" || m == "2000" || m == "6000" || strings.Contains(m, "=s") || strings.Contains(m, "+s") {
				if own := s.ownScript(); own != "" {
					s.tell(&setuidReport, 0.3, own, "programs that run with their owner's rights were looked for by "+own+", a script of the machine's own")
					return
				}
				s.tell(&setuidSearch, 0.5, "", "programs that run with their owner's rights were looked for")
				return
			}
			if m := strings.TrimLeft(next, "-/+"); m == "2" || m == "222" || m == "0002" || m == "o=w" || m == "o+w" || m == "777" || m == "0777" {
				s.tell(&filesListed, 0.3, "writable", "files that everybody may write were looked for")
			}
		case a == "-name" || a == "-iname" || a == "-path" || a == "-ipath" || a == "-wholename" || a == "-iwholename" || a == "-regex":
			if secretName(next) {
				what = next
			}
			if k := classifyHome(strings.TrimLeft(next, "*")); k == browserMarks {
				if wide(c.arg(0)) {
					s.tell(&browsersSearched, 0.5, "", "bookmarks of browsers were looked for all over the machine")
				} else {
					s.tell(&bookmarksRead, 0.4, "", "bookmarks of browsers were looked for")
				}
				return
			}
		case !strings.HasPrefix(a, "-") && (c.Name != "find" || i == 0 || !strings.HasPrefix(c.Args[i-1], "-")):
			if k := classify(strings.TrimSuffix(a, "/")); k == cloudSecret || k == browserStore || k == keyStore || k == sshPrivateKey || k == storedSecret {
				what = a
			} else if c.Name != "find" && secretName(a) {
				what = a
			}
		}
	}
	if what != "" {
		s.tell(&secretSearch, 0.6, "find", fmt.Sprintf("files that hold keys or passwords were looked for: %s", what))
	}
}

// secretName reports whether a pattern of names is one of files that hold keys and passwords.
func secretName(pattern string) bool {
	p := strings.Trim(pattern, "*")
	switch classifyHome(p) {
	case sshPrivateKey, cloudSecret, storedSecret, browserStore, keyStore, kerberosTicket, authorizedKeys, historyFile:
		return true
	}
	low := lower(p)
	switch low {
	case ".gnupg", ".ssh", ".aws", ".azure", ".kube", ".pem", ".p12", ".pfx", ".ppk", ".key", ".ovpn", ".jks", ".keystore", "credentials", "id_", ".kdb", ".kdbx", "secret", "password", "passwd", "shadow", ".tfstate", ".tfvars", "secring.gpg", ".keytab", "pass", ".rdp", ".git-credentials", ".credentials", ".mozilla", ".docker", "token", ".htpasswd":
		return true
	}
	return strings.Contains(low, "password") || strings.Contains(low, "credential") || strings.Contains(low, "secret") || strings.Contains(low, "id_rsa")
}

// onMetadata: the credentials of the machine's identity are asked for, by hand.
func onMetadata(s *step, c *Command) {
	for _, a := range c.Args {
		at := strings.Index(a, "169.254.169.254")
		if at < 0 {
			if at = strings.Index(a, "metadata.google.internal"); at < 0 {
				if at = strings.Index(a, "100.100.100.200"); at < 0 {
					if at = strings.Index(a, "169.254.170.2"); at < 0 {
						continue
					}
				}
			}
		}
		rest := a[at:]
		if managed(s.process) {
			return
		}
		if strings.Contains(rest, "security-credentials") || strings.Contains(rest, "token") || strings.Contains(rest, "identity") || strings.Contains(rest, "/v2/credentials") || strings.Contains(rest, "user-data") || strings.Contains(rest, "ram/") {
			s.tell(&metadataCredentials, 0.6, "", "the credentials of the machine's identity were asked for by "+c.Name)
			return
		}
		s.tell(&metadataRead, 0.3, "", "what the cloud knows of the machine was asked for by "+c.Name)
		return
	}
}

// onKeyTools: keys and secrets are taken out of where they are kept by the tools that keep them.
func onKeyTools(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	text := strings.Join(c.Args, " ")
	switch c.Name {
	case "gpg":
		if strings.Contains(text, "--export-secret") {
			s.tell(&privateKeyRead, 0.5, "gpg", "private keys were taken out of a key ring")
		}
	case "secret-tool":
		if c.has("lookup", "search") {
			s.tell(&storedCredentials, 0.5, "secret-tool", "a password was taken out of a key ring")
		}
	case "kubectl":
		if (c.has("secret", "secrets") || strings.Contains(text, "secret/") || strings.Contains(text, "secrets/")) && c.has("get", "describe") {
			s.tell(&storedCredentials, 0.5, "kubectl", "secrets of a cluster were read")
		}
	case "klist":
		s.tell(&kerberosListed, 0.2, "", "Kerberos tickets were listed")
	case "nmcli":
		if strings.Contains(text, "-s") && strings.Contains(text, "show") || strings.Contains(text, "show-secrets") {
			s.tell(&storedCredentials, 0.5, "nmcli", "passwords of wireless networks were shown")
		}
	case "docker":
		if c.arg(0) == "inspect" && strings.Contains(text, "Env") {
			s.tell(&environmentRead, 0.3, "docker", "the environment of a container was read")
		}
	case "aws", "az", "gcloud":
		if strings.Contains(text, "get-session-token") || strings.Contains(text, "get-access-token") || strings.Contains(text, "print-access-token") || strings.Contains(text, "create-access-key") || strings.Contains(text, "get-secret-value") || strings.Contains(text, "configure export-credentials") || strings.Contains(text, "ec2 get-password-data") {
			s.tell(&cloudCredentials, 0.4, c.Name, "credentials for a cloud were asked for")
		}
	}
}

// onCloudTools: a cloud's own tools list what there is, switch off its logging, or remove what is kept.
func onCloudTools(s *step, c *Command) {
	if expected(s.process) || s.process.under&underCron != 0 {
		return
	}
	text := " " + strings.Join(c.Args, " ") + " "
	for _, w := range [...]string{"cloudtrail stop-logging", "cloudtrail delete-trail", "cloudtrail update-trail", "put-event-selectors", "delete-flow-logs", "delete-log-group", "delete-log-stream", "guardduty delete-detector", "guardduty update-detector", "delete-configuration-recorder", "stop-configuration-recorder", "logging sinks delete", "logging sinks update", "diagnostic-settings delete", "log-profiles delete", "delete-rule-set", "security-center"} {
		if strings.Contains(text, w) {
			s.tell(&loggingImpaired, 0.6, w, "a cloud's logging was switched off: "+w)
			return
		}
	}
	for _, w := range [...]string{" iam create-user ", " iam create-access-key ", " iam attach-", " iam put-", " iam create-login-profile ", " iam add-user-to-group ", " iam update-assume-role-policy ", " ad user create ", " ad sp create", " ad app credential ", " role assignment create ", " service-accounts keys create ", " service-accounts create ", " add-iam-policy-binding "} {
		if strings.Contains(text, w) {
			s.tell(&privilegeGranted, 0.5, "cloud", "an account of a cloud was made, or got rights:"+w)
			return
		}
	}
	for _, w := range [...]string{" ls ", " describe-", " list-", " list ", " get-caller-identity", " get-account-"} {
		if strings.Contains(text, w) {
			s.tell(&cloudListed, 0.2, c.Name, "what there is in a cloud was listed by "+c.Name)
			return
		}
	}
}
