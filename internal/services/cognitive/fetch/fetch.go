// Package fetch gets pictures that a caller names by their address.
//
// The caller chooses the address, but it is this host that connects: so only addresses of the public Internet are connected to, whatever a name resolves to at that
// moment and wherever a redirection leads; nothing of the caller's or the host's goes along; and size and time are bounded. There is no proxy, since a proxy would
// choose the address.
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

// fetchTime bounds the whole, redirections included.
const fetchTime = 10 * time.Second

// Errors of this package. Their texts, and those of the others, are for the caller: they tell no more of the host's network than a caller needs to know.
var (
	ErrURL      = errors.New("it must be an http or https URL without a user name")
	ErrPrivate  = errors.New("its address is not one of the public Internet")
	ErrTooLarge = errors.New("it is too large")
)

// Fetcher gets what is at an address. The zero value is ready; safe for concurrent use.
type Fetcher struct {
	Private bool // addresses of this machine and of private networks, too
}

// Get gets at most so many bytes from an http or https address.
func (f *Fetcher) Get(ctx context.Context, address string, most int64) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || checkURL(u) != nil {
		return nil, ErrURL
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	dialer := &net.Dialer{Timeout: fetchTime, ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
		return f.admit(network, address)
	}}
	client := &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: fetchTime, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("more than 3 redirections")
			}
			return checkURL(r.URL)
		},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, ErrURL
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, undelivered(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %d", answer.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return nil, undelivered(err)
	case int64(len(b)) > most:
		return nil, ErrTooLarge
	}
	return b, nil
}

func undelivered(err error) error {
	switch {
	case errors.Is(err, ErrPrivate):
		return ErrPrivate
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("it took too long")
	}
	return errors.New("it can't be reached")
}

func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("a redirection to another scheme")
	}
	return nil
}

// admit refuses connections to where callers must not get by way of the service. It is asked for the address that is really dialled, so that no name can
// resolve to another one in between.
func (f *Fetcher) admit(network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s", ErrPrivate, network)
	}
	if f.Private {
		return nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !public(ap.Addr()) {
		return ErrPrivate
	}
	return nil
}

// public tells whether an address is one of the public Internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"168.63.129.16/32", // Azure's own wire server
		// Translations and tunnels, which carry other addresses inside, and what is for documentation.
		"64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "2001:db8::/32", "100::/64", "fec0::/10",
	} {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return true
}
