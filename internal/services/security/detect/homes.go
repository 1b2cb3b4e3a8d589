package detect

import "strings"

// classifyHome tells what a file is that lies in somebody's home, or below any folder: by the folders that tools keep their secrets in, and the names of files that are the
// same everywhere.
func classifyHome(p string) class {
	if p == "" {
		return ordinary
	}
	b := base(p)
	switch b {
	case "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "identity.pem", "id_ecdsa_sk", "id_ed25519_sk":
		return sshPrivateKey
	case "authorized_keys", "authorized_keys2":
		return authorizedKeys
	case ".netrc", "_netrc", ".git-credentials", ".pgpass", ".my.cnf", ".pypirc", ".vault-token", ".s3cfg", ".boto", ".rhosts", ".dockercfg", ".htpasswd", "wp-config.php", "kubeconfig", "admin.conf", ".smbcredentials", "tomcat-users.xml", "unattend.xml", ".env":
		if b == ".env" && strings.HasPrefix(p, ".env") {
			return ordinary
		}
		return storedSecret
	case "accessTokens.json", "msal_token_cache.json", "access_tokens.db", "credentials.db", "azureProfile.json", "application_default_credentials.json", "service_principal_entries.json", "legacy_credentials", "msal_token_cache.bin":
		return cloudSecret
	case "logins.json", "key4.db", "key3.db", "signons.sqlite", "Login Data", "cookies.sqlite", "Cookies", "Web Data", "cert9.db":
		return browserStore
	case "places.sqlite", "Bookmarks", "bookmarks.html":
		return browserMarks
	case ".bash_history", ".zsh_history", ".history", ".sh_history", ".ksh_history", ".ash_history", ".mysql_history", ".psql_history", ".python_history", ".node_repl_history", ".rediscli_history", ".fish_history", "fish_history", ".lesshst", ".viminfo", ".sqlite_history", ".mysh_history", ".histfile", ".tcsh_history":
		return historyFile
	case ".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zprofile", ".zlogin", ".zshenv", ".bash_logout", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login", ".logout", ".shrc", ".xprofile", ".xinitrc", ".xsession", ".xsessionrc", ".bash_aliases", ".inputrc", ".pam_environment", "config.fish":
		return userProfile
	case ".htaccess":
		return webScript
	}
	switch {
	case strings.HasSuffix(b, ".kdbx"), strings.HasSuffix(b, ".kdb"), strings.HasSuffix(b, ".keychain"):
		return keyStore
	case strings.HasPrefix(b, "krb5cc"), strings.HasSuffix(b, ".keytab"), strings.HasSuffix(b, ".ccache"):
		return kerberosTicket
	case b == "shadow" || b == "shadow.bak":
		if strings.HasSuffix(p, "etc/"+b) {
			return shadowFile
		}
	case b == "passwd" && strings.HasSuffix(p, "etc/passwd"):
		return passwdFile
	}
	if c := pythonStart(p); c != ordinary {
		return c
	}
	if !strings.Contains(p, "/.") && p[0] != '.' && !strings.HasPrefix(p, "~") && !strings.Contains(p, "gcloud") {
		if scriptName(b) && (strings.Contains(p, "/htdocs/") || strings.Contains(p, "/public_html/") || strings.Contains(p, "/webapps/")) {
			return webScript
		}
		return ordinary
	}
	for rest := p; rest != ""; {
		var dir string
		dir, rest, _ = strings.Cut(rest, "/")
		switch dir {
		case ".ssh":
			switch {
			case rest == "config" || rest == "rc" || rest == "environment":
				return sshUserConfig
			case rest == "known_hosts", strings.HasSuffix(rest, ".pub"):
				return ordinary
			case rest == "" || strings.HasPrefix(rest, "id_") || strings.HasSuffix(rest, ".pem") || strings.HasSuffix(rest, ".key") || rest == "*":
				return sshPrivateKey
			}
		case ".aws", ".azure", ".oci", "gcloud", ".gcloud", ".aliyun", ".bluemix", ".ibmcloud", ".config/gcloud", ".digitalocean", ".terraform.d":
			if strings.HasSuffix(rest, "config") && dir == ".aws" {
				return ordinary
			}
			return cloudSecret
		case ".kube", ".docker", ".password-store", ".mozilla", ".config", ".gnupg", ".local", ".git":
			if c := classifyDot(dir, rest); c != ordinary {
				return c
			}
		}
	}
	return ordinary
}

func classifyDot(dir, rest string) class {
	switch dir {
	case ".kube", ".docker":
		if rest == "" || strings.HasPrefix(rest, "config") {
			return storedSecret
		}
	case ".password-store":
		return keyStore
	case ".gnupg":
		if rest == "" || strings.Contains(rest, "private") || strings.Contains(rest, "secring") {
			return keyStore
		}
	case ".mozilla":
		if strings.Contains(rest, "firefox") {
			return browserStore
		}
	case ".config":
		switch {
		case strings.HasPrefix(rest, "autostart/"):
			return autostart
		case strings.HasPrefix(rest, "systemd/user/"):
			return unitFile
		case strings.HasPrefix(rest, "gh/hosts.yml"), strings.HasPrefix(rest, "op/"), strings.HasPrefix(rest, "filezilla"), strings.HasPrefix(rest, "remmina"), strings.HasPrefix(rest, "rclone/rclone.conf"):
			return storedSecret
		case strings.Contains(rest, "doctl/"):
			return cloudSecret
		}
	case ".local":
		if strings.HasPrefix(rest, "share/keyrings") || strings.HasPrefix(rest, "share/kwalletd") {
			return keyStore
		}
		if strings.HasPrefix(rest, "share/systemd/user/") {
			return unitFile
		}
	case ".git":
		if strings.HasPrefix(rest, "hooks/") && !strings.HasSuffix(rest, ".sample") {
			return gitHook
		}
	}
	return ordinary
}

// homes is where the homes of accounts are.
const homes = "/home"
