package directory

import (
	"net/netip"
	"net/url"
	"strings"
)

// uriKind is the platform that a redirect URI is registered for.
type uriKind string

const (
	webURI    uriKind = "web"          // a confidential client: it redeems codes with its credential
	spaURI    uriKind = "spa"          // a page: PKCE demanded, no credential, short refresh tokens
	publicURI uriKind = "publicClient" // an installed program: no credential
)

// replyURI is a registered redirect URI.
type replyURI struct {
	uri  string
	kind uriKind
}

// matchRedirect finds the registered URI that asked is. They are compared character by character, but for the port of a loopback URI: a program
// listens where it can (RFC 8252, section 7.3).
func matchRedirect(registered []replyURI, asked string) (replyURI, bool) {
	for _, r := range registered {
		if r.uri == asked || sameLoopback(r.uri, asked) {
			return replyURI{uri: asked, kind: r.kind}, true
		}
	}
	return replyURI{}, false
}

func sameLoopback(registered, asked string) bool {
	a, ok := loopback(registered)
	b, ok2 := loopback(asked)
	return ok && ok2 && a.Hostname() == b.Hostname() && a.EscapedPath() == b.EscapedPath() && a.RawQuery == b.RawQuery
}

// loopback parses an http URI of this machine. A path of "/" counts as none.
func loopback(uri string) (*url.URL, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, false
	}
	if u.Path == "/" {
		u.Path, u.RawPath = "", ""
	}
	if u.Hostname() == "localhost" {
		return u, true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u, err == nil && ip.IsLoopback()
}

// validRedirect tells whether uri may be registered or answered to: absolute, without a fragment, and not one that a browser would run.
func validRedirect(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.Fragment != "" || u.User != nil || strings.Contains(uri, "#") || strings.ContainsAny(uri, " \t\r\n\"'<>\\") {
		return false
	}
	switch u.Scheme {
	case "javascript", "data", "vbscript", "file", "about", "blob", "view-source":
		return false
	case "http":
		_, ok := loopback(uri)
		return ok
	case "https":
		return u.Host != ""
	}
	return true
}

// cspSource is the source expression that lets a form of ours end at uri, which browsers check along redirects too.
func cspSource(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || strings.ContainsAny(u.Host, ";, '") {
		return ""
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}
