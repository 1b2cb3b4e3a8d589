package wire

import (
	"strconv"
	"strings"
)

// HostKind names a family of host names: one service's data plane or one shared endpoint.
type HostKind string

// The host kinds. Kinds with names in front (a vault, an account, a site) carry the name in Host.Name.
const (
	HostLogin     HostKind = "login"      // login.microsoftonline.com and its aliases
	HostGraph     HostKind = "graph"      // graph.microsoft.com
	HostARM       HostKind = "management" // management.azure.com
	HostVault     HostKind = "vault"      // {name}.vault.azure.net
	HostCosmos    HostKind = "documents"  // {name}.documents.azure.com
	HostSite      HostKind = "sites"      // {name}.azurewebsites.net
	HostSCM       HostKind = "scm"        // {name}.scm.azurewebsites.net
	HostPortal    HostKind = "portal"     // portal.azure.com
	HostCognitive HostKind = "cognitive"  // {name}.cognitiveservices.azure.com and {region}.api.cognitive.microsoft.com; also a container's own listener
	HostMetrics   HostKind = "monitoring" // {region}.monitoring.azure.com: metrics sent and scraped
	HostMySQL     HostKind = "mysql"      // {name}.mysql.database.azure.com: files of a database server; its own protocol has a port of its own
	HostImages    HostKind = "images"     // mcr.microsoft.com: container images
	HostTAXII     HostKind = "taxii"      // taxii.SUFFIX: threat intelligence; Azure has no such name
	HostAdmin     HostKind = "admin"      // the admin socket; never reachable by TCP
	HostMachine   HostKind = "identity"   // plain HTTP: managed identity endpoint, IMDS, health
)

// hostNames is one row of the table that says which names a kind answers to.
type hostNames struct {
	kind  HostKind
	azure []string // fixed Azure names, or suffixes with a leading dot for kinds with a name in front
	own   string   // label under the own suffix: "vault" gives {name}.vault.SUFFIX
}

// The order matters: the longest suffix of one family comes first (scm before azurewebsites.net).
var hostTable = []hostNames{
	{HostLogin, []string{"login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net"}, "login"},
	{HostGraph, []string{"graph.microsoft.com", "graph.windows.net"}, "graph"},
	{HostARM, []string{"management.azure.com", "management.core.windows.net"}, "management"},
	{HostPortal, []string{"portal.azure.com"}, "portal"},
	{HostTAXII, nil, "taxii"},
	{HostImages, []string{"mcr.microsoft.com"}, "mcr"},
	{HostMetrics, []string{".monitoring.azure.com"}, ".monitoring"},
	{HostVault, []string{".vault.azure.net"}, ".vault"},
	{HostCognitive, []string{".cognitiveservices.azure.com"}, ".cognitiveservices"},
	{HostCognitive, []string{".api.cognitive.microsoft.com"}, regional}, // its name is a region; see Host.Regional
	{HostMySQL, []string{".mysql.database.azure.com"}, ".mysql"},
	{HostCosmos, []string{".documents.azure.com"}, ".documents"},
	{HostSCM, []string{".scm.azurewebsites.net"}, ".scm.sites"},
	{HostSite, []string{".azurewebsites.net"}, ".sites"},
}

// Hosts knows which host names this platform serves. Its zero value serves the Azure names only.
type Hosts struct {
	Suffix string // own suffix without a leading dot, such as "bulkhead.localhost"; lower case
	Port   int    // port of the front door, appended to own names when it is not 443
}

// Host is a host name taken apart.
type Host struct {
	Kind   HostKind
	Name   string // first label for named kinds (the vault, account or site), lower case; else ""
	Public bool   // an Azure name (the client came through the proxy), not one under the own suffix
	Local  bool   // it came by a listener of the service's own on loopback, under a loopback name
	Text   string // as the client sent it, lower case, without :443
}

// regional is the own label of Cognitive Services' regional endpoints.
const regional = ".api.cognitive"

// Regional tells whether a Cognitive Services host is a region's, which all its accounts share: Name is the region then, not an account.
func (h Host) Regional() bool {
	return h.Kind == HostCognitive && strings.Contains(h.Text, regional+".")
}

// RegionalAuthority is the host[:port] of a region's Cognitive Services, seen from a client that came in by way of from.
func (h Hosts) RegionalAuthority(from Host, region string) string {
	for _, row := range hostTable {
		if row.own == regional {
			return h.authority(row, from, region)
		}
	}
	return ""
}

// Resolve takes a Host header (or SNI name) apart. ok is false for a name this platform does not serve.
func (h Hosts) Resolve(hostport string) (Host, bool) {
	text := strings.TrimSuffix(strings.ToLower(hostport), ":443")
	name := text
	if host, port, ok := strings.Cut(text, ":"); ok {
		if !digits(port) {
			return Host{Text: text}, false
		}
		name = host
	}
	name = strings.TrimSuffix(name, ".")
	own, isOwn := "", false
	if h.Suffix != "" {
		if own, isOwn = strings.CutSuffix(name, h.Suffix); isOwn {
			own, isOwn = strings.CutSuffix(own, ".")
		}
	}
	for i := range hostTable {
		row := &hostTable[i]
		if isOwn {
			if label, ok := match(own, row.own); ok {
				return Host{Kind: row.kind, Name: label, Text: text}, true
			}
		}
		for _, a := range row.azure {
			if label, ok := match(name, a); ok {
				return Host{Kind: row.kind, Name: label, Public: true, Text: text}, true
			}
		}
	}
	return Host{Text: text}, false
}

// match compares name with a fixed pattern, or, for a pattern with a leading dot, with one label before it.
func match(name, pattern string) (label string, ok bool) {
	if pattern[0] != '.' {
		return "", name == pattern
	}
	label, ok = strings.CutSuffix(name, pattern)
	if !ok || label == "" || strings.Contains(label, ".") {
		return "", false
	}
	return label, true
}

// Suffixes lists every DNS name or suffix (without a leading dot) served, for the CA's name constraints and the proxy's allow list.
func (h Hosts) Suffixes() []string {
	var out []string
	for _, row := range hostTable {
		for _, a := range row.azure {
			out = append(out, strings.TrimPrefix(a, "."))
		}
	}
	if h.Suffix != "" {
		out = append(out, h.Suffix)
	}
	return out
}

// Authority is the host[:port] under which kind (and name, for named kinds) is reached, seen from a client that came in by way of from:
// Azure's own name for a public host, a name under the own suffix otherwise.
func (h Hosts) Authority(from Host, kind HostKind, name string) string {
	for _, row := range hostTable {
		if row.kind != kind {
			continue
		}
		return h.authority(row, from, name)
	}
	return ""
}

func (h Hosts) authority(row hostNames, from Host, name string) string {
	if len(row.azure) > 0 && (from.Public || h.Suffix == "") {
		return strings.ToLower(name) + row.azure[0]
	}
	host := strings.ToLower(name) + row.own + "." + h.Suffix
	if h.Port != 0 && h.Port != 443 {
		host += ":" + strconv.Itoa(h.Port)
	}
	return host
}

// URL is "https://" + Authority, without a trailing slash.
func (h Hosts) URL(from Host, kind HostKind, name string) string {
	return "https://" + h.Authority(from, kind, name)
}
