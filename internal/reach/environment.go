package reach

import "net/url"

// Environment is what a client process needs to know. Its Vars point every client family of the field at the platform.
type Environment struct {
	Proxy      string // host:port of the proxy; "" where Azure's names lead to the platform without one (package isolate)
	Credential Credential
	Root       string // file with our root alone, for clients that add to their own list
	Bundle     string // file with the system's roots and ours, for clients whose list is replaced
	AzureDir   string // AZURE_CONFIG_DIR, so that az does not mix this with the user's own log-in; "" leaves it out

	TenantID       string // empty fields below are left out
	SubscriptionID string
	ClientID       string
	ClientSecret   string
}

// Var is one environment variable.
type Var struct{ Name, Value string }

// Vars are the variables in a fixed order. The proxy's are set in both cases, since curl and wget read the lower-case ones only. NO_PROXY does not name localhost:
// clients read that as *.localhost too and would ask a resolver, which seldom knows such names, for those under the default suffix. The proxy relays localhost.
func (e Environment) Vars() []Var {
	var proxy, local string
	if e.Proxy != "" {
		proxy = (&url.URL{Scheme: "http", User: url.UserPassword(e.Credential.User, e.Credential.Secret), Host: e.Proxy}).String()
		local = "127.0.0.1,::1"
	}
	vars := []Var{
		{"HTTPS_PROXY", proxy},
		{"HTTP_PROXY", proxy},
		{"NO_PROXY", local},
		{"https_proxy", proxy},
		{"http_proxy", proxy},
		{"no_proxy", local},
		{"SSL_CERT_FILE", e.Bundle},      // Go, OpenSSL programs
		{"REQUESTS_CA_BUNDLE", e.Bundle}, // Python SDKs, az
		{"CURL_CA_BUNDLE", e.Bundle},     //
		{"GIT_SSL_CAINFO", e.Bundle},     //
		{"NODE_EXTRA_CA_CERTS", e.Root},  //
		{"AZURE_TENANT_ID", e.TenantID},  // azidentity's EnvironmentCredential
		{"AZURE_CLIENT_ID", e.ClientID},  //
		{"AZURE_CLIENT_SECRET", e.ClientSecret},
		{"AZURE_SUBSCRIPTION_ID", e.SubscriptionID},
		{"AZURE_CONFIG_DIR", e.AzureDir},
		{"AZURE_CORE_COLLECT_TELEMETRY", "false"}, // az would call home
	}
	kept := vars[:0]
	for _, v := range vars {
		if v.Value != "" {
			kept = append(kept, v)
		}
	}
	return kept
}

// Environ is Vars as "NAME=value" strings.
func (e Environment) Environ() []string {
	vars := e.Vars()
	out := make([]string, len(vars))
	for i, v := range vars {
		out[i] = v.Name + "=" + v.Value
	}
	return out
}
