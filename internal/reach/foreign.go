package reach

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
)

// loopback returns the address to dial for host:port if that is this machine itself: localhost, any name under it (RFC 6761), or a loopback address. Clients send those
// to a proxy that NO_PROXY does not except, and mean their own machine, which is this one.
func loopback(hostport, defaultPort string) (addr string, ok bool) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = strings.Trim(hostport, "[]"), defaultPort
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return net.JoinHostPort("localhost", port), true
	}
	ip := net.ParseIP(host)
	return net.JoinHostPort(host, port), ip != nil && ip.IsLoopback()
}

// foreign relays a tunnel to this machine itself or, if the operator allowed passing through, to any host; else it refuses.
func (p *Proxy) foreign(w http.ResponseWriter, r *http.Request) {
	addr, local := loopback(r.Host, "443")
	if !local && !p.Pass {
		p.refuse(w, http.StatusForbidden, "Host is not served here and passing through is off")
		return
	}
	var d net.Dialer
	far, err := d.DialContext(r.Context(), "tcp", addr)
	if err != nil {
		p.refuse(w, http.StatusBadGateway, "Host behind the proxy did not answer")
		return
	}
	near, buffered, err := hijack(w)
	if err != nil {
		far.Close()
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(far, buffered)
		far.Close()
		near.Close()
	}()
	_, _ = io.Copy(near, far)
	far.Close()
	near.Close()
}

// forward does the same for a request by plain HTTP.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request) {
	addr, local := loopback(r.URL.Host, "80")
	if r.URL.Host == "" || r.URL.Scheme != "http" || !local && !p.Pass {
		p.refuse(w, http.StatusForbidden, "Host is not served here and passing through is off")
		return
	}
	relay := httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.Host = pr.In.Host
			if local {
				pr.Out.URL.Host = addr
			}
		},
		FlushInterval: -1, // events must not wait for a buffer
		ErrorLog:      p.server.ErrorLog,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			p.refuse(w, http.StatusBadGateway, "Host behind the proxy did not answer")
		},
	}
	relay.ServeHTTP(w, r)
}
