package harness

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Way is one of the ways a client reaches the platform.
type Way struct {
	Name   string // "proxy" or "suffix"
	Public bool   // Azure's own host names, through the proxy
	Client *http.Client
	Cloud  cloud.Configuration
	p      *Platform
}

// Ways are both ways an SDK reaches the platform without a change of code: Azure's own names through the proxy with credentials, and names under the platform's
// own suffix, set as a cloud of one's own.
func (p *Platform) Ways(t testing.TB) []Way {
	t.Helper()
	return []Way{p.ProxyWay(t), p.SuffixWay(t)}
}

// ProxyWay reaches Azure's own names through the proxy, with the settings `bulkhead env` prints.
func (p *Platform) ProxyWay(t testing.TB) Way {
	t.Helper()
	proxy, err := url.Parse(p.Env(t, "")["HTTPS_PROXY"])
	if err != nil {
		t.Fatal(err)
	}
	tr := p.newTransport(t)
	tr.Proxy = http.ProxyURL(proxy)
	return Way{Name: "proxy", Public: true, Client: &http.Client{Transport: tr}, Cloud: cloud.AzurePublic, p: p}
}

// SuffixWay reaches names under the platform's own suffix.
func (p *Platform) SuffixWay(t testing.TB) Way {
	t.Helper()
	return p.suffixWay(p.newTransport(t))
}

// SuffixWayFrom is SuffixWay for a client in a network namespace, which finds the platform at host.
func (p *Platform) SuffixWayFrom(t testing.TB, n *Namespace, host string) Way {
	t.Helper()
	tr := p.newTransport(t)
	tr.DialContext = n.to(host)
	return p.suffixWay(tr)
}

// ProxyWayFrom is ProxyWay for a client in a network namespace, which finds the proxy at host.
func (p *Platform) ProxyWayFrom(t testing.TB, n *Namespace, host string) Way {
	t.Helper()
	w := p.ProxyWay(t)
	w.Client.Transport.(*http.Transport).DialContext = n.to(host)
	return w
}

func (p *Platform) suffixWay(tr *http.Transport) Way {
	w := Way{Name: "suffix", Client: &http.Client{Transport: tr}, p: p}
	w.Cloud = cloud.Configuration{
		ActiveDirectoryAuthorityHost: w.Login() + "/",
		Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: w.ARM(), Audience: w.ARM()}},
	}
	return w
}

func (p *Platform) newTransport(t testing.TB) *http.Transport {
	t.Helper()
	tr, err := p.transport()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func (w Way) url(public, own string) string {
	if w.Public {
		return "https://" + public
	}
	return "https://" + own + "." + w.p.Run.Suffix + ":" + w.p.Port()
}

// Login is the authority host, without a final slash; so are the others.
func (w Way) Login() string { return w.url("login.microsoftonline.com", "login") }

// ARM is the endpoint of Azure Resource Manager.
func (w Way) ARM() string { return w.url("management.azure.com", "management") }

// Graph is the endpoint of Microsoft Graph.
func (w Way) Graph() string { return w.url("graph.microsoft.com", "graph") }

// Vault is the URL of a vault.
func (w Way) Vault(name string) string { return w.url(name+".vault.azure.net", name+".vault") }

// VaultAudience is the resource a token for vaults is asked for.
func (w Way) VaultAudience() string { return w.url("vault.azure.net", "vault") }

// Account is the endpoint of a Cosmos DB account.
func (w Way) Account(name string) string {
	return w.url(name+".documents.azure.com", name+".documents")
}

// Site is the URL of a site.
func (w Way) Site(name string) string { return w.url(name+".azurewebsites.net", name+".sites") }

// SCM is the URL of a site's deployment endpoint.
func (w Way) SCM(name string) string {
	return w.url(name+".scm.azurewebsites.net", name+".scm.sites")
}

// ClientOptions point an SDK client at the platform. It does not retry: an answer that needs a second try is a failure here.
func (w Way) ClientOptions() azcore.ClientOptions {
	return azcore.ClientOptions{Transport: w.Client, Cloud: w.Cloud, Retry: policy.RetryOptions{MaxRetries: -1}}
}

// ARMOptions are ClientOptions for clients of resource providers.
func (w Way) ARMOptions() *arm.ClientOptions {
	return &arm.ClientOptions{ClientOptions: w.ClientOptions()}
}

// Credential signs an application in with its secret, by this way.
func (w Way) Credential(t testing.TB, tenant, app, secret string) *azidentity.ClientSecretCredential {
	t.Helper()
	cred, err := azidentity.NewClientSecretCredential(tenant, app, secret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}
