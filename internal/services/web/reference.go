package web

import (
	"net/url"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// reference is a setting's value that stands for a secret in a vault.
type reference struct {
	Vault   string // name, lower case; "" when the syntax is broken
	Secret  string
	Version string // "" = the newest
}

const (
	referencePrefix = "@microsoft.keyvault("
	maxReference    = 2048
)

// isReference tells whether a value claims to be a reference. It may still be broken; see parseReference.
func isReference(value string) bool {
	v := strings.TrimSpace(value)
	return len(v) >= len(referencePrefix) && strings.EqualFold(v[:len(referencePrefix)], referencePrefix)
}

// parseReference reads both syntaxes, tolerant of blanks, case and a missing or doubled final slash:
//
//	@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s[/version])
//	@Microsoft.KeyVault(VaultName=v;SecretName=s[;SecretVersion=x])
//
// problem says what is wrong, "" if nothing is. Only vaults of hosts are accepted.
func parseReference(value string, hosts wire.Hosts) (ref reference, problem string) {
	v := strings.TrimSpace(value)
	if !isReference(v) {
		return ref, "it does not begin with @Microsoft.KeyVault("
	}
	if len(v) > maxReference {
		return ref, "it is too long"
	}
	body, ok := strings.CutSuffix(v[len(referencePrefix):], ")")
	if !ok {
		return ref, "the closing parenthesis is missing"
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(body, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, val, ok := strings.Cut(part, "=")
		name, val = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(val)
		if _, twice := fields[name]; !ok || twice {
			return ref, "each part must be Name=value, once"
		}
		fields[name] = val
	}
	uri, byURI := fields["secreturi"]
	delete(fields, "secreturi")
	switch {
	case byURI && len(fields) > 0:
		return ref, "SecretUri must stand alone"
	case byURI:
		return parseSecretURI(uri, hosts)
	}
	ref = reference{Vault: strings.ToLower(fields["vaultname"]), Secret: fields["secretname"], Version: fields["secretversion"]}
	for _, known := range []string{"vaultname", "secretname", "secretversion"} {
		delete(fields, known)
	}
	if len(fields) > 0 {
		return reference{}, "only SecretUri, VaultName, SecretName and SecretVersion are known"
	}
	return checkReference(ref)
}

func parseSecretURI(text string, hosts wire.Hosts) (reference, string) {
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Scheme, "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return reference{}, "SecretUri is not an https URL of a secret"
	}
	host, ok := hosts.Resolve(u.Host)
	if !ok || host.Kind != wire.HostVault {
		return reference{}, "SecretUri does not name a key vault"
	}
	parts := strings.FieldsFunc(u.EscapedPath(), func(r rune) bool { return r == '/' })
	if len(parts) < 2 || len(parts) > 3 || !strings.EqualFold(parts[0], "secrets") {
		return reference{}, "SecretUri must end in /secrets/NAME or /secrets/NAME/VERSION"
	}
	ref := reference{Vault: host.Name, Secret: parts[1]}
	if len(parts) == 3 {
		ref.Version = parts[2]
	}
	return checkReference(ref)
}

// checkReference makes sure the parts can be put into a URL as they are.
func checkReference(ref reference) (reference, string) {
	switch {
	case ref.Vault == "" || len(ref.Vault) > 24 || !dnsLabel(ref.Vault):
		return reference{}, "the vault's name is missing or not one"
	case ref.Secret == "" || len(ref.Secret) > 127 || !dnsLabel(ref.Secret):
		return reference{}, "the secret's name is missing or not one"
	case len(ref.Version) > 64 || !dnsLabel(ref.Version):
		return reference{}, "the secret's version is not one"
	}
	return ref, ""
}

// dnsLabel tells whether s has letters, digits and hyphens only.
func dnsLabel(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
