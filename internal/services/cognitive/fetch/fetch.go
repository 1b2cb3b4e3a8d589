// Package fetch gets pictures that a caller names by their address.
//
// The caller chooses the address, but it is this host that connects: so only addresses of the public internet are connected to, whatever a name resolves to at that
// moment and wherever a redirect leads; nothing of the caller's or the host's goes along; and size and time are bounded.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Options are how pictures are got. The zero value reaches the public internet directly.
type Options struct {
	// Private admits addresses of this machine and of private networks, too.
	Private bool
	// Proxy goes between, if set. It is connected to wherever it is, and what lies behind it is its own to judge.
	Proxy *url.URL
	// Time bounds the whole; 0 means 30 seconds.
	Time time.Duration
}

var (
	errAddress  = errors.New("addresses that are not public are not connected to")
	errTooLarge = errors.New("the picture is too large")
)

// New makes a function that gets what is at an http or https address, at most so many bytes. Its errors are for the caller: they tell nothing of the host's network but
// that an address is refused.
func New(o Options) func(ctx context.Context, address string, most int64) ([]byte, error) {
	if o.Time <= 0 {
		o.Time = 30 * time.Second
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !o.Private && o.Proxy == nil {
		dialer.Control = public
	}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	if o.Proxy != nil {
		transport.Proxy = http.ProxyURL(o.Proxy)
	}
	client := &http.Client{Transport: transport, Timeout: o.Time, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("too many redirects")
		}
		return checkScheme(r.URL)
	}}
	return func(ctx context.Context, address string, most int64) ([]byte, error) {
		u, err := url.Parse(address)
		if err != nil {
			return nil, errors.New("the address is malformed")
		}
		if err := checkScheme(u); err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, errors.New("the address is malformed")
		}
		r.Header.Set("Accept", "image/*, application/pdf, application/octet-stream")
		return read(client, r, most)
	}
}

func read(client *http.Client, r *http.Request, most int64) ([]byte, error) {
	answer, err := client.Do(r)
	switch {
	case errors.Is(err, errAddress):
		return nil, errAddress
	case err != nil:
		return nil, errors.New("the address could not be reached")
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the address answered %d", answer.StatusCode)
	}
	if answer.ContentLength > most {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err != nil {
		return nil, errors.New("the picture broke off")
	}
	if int64(len(data)) > most {
		return nil, errTooLarge
	}
	return data, nil
}

func checkScheme(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("the address has to begin with http:// or https:// and to name a host")
	}
	return nil
}

// public refuses what is connected to: it sees the address itself, after names are resolved.
func public(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errAddress
	}
	if ip := at.Addr().Unmap(); !ip.IsGlobalUnicast() || ip.IsPrivate() || shared(ip) {
		return errAddress
	}
	return nil
}

// shared are the addresses that look public and aren't: carriers' own (RFC 6598), documentation, benchmarks, reserved, and those that wrap an IPv4 address.
func shared(ip netip.Addr) bool {
	for _, n := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		if netip.MustParsePrefix(n).Contains(ip) {
			return true
		}
	}
	return false
}
